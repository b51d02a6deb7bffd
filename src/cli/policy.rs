//! `verdict policy`: what a running server serves, and changing it.

mod command;
mod connect;
mod push;
mod shown;
mod status;
mod until;
mod watch;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use tonic::Status;

pub(super) use self::{
    connect::{Expect, ServerArgs, expect},
    push::{Push, push},
    shown::moment,
};
use super::{client, complain, exit};

const EXAMPLES: &str = "\
Examples:
  verdict policy status
  verdict policy status --server unix:/run/verdict/admin.sock --format json
  verdict policy watch --until main=v1.2.0 --timeout 30s --server unix:/run/a.sock --server unix:/run/b.sock
  verdict policy revisions
  verdict policy rollback --expect 17
  verdict policy activate 12
  verdict policy release
  echo '[{\"op\": \"add\", \"path\": \"/banned/bob\", \"value\": true}]' | verdict policy patch -

The server is asked on a socket that its own user and root can use: the one of --server, that of VERDICT_ADMIN_ADDRESS, or
else $XDG_RUNTIME_DIR/verdict/admin.sock or /run/verdict/admin.sock.

Exit: 0 done, 1 the answer is no (`watch --until` was not met in time), 2 could not be done, 64 wrong usage.";

/// See what a running server serves, go back, go on, change its data
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Status(status::Args),
    Watch(watch::Args),
    Revisions(status::RevisionsArgs),
    Rollback(command::RollbackArgs),
    Activate(command::ActivateArgs),
    Release(command::ReleaseArgs),
    Patch(command::PatchArgs),
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Human,
    /// One object (of `watch`, one a line)
    Json,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        Verb::Status(args) => block_on(status::run(args)),
        Verb::Watch(args) => block_on(watch::run(args)),
        Verb::Revisions(args) => block_on(status::revisions(args)),
        Verb::Rollback(args) => block_on(command::rollback(args)),
        Verb::Activate(args) => block_on(command::activate(args)),
        Verb::Release(args) => block_on(command::release(args)),
        Verb::Patch(args) => block_on(command::patch(args)),
    }
}

/// Runs `work` on this thread.
pub(super) fn block_on(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("can't start a runtime")?;
    let code = runtime.block_on(work);
    // Reading standard input may still hold a thread.
    runtime.shutdown_background();
    code
}

/// Says why the server refused.
fn refused(status: &Status) -> ExitCode {
    complain(&client::describe(status));
    ExitCode::from(exit::FAILED)
}
