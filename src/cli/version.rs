//! `verdict version` and `verdict completions`.

use std::process::ExitCode;

use clap::CommandFactory as _;

use super::{Cli, say};

/// Print the version
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  verdict version\n  verdict version --json")]
pub(super) struct Args {
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// Print a shell's completion script
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  verdict completions bash > /etc/bash_completion.d/verdict
  verdict completions zsh > ~/.zfunc/_verdict")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        say(&serde_json::json!({"version": version, "regorus": "0.14.1", "api": "verdict.v1"}).to_string());
    } else {
        say(&format!("verdict {version} (regorus 0.14.1, API verdict.v1)"));
    }
    ExitCode::SUCCESS
}

pub(super) fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "verdict", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}
