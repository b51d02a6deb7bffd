//! What deciding costs: the decision service beside one that does everything but decide, in turns.
//!
//! Turns, because a machine's speed changes while it is measured; ratios are taken within a round, and their median
//! is what counts.

use std::{num::NonZeroUsize, process::ExitCode, sync::Arc, thread, time::Duration};

use anyhow::ensure;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use verdict::{api::Address, audit, decision::Query};

use super::{
    Args,
    apart::Apart,
    client::{self, Connection},
    cpu,
    generated::Directory,
    load::{self, Plan},
    loopback::Loopback,
    progress,
    questions::{Method, Requests},
    report, tick,
};
use crate::cli::say;

mod table;

/// How many questions a batch has.
const BATCH: usize = 100;

/// One turn of one server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    pub(super) requests_per_second: f64,
    decisions_per_second: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    // Denies because something went wrong: on a busy machine, mostly because the evaluation budget was spent.
    pub(super) failed: u64,
    // Processor time of the server for each request.
    pub(super) cpu: Option<Duration>,
    // Answers in all, also those that were not measured.
    pub(super) answers: u64,
    // Requests that were due and never sent.
    pub(super) unsent: u64,
}

/// A round: the null server's turn, then the real one's.
type Round = [Turn; 2];

/// One way to ask, and its rounds.
struct Phase {
    key: &'static str,
    title: String,
    method: Method,
    connections: usize,
    plan: Plan,
    rounds: Vec<Round>,
}

/// A server, and connections to it.
pub(super) struct Server {
    name: &'static str,
    cpu: cpu::Of,
    channels: Vec<Channel>,
    /// Where its metrics are; `None` of one that has none.
    pub(super) http: Option<Address>,
    _runs: Runs,
}

/// Where a server runs; it ends with this.
enum Runs {
    Here { _server: Loopback },
    Apart { _server: Apart },
}

impl Server {
    /// One in this process.
    pub(super) fn new(server: Loopback, connections: usize, runtime: &Runtime) -> anyhow::Result<Self> {
        let channels = runtime.block_on(client::connect(&server.address.to_string(), connections))?;
        let (name, http) = (server.name, server.http.clone());
        Ok(Self { name, cpu: cpu::Of::Threads(name), channels, http, _runs: Runs::Here { _server: server } })
    }

    /// One in a process of its own.
    pub(super) fn apart(
        name: &'static str,
        server: Apart,
        connections: usize,
        runtime: &Runtime,
    ) -> anyhow::Result<Self> {
        let channels = runtime.block_on(client::connect(&server.address.to_string(), connections))?;
        let (cpu, http) = (cpu::Of::Process(server.id()), Some(server.http.clone()));
        Ok(Self { name, cpu, channels, http, _runs: Runs::Apart { _server: server } })
    }
}

pub(super) fn run(args: &Args, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = args.server_threads.unwrap_or(cores);
    let directory = Directory::generate();
    let queries: Vec<Query> = directory.questions().into_iter().map(|(query, _)| query).collect();
    let server = |loopback: Loopback| Server::new(loopback, args.connections.get(), runtime);
    let real = Loopback::real("real-server", threads, &directory, audit::Config::default())?;
    let servers = [server(Loopback::null(threads)?)?, server(real)?];

    let mut phases = phases(args);
    let turns: Duration = phases.iter().map(|phase| (phase.plan.warmup + phase.plan.duration) * 2).sum();
    let rounds = u32::try_from(args.rounds())?;
    let bar = progress("comparing", turns * rounds);
    let ticking = runtime.spawn(tick(bar.clone()));
    let requests = phases.each_ref().map(|phase| Arc::new(Requests::encode(queries.clone(), phase.method, None)));
    for _ in 0..rounds {
        for (phase, requests) in phases.iter_mut().zip(&requests) {
            let turn = |server| runtime.block_on(turn(server, requests, phase.connections, phase.plan));
            let [null, real] = &servers;
            phase.rounds.push([turn(null)?, turn(real)?]);
        }
    }
    ticking.abort();
    bar.finish_and_clear();

    if args.json {
        say(&json(args, threads, &phases).to_string());
    } else {
        say(&table::text(args, threads, &phases));
    }
    Ok(ExitCode::SUCCESS)
}

