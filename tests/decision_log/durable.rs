//! What a durable sink survives: an end at any moment, a disk that is full, a spool that is damaged.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::{Value as Json, json};
use verdict::api::grpc::proto::CheckRequest;

use crate::{
    rig::{Rig, ask, keys, lines, skipped, stop},
    support::{Client, Server, eventually, question},
};

const DURABLE: &str = "audit:
  type: file
  path: DIR/audit.log
  mode: durable
  spool: {path: DIR/audit.redb}
  chain: {key_file: DIR/key.pem, every: 100, interval: 1s}
  rotate: {max_bytes: 300KiB, compression: zstd, keep: 1000}";

/// Durable by its own file alone.
const ALONE: &str = "audit:
  type: file
  path: DIR/audit.log
  mode: durable
  chain: {key_file: DIR/key.pem, every: 100, interval: 1s}
  rotate: {max_bytes: 300KiB, compression: zstd, keep: 1000}";

/// Asks until the server is gone; the ids of all answers that came.
async fn load(mut client: Client, answers: Arc<AtomicUsize>) -> Vec<String> {
    let mut ids = Vec::new();
    while let Ok(answer) = client.check(CheckRequest { ..question() }).await {
        answers.fetch_add(1, Relaxed);
        ids.push(answer.into_inner().verdict.unwrap().decision_id);
    }
    ids
}

