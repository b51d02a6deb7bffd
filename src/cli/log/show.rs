//! `verdict log show`: one record, whole.

use std::{fmt::Write as _, ops::ControlFlow, process::ExitCode};

use serde_json::Value as Json;
use verdict::policy::printable;

use super::{record::Record, select::Selection};
use crate::cli::{complain, exit, say};

/// Show one record: what was asked, what was answered, and why
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The decision's id, or how it begins
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    selection: Selection,
    /// As it is in the log
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut found: Vec<Record> = Vec::new();
    args.selection.each(&mut |record| {
        // A record may be there twice: it is delivered at least once.
        if record.id().starts_with(&args.id) && found.iter().all(|other| other.id() != record.id()) {
            found.push(record);
        }
        ControlFlow::Continue(())
    })?;
    match found.as_slice() {
        [] => {
            complain(&format!("no record of `{}` is in `{}`", args.id, args.selection.file.display()));
            Ok(ExitCode::from(exit::NO))
        }
        [record] => {
            say(&if args.json { format!("{:#}", record.0) } else { text(record) });
            Ok(ExitCode::SUCCESS)
        }
        several => {
            complain(&format!("{} records begin with `{}`; give more of the id", several.len(), args.id));
            Ok(ExitCode::from(exit::NO))
        }
    }
}

fn text(record: &Record) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // A String takes everything.
            let _ = writeln!(text, "{name:12} {}", printable(value));
        }
    };
    line("decision", record.id());
    line("time", record.time());
    line("door", record.door());
    line("policy", &record.entry_point());
    for part in ["subject", "action", "resource"] {
        line(part, &record.part(part).unwrap_or_default());
    }
    line("effect", record.effect());
    line("search", &record.search().unwrap_or_default());
    line("reasons", &record.reasons().join(", "));
    let revision = record.0.get("revision").or_else(|| record.0.pointer("/custom/revision"));
    if let Some(revision) = revision {
        let sequence = revision.get("sequence").map(Json::to_string).unwrap_or_default();
        let digest = revision.get("digest").and_then(Json::as_str).unwrap_or_default();
        line("revision", &format!("{sequence} {digest}"));
        for (name, of) in revision.get("bundles").and_then(Json::as_object).into_iter().flatten() {
            line("bundle", &format!("{name} {}", of.as_str().unwrap_or_default()));
        }
    }
    if let Some(nanos) = record.nanos() {
        line("took", &format!("{:?}", std::time::Duration::from_nanos(nanos)));
    }
    for name in ["withheld", "erased", "masked", "truncated"] {
        match record.0.get(name).or_else(|| record.0.pointer(&format!("/custom/{name}"))) {
            Some(Json::String(why)) => line(name, why),
            Some(Json::Array(places)) => {
                line(name, &places.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", "));
            }
            _ => {}
        }
    }
    for name in ["input", "result", "diagnostics", "explanation"] {
        if let Some(value) = record.0.get(name).or_else(|| record.0.pointer(&format!("/custom/{name}"))) {
            let _ = write!(text, "\n{name}\n{}\n", printable(&format!("{value:#}")));
        }
    }
    text.trim_end().to_owned()
}
