//! What the decision log costs: servers without one, with one in best effort and with a durable one, in turns, and a second
//! one without as the control: what it differs from the first by is noise.
//!
//! Each in a process of its own, as it is run; one in the process of who asks would share an allocator with it.
//!
//! As fast as they answer first: the log's threads, the doors and this client then share the cores, so the ratio of
//! requests a second says what the log takes of them. Then at a rate that all of them bear: that says what a single
//! caller waits longer. Turns are short and many: what else the machine does then meets all of them alike.

mod spread;
mod table;

use std::{num::NonZeroUsize, process::ExitCode, sync::Arc, thread, time::Duration};

use serde_json::json;
use tokio::runtime::Runtime;
use verdict::decision::Query;

use self::spread::Spread;
use super::{
    Args,
    apart::Apart,
    compare::{Server, Turn, turn},
    generated::Directory,
    load::Plan,
    loopback::Folder,
    progress,
    questions::{Method, Requests},
    report,
    sinks::{self, Fate},
    tick,
};
use crate::cli::say;

/// The servers, the one first that the others are compared with.
const NAMES: [&str; 4] = ["no-log", "control", "best-effort", "durable"];

/// The same in JSON.
const KEYS: [&str; 4] = ["no_log", "control", "best_effort", "durable"];

/// A turn of each server.
type Round = [Turn; NAMES.len()];

/// How many rounds there are if nothing is said: all orders of turns twice.
const ROUNDS: usize = 48;

/// Every so many rounds there is one at a fixed rate as well: latencies need fewer.
const AT_RATE_EVERY: usize = 4;

/// One way to ask, and its rounds.
struct Phase {
    key: &'static str,
    title: String,
    plan: Plan,
    /// In which of all rounds it has one.
    every: usize,
    rounds: Vec<Round>,
}

pub(super) fn run(args: &Args, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = args.server_threads.unwrap_or(cores);
    let folder = Folder::below(&args.log_dir.clone().unwrap_or_else(std::env::temp_dir));
    std::fs::create_dir_all(&folder.0)?;
    let directory = Directory::generate();
    let queries: Vec<Query> = directory.questions().into_iter().map(|(query, _)| query).collect();
    let requests = Arc::new(Requests::encode(queries, Method::Check, None));
    let durable = if args.spooled { sinks::spooled_file(&folder.0) } else { sinks::file(&folder.0, "durable") };
    let logs = [json!({}), json!({}), sinks::file(&folder.0, "best_effort"), durable];
    let mut servers = Vec::new();
    for (name, log) in NAMES.into_iter().zip(logs) {
        let server = Apart::start(threads, &directory, &log)?;
        servers.push(Server::apart(name, server, args.connections.get(), runtime)?);
    }

    let mut phases = phases(args);
    let rounds = args.rounds.map_or(ROUNDS, NonZeroUsize::get);
    let mut length = Duration::ZERO;
    for Phase { plan, every, .. } in &phases {
        let turns = u32::try_from(rounds.div_ceil(*every) * NAMES.len())?;
        length += (plan.warmup + plan.duration) * turns;
    }
    let bar = progress("comparing", length);
    let ticking = runtime.spawn(tick(bar.clone()));
    let mut rate = args.rate;
    for number in 0..rounds {
        for phase in phases.iter_mut().filter(|phase| number.is_multiple_of(phase.every)) {
            if phase.plan.rate.is_some() {
                phase.plan.rate = rate;
            }
            let mut round = Round::default();
            for at in spread::order::<{ NAMES.len() }>(phase.rounds.len()) {
                if let (Some(done), Some(server)) = (round.get_mut(at), servers.get(at)) {
                    *done = runtime.block_on(turn(server, &requests, args.connections.get(), phase.plan))?;
                    // What is left of this turn is no burden of the next.
                    runtime.block_on(sinks::rest(server.http.as_ref()))?;
                }
            }
            // A third of what the slowest of them bears: at this rate none of them queues.
            let slowest = round.iter().map(|turn| turn.requests_per_second).fold(f64::MAX, f64::min);
            rate = rate.or_else(|| report::whole(slowest / 3.0).parse().ok());
            phase.rounds.push(round);
        }
    }
    ticking.abort();
    bar.finish_and_clear();
    let mut fates = Vec::new();
    for server in &servers {
        fates.push(runtime.block_on(sinks::rest(server.http.as_ref()))?);
    }
    say(&if args.json {
        table::json(threads, &phases, &fates).to_string()
    } else {
        table::text(threads, &phases, &fates)
    });
    Ok(ExitCode::SUCCESS)
}

fn phases(args: &Args) -> [Phase; 2] {
    let duration = args.duration.unwrap_or(Duration::from_millis(400));
    let warmup = args.warmup.unwrap_or(Duration::from_millis(150));
    let (connections, concurrency) = (args.connections.get(), args.concurrency.get());
    let plan = Plan { concurrency, warmup, duration, rate: None };
    let title = format!("Check, {connections} connections x {concurrency} in flight");
    let at_rate = Plan { rate: Some(args.rate.unwrap_or(1)), ..plan };
    [
        Phase { key: "check", title, plan, every: 1, rounds: Vec::new() },
        Phase { key: "check_at_rate", title: String::new(), plan: at_rate, every: AT_RATE_EVERY, rounds: Vec::new() },
    ]
}

impl Phase {
    /// A figure of a server.
    fn figure(&self, server: usize, figure: fn(&Turn) -> f64) -> Spread {
        Spread::of(self.rounds.iter().filter_map(|round| round.get(server)).map(figure))
    }

    /// Its ratio to the first server's in the same round.
    fn ratio(&self, server: usize, figure: fn(&Turn) -> f64) -> Spread {
        let [first, other] = [0, server].map(|of| move |round: &Round| round.get(of).map(figure));
        Spread::of(self.rounds.iter().filter_map(|round| Some(other(round)? / first(round)?)))
    }

    /// Denies because something went wrong, and requests that were never sent.
    fn troubles(&self) -> (u64, u64) {
        let turns = || self.rounds.iter().flatten();
        (turns().map(|turn| turn.failed).sum(), turns().map(|turn| turn.unsent).sum())
    }
}
