//! `verdict revoke`: which tokens are no longer good, at a running server.

mod moment;
mod shown;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use tonic::Status;
use verdict::api::grpc::proto::{
    ListRevocationsRequest, NewRevocation, Revocation, RevocationTarget, RevokeRequest, UnrevokeRequest,
    revocation_service_client::RevocationServiceClient, revocation_target::Which,
};

use super::{
    client, complain, exit,
    policy::{Format, ServerArgs, block_on},
    say,
};

const EXAMPLES: &str = "\
Examples:
  verdict revoke --jti 2f7c1d --issuer https://login.example.com --reason 'the laptop was stolen'
  verdict revoke --subject alice --issuer login --issued-before now --expires 30d
  verdict revoke --client build-agent --actor helper-bot --issuer login
  verdict revoke --issued-before 2026-11-28T09:00:00Z --issuer login --reason 'the signing key leaked'
  verdict revoke list --issuer login
  verdict revoke remove cc4c8f21

From the answer on, no token that is meant passes any more, and a restart does not change that.
The server is asked on a socket that its own user and root can use: the one of --server, that of
VERDICT_ADMIN_ADDRESS, or else $XDG_RUNTIME_DIR/verdict/admin.sock or /run/verdict/admin.sock.
It needs `revocation.store`.

Exit: 0 done, 1 nothing that was named is revoked (`remove`), 2 could not be done, 64 wrong usage.";

/// Revoke tokens: by id, session, subject, client, actor, or all issued before a time
///
/// Each flag that names something may be given more than once. With --issued-before alone, all tokens of the issuer that
/// were issued before that time are revoked.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    new: NewArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(ListArgs),
    Remove(RemoveArgs),
}

#[derive(Debug, clap::Args)]
struct NewArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// The issuer of the tokens: its name in the configuration, or their `iss` [default: the only one that is configured]
    #[arg(long, value_name = "ISSUER", default_value = "", hide_default_value = true)]
    issuer: String,
    /// Only tokens issued before this: `now`, or a time such as `2026-11-28T09:00:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment::past)]
    issued_before: Option<prost_types::Timestamp>,
    /// When it is over: after a time such as `12h` or `30d`, or at one such as `2026-12-24T18:00:00Z` [default: never]
    #[arg(long, value_name = "WHEN", value_parser = moment::future)]
    expires: Option<prost_types::Timestamp>,
    /// Why, for whoever reads the list
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Who says so
    #[arg(long, value_name = "NAME", env = "USER", default_value = "", hide_default_value = true)]
    author: String,
    #[command(flatten)]
    server: ServerArgs,
    /// How to show what is revoked then
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is named, each as often as one likes.
#[derive(Debug, Default, clap::Args)]
struct WhatArgs {
    /// The token with this id (`jti`)
    #[arg(long, value_name = "ID")]
    jti: Vec<String>,
    /// The tokens of the session with this id (`sid`)
    #[arg(long, value_name = "ID")]
    session: Vec<String>,
    /// The tokens of this subject (`sub`)
    #[arg(long, value_name = "SUBJECT")]
    subject: Vec<String>,
    /// The tokens of this client or agent (`client_id` or `azp`)
    #[arg(long, value_name = "CLIENT")]
    client: Vec<String>,
    /// The tokens that this one acts with (`act`), for whomever
    #[arg(long, value_name = "ACTOR")]
    actor: Vec<String>,
    /// The tokens of whoever is known by `email:…`, `phone:…` or `uri:…`
    #[arg(long, value_name = "IDENTIFIER")]
    identifier: Vec<String>,
}

const LIST_EXAMPLES: &str = "\
Examples:
  verdict revoke list
  verdict revoke list --issuer login --format json
  verdict revoke list --subject alice --issuer login
  verdict revoke list --source idp --limit 20

The first line of each begins with its id, of which `verdict revoke remove` takes the first digits.";

const REMOVE_EXAMPLES: &str = "\
Examples:
  verdict revoke remove cc4c8f21
  verdict revoke remove cc4c8f21b645e86aa7c8a979d26a3084cfbb803f4f6cb72c 07d3aa

An id's first 6 digits or more will do, if no other begins so. What a transmitter revoked ends, too, until it says so again.

Exit: 0 done, 1 nothing that was named is revoked, 2 could not be done, 64 wrong usage.";

/// List what is revoked, by operators and by transmitters of security events
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_EXAMPLES)]
struct ListArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// Only of this issuer
    #[arg(long, value_name = "ISSUER", default_value = "", hide_default_value = true)]
    issuer: String,
    /// Only from this transmitter
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    source: String,
    /// The most to list
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    limit: usize,
    #[command(flatten)]
    server: ServerArgs,
    /// How to show them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// End revocations, so that tokens that are otherwise good pass again
