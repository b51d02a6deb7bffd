//! What a door costs beside another: the same questions to the same server through gRPC's `Check`, AuthZEN's evaluation
//! and OPA's data API, in turns.
//!
//! HTTP/1.1 has one request in flight on a connection and gRPC many; so the doors are compared with one in flight on each
//! of as many connections, and gRPC with as many in flight on few connections has a turn of its own.

use std::{num::NonZeroUsize, process::ExitCode, sync::Arc, thread, time::Duration};

use anyhow::Context as _;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use verdict::{audit, decision::Query};

use super::{
    Args,
    client::{self, Connection, http1},
    compare::{Turn, median, turn_over},
    cpu,
    generated::Directory,
    load::Plan,
    loopback::Loopback,
    progress,
    questions::{Method, Requests},
    report, tick,
};
use crate::cli::say;

mod table;

/// The doors, in the order of their turns; others are compared with the first.
const DOORS: [(&str, Method); 3] =
    [("grpc", Method::Check), ("authzen", Method::Evaluation), ("opa", Method::Document)];

/// One way to ask each door, and its rounds.
struct Phase {
    key: &'static str,
    title: String,
    connections: usize,
    plan: Plan,
    rounds: Vec<[Turn; DOORS.len()]>,
}

/// What was measured.
struct Comparison {
    /// Many connections, then one.
    phases: [Phase; 2],
    /// gRPC with many in flight on each of its connections.
    multiplexed: Vec<Turn>,
}

pub(super) fn run(args: &Args, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = args.server_threads.unwrap_or(cores);
    let directory = Directory::generate();
    let queries: Vec<Query> = directory.questions().into_iter().map(|(query, _)| query).collect();
    let server = Loopback::real("doors-server", threads, &directory, audit::Config::default())?;
    let requests = DOORS.map(|(_, method)| Arc::new(Requests::encode(queries.clone(), method, None)));
    let [check, ..] = &requests;

    let (mut phases, many) = phases(args);
    let turn = |requests: &Arc<Requests>, count: usize, plan: Plan| {
        runtime.block_on(async {
            let connections = connect(&server, requests.method, count).await?;
            turn_over(server.name, cpu::Of::Threads(server.name), connections, requests, plan).await
        })
    };
    let doors = u32::try_from(DOORS.len())?;
    let turns: Duration = phases.iter().map(|phase| (phase.plan.warmup + phase.plan.duration) * doors).sum();
    let rounds = u32::try_from(args.rounds())?;
    let bar = progress("comparing", (turns + many.warmup + many.duration) * rounds);
    let ticking = runtime.spawn(tick(bar.clone()));
    let mut multiplexed = Vec::new();
    for _ in 0..rounds {
        for phase in &mut phases {
            let mut round = [Turn::default(); DOORS.len()];
            for (figures, requests) in round.iter_mut().zip(&requests) {
                *figures = turn(requests, phase.connections, phase.plan)?;
            }
            phase.rounds.push(round);
        }
        multiplexed.push(turn(check, args.connections.get(), many)?);
    }
    ticking.abort();
    bar.finish_and_clear();

    let comparison = Comparison { phases, multiplexed };
    if args.json {
        say(&comparison.json(args, threads).to_string());
    } else {
        say(&table::text(args, threads, &comparison));
    }
    Ok(ExitCode::SUCCESS)
}

/// The phases, and the plan of gRPC's own.
fn phases(args: &Args) -> ([Phase; 2], Plan) {
    let duration = args.duration.unwrap_or(Duration::from_secs(3));
    let warmup = args.warmup.unwrap_or(Duration::from_millis(500));
    let (connections, concurrency) = (args.connections.get(), args.concurrency.get());
    let plan = Plan { concurrency: 1, warmup, duration, rate: None };
    let phase = |key, title, connections, plan| Phase { key, title, connections, plan, rounds: Vec::new() };
    let all = connections * concurrency;
    let phases = [
        phase("loaded", format!("{all} connections, one in flight on each"), all, plan),
        phase("alone", "One at a time".to_owned(), 1, Plan { duration: duration / 3, ..plan }),
    ];
    (phases, Plan { concurrency, ..plan })
}

