//! `verdict bench`: puts load to a server over gRPC, and says how it bears it.

mod apart;
mod client;
mod compare;
mod compare_log;
mod cpu;
mod doors;
mod generated;
mod load;
mod loopback;
mod null;
mod outage;
mod pace;
mod questions;
mod report;
mod sinks;
mod tally;
mod token;

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::runtime::{Builder, Runtime};
use verdict::decision::EntryPoint;

use self::{
    load::Plan,
    questions::{Method, Requests},
};
use super::{exit, say};

/// Put load on a running server over gRPC, and measure latency and throughput
///
/// The comparisons (`--compare-…`, `--token`, `--log-outage`) start servers of their own.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Args {
    /// The server: `127.0.0.1:9191`, `pdp.internal:9191` or `unix:/run/verdict.sock`
    #[arg(long, value_name = "ADDR", env = "VERDICT_SERVER", default_value = "127.0.0.1:9191")]
    server: String,
    /// HTTP/2 connections
    #[arg(long, value_name = "N", default_value = "8")]
    connections: NonZeroUsize,
    /// Requests in flight on each connection
    #[arg(long, value_name = "M", default_value = "32")]
    concurrency: NonZeroUsize,
    /// How long to measure [default: 10s, or 3s a turn in a comparison, 400ms in that of logs]
    #[arg(long, value_name = "TIME", value_parser = time)]
    duration: Option<Duration>,
    /// How long to ask before measuring [default: 2s, or 500ms a turn in a comparison, 150ms in that of logs]
    #[arg(long, value_name = "TIME", value_parser = time)]
    warmup: Option<Duration>,
    /// Send R requests a second in all, whether or not the earlier ones are answered, and count latency from when each
    /// was due. Without it, each answer makes room for the next request
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=10_000_000), conflicts_with = "compare_null")]
    rate: Option<u32>,
    /// Ask in batches of N (`BatchCheck`) instead of one by one (`Check`)
    #[arg(long, value_name = "N", conflicts_with = "compare_null")]
    batch: Option<NonZeroUsize>,
    /// The rule or package to ask, e.g. `data.authz` [default: the server's]
    #[arg(long, value_name = "REF", conflicts_with = "compare_null")]
    policy: Option<EntryPoint>,
    /// Ask the questions of FILE, round and round: an AuthZEN evaluation request in JSON, an array of them, or one a
    /// line; an item with a member `query` is asked that
    #[arg(long, value_name = "FILE", conflicts_with_all = ["generate", "compare_null"])]
    query: Option<PathBuf>,
    /// Ask generated questions; `--write-generated` gives the policies that know them
    #[arg(long, value_name = "SET", default_value = "rbac", conflicts_with = "compare_null")]
    generate: Generate,
    /// Write the generated policy and its data into DIR, to serve them from there, and end
    #[arg(long, value_name = "DIR", conflicts_with = "compare_null")]
    write_generated: Option<PathBuf>,
    /// Compare with a server that does everything but decide: both run in this process, and take turns
    #[arg(long, group = "comparison")]
    compare_null: bool,
    /// Compare doors of one server in this process: gRPC's Check, AuthZEN's evaluation and OPA's data API take turns, over
    /// N times M connections that have one request in flight each
    #[arg(long, group = "comparison", conflicts_with_all = ["rate", "batch", "policy", "query", "write_generated"])]
    compare_doors: bool,
    /// Compare servers without a decision log, with one in best effort and with a durable one: each runs in a process of
    /// its own, and they take turns, as fast as they answer and at a fixed rate. A second server without a log shows how
    /// much of a difference is noise
    #[arg(long, group = "comparison", conflicts_with_all = ["batch", "policy", "query", "write_generated"])]
    compare_log: bool,
    /// Have the durable log of `--compare-log` be durable by a spool before its file
    #[arg(long, requires = "compare_log")]
    spooled: bool,
    /// Ask at a fixed rate while the server that takes the decision log is silent for TIME, in best effort and durable
    #[arg(long, value_name = "TIME", value_parser = time, group = "comparison", conflicts_with_all = ["batch", "policy", "query", "write_generated"])]
    log_outage: Option<Duration>,
    /// Turns of each server in a comparison [default: 5, or 48 in that of logs]
    #[arg(long, value_name = "N", requires = "comparison")]
    rounds: Option<NonZeroUsize>,
    /// Compare checks with a verified token of this algorithm with checks without: a server in this process, in turns
    #[arg(long, value_name = "ALG", group = "comparison", conflicts_with_all = ["rate", "batch", "policy", "query"])]
    token: Option<token::Signed>,
    /// How many different tokens there are, each of a user
    #[arg(long, value_name = "N", default_value = "1000", requires = "token")]
    tokens: NonZeroUsize,
    /// Threads of each server in a comparison [default: one a core]
    #[arg(long, value_name = "N", requires = "comparison")]
    server_threads: Option<NonZeroUsize>,
    /// Where a comparison puts the decision log's files [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR", requires = "comparison")]
    log_dir: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  verdict bench                                       as many checks as the local server answers
  verdict bench --rate 5000 --duration 30s            latency at a steady 5,000 checks a second
  verdict bench --query policies/questions.json       questions of your own
  verdict bench --batch 100 --server unix:/run/verdict.sock
  verdict bench --write-generated /tmp/rbac           the generated policy and data, to serve
  verdict bench --compare-null                        what deciding costs, beside what gRPC costs
  verdict bench --token rs256                         what verifying a token costs, beside checks without one
  verdict bench --compare-doors                       what AuthZEN and OPA's API cost, beside gRPC
  verdict bench --compare-log                         what the decision log costs
  verdict bench --log-outage 60s --rate 2000          what it costs while nobody takes it

