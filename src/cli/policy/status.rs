//! `verdict policy status` and `revisions`.

use std::process::ExitCode;

use anyhow::Context as _;
use verdict::api::grpc::proto::{GetStatusRequest, ListRevisionsRequest};

use super::{Format, connect::ServerArgs, refused, shown};
use crate::cli::say;

/// Show what is served, and how the sources of each bundle are
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// List what was published, the newest first
#[derive(Debug, clap::Args)]
pub(super) struct RevisionsArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// How to show them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut client = args.server.client().await?;
    let response = match client.get_status(args.server.request(GetStatusRequest {})).await {
        Ok(response) => response.into_inner(),
        Err(status) => return Ok(refused(&status)),
    };
    let status = response.status.context("the server's answer has no status; is it a Verdict server?")?;
    say(&match args.format {
        Format::Human => shown::text::status(&status),
        Format::Json => format!("{:#}", shown::json::status(&status)),
    });
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn revisions(args: &RevisionsArgs) -> anyhow::Result<ExitCode> {
    let mut client = args.server.client().await?;
    let publications = match client.list_revisions(args.server.request(ListRevisionsRequest {})).await {
        Ok(response) => response.into_inner().publications,
        Err(status) => return Ok(refused(&status)),
    };
    say(&match args.format {
        Format::Human if publications.is_empty() => "nothing was published yet".to_owned(),
        Format::Human => publications.iter().map(shown::text::publication).collect::<Vec<_>>().join("\n"),
        Format::Json => {
            format!("{:#}", publications.iter().map(shown::json::publication).collect::<serde_json::Value>())
        }
    });
    Ok(ExitCode::SUCCESS)
}
