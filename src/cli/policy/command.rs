//! `verdict policy rollback`, `activate`, `release` and `patch`: each answers with what is active then.

use std::{io::Read as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use tonic::Status;
use verdict::api::grpc::proto::{
    ActivateRequest, PatchDataRequest, Publication, ReleaseRequest, RollbackRequest, activate_request::Target,
};

use super::{
    Format,
    connect::{Expect, ServerArgs, expect},
    refused, shown,
};
use crate::cli::say;

/// What every command takes.
#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    server: ServerArgs,
    /// Do it only if this revision is active: its number, or its digest
    #[arg(long, value_name = "REVISION", value_parser = expect)]
    expect: Option<Expect>,
    /// How to show what is active then
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Go back to what was active before, at once
///
/// Asked again, it goes back further. Sources do not undo it until `verdict policy release`.
#[derive(Debug, clap::Args)]
pub(super) struct RollbackArgs {
    #[command(flatten)]
    common: Common,
}

/// Activate a retained revision, at once
///
/// Sources do not undo it until `verdict policy release`. `verdict policy revisions` lists what there is.
#[derive(Debug, clap::Args)]
pub(super) struct ActivateArgs {
    /// The revision: its number, or its digest
    #[arg(value_name = "REVISION", value_parser = expect)]
    revision: Expect,
    #[command(flatten)]
    common: Common,
}

/// Let sources take over again after a rollback or an activation
#[derive(Debug, clap::Args)]
pub(super) struct ReleaseArgs {
    #[command(flatten)]
    common: Common,
}

/// Change data that no bundle owns, by a JSON Patch (RFC 6902): all of it or nothing
#[derive(Debug, clap::Args)]
pub(super) struct PatchArgs {
    /// The file with the operations; `-` for standard input
    #[arg(value_name = "FILE")]
    operations: PathBuf,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn rollback(args: &RollbackArgs) -> anyhow::Result<ExitCode> {
    let request = RollbackRequest { expected: args.common.expected() };
    let answer = args.common.server.client().await?.rollback(args.common.server.request(request)).await;
    args.common.tell(answer.map(|answer| answer.into_inner().active))
}

pub(super) async fn activate(args: &ActivateArgs) -> anyhow::Result<ExitCode> {
    let Expect(revision) = args.revision.clone();
    let target =
        if revision.sequence > 0 { Target::Sequence(revision.sequence) } else { Target::Digest(revision.digest) };
    let request = ActivateRequest { target: Some(target), expected: args.common.expected() };
    let answer = args.common.server.client().await?.activate(args.common.server.request(request)).await;
    args.common.tell(answer.map(|answer| answer.into_inner().active))
}

pub(super) async fn release(args: &ReleaseArgs) -> anyhow::Result<ExitCode> {
    let request = ReleaseRequest { expected: args.common.expected() };
    let answer = args.common.server.client().await?.release(args.common.server.request(request)).await;
    args.common.tell(answer.map(|answer| answer.into_inner().active))
}

pub(super) async fn patch(args: &PatchArgs) -> anyhow::Result<ExitCode> {
    let path = args.operations.display();
    let operations_json = if args.operations.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(&args.operations)
    };
    let operations_json = operations_json.with_context(|| format!("can't read `{path}`"))?;
    verdict::api::administration::operations(&operations_json)
        .map_err(|invalid| anyhow::anyhow!("`{path}` {invalid}"))?;
    let request = PatchDataRequest { operations_json, expected: args.common.expected() };
    let answer = args.common.server.client().await?.patch_data(args.common.server.request(request)).await;
    args.common.tell(answer.map(|answer| answer.into_inner().active))
}

impl Common {
    fn expected(&self) -> Option<verdict::api::grpc::proto::ExpectedRevision> {
        self.expect.clone().map(|Expect(expected)| expected)
    }

    fn tell(&self, answer: Result<Option<Publication>, Status>) -> anyhow::Result<ExitCode> {
        let active = match answer {
            Ok(active) => active.context("the server's answer has no revision; is it a Verdict server?")?,
            Err(status) => return Ok(refused(&status)),
        };
        say(&match self.format {
            Format::Human => format!("active  {}", shown::text::publication(&active)),
            Format::Json => format!("{:#}", shown::json::publication(&active)),
        });
        Ok(ExitCode::SUCCESS)
    }
}
