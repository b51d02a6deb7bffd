//! What the decision log costs: servers without one, with one in best effort and with a durable one, in turns.
//!
//! Each in a process of its own, as it is run; one in the process of who asks would share an allocator with it.
//!
//! As fast as they answer first: the log's threads, the doors and this client then share the cores, so the ratio of
//! requests a second says what the log takes of them. Then at a rate that all of them bear: that says what a single
//! caller waits longer.

use std::{fmt::Write as _, num::NonZeroUsize, process::ExitCode, sync::Arc, thread, time::Duration};

use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use verdict::decision::Query;

use super::{
    Args,
    apart::Apart,
    compare::{Server, Turn, median, turn},
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

/// The servers, in the order of their turns.
const NAMES: [&str; 3] = ["no-log", "best-effort", "durable"];

/// A turn of each server.
type Round = [Turn; 3];

/// One way to ask, and its rounds.
struct Phase {
    key: &'static str,
    title: String,
    plan: Plan,
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
    let logs = [json!({}), sinks::file(&folder.0, "best_effort"), durable];
    let mut servers = Vec::new();
    for (name, log) in NAMES.into_iter().zip(logs) {
        let server = Apart::start(threads, &directory, &log)?;
        servers.push(Server::apart(name, server, args.connections.get(), runtime)?);
    }

    let mut phases = phases(args);
    let rounds = u32::try_from(args.rounds.get())?;
    let turns: Duration = phases.iter().map(|phase| (phase.plan.warmup + phase.plan.duration) * 3).sum();
    let bar = progress("comparing", turns * rounds);
    let ticking = runtime.spawn(tick(bar.clone()));
    let mut rate = args.rate;
    for number in 0..args.rounds.get() {
        for phase in &mut phases {
            if phase.plan.rate.is_some() {
                phase.plan.rate = rate;
            }
            let mut round = Round::default();
            // Each server begins a round as often as the others do.
            let turns = round.iter_mut().zip(&servers).collect::<Vec<_>>();
            let (first, last) =
                turns.into_iter().enumerate().partition::<Vec<_>, _>(|(at, _)| *at >= number % NAMES.len());
            for (_, (done, server)) in first.into_iter().chain(last) {
                *done = runtime.block_on(turn(server, &requests, args.connections.get(), phase.plan))?;
                // What is left of this turn is no burden of the next.
                runtime.block_on(sinks::rest(server.http.as_ref()))?;
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
    for server in servers.iter().skip(1) {
        fates.push(runtime.block_on(sinks::rest(server.http.as_ref()))?);
    }
    say(&if args.json {
        json(args, threads, &phases, &fates).to_string()
    } else {
        text(args, threads, &phases, &fates)
    });
    Ok(ExitCode::SUCCESS)
}

fn phases(args: &Args) -> [Phase; 2] {
    let duration = args.duration.unwrap_or(Duration::from_secs(3));
    let warmup = args.warmup.unwrap_or(Duration::from_millis(500));
    let (connections, concurrency) = (args.connections.get(), args.concurrency.get());
    let plan = Plan { concurrency, warmup, duration, rate: None };
    [
        Phase {
            key: "check",
            title: format!("Check, {connections} connections x {concurrency} in flight"),
            plan,
            rounds: Vec::new(),
        },
        Phase {
            key: "check_at_rate",
            title: "Check at a fixed rate".to_owned(),
            plan: Plan { rate: Some(args.rate.unwrap_or(1)), ..plan },
            rounds: Vec::new(),
        },
    ]
}

/// A figure of each server, and the last two's ratios to the first's within a round: medians.
fn compare(phase: &Phase, figure: impl Fn(&Turn) -> f64) -> [f64; 5] {
    let of = |number: usize| move |round: &Round| round.get(number).copied().unwrap_or_default();
    let alone = |number: usize| median(phase.rounds.iter().map(|round| figure(&of(number)(round))));
    let ratio =
        |number: usize| median(phase.rounds.iter().map(|round| figure(&of(number)(round)) / figure(&of(0)(round))));
    [alone(0), alone(1), alone(2), ratio(1), ratio(2)]
}

type Figure = (&'static str, &'static str, fn(&Turn) -> f64);

const FIGURES: [Figure; 4] = [
    ("requests/s", "requests_per_second", |turn| turn.requests_per_second),
    ("p50", "p50_us", |turn| turn.p50.as_secs_f64() * 1e6),
    ("p99", "p99_us", |turn| turn.p99.as_secs_f64() * 1e6),
    ("server CPU a request", "server_cpu_us_per_request", |turn| {
        turn.cpu.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    }),
];

fn text(args: &Args, threads: NonZeroUsize, phases: &[Phase; 2], fates: &[Fate]) -> String {
    let mut out = format!("{threads} threads a server, median of {} rounds; ratios are to no log\n", args.rounds);
    for phase in phases {
        let title = phase.plan.rate.map_or(phase.title.clone(), |rate| format!("Check at {rate} requests a second"));
        let [none, best, durable] = NAMES;
        let _ = writeln!(out, "\n{title:<42}{none:>11}{best:>13}{durable:>11}{:>8}{:>8}", "ratio", "ratio");
        for (name, key, figure) in FIGURES {
            let figures = compare(phase, figure);
            let shown = figures.map(|figure| match key {
                "requests_per_second" => report::whole(figure),
                _ => Duration::try_from_secs_f64(figure / 1e6).map_or_else(|_| "-".to_owned(), report::time),
            });
            let ([none, best, durable, ..], [.., one, other]) = (shown, figures);
            let _ = writeln!(out, "  {name:<40}{none:>11}{best:>13}{durable:>11}{one:>8.2}{other:>8.2}");
        }
        let (failed, unsent) = troubles(phase);
        if failed > 0 {
            let _ = writeln!(out, "  warning: {failed} denies because something went wrong; is the machine busy?");
        }
        if unsent > 0 {
            let _ = writeln!(out, "  warning: {unsent} requests were due and never sent: the rate is too high");
        }
    }
    for (name, Fate { offered, delivered, dropped, waiting }) in NAMES.iter().skip(1).zip(fates) {
        let _ = write!(
            out,
            "\n{name}: {offered} decisions, {delivered} records delivered, {dropped} dropped, {waiting} waiting"
        );
    }
    out
}

fn json(args: &Args, threads: NonZeroUsize, phases: &[Phase; 2], fates: &[Fate]) -> Json {
    let figures = |phase: &Phase| {
        let mut members: serde_json::Map<String, Json> = FIGURES
            .into_iter()
            .map(|(_, key, figure)| {
                let [none, best, durable, one, other] =
                    compare(phase, figure).map(|figure| (figure * 1e3).round() / 1e3);
                let row = json!({ "no_log": none, "best_effort": best, "durable": durable,
                    "best_effort_ratio": one, "durable_ratio": other });
                (key.to_owned(), row)
            })
            .collect();
        let (failed, unsent) = troubles(phase);
        members.insert("failed".to_owned(), failed.into());
        members.insert("unsent".to_owned(), unsent.into());
        members.insert("rate".to_owned(), phase.plan.rate.into());
        Json::Object(members)
    };
    let mut result: serde_json::Map<String, Json> =
        phases.iter().map(|phase| (phase.key.to_owned(), figures(phase))).collect();
    for (name, Fate { offered, delivered, dropped, waiting }) in ["best_effort", "durable"].into_iter().zip(fates) {
        let fate = json!({ "offered": offered, "delivered": delivered, "dropped": dropped, "waiting": waiting });
        result.insert(name.to_owned(), fate);
    }
    result.insert("server_threads".to_owned(), threads.get().into());
    result.insert("rounds".to_owned(), args.rounds.get().into());
    Json::Object(result)
}

fn troubles(phase: &Phase) -> (u64, u64) {
    let turns = || phase.rounds.iter().flatten();
    (turns().map(|turn| turn.failed).sum(), turns().map(|turn| turn.unsent).sum())
}
