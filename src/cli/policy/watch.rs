//! `verdict policy watch`: follows servers; with `--until`, waits until all of them serve what is wanted.

use std::{process::ExitCode, time::Duration};

use anyhow::{anyhow, bail};
use futures::future;
use tokio::time::Instant;
use verdict::api::grpc::proto::{PolicyStatus, WatchStatusRequest};

use super::{
    Format, connect, shown,
    until::{self, Until},
};
use crate::cli::{client, complain, duration, exit, say};

/// How long to wait before a server that does not answer is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Follow what servers serve; with --until, wait until all of them serve it
///
/// Each change is a line. With --until, a server that can't be reached is tried until the timeout.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A server's socket; may be given more than once [default: where servers make it]
    #[arg(long, value_name = "SOCKET", env = "VERDICT_ADMIN_ADDRESS")]
    server: Vec<String>,
    /// Wait until this is active on every server: `bundle=revision`, or a digest; may be given more than once
    #[arg(long, value_name = "CONDITION", value_parser = until::parse)]
    until: Vec<Until>,
    /// The longest to wait [default: without end]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// How to show each change
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How following one server ended.
enum End {
    /// It serves what is wanted.
    Reached,
    /// The time is up; what it lacks.
    Late(Vec<String>),
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let ends = args.timeout.map(|timeout| Instant::now() + timeout);
    let servers: Vec<Option<&str>> = match args.server.as_slice() {
        [] => vec![None],
        given => given.iter().map(|server| Some(server.as_str())).collect(),
    };
    let followed = future::join_all(servers.iter().map(|server| follow(args, *server, ends))).await;
    let mut code = ExitCode::SUCCESS;
    for (server, end) in servers.iter().zip(followed) {
        if let End::Late(lacks) = end? {
            // Without a condition, the time is all that was waited for.
            if !args.until.is_empty() {
                complain(&format!("{}: not in time: {}", server.unwrap_or("the server"), lacks.join("; ")));
                code = ExitCode::from(exit::NO);
            }
        }
    }
    Ok(code)
}

async fn follow(args: &Args, server: Option<&str>, ends: Option<Instant>) -> anyhow::Result<End> {
    let mut lacks = vec!["it was not reached".to_owned()];
    loop {
        let watched = watch(args, server, &mut lacks);
        let watched = match ends {
            Some(ends) => tokio::time::timeout_at(ends, watched).await,
            None => Ok(watched.await),
        };
        match watched {
            Err(_) => return Ok(End::Late(lacks)),
            Ok(Ok(())) => return Ok(End::Reached),
            // Without a condition there is nothing to wait for.
            Ok(Err(error)) if args.until.is_empty() => return Err(error),
            Ok(Err(error)) => lacks = vec![format!("{error:#}")],
        }
        let next = Instant::now() + PAUSE;
        // A timeout alone would not do: a server that refuses at once is refused before time is looked at.
        if let Some(ends) = ends.filter(|ends| *ends <= next) {
            tokio::time::sleep_until(ends).await;
            return Ok(End::Late(lacks));
        }
        tokio::time::sleep_until(next).await;
    }
}

/// Shows each status until what is wanted is there; how the watch ended otherwise.
async fn watch(args: &Args, server: Option<&str>, lacks: &mut Vec<String>) -> anyhow::Result<()> {
    let (name, mut client) = connect::client(server).await?;
    let told = |status: &tonic::Status| anyhow!("{}", client::describe(status));
    let mut updates = client.watch_status(WatchStatusRequest {}).await.map_err(|status| told(&status))?.into_inner();
    while let Some(update) = updates.message().await.map_err(|status| told(&status))? {
        let status = update.status.unwrap_or_default();
        show(args.format, &name, &status);
        if !args.until.is_empty() {
            *lacks = until::missing(&args.until, &status);
            if lacks.is_empty() {
                return Ok(());
            }
        }
    }
    bail!("the server ended the watch")
}

fn show(format: Format, server: &str, status: &PolicyStatus) {
    say(&match format {
        Format::Human => shown::text::line(server, status),
        Format::Json => {
            let mut shown = shown::json::status(status);
            if let Some(members) = shown.as_object_mut() {
                members.insert("server".to_owned(), server.into());
            }
            shown.to_string()
        }
    });
}
