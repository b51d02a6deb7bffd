//! What mutual TLS costs, and what it costs to know callers: the same `Check` of three servers in turn, over warm connections.
//! `cargo bench --bench transport`; nothing is asserted here.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark that can't run should say where"
)]

#[path = "../tests/server/support.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod support;
#[path = "../tests/faults/tls.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
mod tls;

use std::time::{Duration, Instant};

use futures::future::join_all;
use hdrhistogram::Histogram;
use support::{ALWAYS, Client, Folder, Serve, to};
use tls::Authority;

const PHASE: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;
const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 32;

/// Everything, to the client of this benchmark.
const GRANTS: &str = "grants: [{callers: ['spiffe://example.org/bench'], actions: [ask], entry_points: ['*']}]";

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure());
}

/// A test's size; a benchmark has none.
fn sized(_: &str, small: usize) -> usize {
    small
}

async fn measure() {
    let (authority, folder) = (Authority::new(), Folder::always(&[]));
    let grants = authority.write("grants.yaml", GRANTS);
    let plain = Serve::folder(&folder).ready().await;
    let mutual = authority.serve(&folder).listening().await;
    let known = authority
        .serve(&folder)
        .env("VERDICT_CALLERS_REQUIRED", "true")
        .env("VERDICT_CALLERS_GRANTS_FILE", grants.to_str().unwrap())
        .listening()
        .await;
    let shown = authority.issue(&["spiffe://example.org/bench"], 9);
    let mut clients: [Vec<Client>; 3] = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..CONNECTIONS {
        clients[0].push(plain.client().await);
        clients[1].push(authority.client(&mutual, Some(&shown)));
        clients[2].push(authority.client(&known, Some(&shown)));
    }
    mutual.logged("policies active").await;
    known.logged("policies active").await;
    println!("{CONNECTIONS} x {IN_FLIGHT} in flight, {PHASE:?} each, in turn");
    println!("{:>8} {:>10} {:>9} {:>9} {:>8}", "", "a second", "p50 us", "p99 us", "of plain");
    for _ in 0..ROUNDS {
        let mut base = 0.0;
        for (name, clients) in ["plain", "mTLS", "callers"].iter().zip(&clients) {
            let times = phase(clients).await;
            let rate = times.len() as f64 / PHASE.as_secs_f64();
            base = if base == 0.0 { rate } else { base };
            let (p50, p99) = (times.value_at_quantile(0.5), times.value_at_quantile(0.99));
            println!("{name:>8} {rate:>10.0} {p50:>9} {p99:>9} {:>8.2}", rate / base);
        }
    }
}

/// Asks for a while; the times in microseconds.
async fn phase(clients: &[Client]) -> Histogram<u64> {
    let until = Instant::now() + PHASE;
    let asking = (0..clients.len() * IN_FLIGHT).map(|at| {
        let mut client = clients[at % clients.len()].clone();
        tokio::spawn(async move {
            let mut times = Histogram::<u64>::new(3).unwrap();
            while Instant::now() < until {
                let started = Instant::now();
                client.check(to(ALWAYS)).await.expect("an answer");
                times.record(u64::try_from(started.elapsed().as_micros()).unwrap()).unwrap();
            }
            times
        })
    });
    let mut all = Histogram::new(3).unwrap();
    for times in join_all(asking).await {
        all.add(times.unwrap()).unwrap();
    }
    all
}
