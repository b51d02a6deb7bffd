//! `verdict log replay`: recorded questions decided again on other policies, and what changed.

mod again;
mod report;

use std::{num::NonZeroUsize, process::ExitCode, sync::Arc, thread};

use clap::ValueEnum;
use verdict::{
    decision::{Decider, EntryPoint},
    policy::{Config, Snapshot},
};

use self::report::Report;
use super::{
    policies::{Policies, with_stack},
    select::Selection,
};
use crate::cli::{complain, exit, say, show_faults};

/// Nothing that was put again changed, and not everything could be put again.
const NOT_ALL: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  verdict log replay /var/log/verdict/decisions.log --policies policies/
  verdict log replay decisions.log --bundle authz.tar.gz --effect allow --since 2026-03-03T00:00:00Z
  verdict log replay decisions.log --bundle authz.tar.gz --format json | jq -r '.changed[].decision_id'

Each question is put at the time that its record has: that is what `time.now_ns()` says.
Chance, hosts and base data are those of now.

Exit codes: 0 nothing changed, 1 something changed, 2 could not be done, or there is no record,
3 nothing changed in what was put again, but some records could not be, 64 wrong usage.";

/// Decide recorded questions again on a folder of policies or a bundle, and show which verdicts change
///
/// Compared are the effect, the reason codes and what else a verdict has (obligations, scopes, step-up, context, time to
/// live); of a document that was asked for, the document. Messages and places of rules are not.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Whom to ask where a question named nothing [default: what answered it]
    #[arg(long, value_name = "REF")]
    default_policy: Option<EntryPoint>,
    /// How many questions are decided at once [default: one a core]
    #[arg(long, value_name = "N")]
    parallel: Option<NonZeroUsize>,
    /// Show the counts, and no single record
    #[arg(long)]
    summary: bool,
    /// How results are shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    // Last, as its heading holds for all after it.
    #[command(flatten)]
    policies: Policies,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One object
    Json,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let threads = args.parallel.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    // Neither is worth compiling for if the other is not there.
    let lines = again::count(&args.selection)?;
    let snapshot = match args.policies.read()?.and_then(|bundle| {
        let options = args.policies.options(threads.get());
        with_stack(|| Snapshot::compile(&bundle, 1, options))
    }) {
        Ok(snapshot) => snapshot,
        Err(faults) => {
            show_faults(&faults);
            return Ok(ExitCode::from(exit::FAILED));
        }
    };
    let decider = Decider::new(Config::default().default_policy, args.policies.budget());
    let digest = snapshot.digest();
    decider.publish(Arc::new(snapshot));
    let work = again::Work {
        decider: &decider,
        selection: &args.selection,
        default: args.default_policy.as_ref(),
        budget: args.policies.budget(),
        threads: threads.get(),
    };
    let mut report = Report::new(digest);
    work.run(lines, &mut report)?;
    if report.is_empty() {
        complain(&format!("no record of `{}` is wanted", args.selection.file.display()));
        return Ok(ExitCode::from(exit::FAILED));
    }
    say(&match args.format {
        Format::Text => report.text(args.summary),
        Format::Json => report.json(args.summary).to_string(),
    });
    Ok(match (report.has_changes(), report.is_whole()) {
        (true, _) => ExitCode::from(exit::NO),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(NOT_ALL),
    })
}
