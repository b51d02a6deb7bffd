//! `verdict log show`: one record, whole.

use std::{fmt::Write as _, ops::ControlFlow, process::ExitCode, sync::Arc};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value as Json;
use verdict::{
    audit::replay,
    decision::{Decider, Query, json},
    policy::{Config, Snapshot, printable},
};

use super::{
    policies::{Policies, with_stack},
    record::Record,
    select::Selection,
};
use crate::cli::{colour, complain, exit, say, show_faults, verdict_text};

/// Show one record: what was asked, what was answered, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  verdict log show 019412ab /var/log/verdict/decisions.log
  verdict log show 019412ab /var/log/verdict/decisions.log --json
  verdict log show 019412ab /var/log/verdict/decisions.log --explain --policies ./policies")]
pub(super) struct Args {
    /// The decision's id, or how it begins
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    selection: Selection,
    /// As it is in the log
    #[arg(long, conflicts_with = "explain")]
    json: bool,
    /// Have the rules explained, on the policies that are given; it is said whether they are those of the record
    #[arg(long)]
    explain: bool,
    // Last, as its heading holds for all after it.
    #[command(flatten)]
    policies: Policies,
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
    if args.policies.are_named() && !args.explain {
        bail!("policies are for --explain; add it, or leave them out");
    }
    match found.as_slice() {
        [] => {
            complain(&format!("no record of `{}` is in `{}`", args.id, args.selection.file.display()));
            Ok(ExitCode::from(exit::NO))
        }
        [record] => {
            say(&if args.json { format!("{:#}", record.0) } else { text(record) });
            if args.explain { explain(args, record) } else { Ok(ExitCode::SUCCESS) }
        }
        several => {
            complain(&format!("{} records begin with `{}`; give more of the id", several.len(), args.id));
            Ok(ExitCode::from(exit::NO))
        }
    }
}

/// Puts the question again, for the explanation.
fn explain(args: &Args, record: &Record) -> anyhow::Result<ExitCode> {
    let exact = json::parse(record.0.to_string().as_bytes()).map_err(|fault| anyhow!("the record {fault}"))?;
    let recorded = match replay::recorded(&exact, None) {
        Ok(recorded) => recorded,
        Err(why) => {
            complain(&format!("the question can't be put again: {why}"));
            return Ok(ExitCode::from(exit::FAILED));
        }
    };
    let compiled = args.policies.read()?.and_then(|bundle| {
        let options = args.policies.options(1);
        with_stack(|| Snapshot::compile(&bundle, 1, options))
    });
    let snapshot = match compiled {
        Ok(snapshot) => snapshot,
        Err(faults) => {
            show_faults(&faults);
            return Ok(ExitCode::from(exit::FAILED));
        }
    };
    let same = snapshot.digest().to_string() == record.digest();
    let decider = Decider::new(Config::default().default_policy, args.policies.budget());
    decider.publish(Arc::new(snapshot));
    let query = Query { explain: true, ..recorded.query.clone() };
    let verdict = with_stack(|| decider.decide_blocking(&query, args.policies.budget()));
    let verdict = verdict.context("there is nothing to decide on")?;
    let which = if same { "the policies that it was decided on" } else { "other policies than it was decided on" };
    let difference = recorded.compare(&verdict);
    let what = if difference.is_none() { "the same verdict" } else { "another verdict" };
    say(&format!("\non {which}: {what}\n{}", verdict_text::text(&verdict, colour())));
    Ok(ExitCode::SUCCESS)
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
