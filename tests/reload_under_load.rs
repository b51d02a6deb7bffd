//! Reloads under full load: no call fails, no answer contradicts the revision that it names, memory stays flat.
//!
//! `VERDICT_TEST_RELOADS` says how many (60 unless set; `.ci/run` asks for 1,000), `VERDICT_TEST_BINARY` of which build
//! of the program (the one that cargo made for this test unless set).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test says what is wrong by failing"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use verdict::{
    api::grpc::proto::{
        Action, BatchCheckItem, BatchCheckRequest, CheckRequest, Effect, Resource, Subject, Verdict,
        decision_service_client::DecisionServiceClient,
    },
    bundle::Bundle,
};

const CONNECTIONS: usize = 8;
const IN_FLIGHT: usize = 8;

/// Two sets that answer every question differently, each with enough data that a leak would show.
fn files(allow: bool) -> Vec<(String, Vec<u8>)> {
    let users: Vec<String> =
        (0..2_000).map(|n| format!("\"user{n}\": {{\"roles\": [\"r{}\", \"r{}\"]}}", n % 7, n % 5)).collect();
    let policy = format!(
        "package authz\n\ndecision := {{\"allow\": {allow}, \"reasons\": [\"set_{allow}\"]}} if data.users[input.subject.id].roles\n"
    );
    vec![
        ("authz.rego".to_owned(), policy.into_bytes()),
        ("data.json".to_owned(), format!("{{\"users\": {{{}}}}}", users.join(",")).into_bytes()),
    ]
}

fn digest(allow: bool) -> String {
    Bundle::from_files(files(allow)).unwrap().digest.to_string()
}

/// Saves the policy the way editors do: beside, then renamed over.
fn save(folder: &Path, allow: bool) {
    for (name, bytes) in files(allow) {
        let target = folder.join(&name);
        if fs::read(&target).ok().as_deref() != Some(&bytes) {
            let beside = folder.join(format!(".{name}.new"));
            fs::write(&beside, bytes).unwrap();
            fs::rename(&beside, &target).unwrap();
        }
    }
}

struct Server {
    process: Child,
    address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let program = std::env::var("VERDICT_TEST_BINARY").unwrap_or(env!("CARGO_BIN_EXE_verdict").to_owned());
        let mut process = Command::new(program)
            .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-format", "json", "--strict"])
            .arg("--policies")
            .arg(folder)
            .env("RUST_LIB_BACKTRACE", "0")
            // A debug build on a busy machine is slow, and not what this is about.
            .env("VERDICT_GRPC_REQUEST_TIMEOUT", "30s")
            .env("VERDICT_POLICIES_EVALUATION_BUDGET", "5s")
            .env("VERDICT_ADMIN_ADDRESS", "off")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
                line["grpc"].as_str().map(str::to_owned)
            })
            .expect("the server says where it listens");
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line)));
        Self { process, address, log }
    }

    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Default)]
struct Seen {
    answers: AtomicU64,
    sequence: AtomicU64,
    wrong: Mutex<Vec<String>>,
    stop: AtomicBool,
}

impl Seen {
    fn judge(&self, verdict: &Verdict, allowing: &str, denying: &str, since: u64) -> u64 {
        let revision = verdict.revision.as_ref().unwrap();
        let expected = if revision.digest == allowing {
            Effect::Allow
        } else if revision.digest == denying {
            Effect::Deny
        } else {
            Effect::Unspecified
        };
        let reason = if expected == Effect::Allow { "set_true" } else { "set_false" };
        let right = verdict.effect() == expected && verdict.reasons[0].code == reason;
        // What was visible before the question was asked is the least that it may be decided on.
        if !right || revision.sequence < since {
            self.wrong.lock().unwrap().push(format!("{verdict:?} after revision {since}"));
        }
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.sequence.fetch_max(revision.sequence, Ordering::SeqCst);
        revision.sequence
    }
}