/// How often each decision is in a log, over all its files.
pub(crate) fn delivered(rig: &Rig, name: &str) -> BTreeMap<String, u32> {
    let ended = rig.log(&["tail", "--json", "-n", "100000000", name]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut found = BTreeMap::new();
    for line in ended.stdout.lines() {
        let record: Json = serde_json::from_str(line).unwrap();
        *found.entry(record["decision_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    found
}

async fn until_delivered(server: &Server) {
    eventually("the spool is empty", async || {
        let spooled = server.metric("verdict_decision_log_spooled{sink=\"audit\"}").await?;
        (spooled.abs() < 0.5).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_answered_is_lost_however_the_process_ends() {
    killed(DURABLE, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_answered_is_lost_without_a_spool_either_and_nothing_comes_twice() {
    killed(ALONE, 1).await;
}

/// Kills servers with this sink under load: each decision that was answered is in the log, at most so many times.
async fn killed(sink: &str, at_most: u32) {
    let times: u32 = std::env::var("VERDICT_TEST_KILLS").map_or(4, |times| times.parse().unwrap());
    let rig = Rig::new("x: {type: stdout}", &[]);
    keys(&rig.folder);
    rig.configure(sink);
    let mut answered = BTreeSet::new();
    for time in 0..times {
        let mut server = rig.ready().await;
        let clients: Vec<Client> = futures::future::join_all((0..8).map(|_| server.client())).await;
        let answers = Arc::new(AtomicUsize::new(0));
        // Each connection has several calls at a time.
        let asking = clients.iter().flat_map(|client| std::iter::repeat_n(client, 4));
        let asking: Vec<_> = asking.map(|client| tokio::spawn(load(client.clone(), Arc::clone(&answers)))).collect();
        tokio::time::sleep(Duration::from_millis(200 + u64::from(time * 37 % 200))).await;
        // On a busy machine it takes longer until there is load.
        eventually("there is load", async || (answers.load(Relaxed) > 20).then_some(())).await;
        server.signal("KILL");
        server.ended().await;
        for asked in asking {
            answered.extend(asked.await.unwrap());
        }
    }
    let mut server = rig.ready().await;
    until_delivered(&server).await;
    stop(&mut server).await;
    let delivered = delivered(&rig, "audit.log");
    let lost: Vec<_> = answered.iter().filter(|id| !delivered.contains_key(*id)).collect();
    let most = delivered.values().max().unwrap();
    println!(
        "{times} kills: {} answered, {} delivered, {} lost, each at most {most} times",
        answered.len(),
        delivered.len(),
        lost.len()
    );
    assert!(answered.len() > 20 * usize::try_from(times).unwrap(), "there was load: {}", answered.len());
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), answered.len());
    assert!(*most <= at_most, "{most}");
    let verified = rig.log(&["verify", "audit.log", "--key", "public.pem", "--sealed"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

#[tokio::test]
async fn a_full_spool_drops_the_oldest_or_refuses_decisions_as_configured() {
    for (when_full, allowed) in [("drop_oldest", true), ("fail_closed", false)] {
        // A server that is not there: nothing is ever delivered.
        let sink = format!(
            "audit: {{type: http, url: 'http://127.0.0.1:9/logs', mode: durable, \
             spool: {{path: DIR/audit.redb, max_bytes: 8KiB, when_full: {when_full}}}}}"
        );
        let rig = Rig::new(&sink, &[]);
        let mut server = rig.ready().await;
        let mut answers = Vec::new();
        for _ in 0..40 {
            answers.push(ask(&server, "alice", &json!({})).await.0);
        }
        assert!(answers[0], "there is room for the first");
        assert_eq!(answers[39], allowed, "{when_full}");
        let of = async |name: &str| server.metric(&format!("verdict_decision_log_{name}")).await.unwrap();
        let spooled = of("spooled{sink=\"audit\"}").await;
        let dropped = of("dropped_total{sink=\"audit\",cause=\"spool_full\"}").await;
        assert!((spooled + dropped - 40.0).abs() < 0.5 && dropped > 10.0, "{when_full}: {spooled} + {dropped}");
        let refused = of("refused_total{sink=\"audit\"}").await;
        assert!((refused - if allowed { 0.0 } else { dropped }).abs() < 0.5, "{refused}");
        if !allowed {
            let answer =
                crate::rig::post(&server, "", "", &crate::rig::question("alice", &json!({})).to_string()).await;
            assert!(answer.contains("not_recorded") && answer.contains("\"decision\":false"), "{answer}");
        }
        assert!(of("spooled_bytes{sink=\"audit\"}").await <= 8192.0);
        stop(&mut server).await;
    }
}

#[tokio::test]
async fn what_waits_too_long_is_dropped_and_counted() {
    let sink = "audit: {type: http, url: 'http://127.0.0.1:9/logs', mode: durable, spool: {path: DIR/audit.redb, max_age: 1s}}";
    let rig = Rig::new(sink, &[]);
    let mut server = rig.ready().await;
    // The first is on its way all the time, and alone: those that come meanwhile wait for it.
    ask(&server, "alice", &json!({})).await;
    eventually("it can't be delivered", async || {
        let failed = server.metric("verdict_decision_log_errors_total{sink=\"audit\"}").await?;
        (failed > 0.5).then_some(())
    })
    .await;
    for _ in 0..5 {
        ask(&server, "alice", &json!({})).await;
    }
    eventually("they expire", async || {
        let expired =
            server.metric("verdict_decision_log_dropped_total{sink=\"audit\",cause=\"spool_expired\"}").await?;
        (expired > 4.5).then_some(())
    })
    .await;
    stop(&mut server).await;
}

#[tokio::test]
async fn a_spool_that_is_damaged_in_the_middle_costs_what_was_there_and_no_more() {
    let dead = "audit: {type: http, url: 'http://127.0.0.1:9/logs', mode: durable, spool: {path: DIR/audit.redb}}";
    let alive = "audit: {type: file, path: DIR/audit.log, mode: durable, spool: {path: DIR/audit.redb}}";
    let rig = Rig::new(dead, &[]);
    let mut server = rig.ready().await;
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(ask(&server, "alice", &json!({"marker": format!("m-{number:04}-{}", "y".repeat(3_000))})).await.1);
    }
    stop(&mut server).await;
    // One byte within one record.
    let mut file = fs::OpenOptions::new().read(true).write(true).open(rig.path("audit.redb")).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let marker = bytes.windows(7).rposition(|part| part == b"m-0015-").expect("the record is in the file");
    file.seek(SeekFrom::Start(marker as u64 + 500)).unwrap();
    file.write_all(b"Z").unwrap();
    drop(file);

    rig.configure(alive);
    let mut server = rig.ready().await;
    until_delivered(&server).await;
    let lost =
        server.metric("verdict_decision_log_dropped_total{sink=\"audit\",cause=\"spool_corrupt\"}").await.unwrap();
    stop(&mut server).await;
    let found: BTreeSet<String> =
        rig.lines("audit.log").iter().map(|record| record["decision_id"].as_str().unwrap().to_owned()).collect();
    assert!((1.0..10.0).contains(&lost), "{lost}");
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    let delivered = found.len() as f64;
    assert!((delivered + lost - 30.0).abs() < 0.5, "{delivered} + {lost}");
    assert!(!found.contains(&ids[15]) && found.contains(&ids[0]) && found.contains(&ids[29]));
}

/// A spool of 300 records that are told apart, and the server that wrote it: stopped in order, or not.
async fn spooled(rig: &Rig, signal: &str) -> Vec<String> {
    let mut server = rig.ready().await;
    let mut ids = Vec::new();
    for number in 0..300 {
        let marker = format!("m-{number:04}-{}", "y".repeat(number * 7 % 900));
        ids.push(ask(&server, "alice", &json!({"marker": marker})).await.1);
    }
    server.signal(signal);
    server.ended().await;
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_flipped_anywhere_in_a_spool_never_crash_and_never_change_a_record() {
    let alive = "audit: {type: file, path: DIR/audit.log, mode: durable, spool: {path: DIR/audit.redb}}";
    let places: u32 = std::env::var("VERDICT_TEST_FLIPS").map_or(6, |places| places.parse().unwrap());
    for signal in ["TERM", "KILL"] {
        let rig = Rig::new(
            "audit: {type: http, url: 'http://127.0.0.1:9/logs', mode: durable, spool: {path: DIR/audit.redb}}",
            &[],
        );
        let ids = spooled(&rig, signal).await;
        let whole = fs::read(rig.path("audit.redb")).unwrap();
        // Where pages are in use, from the header on; not only in the middle.
        let used = whole.iter().rposition(|byte| *byte != 0).unwrap() as u64;
        rig.configure(alive);
        let (mut salvaged, mut least) = (0, ids.len());
        for place in 0..u64::from(places) {
            let mut bytes = whole.clone();
            let at = usize::try_from(used * (2 * place + 1) / u64::from(2 * places)).unwrap();
            for byte in bytes.iter_mut().skip(at).take(1 + usize::try_from(place).unwrap() % 40) {
                *byte ^= 0x55;
            }
            fs::write(rig.path("audit.redb"), &bytes).unwrap();
            let _ = fs::remove_file(rig.path("audit.log"));
            let mut server = rig.ready().await;
            until_delivered(&server).await;
            let lost = "verdict_decision_log_dropped_total{sink=\"audit\",cause=\"spool_corrupt\"}";
            let lost = server.metric(lost).await.unwrap();
            stop(&mut server).await;
            let mut numbers = BTreeSet::new();
            for record in rig.lines("audit.log") {
                let marker = record["input"]["context"]["marker"].as_str().unwrap();
                let number: usize = marker[2..6].parse().unwrap();
                assert_eq!(marker, format!("m-{number:04}-{}", "y".repeat(number * 7 % 900)), "flip at {at}");
                assert_eq!(record["decision_id"], ids[number].as_str(), "flip at {at}");
                assert!(numbers.insert(number), "flip at {at}: {number} twice");
            }
            // The end is not known of, where it is the end that is gone.
            let last = numbers.last().map_or(0, |last| last + 1);
            #[expect(clippy::cast_precision_loss, reason = "they are few")]
            let missing = (last - numbers.len()) as f64;
            assert!((missing - lost).abs() < 0.5, "{signal}, flip at {at}: {missing} missing, {lost} counted");
            salvaged += usize::from(rig.path("audit.redb.damaged-1").exists());
            least = least.min(numbers.len());
            let _ = fs::remove_file(rig.path("audit.redb.damaged-1"));
        }
        println!("{signal}: {places} places, {salvaged} spools salvaged, at least {least} of {} delivered", ids.len());
        assert!(salvaged > 0, "something was damaged");
        assert!(least > ids.len() / 2, "{least}");
    }
}

#[tokio::test]
async fn a_damaged_spool_that_fails_closed_is_refused_until_the_operator_says_otherwise() {
    let sink = |more: &str| {
        format!("audit: {{type: file, path: DIR/audit.log, mode: durable, spool: {{path: DIR/audit.redb{more}}}}}")
    };
    let rig = Rig::new(
        "audit: {type: http, url: 'http://127.0.0.1:9/logs', mode: durable, spool: {path: DIR/audit.redb}}",
        &[],
    );
    spooled(&rig, "TERM").await;
    let mut bytes = fs::read(rig.path("audit.redb")).unwrap();
    let at = bytes.windows(7).rposition(|part| part == b"m-0150-").unwrap();
    bytes[at] ^= 1;
    fs::write(rig.path("audit.redb"), &bytes).unwrap();
    rig.configure(&sink(", when_full: fail_closed"));
    let ended = rig.serve().run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("is damaged") && ended.stderr.contains("299 records can be read"),
        "{}",
        ended.stderr
    );
    let read = rig.log(&["stats", "--json", "audit.redb"]);
    let read: Json = serde_json::from_str(&read.stdout).unwrap();
    assert_eq!(read["records"], 299, "{read}");
    rig.configure(&sink(""));
    let mut server = rig.ready().await;
    server.logged("what can be read of it is delivered").await;
    until_delivered(&server).await;
    stop(&mut server).await;
    assert_eq!(rig.lines("audit.log").len(), 299);
    let aside = rig.log(&["stats", "--json", "audit.redb.damaged-1"]);
    assert!(aside.stdout.contains("\"records\":299"), "{}", aside.stdout);
    rig.configure(&sink(", when_full: fail_closed"));
    stop(&mut rig.ready().await).await;
}

#[tokio::test]
async fn a_spool_that_is_no_spool_is_put_aside_and_the_server_starts() {
    let rig = Rig::new("audit: {type: file, path: DIR/audit.log, mode: durable, spool: {path: DIR/audit.redb}}", &[]);
    rig.folder.write("audit.redb", &"garbage ".repeat(2_000));
    let mut server = rig.ready().await;
    server.logged("the spool is damaged").await;
    ask(&server, "alice", &json!({})).await;
    stop(&mut server).await;
    assert_eq!(lines(&rig.path("audit.log")).len(), 1);
    assert!(rig.path("audit.redb.damaged-1").exists());
}

#[tokio::test]
async fn a_spool_on_a_full_disk_fails_closed_and_the_server_lives() {
    let rig = Rig::new("x: {type: stdout}", &[]);
    // A file system of one mebibyte, of the server's own.
    let script = "mkdir -p DIR/small && mount -t tmpfs -o size=1m none DIR/small && exec \"$@\""
        .replace("DIR", rig.folder.path().to_str().unwrap());
    let probe = Command::new("unshare").args(["-m", "sh", "-c", &script, "sh", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        return skipped("unshare", "no tmpfs can be mounted in a name space of one's own");
    }
    rig.configure(
        "audit: {type: http, url: 'http://127.0.0.1:9/logs', mode: durable, spool: {path: DIR/small/audit.redb, when_full: fail_closed}}",
    );
    let mut server = rig.serve().within("unshare", &["-m", "sh", "-c", &script, "sh"]).ready().await;
    let context = json!({"filling": "x".repeat(60_000)});
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(ask(&server, "alice", &context).await.0);
    }
    assert!(answers[0] && !answers[39], "{answers:?}");
    let name = "verdict_decision_log_dropped_total{sink=\"audit\",cause=\"spool_failed\"}";
    assert!(server.metric(name).await.unwrap() > 5.0);
    server.logged("records can't be kept").await;
    // Small ones still fit, or not; but the server answers, and is not gone.
    let _ = ask(&server, "alice", &json!({})).await;
    assert!(server.is_running());
    stop(&mut server).await;
}

#[tokio::test]
async fn a_file_without_a_spool_fails_closed_on_a_full_disk_and_goes_on_once_there_is_room() {
    let rig = Rig::new("x: {type: stdout}", &[]);
    keys(&rig.folder);
    // A file system of two mebibytes, of the server's own.
    let script = "mkdir -p DIR/small && mount -t tmpfs -o size=2m none DIR/small && \
                  head -c 1800000 /dev/zero > DIR/small/filling && exec \"$@\""
        .replace("DIR", rig.folder.path().to_str().unwrap());
    let probe = Command::new("unshare").args(["-m", "sh", "-c", &script, "sh", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        return skipped("unshare", "no tmpfs can be mounted in a name space of one's own");
    }
    rig.configure(
        "audit: {type: file, path: DIR/small/audit.log, mode: durable, chain: {key_file: DIR/key.pem, every: 3}}",
    );
    let mut server = rig.serve().within("unshare", &["-m", "sh", "-c", &script, "sh"]).ready().await;
    let context = json!({"filling": "x".repeat(20_000)});
    let mut allowed = BTreeSet::new();
    let mut denied = 0.0;
    for number in 0..60 {
        // There is room again.
        if number == 40 {
            server.logged("records can't be kept").await;
            let small = server.root().join(rig.path("small").strip_prefix("/").unwrap());
            fs::remove_file(small.join("filling")).unwrap();
        }
        let (allow, id) = ask(&server, "alice", &context).await;
        assert!(allow || number < 40, "{number}");
        if allow {
            allowed.insert(id);
        } else {
            denied += 1.0;
        }
    }
    assert!(denied > 5.5, "the disk does not get full");
    let of = async |name: &str| server.metric(&format!("verdict_decision_log_{name}")).await.unwrap();
    assert!((of("dropped_total{sink=\"audit\",cause=\"file_failed\"}").await - denied).abs() < 0.5);
    assert!((of("refused_total{sink=\"audit\"}").await - denied).abs() < 0.5);
    let small = server.root().join(rig.path("small").strip_prefix("/").unwrap());
    let text = fs::read_to_string(small.join("audit.log")).unwrap();
    fs::write(rig.path("audit.log"), &text).unwrap();
    fs::copy(small.join("audit.log.head"), rig.path("audit.log.head")).unwrap();
    stop(&mut server).await;
    let kept: BTreeSet<String> = delivered(&rig, "audit.log").into_keys().collect();
    assert_eq!(kept, allowed, "each line is whole, and no decision is in the file that was not answered by it");
    let verified = rig.log(&["verify", "audit.log", "--key", "public.pem"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

#[tokio::test]
async fn a_line_that_was_left_half_is_cut_off_and_what_is_no_file_is_refused() {
    let rig = Rig::new("audit: {type: file, path: DIR/audit.log, mode: durable}", &[]);
    let mut server = rig.ready().await;
    let (_, first) = ask(&server, "alice", &json!({})).await;
    stop(&mut server).await;
    let mut file = fs::OpenOptions::new().append(true).open(rig.path("audit.log")).unwrap();
    file.write_all(b"{\"schema\":\"verdict.decis").unwrap();
    let mut server = rig.ready().await;
    let (_, second) = ask(&server, "alice", &json!({})).await;
    // It is in the file before it is answered.
    let found: Vec<String> =
        rig.lines("audit.log").iter().map(|record| record["decision_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, [first, second]);
    stop(&mut server).await;
    rig.configure("audit: {type: file, path: /dev/null, mode: durable}");
    let ended = rig.serve().run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains("`/dev/null` can't be"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_spool_has_one_sink_by_whatever_path() {
    let rig = Rig::new(
        "one: {type: stdout, mode: durable, spool: {path: DIR/audit.redb}}\ntwo: {type: stdout, mode: durable, spool: {path: DIR/policies/../audit.redb}}",
        &[],
    );
    let ended = rig.serve().run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("decision_log.sinks.two") && ended.stderr.contains("another sink"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_durable_file_has_one_writer_and_any_readers() {
    let rig = Rig::new("audit: {type: file, path: DIR/audit.log, mode: durable}", &[]);
    let mut server = rig.ready().await;
    let (_, first) = ask(&server, "alice", &json!({})).await;
    let ended = rig.serve().run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    let refused = "another process, or another sink, writes to `";
    assert!(ended.stderr.contains(refused) && ended.stderr.contains("stop it first"), "{}", ended.stderr);
    // Nor does one that would lose its own records without harm.
    let other = Rig::new(&format!("audit: {{type: file, path: {}}}", rig.path("audit.log").display()), &[]);
    let ended = other.serve().run();
    assert!(ended.code == Some(64) && ended.stderr.contains(refused), "{}", ended.stderr);
    let (allow, second) = ask(&server, "alice", &json!({})).await;
    assert!(allow);
    assert_eq!(delivered(&rig, "audit.log").into_keys().collect::<BTreeSet<_>>(), BTreeSet::from([first, second]));
    server.signal("KILL");
    server.ended().await;
    stop(&mut rig.ready().await).await;
}

#[tokio::test]
async fn two_sinks_with_one_file_are_told_before_anything_starts() {
    for (sinks, field) in [
        ("one: {type: file, path: DIR/a.log, mode: durable}\ntwo: {type: file, path: DIR/./a.log}", "path"),
        (
            "one: {type: stdout, mode: durable, spool: {path: DIR/a}}\ntwo: {type: stdout, mode: durable, spool: {path: DIR/a}}",
            "spool.path",
        ),
        ("one: {type: file, path: DIR/a}\ntwo: {type: stdout, mode: durable, spool: {path: DIR/a}}", "spool.path"),
    ] {
        let ended = Rig::new(sinks, &[]).serve().arg("--check-config").run();
        assert_eq!(ended.code, Some(64), "{}", ended.stderr);
        let place = format!("decision_log.sinks.two.{field}: the sink `one` writes to `");
        assert!(ended.stderr.contains(&place), "{}", ended.stderr);
    }
}
