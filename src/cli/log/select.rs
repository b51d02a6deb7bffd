//! Which records are wanted.

use std::{ops::ControlFlow, path::PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use verdict::audit::read;

use super::record::Record;

/// Where a log is, and which of its records are wanted.
#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    /// The file that the log is written to, one of its full files, or a spool (`….redb`)
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Only allows, only denies, or only searches
    #[arg(long, value_name = "EFFECT", value_parser = ["allow", "deny", "search"])]
    effect: Option<String>,
    /// Only about this subject: `user:alice`, or an id alone
    #[arg(long, value_name = "TYPE:ID")]
    subject: Option<String>,
    /// Only with this reason code
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// Only of this entry point, and those below it
    #[arg(long, value_name = "REF")]
    policy: Option<String>,
    /// Only of this door: `grpc`, `authzen` …
    #[arg(long, value_name = "DOOR")]
    door: Option<String>,
    /// Only from this time on (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<DateTime<Utc>>,
    /// Only before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<DateTime<Utc>>,
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| time.to_utc()).map_err(|_| "write it like `2026-03-03T10:00:00Z`".to_owned())
}

impl Selection {
    /// Gives each record that is wanted, oldest first.
    pub(super) fn each(&self, each: &mut dyn FnMut(Record) -> ControlFlow<()>) -> anyhow::Result<()> {
        read::lines(&self.file, &mut |line| match Record::read(line.bytes) {
            Some(record) if self.wants(&record) => each(record),
            _ => ControlFlow::Continue(()),
        })
        .context("the log can't be read")
    }

    pub(super) fn wants(&self, record: &Record) -> bool {
        let equal = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        let subject = || record.part("subject").unwrap_or_default();
        let is_subject = |wanted: &str| {
            let subject = subject();
            subject == wanted || subject.split_once(':').is_some_and(|(_, id)| id == wanted)
        };
        let below = |wanted: &str| {
            let entry = record.entry_point();
            entry.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        equal(&self.effect, record.effect())
            && equal(&self.door, record.door())
            && self.subject.as_deref().is_none_or(is_subject)
            && self.reason.as_deref().is_none_or(|reason| record.reasons().contains(&reason))
            && self.policy.as_deref().is_none_or(below)
            && self.in_time(record)
    }

    fn in_time(&self, record: &Record) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let Ok(time) = DateTime::parse_from_rfc3339(record.time()) else { return false };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}
