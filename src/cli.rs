//! The command line: one file a verb.

mod bench;
mod eval;
mod lint;
mod test;

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// A policy decision point: Rego policies, answered over gRPC, with reasons.
#[derive(Debug, Parser)]
#[command(name = "verdict", version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Eval(eval::Args),
    Test(test::Args),
    Lint(lint::Args),
    Bench(bench::Args),
}

/// Exit codes, the same for every verb; `docs/cli.md` lists them.
mod exit {
    /// The question could not be asked, or the work not be done.
    pub(super) const FAILED: u8 = 2;
}

/// Runs the verb that the command line names.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.verb {
        Verb::Eval(args) => eval::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Lint(args) => lint::run(&args),
        Verb::Bench(args) => bench::run(&args),
    };
    result.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(exit::FAILED)
    })
}

/// Whether standard output takes colour: a terminal, and nobody said otherwise (<https://no-color.org>).
fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// One message on standard error. A closed pipe is nobody's fault.
fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "verdict: {message}");
}

/// Text on standard output. A closed pipe (`verdict … | head`) is nobody's fault.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
