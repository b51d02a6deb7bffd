//! `[decision_log.sinks.NAME]`: tables whose names are the operator's. Read field by field, so that every fault is told
//! at once.

mod mask;
mod text;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;

use self::{
    mask::RawMask,
    text::{Bytes, Rate, Span},
};
use super::{
    bundles::is_name,
    fault::{Fault, excerpt, in_file},
    table::Table,
};
use crate::{
    audit::{
        Chain, Compression, Filter, Format, Mode, Place, QueueLimits, Rotation, SinkConfig, SpoolConfig, WhenFull,
        chain::Signer,
    },
    decision::{Effect, EntryPoint},
    otlp::{Destination, Endpoint, Headers},
};

/// What a sink may be told.
pub(super) const KNOWN: [&str; 16] = [
    "type",
    "mode",
    "format",
    "path",
    "rotate",
    "chain",
    "url",
    "token_file",
    "ca_file",
    "chunk_bytes",
    "delay",
    "timeout",
    "queue",
    "spool",
    "filter",
    "mask",
];

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Stdout,
    File,
    Http,
    Otlp,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawMode {
    #[default]
    BestEffort,
    Durable,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawFormat {
    Verdict,
    Opa,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRotation {
    max_bytes: Option<Bytes>,
    max_age: Option<Span>,
    keep: Option<usize>,
    compression: Option<RawCompression>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawCompression {
    None,
    Gzip,
    Zstd,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChain {
    key_file: PathBuf,
    every: Option<u64>,
    interval: Option<Span>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQueue {
    records: Option<usize>,
    bytes: Option<Bytes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpool {
    path: PathBuf,
    max_bytes: Option<Bytes>,
    max_age: Option<Span>,
    when_full: Option<RawWhenFull>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawWhenFull {
    DropOldest,
    FailClosed,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFilter {
    #[serde(default)]
    effects: Vec<RawEffect>,
    #[serde(default)]
    doors: Vec<String>,
    #[serde(default)]
    entry_points: Vec<String>,
    sample_allows: Option<Rate>,
    sample_denies: Option<Rate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawEffect {
    Allow,
    Deny,
}

/// Reads one table.
pub(super) fn read(file: &Path, name: &str, table: Value, faults: &mut Vec<Fault>) -> Option<SinkConfig> {
    let place = |field: &str| in_file(file, &format!("decision_log.sinks.{name}{field}"));
    let before = faults.len();
    if !is_name(name) {
        let expected = "a name of small letters, digits, `-` and `_`, at most 64, that begins with a letter or digit";
        faults.push(Fault::new(place(""), "is no name of a sink", expected));
    }
    let Value::Object(members) = table else {
        faults.push(Fault::new(place(""), "is no table", "a table such as `type: stdout`"));
        return None;
    };
    let mut table = Table { place: &place, page: "docs/decision-log.md", members, faults };
    let kind: Kind = table.need("type", "`stdout`, `file`, `http` or `otlp`").unwrap_or_default();
    let mode = table.take("mode").unwrap_or_default();
    let format = match (table.take("format"), kind) {
        (Some(RawFormat::Verdict), _) | (None, Kind::Stdout | Kind::File | Kind::Otlp) => Format::Verdict,
        (Some(RawFormat::Opa), _) | (None, Kind::Http) => Format::Opa,
    };
    let queue = table.take::<RawQueue>("queue").unwrap_or_default();
    let queue = QueueLimits {
        records: queue.records.unwrap_or(QueueLimits::default().records).max(1),
        bytes: queue.bytes.map_or(QueueLimits::default().bytes, |bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX)),
    };
    let filter = self::filter(&mut table);
    let mask = table.take::<RawMask>("mask").unwrap_or_default();
    let mask = mask.read(&mut |field, problem, expected| table.fault(&format!(".mask{field}"), problem, expected));
    let mode = self::mode(&mut table, mode, kind);
    let target = match kind {
        Kind::Stdout => Some(Place::Stdout),
        Kind::File => self::file(&mut table),
        Kind::Http => http(&mut table),
        Kind::Otlp => Some(otlp(&mut table)),
    };
    table.end(&KNOWN, "is nothing that this type of sink, or its mode, has", "it at another one");
    if faults.len() > before {
        return None;
    }
    Some(SinkConfig { place: target?, format, mode: mode?, queue, filter, mask: mask? })
}

/// What a sink would write to and another one already does: its file, its spool.
pub(super) fn sharing(
    file: &Path,
    name: &str,
    sink: &SinkConfig,
    others: &BTreeMap<String, SinkConfig>,
) -> Option<Fault> {
    let (field, path, other) = written(sink).find_map(|(field, path)| {
        let same = |(_, other): &(&String, &SinkConfig)| written(other).any(|(_, written)| written == path);
        others.iter().find(same).map(|(other, _)| (field, path, other))
    })?;
    let place = in_file(file, &format!("decision_log.sinks.{name}.{field}"));
    let problem = format!("the sink `{other}` writes to `{}` already", path.display());
    Some(Fault::new(place, problem, "a file of its own for each sink"))
}

/// The files that are a sink's own, each with the field that names it.
fn written(sink: &SinkConfig) -> impl Iterator<Item = (&'static str, &Path)> {
    let file = match &sink.place {
        Place::File { path, .. } => Some(("path", path.as_path())),
        Place::Stdout | Place::Http { .. } | Place::Otlp { .. } => None,
    };
    let spool = match &sink.mode {
        Mode::Durable(spool) => Some(("spool.path", spool.path.as_path())),
        Mode::BestEffort | Mode::DurableFile => None,
    };
    file.into_iter().chain(spool)
}

fn mode(table: &mut Table<'_>, mode: RawMode, kind: Kind) -> Option<Mode> {
    if mode == RawMode::BestEffort {
        return Some(Mode::BestEffort);
    }
    if kind == Kind::File && !table.has("spool") {
        return Some(Mode::DurableFile);
    }
    let RawSpool { path, max_bytes, max_age, when_full } =
        table.need("spool", "where records wait, such as `{path: /var/lib/verdict/audit.redb}`")?;
    Some(Mode::Durable(SpoolConfig {
        path,
        max_bytes: max_bytes.map_or(1 << 30, |bytes| bytes.0),
        max_age: max_age.map_or(Duration::from_hours(7 * 24), |span| span.0),
        when_full: match when_full {
            Some(RawWhenFull::FailClosed) => WhenFull::FailClosed,
            Some(RawWhenFull::DropOldest) | None => WhenFull::DropOldest,
        },
    }))
}

fn file(table: &mut Table<'_>) -> Option<Place> {
    let path: PathBuf = table.need("path", "the file that is written to")?;
    let raw = table.take::<RawRotation>("rotate");
    let raw = raw.unwrap_or(RawRotation { max_bytes: None, max_age: None, keep: None, compression: None });
    let rotation = Rotation {
        max_bytes: raw.max_bytes.map_or(100 << 20, |bytes| bytes.0.max(1)),
        max_age: raw.max_age.map_or(Duration::from_hours(24), |span| span.0),
        keep: raw.keep.unwrap_or(30),
        compression: match raw.compression {
            Some(RawCompression::None) => Compression::None,
            Some(RawCompression::Zstd) => Compression::Zstd,
            Some(RawCompression::Gzip) | None => Compression::Gzip,
        },
    };
    let chain = match table.take::<RawChain>("chain") {
        None => None,
        Some(RawChain { key_file, every, interval }) => match Signer::open(&key_file) {
            Ok(signer) => Some(Chain {
                signer: Arc::new(signer),
                every: every.unwrap_or(1_000).max(1),
                interval: interval.map_or(Duration::from_secs(10), |span| span.0),
            }),
            Err(error) => {
                table.fault(".chain.key_file", error.to_string(), "the file of an Ed25519 private key (PEM)");
                None
            }
        },
    };
    Some(Place::File { path, rotation, chain })
}

fn http(table: &mut Table<'_>) -> Option<Place> {
    let url: String = table.need("url", "where chunks are sent, such as `https://logs.example.com/logs`")?;
    match url::Url::parse(&url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.host().is_some() => {
            if !parsed.username().is_empty() || parsed.password().is_some() {
                table.fault(".url", "has a user or a password in it", "a `token_file`");
            }
        }
        _ => {
            let problem = format!("`{}` is no URL of a server", excerpt(&url));
            table.fault(".url", problem, "one that begins with `https://`");
        }
    }
    Some(Place::Http {
        url,
        token_file: table.take("token_file"),
        ca_file: table.take("ca_file"),
        chunk_bytes: table
            .take::<Bytes>("chunk_bytes")
            .map_or(32 << 10, |bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX).max(1 << 10)),
        delay: table.take::<Span>("delay").map_or(Duration::from_secs(1), |span| span.0),
        timeout: table.take::<Span>("timeout").map_or(Duration::from_secs(10), |span| span.0),
    })
}

fn otlp(table: &mut Table<'_>) -> Place {
    let url = table.take::<String>("url");
    let (ca_file, timeout) = (table.take("ca_file"), table.take::<Span>("timeout"));
    let endpoint = url.and_then(|url| match url.parse::<Endpoint>() {
        Ok(endpoint) => Some(endpoint),
        // It may have a password in it.
        Err(invalid) => {
            table.fault(".url", invalid.to_string(), "the address of a collector such as `http://localhost:4317`");
            None
        }
    });
    let destination = endpoint.map(|endpoint| Destination {
        endpoint,
        headers: Headers::default(),
        timeout: timeout.map_or(Duration::from_secs(10), |span| span.0),
        gzip: true,
        ca_file,
        identity: None,
    });
    Place::Otlp {
        destination,
        resource: Vec::new(),
        token_file: table.take("token_file"),
        request_bytes: table
            .take::<Bytes>("chunk_bytes")
            .map_or(1 << 20, |bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX).clamp(1 << 10, 4 << 20)),
        delay: table.take::<Span>("delay").map_or(Duration::from_secs(1), |span| span.0),
    }
}

fn filter(table: &mut Table<'_>) -> Filter {
    let RawFilter { effects, doors, entry_points, sample_allows, sample_denies } =
        table.take::<RawFilter>("filter").unwrap_or_default();
    for entry in &entry_points {
        if let Err(invalid) = entry.parse::<EntryPoint>() {
            table.fault(".filter.entry_points", invalid.to_string(), "references such as `data.authz`");
        }
    }
    let effect = |effect: RawEffect| match effect {
        RawEffect::Allow => Effect::Allow,
        RawEffect::Deny => Effect::Deny,
    };
    Filter {
        effects: effects.into_iter().map(effect).collect(),
        doors,
        entry_points,
        sample_allows: sample_allows.map(|rate| rate.0),
        sample_denies: sample_denies.map(|rate| rate.0),
    }
}
