//! What runaways cost others: the latency that a second client sees from the built server, idle and while hostile
//! policies are asked, in turn. `cargo bench --bench runaways`; nothing is asserted here. Names of policies may be given
//! as arguments, to have only those asked: `cargo bench --bench runaways -- pairs products`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that can't run should say where"
)]

#[path = "../tests/server/support.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod support;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use support::{Client, Folder, Serve, Server, object, question, to};
use verdict::api::grpc::proto::CheckRequest;

/// How long each phase lasts, and how often both are measured.
const PHASE: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;

/// How many runaways are under way at a time.
const RUNAWAYS: usize = 4;

/// How long the second client pauses between two questions.
const PAUSE: Duration = Duration::from_millis(1);

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // The client has threads of its own, of which one is for the runaways.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let folder = Folder::always(&[]);
    let mut names = Vec::new();
    for file in fs::read_dir("tests/hostile/cases").unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        folder.write(&format!("{name}.rego"), &fs::read_to_string(&path).unwrap());
        names.push(name);
    }
    let server = Serve::folder(&folder).env("VERDICT_POLICIES_EVALUATION_BUDGET", "50ms").ready().await;
    names.sort();
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    names.retain(|name| chosen.is_empty() || chosen.contains(name));
    println!("{} hostile policies, {RUNAWAYS} at a time; a question each {PAUSE:?} beside them", names.len());
    println!(
        "{:>6} {:>10} {:>10} {:>10} {:>10} {:>7} {:>9}",
        "round", "idle p50", "idle p99", "p50", "p99", "ratio", "runaways"
    );
    for round in 1..=ROUNDS {
        let idle = phase(&server).await;
        let stop = Arc::new(AtomicBool::new(false));
        let count = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..RUNAWAYS)
            .map(|first| {
                let (uri, names, stop, count) = (server.uri(), names.clone(), Arc::clone(&stop), Arc::clone(&count));
                std::thread::spawn(move || run_away(&uri, &names, first, &stop, &count))
            })
            .collect();
        let busy = phase(&server).await;
        stop.store(true, Relaxed);
        for thread in threads {
            thread.join().unwrap();
        }
        let at = |histogram: &Histogram<u64>, quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
        let (calm, disturbed) = (at(&idle, 0.99), at(&busy, 0.99));
        println!(
            "{round:>6} {:>10.1?} {calm:>10.1?} {:>10.1?} {disturbed:>10.1?} {:>7.2} {:>9}",
            at(&idle, 0.5),
            at(&busy, 0.5),
            disturbed.as_secs_f64() / calm.as_secs_f64(),
            count.load(Relaxed),
        );
    }
    server.unharmed().await;
}

/// The latencies of a client that asks a plain rule.
async fn phase(server: &Server) -> Histogram<u64> {
    let mut client = server.client().await;
    let mut latencies = Histogram::new(3).unwrap();
    let started = Instant::now();
    while started.elapsed() < PHASE {
        let question = to(support::ALWAYS);
        let asked = Instant::now();
        client.check(question).await.unwrap();
        latencies.record(u64::try_from(asked.elapsed().as_nanos()).unwrap()).unwrap();
        tokio::time::sleep(PAUSE).await;
    }
    latencies
}

/// Asks one hostile policy after the other.
fn run_away(uri: &str, names: &[String], first: usize, stop: &AtomicBool, count: &AtomicU64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = Client::connect(uri.to_owned()).await.unwrap();
        for name in names.iter().cycle().skip(first * names.len() / RUNAWAYS) {
            if stop.load(Relaxed) {
                return;
            }
            let context = serde_json::json!({"a": 1, "wide": (0..1_000).collect::<Vec<u32>>()});
            let policy = format!("data.hostile.{name}.decision");
            client.check(CheckRequest { policy, context: Some(object(context)), ..question() }).await.unwrap();
            count.fetch_add(1, Relaxed);
        }
    });
}