async fn load(address: String, seen: Arc<Seen>, batches: bool) {
    let channel =
        tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let (allowing, denying) = (digest(true), digest(false));
    let (subject, action, resource) = (
        Subject { r#type: "user".into(), id: "user77".into(), properties: None },
        Action { name: "read".into(), properties: None },
        Resource { r#type: "doc".into(), id: "1".into(), properties: None },
    );
    let check = CheckRequest {
        subject: Some(subject.clone()),
        action: Some(action.clone()),
        resource: Some(resource.clone()),
        ..CheckRequest::default()
    };
    let batch = BatchCheckRequest {
        subject: Some(subject),
        action: Some(action),
        resource: Some(resource),
        items: vec![BatchCheckItem::default(); 20],
        ..BatchCheckRequest::default()
    };
    let mut client = DecisionServiceClient::new(channel);
    while !seen.stop.load(Ordering::Relaxed) {
        let since = seen.sequence.load(Ordering::SeqCst);
        let verdicts = if batches {
            client.batch_check(batch.clone()).await.map(|answer| answer.into_inner().verdicts)
        } else {
            client.check(check.clone()).await.map(|answer| answer.into_inner().verdict.into_iter().collect())
        };
        match verdicts {
            Ok(verdicts) => {
                let named: Vec<u64> =
                    verdicts.iter().map(|verdict| seen.judge(verdict, &allowing, &denying, since)).collect();
                if named.iter().any(|sequence| *sequence != named[0]) {
                    seen.wrong.lock().unwrap().push(format!("one batch, revisions {named:?}"));
                }
            }
            Err(status) => seen.wrong.lock().unwrap().push(format!("a call failed: {status:?}")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_and_no_answer_contradicts_its_revision() {
    let reloads: u64 = std::env::var("VERDICT_TEST_RELOADS").ok().map_or(60, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), true);
    let server = Server::start(folder.path());
    let seen = Arc::new(Seen::default());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..CONNECTIONS * IN_FLIGHT {
        tasks.spawn(load(server.address.clone(), Arc::clone(&seen), number % 8 == 0));
    }
    let began = Instant::now();
    while seen.sequence.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is answered: {:#?}", server.log.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut slowest = Duration::ZERO;
    let mut resident = Vec::new();
    let started = Instant::now();
    for number in 1..=reloads {
        let before = seen.sequence.load(Ordering::SeqCst);
        let saved = Instant::now();
        save(folder.path(), number % 2 == 0);
        while seen.sequence.load(Ordering::SeqCst) == before {
            if saved.elapsed() > Duration::from_secs(10) {
                let log = server.log.lock().unwrap();
                let tail = &log[log.len().saturating_sub(5)..];
                panic!(
                    "reload {number} is not seen after {} answers; the log ends {tail:#?}",
                    seen.answers.load(Ordering::Relaxed)
                );
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        slowest = slowest.max(saved.elapsed());
        resident.push(server.resident_kib());
    }
    seen.stop.store(true, Ordering::Relaxed);
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let wrong = seen.wrong.lock().unwrap();
    // Single figures jump by what a snapshot that is being built takes: compare means of a tenth of the run each.
    let tenth = (resident.len() / 10).max(1);
    let mean = |part: &[u64]| part.iter().sum::<u64>() / part.len() as u64;
    let (middle, end) = (mean(&resident[resident.len() / 2..][..tenth]), mean(&resident[resident.len() - tenth..]));
    println!(
        "{reloads} reloads in {:.1?}, {} answers, {} wrong or failed; slowest reload {slowest:?}; resident {middle} KiB in \
         the middle, {end} KiB at the end ({:+.1} %)",
        started.elapsed(),
        seen.answers.load(Ordering::Relaxed),
        wrong.len(),
        (end as f64 / middle as f64 - 1.0) * 100.0,
    );
    assert!(wrong.is_empty(), "{} wrong, the first: {:#?}", wrong.len(), wrong.first());
    assert!(seen.answers.load(Ordering::Relaxed) > reloads, "there was no load");
    // A short run has not settled yet.
    if reloads >= 500 {
        assert!(end as f64 <= middle as f64 * 1.05, "resident memory rose from {middle} to {end} KiB");
    }
}
