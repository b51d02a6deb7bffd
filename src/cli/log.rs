//! `verdict log`: what was decided, read from files and spools of the decision log.

mod policies;
mod record;
mod replay;
mod select;
mod show;
mod stats;
mod tail;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

const EXAMPLES: &str = "\
Examples:
  verdict log tail /var/log/verdict/decisions.log
  verdict log tail /var/log/verdict/decisions.log --follow --effect deny
  verdict log show 019412ab-… /var/log/verdict/decisions.log
  verdict log stats /var/log/verdict/decisions.log --since 2026-03-03T00:00:00Z
  verdict log replay /var/log/verdict/decisions.log --bundle authz.tar.gz
  verdict log verify /var/log/verdict/decisions.log --key public.pem
  verdict log tail /var/lib/verdict/audit.redb            what waits in the spool of a server that is stopped

The file that is written to stands for the full ones beside it, compressed or not.

Exit codes: 0 done, 1 not found, not as it was written or other verdicts, 2 could not be done, 3 some records can't be
decided again, 64 wrong usage.";

/// Read the decision log: follow it, find a decision, count, check that nothing was changed, decide again
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Tail(tail::Args),
    Show(show::Args),
    Stats(stats::Args),
    Replay(replay::Args),
    Verify(verify::Args),
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::Tail(args) => tail::run(args),
        Verb::Show(args) => show::run(args),
        Verb::Stats(args) => stats::run(args),
        Verb::Replay(args) => replay::run(args),
        Verb::Verify(args) => verify::run(args),
    }
}
