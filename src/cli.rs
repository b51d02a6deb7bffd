//! The command line: one file a verb.

mod backtrace;
mod bench;
mod bundle;
mod check;
mod client;
mod duration;
mod eval;
mod explain;
mod explanation_text;
mod folder;
mod healthcheck;
mod key;
mod lint;
mod log;
mod policy;
mod question;
mod revoke;
mod serve;
mod test;
mod verdict_text;
mod version;

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// A policy decision point: Rego policies, answered over gRPC, with reasons.
#[derive(Debug, Parser)]
#[command(
    name = "verdict",
    version,
    max_term_width = 110,
    after_help = "\
Examples:
  verdict serve
  verdict check --subject user:alice --action read --resource document:handbook
  verdict explain --subject user:bob --action delete --resource document:handbook
  verdict test policies

Exit codes: 0 allow or success, 1 deny or a failed test, 2 could not be done, 64 wrong usage or configuration."
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(serve::Args),
    Check(check::Args),
    Eval(eval::Args),
    Explain(explain::Args),
    Test(test::Args),
    Lint(lint::Args),
    Policy(policy::Args),
    Revoke(Box<revoke::Args>),
    Key(key::Args),
    Version(version::Args),
    Completions(version::CompletionsArgs),
    Bench(bench::Args),
    Bundle(bundle::Args),
    Log(log::Args),
    Healthcheck(healthcheck::Args),
}

/// Exit codes, the same for every verb; `docs/errors.md` lists them.
mod exit {
    /// The answer is no: a deny, a test that failed, a policy with faults.
    pub(super) const NO: u8 = 1;
    /// The question could not be asked, or the work not be done.
    pub(super) const FAILED: u8 = 2;
    /// The command line or the configuration is wrong (`EX_USAGE` of sysexits.h).
    pub(super) const CONFIG: u8 = 64;
}

/// Runs the verb that the command line names.
pub(crate) fn main() -> ExitCode {
    backtrace::without_library_backtraces();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let result = match cli.verb {
        Verb::Serve(args) => serve::run(args),
        Verb::Check(args) => check::run(&args),
        Verb::Version(args) => Ok(version::run(&args)),
        Verb::Completions(args) => Ok(version::completions(&args)),
        Verb::Eval(args) => eval::run(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Lint(args) => lint::run(&args),
        Verb::Policy(args) => policy::run(&args),
        Verb::Revoke(args) => revoke::run(*args),
        Verb::Key(args) => key::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Bundle(args) => bundle::run(&args),
        Verb::Log(args) => log::run(&args),
        Verb::Healthcheck(args) => Ok(healthcheck::run(args)),
    };
    result.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::from(exit::FAILED)
    })
}

/// `--help` is no fault. A question that can't be asked is 2, as `check`, `eval` and `explain` promise; other usage is 64.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let asks = std::env::args_os().nth(1).is_some_and(|verb| verb == "check" || verb == "eval" || verb == "explain");
    match error.use_stderr() {
        false => ExitCode::SUCCESS,
        true if asks => ExitCode::from(exit::FAILED),
        true => ExitCode::from(exit::CONFIG),
    }
}

/// Reads `--capabilities FILE`.
fn capabilities(path: &str) -> Result<verdict::policy::Capabilities, String> {
    verdict::policy::Capabilities::open(path.as_ref()).map_err(|error| error.to_string())
}

/// Whether standard output takes colour: a terminal, and nobody said otherwise (<https://no-color.org>).
fn colour() -> bool {
    std::io::stdout().is_terminal() && no_color_is_unset()
}

fn no_color_is_unset() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// One message on standard error, in which nothing controls the terminal. A closed pipe is nobody's fault.
fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "verdict: {}", verdict::policy::printable(message));
}

/// What is wrong with policies, on standard error.
fn show_faults(faults: &verdict::policy::Faults) {
    let colour = std::io::stderr().is_terminal() && no_color_is_unset();
    for fault in &faults.0 {
        let _ = writeln!(std::io::stderr(), "{}\n", fault.render(colour));
    }
    complain(&match faults.0.len() {
        1 => "the policies have a fault".to_owned(),
        count => format!("the policies have {count} faults"),
    });
}

/// Text on standard output. A closed pipe (`verdict … | head`) is nobody's fault.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Text on standard error that is no complaint: what is for people while standard output is for a program.
fn say_aside(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
