//! How fast a revocation is, and what holding very many costs. In short by default; at length with
//! `VERDICT_TEST_REVOCATIONS=1000000` on a release build, which `VERDICT_TEST_BINARY` names (`docs/revocation.md`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tonic::transport::Channel;
use verdict::api::grpc::proto::{
    Effect, NewRevocation, RevocationTarget, RevokeRequest, decision_service_client::DecisionServiceClient,
    revocation_service_client::RevocationServiceClient, revocation_target::Which,
};

use crate::{
    forge::token,
    revocation::STORE,
    rig::{MAIN, Rig, bearer},
    signals::{SET, Transmitter, push, rig, session_revoked},
    support::Server,
};

/// Whether this is the measurement, and not only the run that shows that it works.
fn at_length() -> Option<usize> {
    std::env::var("VERDICT_TEST_REVOCATIONS").ok()?.parse().ok()
}

/// Asks without pause until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    async fn start(server: &Server, connections: usize) -> Self {
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut tasks = Vec::new();
        for number in 0..connections {
            let mut client = server.client().await;
            let question = bearer(&token(&json!({"jti": format!("load-{number}")})));
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            tasks.push(tokio::spawn(async move {
                while !stop.load(Relaxed) {
                    client.check(question.clone()).await.unwrap();
                    asked.fetch_add(1, Relaxed);
                }
            }));
        }
        Self { stop, asked, tasks }
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.asked.load(Relaxed)
    }
}

fn jti(jti: String) -> NewRevocation {
    let target = RevocationTarget { issuer: String::new(), which: Some(Which::Jti(jti)) };
    NewRevocation { target: Some(target), ..NewRevocation::default() }
}

/// The time from `began` to the first deny.
async fn denied(client: &mut DecisionServiceClient<Channel>, token: &str, began: Instant) -> Duration {
    loop {
        let verdict = client.check(bearer(token)).await.unwrap().into_inner().verdict.unwrap();
        if verdict.effect() == Effect::Deny {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(10), "it is not denied");
    }
}

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let index = (times.len() as f64 * part) as usize;
        times[index.min(times.len() - 1)]
    };
    let (median, p99) = (at(0.5), at(0.99));
    println!("{what}: p50 {median:?}, p99 {p99:?}, most {:?}, of {}", times[times.len() - 1], times.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_revocation_to_the_first_deny() {
    let transmitter = Transmitter::new();
    let rig = rig(&transmitter, "");
    let server = rig.serving().await;
    let load = Load::start(&server, 4).await;
    let rounds = if at_length().is_some() { 500 } else { 20 };
    let (mut client, mut operator) = (server.client().await, rig.revocations().await);
    let (mut sent, mut acknowledged, mut pushed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let id = format!("revoked-{round}");
        let good = token(&json!({"jti": id}));
        assert_eq!(client.check(bearer(&good)).await.unwrap().into_inner().verdict.unwrap().effect(), Effect::Allow);
        let began = Instant::now();
        let revoking = async {
            operator.revoke(RevokeRequest { revocations: vec![jti(id)] }).await.unwrap();
            began.elapsed()
        };
        let (acknowledgement, deny) = tokio::join!(revoking, denied(&mut client, &good, began));
        sent.push(deny);
        acknowledged.push(acknowledgement);

        let session = format!("session-{round}");
        let good = token(&json!({"sid": session}));
        assert_eq!(client.check(bearer(&good)).await.unwrap().into_inner().verdict.unwrap().effect(), Effect::Allow);
        let set = transmitter.set(&session_revoked(&session, &session));
        let began = Instant::now();
        let (answer, deny) = tokio::join!(push(&server, SET, &set), denied(&mut client, &good, began));
        assert_eq!(answer.0, 202);
        pushed.push(deny);
    }
    let began = Instant::now();
    println!("{} checks beside it in all, until {:?} ago", load.end().await, began.elapsed());
    // What is to hold of these (`docs/revocation.md`) is for a quiet machine to show, and for people to read.
    told("from sending Revoke to the first deny", sent);
    told("from sending Revoke to its answer", acknowledged);
    told("from pushing a token to the first deny", pushed);
}

/// Revokes so many things of every kind.
async fn fill(operator: &mut RevocationServiceClient<Channel>, count: usize) {
    const TOGETHER: usize = 4_000;
    for first in (0..count).step_by(TOGETHER) {
        let new = |number: usize| {
            let name = format!("0195f3a0-7b1c-7def-8000-{number:012x}");
            let mut new = jti(name.clone());
            let which = &mut new.target.as_mut().unwrap().which;
            match number % 20 {
                0 => *which = Some(Which::Session(name)),
                1 => *which = Some(Which::Subject(name)),
                2 => *which = Some(Which::Client(name)),
                3 => *which = Some(Which::Actor(name)),
                4 => *which = Some(Which::Identifier(format!("email:{name}@example.com"))),
                _ => {}
            }
            "measured".clone_into(&mut new.reason);
            new
        };
        let revocations = (first..(first + TOGETHER).min(count)).map(new).collect();
        operator.revoke(RevokeRequest { revocations }).await.unwrap();
    }
}

/// The processor's time that a check took, in microseconds, over so long.
async fn cost(server: &Server, time: Duration) -> f64 {
    let before = server.cpu();
    let load = Load::start(server, 2).await;
    tokio::time::sleep(time).await;
    let asked = load.end().await;
    #[expect(clippy::cast_precision_loss, reason = "a figure")]
    let micros = server.cpu().saturating_sub(before).as_micros() as f64 / asked as f64;
    micros
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_very_many_revocations_cost() {
    let count = at_length().unwrap_or(20_000);
    let rig = Rig::new(MAIN, STORE);
    let server = rig.serving().await;
    let empty = server.resident();
    let began = Instant::now();
    fill(&mut rig.revocations().await, count).await;
    println!("{count} revoked in {:?}", began.elapsed());
    server.signal("KILL");
    drop(server);
    let began = Instant::now();
    let full = rig.serving().await;
    println!("restarted with them in {:?}", began.elapsed());
    let held = full.resident().saturating_sub(empty) >> 20;
    println!("resident: {} MiB without, {} MiB with them: {held} MiB", empty >> 20, full.resident() >> 20);
    assert!(held <= 200);
    let bare = Rig::new(MAIN, STORE);
    let bare = bare.serving().await;
    let time = if at_length().is_some() { Duration::from_secs(2) } else { Duration::from_millis(100) };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // In turn, so that what else the machine does meets both.
    for _ in 0..9 {
        without.push(cost(&bare, time).await);
        with.push(cost(&full, time).await);
    }
    let median = |costs: &mut Vec<f64>| {
        costs.sort_unstable_by(f64::total_cmp);
        costs[costs.len() / 2]
    };
    let (without, with) = (median(&mut without), median(&mut with));
    println!(
        "a check: {without:.2} µs of processor without, {with:.2} µs with: {:+.2} %",
        (with / without - 1.0) * 100.0
    );
}
