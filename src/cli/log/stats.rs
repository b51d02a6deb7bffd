//! `verdict log stats`: what was decided, counted.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    ops::ControlFlow,
    process::ExitCode,
    time::Duration,
};

use serde_json::{Value as Json, json};
use verdict::policy::printable;

use super::select::Selection;
use crate::cli::say;

/// Count records by effect, reason, entry point, door and subject
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  verdict log stats /var/log/verdict/decisions.log --since 2026-03-03T00:00:00Z
  verdict log stats /var/log/verdict/decisions.log --effect deny --top 3 --json")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// How many of each to show
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// One object
    #[arg(long)]
    json: bool,
}

#[derive(Default)]
struct Counted {
    records: u64,
    repeated: u64,
    first: String,
    last: String,
    by: [BTreeMap<String, u64>; 5],
    nanos: Vec<u64>,
}

const KINDS: [&str; 5] = ["effect", "reason", "policy", "door", "subject"];

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut counted = Counted::default();
    let mut seen = HashSet::new();
    args.selection.each(&mut |record| {
        if !seen.insert(record.id().to_owned()) {
            counted.repeated += 1;
            return ControlFlow::Continue(());
        }
        counted.records += 1;
        let time = record.time();
        if counted.first.is_empty() || time < counted.first.as_str() {
            time.clone_into(&mut counted.first);
        }
        if time > counted.last.as_str() {
            time.clone_into(&mut counted.last);
        }
        let [effects, reasons, policies, doors, subjects] = &mut counted.by;
        *effects.entry(record.effect().to_owned()).or_default() += 1;
        for reason in record.reasons() {
            *reasons.entry(reason.to_owned()).or_default() += 1;
        }
        *policies.entry(record.entry_point()).or_default() += 1;
        *doors.entry(record.door().to_owned()).or_default() += 1;
        if let Some(subject) = record.part("subject") {
            *subjects.entry(subject).or_default() += 1;
        }
        counted.nanos.extend(record.nanos());
        ControlFlow::Continue(())
    })?;
    counted.nanos.sort_unstable();
    say(&if args.json { counted.json(args.top) } else { counted.text(args.top) });
    Ok(ExitCode::SUCCESS)
}

impl Counted {
    fn top(&self, most: usize) -> impl Iterator<Item = (&'static str, Vec<(&str, u64)>)> {
        KINDS.into_iter().zip(&self.by).map(move |(kind, counts)| {
            let mut counts: Vec<(&str, u64)> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            counts.truncate(most);
            (kind, counts)
        })
    }

    fn percentile(&self, percent: usize) -> Option<Duration> {
        let at = (self.nanos.len() * percent / 100).min(self.nanos.len().checked_sub(1)?);
        self.nanos.get(at).map(|nanos| Duration::from_nanos(*nanos))
    }

    fn text(&self, most: usize) -> String {
        let mut text = format!("{} records", self.records);
        if self.repeated > 0 {
            let _ = write!(text, ", {} of them delivered again", self.repeated);
        }
        if self.records > 0 {
            let _ = write!(text, ", from {} to {}", printable(&self.first), printable(&self.last));
        }
        if let (Some(half), Some(most)) = (self.percentile(50), self.percentile(99)) {
            let _ = write!(text, "\ndecided in {half:?} (p50), {most:?} (p99)");
        }
        for (kind, counts) in self.top(most) {
            let _ = write!(text, "\n\n{kind}");
            for (name, count) in counts {
                let _ = write!(text, "\n  {count:>10}  {}", printable(if name.is_empty() { "-" } else { name }));
            }
        }
        text
    }

    fn json(&self, most: usize) -> String {
        let by: serde_json::Map<String, Json> = self
            .top(most)
            .map(|(kind, counts)| {
                let counts: Vec<Json> =
                    counts.iter().map(|(name, count)| json!({"name": name, "count": count})).collect();
                (kind.to_owned(), Json::Array(counts))
            })
            .collect();
        let nanos = |percent| self.percentile(percent).map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        json!({
            "records": self.records, "repeated": self.repeated, "first": self.first, "last": self.last,
            "p50_ns": nanos(50), "p99_ns": nanos(99), "by": by,
        })
        .to_string()
    }
}