#[derive(Debug, clap::Args)]
#[command(after_help = REMOVE_EXAMPLES)]
struct RemoveArgs {
    /// The revocations, as `verdict revoke list` shows them, or how these begin
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// How to show what ended
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.verb {
        Some(Verb::List(args)) => block_on(list(args)),
        Some(Verb::Remove(args)) => block_on(remove(args)),
        None => {
            let whiches = args.new.what.whiches();
            if whiches.is_empty() && args.new.issued_before.is_none() {
                complain(
                    "nothing is named; give --jti, --session, --subject, --client, --actor, --identifier or --issued-before",
                );
                return Ok(ExitCode::from(exit::CONFIG));
            }
            block_on(revoke(args.new, whiches))
        }
    }
}

async fn revoke(args: NewArgs, mut whiches: Vec<Which>) -> anyhow::Result<ExitCode> {
    let NewArgs { what: _, issuer, issued_before, expires, reason, author, server, format } = args;
    if whiches.is_empty() {
        whiches.push(Which::Everything(true));
    }
    let new = |which| NewRevocation {
        target: Some(RevocationTarget { issuer: issuer.clone(), which: Some(which) }),
        issued_before,
        expires,
        reason: reason.clone(),
        author: author.clone(),
    };
    let request = RevokeRequest { revocations: whiches.into_iter().map(new).collect() };
    let mut client = RevocationServiceClient::new(server.channel().await?);
    match client.revoke(server.request(request)).await {
        Ok(response) => {
            tell(&response.into_inner().revocations, format);
            Ok(ExitCode::SUCCESS)
        }
        Err(status) => Ok(refused(&status)),
    }
}

async fn list(args: ListArgs) -> anyhow::Result<ExitCode> {
    let ListArgs { what, issuer, source, limit, server, format } = args;
    let mut whiches = what.whiches().into_iter();
    let target = whiches.next().map(|which| RevocationTarget { issuer: issuer.clone(), which: Some(which) });
    if whiches.next().is_some() {
        complain("a list is of one thing at most; ask once for each");
        return Ok(ExitCode::from(exit::CONFIG));
    }
    let mut client = RevocationServiceClient::new(server.channel().await?);
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let left = limit.saturating_sub(found.len()).min(1_000);
        let request = ListRevocationsRequest {
            page_size: i32::try_from(left).context("--limit is too large")?,
            page_token,
            issuer: issuer.clone(),
            target: target.clone(),
            source: source.clone(),
        };
        let page = match client.list_revocations(server.request(request)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return Ok(refused(&status)),
        };
        found.extend(page.revocations);
        page_token = page.next_page_token;
        if page_token.is_empty() || found.len() >= limit {
            break;
        }
    }
    match format {
        Format::Human if found.is_empty() => say("nothing of that is revoked"),
        _ => tell(&found, format),
    }
    if !page_token.is_empty() {
        super::say_aside("there are more; raise --limit");
    }
    Ok(ExitCode::SUCCESS)
}

async fn remove(args: RemoveArgs) -> anyhow::Result<ExitCode> {
    let RemoveArgs { ids, server, format } = args;
    let mut client = RevocationServiceClient::new(server.channel().await?);
    let named = ids.len();
    let ended = match client.unrevoke(server.request(UnrevokeRequest { ids })).await {
        Ok(response) => response.into_inner().revocations,
        Err(status) => return Ok(refused(&status)),
    };
    tell(&ended, format);
    if ended.len() < named {
        complain(&format!("{} of {named} were not there", named - ended.len()));
    }
    Ok(if ended.is_empty() { ExitCode::from(exit::NO) } else { ExitCode::SUCCESS })
}

fn tell(revocations: &[Revocation], format: Format) {
    match format {
        Format::Human if revocations.is_empty() => {}
        Format::Human => say(&revocations.iter().map(shown::line).collect::<Vec<_>>().join("\n")),
        Format::Json => say(&format!("{:#}", revocations.iter().map(shown::json).collect::<serde_json::Value>())),
    }
}

fn refused(status: &Status) -> ExitCode {
    complain(&client::describe(status));
    ExitCode::from(exit::FAILED)
}

impl WhatArgs {
    fn whiches(&self) -> Vec<Which> {
        let Self { jti, session, subject, client, actor, identifier } = self;
        let all = [
            of(jti, Which::Jti),
            of(session, Which::Session),
            of(subject, Which::Subject),
            of(client, Which::Client),
            of(actor, Which::Actor),
            of(identifier, Which::Identifier),
        ];
        all.concat()
    }
}

fn of(names: &[String], which: fn(String) -> Which) -> Vec<Which> {
    names.iter().cloned().map(which).collect()
}