fn phases(args: &Args) -> [Phase; 3] {
    let duration = args.duration.unwrap_or(Duration::from_secs(3));
    let warmup = args.warmup.unwrap_or(Duration::from_millis(500));
    let (connections, concurrency) = (args.connections.get(), args.concurrency.get());
    let plan = Plan { concurrency, warmup, duration, rate: None };
    // As many decisions in flight as keep the server busy, and not so many that they wait for a second.
    let batched = Plan { concurrency: concurrency.div_ceil(8), ..plan };
    let alone = Plan { concurrency: 1, duration: duration / 3, ..plan };
    let phase = |key, title: String, method, connections, plan| Phase {
        key,
        title,
        method,
        connections,
        plan,
        rounds: Vec::new(),
    };
    let loaded = format!("Check, {connections} connections x {concurrency} in flight");
    let hundreds = format!("BatchCheck of {BATCH}, {connections} x {} in flight", batched.concurrency);
    [
        phase("check", loaded, Method::Check, connections, plan),
        phase("check_alone", "Check, one at a time".to_owned(), Method::Check, 1, alone),
        phase("batch", hundreds, Method::BatchCheck(BATCH), connections, batched),
    ]
}

/// One turn of a server over gRPC, in which everything must be answered.
pub(super) async fn turn(
    server: &Server,
    requests: &Arc<Requests>,
    connections: usize,
    plan: Plan,
) -> anyhow::Result<Turn> {
    let channels = server.channels.get(..connections).unwrap_or(&server.channels);
    let connections = channels.iter().cloned().map(Connection::Grpc).collect();
    turn_over(server.name, server.cpu, connections, requests, plan).await
}

/// The same, over these connections.
pub(super) async fn turn_over(
    name: &str,
    server: cpu::Of,
    connections: Vec<Connection>,
    requests: &Arc<Requests>,
    plan: Plan,
) -> anyhow::Result<Turn> {
    let before = server.used();
    let tally = load::run(connections, requests, plan).await?;
    let after = server.used();
    let errors = &tally.errors;
    ensure!(tally.answers > 0, "the {name} answered nothing: {errors:?}");
    // An error is quickly given: figures that count them compare nothing.
    ensure!(errors.is_empty() && tally.unanswered == 0, "the {name} did not answer everything: {errors:?}");
    Ok(Turn {
        requests_per_second: tally.requests_per_second(),
        decisions_per_second: tally.decisions_per_second(),
        p50: tally.percentile(50.0),
        p99: tally.percentile(99.0),
        failed: tally.said.failed,
        answers: tally.answers_ever,
        unsent: tally.unsent,
        cpu: before.zip(after).and_then(|(before, after)| {
            let requests = u32::try_from(tally.answers_ever).ok().filter(|count| *count > 0)?;
            Some(after.saturating_sub(before) / requests)
        }),
    })
}

impl Phase {
    /// Denies because something went wrong, in all rounds.
    fn failed(&self) -> u64 {
        self.rounds.iter().flatten().map(|turn| turn.failed).sum()
    }

    /// The medians of a figure of the null server, of the real one, and of their ratio within a round.
    fn compare(&self, figure: impl Fn(&Turn) -> f64) -> [f64; 3] {
        [
            median(self.rounds.iter().map(|[null, _]| figure(null))),
            median(self.rounds.iter().map(|[_, real]| figure(real))),
            median(self.rounds.iter().map(|[null, real]| figure(real) / figure(null))),
        ]
    }
}

/// How many times more decisions a second batches give than single checks in the same round, of the null server and of
/// the real one.
fn batch_gain(phases: &[Phase; 3]) -> [f64; 2] {
    let [check, _, batch] = phases;
    let rounds = || batch.rounds.iter().zip(&check.rounds);
    let gain = |batch: &Turn, check: &Turn| batch.decisions_per_second / check.decisions_per_second;
    [
        median(rounds().map(|([batch, _], [check, _])| gain(batch, check))),
        median(rounds().map(|([_, batch], [_, check])| gain(batch, check))),
    ]
}

/// The median; not a number of nothing.
pub(super) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn json(args: &Args, threads: NonZeroUsize, phases: &[Phase; 3]) -> Json {
    let figures = |phase: &Phase| {
        let row = |[null, real, ratio]: [f64; 3]| json!({ "null": report::round(null), "real": report::round(real), "ratio": (ratio * 1e3).round() / 1e3 });
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        json!({
            "failed": phase.failed(),
            "requests_per_second": row(phase.compare(|turn| turn.requests_per_second)),
            "decisions_per_second": row(phase.compare(|turn| turn.decisions_per_second)),
            "p50_us": row(phase.compare(|turn| micros(turn.p50))),
            "p99_us": row(phase.compare(|turn| micros(turn.p99))),
            "server_cpu_us_per_request": row(phase.compare(|turn| turn.cpu.map_or(f64::NAN, micros))),
        })
    };
    let mut result: serde_json::Map<String, Json> =
        phases.iter().map(|phase| (phase.key.to_owned(), figures(phase))).collect();
    let [null, real] = batch_gain(phases);
    result.insert(
        "batch_decisions_over_check_decisions".to_owned(),
        json!({ "null": report::round(null), "real": report::round(real) }),
    );
    result.insert("server_threads".to_owned(), threads.get().into());
    result.insert("rounds".to_owned(), args.rounds().into());
    Json::Object(result)
}
