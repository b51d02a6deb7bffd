//! What a decision log costs while the server that takes it is silent: the same load before, during and after.

mod receiver;

use std::{fmt::Write as _, num::NonZeroUsize, process::ExitCode, sync::Arc, thread, time::Duration};

use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;
use verdict::decision::Query;

use self::receiver::Receiver;
use super::{
    Args,
    compare::{Server, Turn, turn},
    generated::Directory,
    load::Plan,
    loopback::{Folder, Loopback},
    progress,
    questions::{Method, Requests},
    report,
    sinks::{self, Fate},
    tick,
};
use crate::cli::say;

/// Requests a second, unless it is said otherwise.
const RATE: u32 = 1_000;

/// One server's turns, and what became of its records.
struct Measured {
    mode: &'static str,
    turns: [Turn; 3],
    answers: u64,
    fate: Fate,
    /// Records that the receiver has, each once, and more than once.
    received: (u64, u64),
}

pub(super) fn run(args: &Args, silence: Duration, runtime: &Runtime) -> anyhow::Result<ExitCode> {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = args.server_threads.unwrap_or(cores);
    let directory = Directory::generate();
    let queries: Vec<Query> = directory.questions().into_iter().map(|(query, _)| query).collect();
    let requests = Arc::new(Requests::encode(queries, Method::Check, None));
    let plan = Plan {
        concurrency: args.concurrency.get(),
        warmup: args.warmup.unwrap_or(Duration::from_secs(1)),
        duration: args.duration.unwrap_or(Duration::from_secs(10)),
        rate: Some(args.rate.unwrap_or(RATE)),
    };
    let bar = progress("asking", (plan.duration * 2 + silence + plan.warmup * 3) * 2);
    let ticking = runtime.spawn(tick(bar.clone()));
    let mut measured = Vec::new();
    for (mode, durable) in [("best-effort", false), ("durable", true)] {
        let folder = Folder::below(&args.log_dir.clone().unwrap_or_else(std::env::temp_dir));
        std::fs::create_dir_all(&folder.0)?;
        let receiver = runtime.block_on(Receiver::start())?;
        let log = sinks::http(receiver.url.clone(), &folder.0, durable);
        let server = Server::new(Loopback::real(mode, threads, &directory, log)?, args.connections.get(), runtime)?;
        let ask = |plan| runtime.block_on(turn(&server, &requests, args.connections.get(), plan));
        let before = ask(plan)?;
        receiver.fall_silent(true);
        let during = ask(Plan { duration: silence, ..plan })?;
        receiver.fall_silent(false);
        let after = ask(plan)?;
        let turns = [before, during, after];
        let fate = runtime.block_on(sinks::rest(server.http.as_ref()))?;
        let answers = turns.iter().map(|turn| turn.answers).sum();
        measured.push(Measured { mode, turns, answers, fate, received: receiver.received() });
    }
    ticking.abort();
    bar.finish_and_clear();
    say(&if args.json { json(&measured).to_string() } else { text(args, plan, silence, &measured) });
    Ok(ExitCode::SUCCESS)
}

fn text(args: &Args, plan: Plan, silence: Duration, measured: &[Measured]) -> String {
    let rate = plan.rate.unwrap_or_default();
    let mut out = format!(
        "Check at {rate} requests a second, {} connections; the log's server is silent for {silence:?}\n",
        args.connections
    );
    for Measured { mode, turns, answers, fate, received } in measured {
        let _ = writeln!(out, "\n{mode:<14}{:>11}{:>11}{:>11}{:>16}", "before", "during", "after", "during/before");
        for (name, figure) in [("p50", (|turn| turn.p50) as fn(&Turn) -> Duration), ("p99", |turn| turn.p99)] {
            let [before, during, after] = turns.map(|turn| report::time(figure(&turn)));
            let ratio = ratio(turns, figure);
            let _ = writeln!(out, "  {name:<12}{before:>11}{during:>11}{after:>11}{ratio:>16.2}");
        }
        let Fate { offered, delivered, dropped, waiting } = fate;
        let (once, again) = received;
        let _ = writeln!(
            out,
            "  {answers} answers, {offered} records: {delivered} delivered, {dropped} dropped, {waiting} waiting; the \
             server has {once}, {again} of them twice"
        );
        let failed: u64 = turns.iter().map(|turn| turn.failed + turn.unsent).sum();
        if failed > 0 {
            let _ = writeln!(out, "  warning: {failed} denies because something went wrong, or requests not sent");
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn ratio(turns: &[Turn; 3], figure: fn(&Turn) -> Duration) -> f64 {
    let [before, during, _] = turns;
    figure(during).as_secs_f64() / figure(before).as_secs_f64()
}

fn json(measured: &[Measured]) -> Json {
    let one = |Measured { mode, turns, answers, fate, received }: &Measured| {
        let times = |figure: fn(&Turn) -> Duration| turns.map(|turn| report::micros(figure(&turn))).to_vec();
        let body = json!({
            "p50_us": times(|turn| turn.p50),
            "p99_us": times(|turn| turn.p99),
            "p99_ratio": (ratio(turns, |turn| turn.p99) * 1e3).round() / 1e3,
            "answers": answers, "offered": fate.offered, "delivered": fate.delivered, "dropped": fate.dropped,
            "waiting": fate.waiting, "received": received.0, "received_twice": received.1,
            "failed": turns.iter().map(|turn| turn.failed).sum::<u64>(),
        });
        ((*mode).to_owned(), body)
    };
    Json::Object(measured.iter().map(one).collect())
}
