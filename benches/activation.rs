//! What activation costs, on the built server: the latency that a client sees while a bundle of 100 MB of data becomes
//! active, 64 bundles at once against one with the same content, and the time from a rollback to its effect.
//! `cargo bench --bench activation`; nothing is asserted here. A size in MB may be given: `… -- 10`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that can't run should say where"
)]

#[path = "../tests/activation/support.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod support;

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use support::{Place, archive, question};
use verdict::api::{
    administration::{Administration as _, Expected, Target},
    grpc::proto::{Effect, decision_service_client::DecisionServiceClient},
};

/// How long the client asks before a bundle is put, and how often that is done.
const BEFORE: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;
/// How many clients ask at a time, and how long each pauses between two questions.
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(1);
/// How many bundles are put at once.
const BUNDLES: usize = 64;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let size = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_usize) * 1_000_000;
    // The clients have a thread of their own, and the server process all that it takes.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(under_load(size));
    runtime.block_on(many_at_once());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(rollback(size));
}

/// A bundle with about so many bytes of data, whose policy holds only on data of its own generation.
fn generation(number: usize, size: usize) -> Vec<u8> {
    let manifest = format!(r#"{{"revision": "{number}"}}"#);
    let rego = format!("package a\n\nallow if {{\n\tdata.generation == {number}\n\tdata.users.u7.clearance >= 0\n}}\n");
    let mut data = format!(r#"{{"generation": {number}, "users": {{"#);
    let mut user = 0;
    while data.len() < size {
        let comma = if user == 0 { "" } else { "," };
        let (department, clearance) = (user % 17, (user + number) % 9);
        write!(
            data,
            r#"{comma}"u{user}":{{"name":"user number {user}","department":"d{department}","clearance":{clearance},"groups":["g{}","g{}"]}}"#,
            user % 101,
            user % 211
        )
        .unwrap();
        user += 1;
    }
    data.push_str("}}");
    archive(&[(".manifest", &manifest), ("p.rego", &rego), ("data.json", &data)])
}

struct Process {
    child: Child,
    address: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(place: &Place) -> Process {
    let mut child = Command::new(env!("CARGO_BIN_EXE_verdict"))
        .args(["serve", "--log-format", "json", "--config"])
        .arg(place.config())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines
        .find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            line["grpc"].as_str().map(str::to_owned)
        })
        .unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    Process { child, address }
}

/// One client: asks until `stop`; its latencies, its failed calls, and when it first saw `wanted`.
async fn client(address: String, stop: Arc<AtomicBool>) -> (Histogram<u64>, usize) {
    let mut client = DecisionServiceClient::connect(format!("http://{address}")).await.unwrap();
    let (mut latencies, mut failed) = (Histogram::new(3).unwrap(), 0);
    while !stop.load(Relaxed) {
        let asked = Instant::now();
        match client.check(question()).await {
            Ok(answer) if answer.get_ref().verdict.as_ref().is_some_and(|v| v.effect() == Effect::Allow) => {
                latencies.record(u64::try_from(asked.elapsed().as_nanos()).unwrap()).unwrap();
            }
            _ => failed += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
    (latencies, failed)
}

/// The latencies of all clients for as long as `during` takes.
async fn measured(address: &str, during: impl Future<Output = ()>) -> (Histogram<u64>, usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(address.to_owned(), Arc::clone(&stop)))).collect();
    during.await;
    stop.store(true, Relaxed);
    let (mut all, mut failed) = (Histogram::<u64>::new(3).unwrap(), 0);
    for client in clients {
        let (latencies, failures) = client.await.unwrap();
        all.add(latencies).unwrap();
        failed += failures;
    }
    (all, failed)
}

async fn until_revision(address: &str, revision: &str) {
    let since = Instant::now();
    loop {
        let verdict = support::ask(address, question()).await;
        let is = |name: &String| name == revision;
        if verdict.is_ok_and(|v| v.revision.is_some_and(|r| r.bundles.values().any(is))) {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(300), "{revision} does not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn under_load(size: usize) {
    println!("a bundle of {} MB of data becomes active; {CLIENTS} clients ask, each every {PAUSE:?}", size / 1_000_000);
    println!(
        "{:>6} {:>11} {:>11} {:>11} {:>11} {:>7} {:>9} {:>7} {:>7}",
        "round", "before p50", "before p99", "during p50", "during p99", "ratio", "took", "calls", "failed"
    );
    let place = Place::new().bundle("one", "");
    place.put("one", &generation(0, size));
    let server = spawn(&place);
    until_revision(&server.address, "0").await;
    for round in 1..=ROUNDS {
        let next = generation(round, size);
        let (before, lost) = measured(&server.address, tokio::time::sleep(BEFORE)).await;
        let started = Instant::now();
        let mut took = Duration::ZERO;
        let (during, failed) = measured(&server.address, async {
            place.put("one", &next);
            until_revision(&server.address, &round.to_string()).await;
            took = started.elapsed();
            // The old one is dropped after that.
            tokio::time::sleep(Duration::from_secs(2)).await;
        })
        .await;
        let at = |histogram: &Histogram<u64>, quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
        println!(
            "{round:>6} {:>11.1?} {:>11.1?} {:>11.1?} {:>11.1?} {:>7.2} {took:>9.1?} {:>7} {:>7}",
            at(&before, 0.5),
            at(&before, 0.99),
            at(&during, 0.5),
            at(&during, 0.99),
            at(&during, 0.99).as_secs_f64() / at(&before, 0.99).as_secs_f64(),
            during.len(),
            lost + failed,
        );
    }
}

/// One of the bundles, or all of them in one.
fn part(number: usize, revision: &str, of: std::ops::Range<usize>) -> Vec<u8> {
    let roots: Vec<String> = of.clone().map(|root| format!("\"p{root}\"")).collect();
    let manifest = format!(r#"{{"revision": "{revision}", "roots": [{}]}}"#, roots.join(", "));
    let mut files = vec![(".manifest".to_owned(), manifest)];
    for root in of {
        let mut rego = format!("package p{root}\n\nallow if data.p{root}.generation == {number}\n");
        for rule in 0..40 {
            writeln!(rego, "\ngranted contains \"r{rule}\" if {{\n\tsome role in input.subject.properties.roles\n\trole == \"r{rule}\"\n}}").unwrap();
        }
        files.push((format!("p{root}/p.rego"), rego));
        files.push((format!("p{root}/data.json"), format!(r#"{{"generation": {number}}}"#)));
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    archive(&files)
}

async fn many_at_once() {
    println!("\n{BUNDLES} bundles put at once, against one with the same content");
    println!("{:>6} {:>10} {:>10} {:>7} {:>13}", "round", "one", BUNDLES, "ratio", "publications");
    let all = || {
        let place = Place::new();
        (0..BUNDLES).fold(place, |place, number| place.bundle(&format!("b{number}"), ""))
    };
    let (one, many) = (Place::new().bundle("one", ""), all());
    let put = |number: usize| {
        let revision = number.to_string();
        let archives: Vec<Vec<u8>> = (0..BUNDLES).map(|root| part(number, &revision, root..root + 1)).collect();
        (part(number, &revision, 0..BUNDLES), archives)
    };
    let (first, firsts) = put(0);
    one.put("one", &first);
    firsts.iter().enumerate().for_each(|(root, archive)| many.put(&format!("b{root}"), archive));
    let (single, several) = (one.serve().await, many.serve().await);
    let names: Vec<String> = (0..BUNDLES).map(|number| format!("b{number}")).collect();
    let served = |revision: &str| -> Vec<(String, String)> {
        names.iter().map(|name| (name.clone(), revision.to_owned())).collect()
    };
    single.serves(&[("one", "0")]).await;
    let all_serve = |revision: String| {
        let served = served(&revision);
        let several = &several;
        async move {
            let served: Vec<(&str, &str)> =
                served.iter().map(|(name, revision)| (name.as_str(), revision.as_str())).collect();
            several.serves(&served).await;
        }
    };
    all_serve("0".to_owned()).await;
    for round in 1..=ROUNDS {
        let (archive, archives) = put(round);
        let started = Instant::now();
        one.put("one", &archive);
        single.serves(&[("one", &round.to_string())]).await;
        let alone = started.elapsed();
        let before = several.sequence();
        let started = Instant::now();
        archives.iter().enumerate().for_each(|(root, archive)| many.put(&format!("b{root}"), archive));
        all_serve(round.to_string()).await;
        let together = started.elapsed();
        let publications = several.sequence() - before;
        let ratio = together.as_secs_f64() / alone.as_secs_f64();
        println!("{round:>6} {alone:>10.1?} {together:>10.1?} {ratio:>7.2} {publications:>13}");
    }
    single.stop().await;
    several.stop().await;
}

async fn rollback(size: usize) {
    println!("\nfrom a rollback to the first answer of what it went back to, a set of {} MB", size / 1_000_000);
    let place = Place::new().stored().bundle("one", "");
    place.put("one", &generation(0, size));
    let server = place.serve().await;
    server.serves(&[("one", "0")]).await;
    place.put("one", &generation(1, size));
    server.serves(&[("one", "1")]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut client = DecisionServiceClient::connect(format!("http://{}", server.grpc)).await.unwrap();
    for round in 0..2 * ROUNDS {
        let (wanted, number) = if round % 2 == 0 { ("0", 1) } else { ("1", 2) };
        let started = Instant::now();
        server.handle.activate(Target::Sequence(number), Expected::default()).await.unwrap();
        let commanded = started.elapsed();
        loop {
            let verdict = client.check(question()).await.unwrap().into_inner().verdict.unwrap();
            assert_eq!(verdict.effect(), Effect::Allow);
            if verdict.revision.unwrap().bundles["one"] == wanted {
                break;
            }
        }
        println!("to {wanted}: {:.1?} (the command {commanded:.1?})", started.elapsed());
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    server.stop().await;
}