async fn connect(server: &Loopback, method: Method, count: usize) -> anyhow::Result<Vec<Connection>> {
    match method {
        Method::Check | Method::BatchCheck(_) => {
            let channels = client::connect(&server.address.to_string(), count).await?;
            Ok(channels.into_iter().map(Connection::Grpc).collect())
        }
        Method::Evaluation | Method::Document => {
            let address = server.http.as_ref().context("the server has no HTTP port")?;
            let connections = http1::connect(address, method, count).await?;
            Ok(connections.into_iter().map(Connection::Http).collect())
        }
    }
}

impl Phase {
    /// The median of a figure of each door.
    fn medians(&self, figure: impl Fn(&Turn) -> f64) -> [f64; DOORS.len()] {
        std::array::from_fn(|door| median(self.rounds.iter().filter_map(|round| round.get(door)).map(&figure)))
    }

    /// The medians of the other doors' ratios to the first, within a round.
    fn ratios(&self, figure: impl Fn(&Turn) -> f64) -> [f64; DOORS.len() - 1] {
        let ratio = |round: &[Turn; DOORS.len()], door: usize| {
            let [first, others @ ..] = round;
            others.get(door).map_or(f64::NAN, |other| figure(other) / figure(first))
        };
        std::array::from_fn(|door| median(self.rounds.iter().map(|round| ratio(round, door))))
    }
}

impl Comparison {
    /// Denies because something went wrong.
    fn failed(&self) -> u64 {
        let turns = self.phases.iter().flat_map(|phase| phase.rounds.iter().flatten());
        turns.chain(&self.multiplexed).map(|turn| turn.failed).sum()
    }

    /// How AuthZEN's requests a second, one in flight on each connection, compare with those of gRPC with many.
    fn authzen_over_multiplexed(&self) -> f64 {
        let [loaded, _] = &self.phases;
        let rounds = loaded.rounds.iter().zip(&self.multiplexed);
        median(rounds.map(|([_, authzen, _], many)| authzen.requests_per_second / many.requests_per_second))
    }

    fn json(&self, args: &Args, threads: NonZeroUsize) -> Json {
        let thousandth = |ratio: f64| (ratio * 1e3).round() / 1e3;
        let row = |phase: &Phase, figure: &dyn Fn(&Turn) -> f64| {
            let mut row = serde_json::Map::new();
            for ((name, _), figure) in DOORS.iter().zip(phase.medians(figure)) {
                row.insert((*name).to_owned(), report::round(figure));
            }
            for ((name, _), ratio) in DOORS.iter().skip(1).zip(phase.ratios(figure)) {
                row.insert(format!("{name}_over_grpc"), thousandth(ratio).into());
            }
            Json::Object(row)
        };
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let figures = |phase: &Phase| {
            json!({
                "connections": phase.connections,
                "requests_per_second": row(phase, &|turn| turn.requests_per_second),
                "p50_us": row(phase, &|turn| micros(turn.p50)),
                "p99_us": row(phase, &|turn| micros(turn.p99)),
                "server_cpu_us_per_request": row(phase, &|turn| turn.cpu.map_or(f64::NAN, micros)),
            })
        };
        let mut result: serde_json::Map<String, Json> =
            self.phases.iter().map(|phase| (phase.key.to_owned(), figures(phase))).collect();
        let many = |figure: &dyn Fn(&Turn) -> f64| report::round(median(self.multiplexed.iter().map(figure)));
        let multiplexed = json!({
            "connections": args.connections.get(),
            "in_flight": args.concurrency.get(),
            "requests_per_second": many(&|turn| turn.requests_per_second),
            "p50_us": many(&|turn| micros(turn.p50)),
            "p99_us": many(&|turn| micros(turn.p99)),
            "server_cpu_us_per_request": many(&|turn| turn.cpu.map_or(f64::NAN, micros)),
            "authzen_loaded_over_this": thousandth(self.authzen_over_multiplexed()),
        });
        result.insert("grpc_multiplexed".to_owned(), multiplexed);
        result.insert("failed".to_owned(), self.failed().into());
        result.insert("server_threads".to_owned(), threads.get().into());
        result.insert("rounds".to_owned(), args.rounds().into());
        Json::Object(result)
    }
}