Exit codes: 0 measured, 2 nothing could be asked.";

/// Sets of generated questions.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Generate {
    /// 20,000 questions about 10,000 users with 50 roles and 500 grants; about half are allowed.
    Rbac,
}

impl Args {
    /// Turns of each server in a comparison of few.
    fn rounds(&self) -> usize {
        self.rounds.map_or(5, NonZeroUsize::get)
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &args.write_generated {
        write_generated(&generated::Directory::generate(), folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = Builder::new_multi_thread().enable_all().thread_name("bench-client").build()?;
    match (args.log_outage, args.token) {
        (Some(silence), _) => outage::run(args, silence, &runtime),
        (None, Some(signed)) => token::run(args, signed, &runtime),
        (None, None) if args.compare_log => compare_log::run(args, &runtime),
        (None, None) if args.compare_doors => doors::run(args, &runtime),
        (None, None) if args.compare_null => compare::run(args, &runtime),
        (None, None) => measure(args, &runtime),
    }
}

fn measure(args: &Args, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    let queries = match (&args.query, args.generate) {
        (Some(path), _) => questions::read(path)?,
        (None, Generate::Rbac) => {
            generated::Directory::generate().questions().into_iter().map(|(query, _)| query).collect()
        }
    };
    let method = args.batch.map_or(Method::Check, |size| Method::BatchCheck(size.get()));
    let requests = Arc::new(Requests::encode(queries, method, args.policy.as_ref()));
    let plan = Plan {
        concurrency: args.concurrency.get(),
        warmup: args.warmup.unwrap_or(Duration::from_secs(2)),
        duration: args.duration.unwrap_or(Duration::from_secs(10)),
        rate: args.rate,
    };
    let channels = runtime.block_on(client::connect(&args.server, args.connections.get()))?;
    let connections = channels.into_iter().map(client::Connection::Grpc).collect();
    let progress = progress("asking", plan.warmup + plan.duration);
    let tally = runtime.block_on(async {
        let ticking = tokio::spawn(tick(progress.clone()));
        let tally = load::run(connections, &requests, plan).await;
        ticking.abort();
        tally
    })?;
    progress.finish_and_clear();
    if args.json {
        say(&report::json(&tally).to_string());
    } else {
        say(&report::text(&tally, args, method, plan));
    }
    Ok(if tally.answers_ever == 0 { ExitCode::from(exit::FAILED) } else { ExitCode::SUCCESS })
}

/// Writes the generated policy and its data into `folder`.
fn write_generated(directory: &generated::Directory, folder: &Path) -> anyhow::Result<()> {
    for (path, text) in directory.files() {
        let path = folder.join(path);
        let shown = path.display();
        fs::create_dir_all(path.parent().unwrap_or(folder)).with_context(|| format!("can't create `{shown}`"))?;
        fs::write(&path, text).with_context(|| format!("can't write `{shown}`"))?;
    }
    Ok(())
}

/// A progress bar on standard error, if that is a terminal.
fn progress(label: &str, length: Duration) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)).with_message(label.to_owned());
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}%");
    style.map_or(bar.clone(), |style| bar.with_style(style))
}

async fn tick(bar: ProgressBar) {
    const STEP: Duration = Duration::from_millis(100);
    loop {
        tokio::time::sleep(STEP).await;
        bar.inc(100);
    }
}

/// A duration, e.g. `500ms`, `10s`, `2m`.
fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err("write it like `500ms`, `10s` or `2m`".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "is no whole number".to_owned())?;
    match number.saturating_mul(factor) {
        0 => Err("nothing happens in no time".to_owned()),
        time @ 1..=86_400_000 => Ok(Duration::from_millis(time)),
        _ => Err("is longer than a day".to_owned()),
    }
}

#[cfg(test)]
mod tests;
