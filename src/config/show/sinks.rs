//! The sinks of the decision log, of which only what may be seen: where records go and how, and what is hidden.

use super::{flow, list, quoted, show_size, show_time};
use crate::{
    audit::{Compression, FieldMask, Filter, Format, Mask, Mode, Place, SinkConfig, SpoolConfig, WhenFull},
    config::Config,
};

/// The tables of the sinks.
pub(super) fn yaml(config: &Config, yaml: &mut String) {
    yaml.push_str("  sinks:\n");
    for (name, sink) in &config.decision_log.sinks {
        yaml.extend(["    ", name, ":\n"]);
        for (key, value) in lines(sink) {
            yaml.extend(["      ", key, ": ", &value, "\n"]);
        }
    }
}

fn lines(sink: &SinkConfig) -> Vec<(&'static str, String)> {
    let SinkConfig { place, format, mode, queue, filter, mask } = sink;
    let mut lines = Vec::new();
    match place {
        Place::Stdout => lines.push(("type", "stdout".to_owned())),
        Place::File { path, rotation, chain } => {
            lines.push(("type", "file".to_owned()));
            lines.push(("path", quoted(&path.to_string_lossy())));
            let compression = match rotation.compression {
                Compression::None => "none",
                Compression::Gzip => "gzip",
                Compression::Zstd => "zstd",
            };
            let (size, age) = (bytes(rotation.max_bytes), show_time(rotation.max_age));
            let keep = rotation.keep;
            lines.push((
                "rotate",
                format!("{{max_bytes: {size}, max_age: {age}, keep: {keep}, compression: {compression}}}"),
            ));
            if let Some(chain) = chain {
                let verifier = chain.signer.verifier();
                let (every, interval) = (chain.every, show_time(chain.interval));
                let said = format!("every {every} records and {interval}, signed by the key {}", verifier.id());
                lines.push(("# chain", said));
            }
        }
        Place::Http { url, token_file, ca_file, chunk_bytes, delay, timeout } => {
            lines.push(("type", "http".to_owned()));
            lines.push(("url", quoted(url)));
            for (key, path) in [("token_file", token_file), ("ca_file", ca_file)] {
                lines.extend(path.as_ref().map(|path| (key, quoted(&path.to_string_lossy()))));
            }
            lines.push(("chunk_bytes", show_size(*chunk_bytes)));
            lines.push(("delay", show_time(*delay)));
            lines.push(("timeout", show_time(*timeout)));
        }
        Place::Otlp { destination, resource: _, token_file, request_bytes, delay } => {
            lines.push(("type", "otlp".to_owned()));
            if let Some(destination) = destination {
                lines.push(("url", quoted(&destination.endpoint.to_string())));
                let path = |path: &std::path::PathBuf| quoted(&path.to_string_lossy());
                lines.extend(destination.ca_file.as_ref().map(|file| ("ca_file", path(file))));
                lines.push(("timeout", show_time(destination.timeout)));
            }
            lines.extend(token_file.as_ref().map(|path| ("token_file", quoted(&path.to_string_lossy()))));
            lines.push(("chunk_bytes", show_size(*request_bytes)));
            lines.push(("delay", show_time(*delay)));
        }
    }
    lines.push(("format", if *format == Format::Verdict { "verdict" } else { "opa" }.to_owned()));
    match mode {
        Mode::BestEffort => lines.push(("mode", "best_effort".to_owned())),
        Mode::DurableFile => lines.push(("mode", "durable".to_owned())),
        Mode::Durable(SpoolConfig { path, max_bytes, max_age, when_full }) => {
            lines.push(("mode", "durable".to_owned()));
            let when_full = if *when_full == WhenFull::FailClosed { "fail_closed" } else { "drop_oldest" };
            let (path, size, age) = (quoted(&path.to_string_lossy()), bytes(*max_bytes), show_time(*max_age));
            lines.push((
                "spool",
                format!("{{path: {path}, max_bytes: {size}, max_age: {age}, when_full: {when_full}}}"),
            ));
        }
    }
    lines.push(("queue", format!("{{records: {}, bytes: {}}}", queue.records, show_size(queue.bytes))));
    if let Some(filter) = self::filter(filter) {
        lines.push(("filter", filter));
    }
    let Mask { fields, key, policies, names } = mask;
    for field in fields {
        lines.push((
            "# mask",
            match field {
                FieldMask::Remove(pointer) => format!("{pointer} is removed"),
                FieldMask::Replace(pointer, _) => format!("{pointer} is replaced"),
                FieldMask::Hash(pointer) => format!("{pointer} is hashed"),
            },
        ));
    }
    if key.is_some() {
        lines.push(("# mask", "hashes have a key".to_owned()));
    }
    lines.extend(names.iter().map(|name| ("# mask", format!("what is called {} is secret", quoted(name)))));
    if !policies {
        lines.push(("# mask", "policies are not asked".to_owned()));
    }
    lines
}

/// Which records are wanted, if not all.
fn filter(filter: &Filter) -> Option<String> {
    let Filter { effects, doors, entry_points, sample_allows, sample_denies } = filter;
    let effects: Vec<String> = effects.iter().map(|effect| effect.to_string().to_lowercase()).collect();
    let some = |texts: &Vec<String>| (!texts.is_empty()).then(|| list(texts));
    let share = |rate: &Option<u32>| rate.map(|rate| format!("{}.{:02}%", rate / 100, rate % 100));
    let members = [
        ("effects", some(&effects)),
        ("doors", some(doors)),
        ("entry_points", some(entry_points)),
        ("sample_allows", share(sample_allows)),
        ("sample_denies", share(sample_denies)),
    ];
    members.iter().any(|(_, value)| value.is_some()).then(|| flow(members))
}

fn bytes(bytes: u64) -> String {
    show_size(usize::try_from(bytes).unwrap_or(usize::MAX))
}
