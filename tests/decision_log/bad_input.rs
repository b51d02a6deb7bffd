//! What a sink survives that its machine does to it: a disk that is full, a clock that steps.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};

use crate::{
    rig::{Rig, ask, lines, skipped, stop},
    support::eventually,
};

#[tokio::test]
async fn a_file_on_a_full_disk_costs_records_that_are_counted_and_no_decision() {
    let rig = Rig::new("x: {type: stdout}", &[]);
    // A file system of two mebibytes, of the server's own.
    let script = "mkdir -p DIR/small && mount -t tmpfs -o size=2m none DIR/small && \
                  head -c 1800000 /dev/zero > DIR/small/filling && exec \"$@\""
        .replace("DIR", rig.folder.path().to_str().unwrap());
    let probe = Command::new("unshare").args(["-m", "sh", "-c", &script, "sh", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        return skipped("unshare", "no tmpfs can be mounted in a name space of one's own");
    }
    rig.configure("audit: {type: file, path: DIR/small/audit.log, queue: {records: 8}}");
    let mut server = rig.serve().within("unshare", &["-m", "sh", "-c", &script, "sh"]).ready().await;
    let context = json!({"filling": "x".repeat(20_000)});
    let of = async |name: &str| server.metric(&format!("verdict_decision_log_{name}")).await.unwrap();
    let full = "dropped_total{sink=\"audit\",cause=\"queue_full\"}";
    let mut asked = 0.0;
    // The queue may be full before the disk is.
    while asked < 40.0 || of(full).await < 5.5 || of("errors_total{sink=\"audit\"}").await < 0.5 {
        assert!(ask(&server, "alice", &context).await.0, "no decision waits for the disk");
        asked += 1.0;
        assert!(asked < 2_000.0, "the disk does not get full");
    }
    server.logged("records can't be delivered").await;
    // There is room again: what waits is delivered, behind whole lines.
    let small = server.root().join(rig.path("small").strip_prefix("/").unwrap());
    fs::remove_file(small.join("filling")).unwrap();
    eventually("nothing waits", async || (of("queued{sink=\"audit\"}").await < 0.5).then_some(())).await;
    let delivered = lines(&small.join("audit.log"));
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    let counted = delivered.len() as f64 + of(full).await;
    assert!((counted - asked).abs() < 0.5, "{counted} of {asked}");
    stop(&mut server).await;
}

#[tokio::test]
async fn a_limit_of_file_sizes_denies_and_ends_nothing() {
    let rig = Rig::new("audit: {type: file, path: DIR/audit.log, mode: durable}", &[]);
    // Blocks of 512 or 1,024 bytes, as the shell has it.
    let mut server = rig.serve().within("sh", &["-c", "ulimit -f 64 && exec \"$@\"", "sh"]).ready().await;
    let context = json!({"filling": "x".repeat(10_000)});
    let mut allowed = 0;
    while ask(&server, "alice", &context).await.0 {
        allowed += 1;
        assert!(allowed < 100, "the limit is never reached");
    }
    assert!(!ask(&server, "alice", &context).await.0, "it lives");
    server.logged("records can't be kept").await;
    assert_eq!(lines(&rig.path("audit.log")).len(), allowed);
    stop(&mut server).await;
}

#[tokio::test]
async fn steps_of_the_clock_lose_and_reorder_nothing() {
    // Loaded before the server, in its own process: the program `faketime` would get the signals that are for the server.
    let libraries =
        fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    let Some(library) = libraries.into_iter().find(|path| path.exists()) else {
        return skipped("faketime", "there is no `libfaketime`");
    };
    let preload = format!("LD_PRELOAD={}", library.display());
    let dead = "audit: {type: http, url: 'http://127.0.0.1:9/logs', mode: durable, spool: {path: DIR/audit.redb, max_age: 1h}}";
    let rig = Rig::new(dead, &[]);
    let mut ids = Vec::new();
    // Years ahead, then back, then as it is.
    for shift in ["+3y", "-2y", "+0"] {
        let time = format!("FAKETIME={shift}");
        let environment = [preload.as_str(), &time, "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"];
        let mut server = rig.serve().within("env", &environment).ready().await;
        for _ in 0..5 {
            ids.push(ask(&server, "alice", &json!({})).await.1);
        }
        let expired = "verdict_decision_log_dropped_total{sink=\"audit\",cause=\"spool_expired\"}";
        assert!(server.metric(expired).await.unwrap() < 0.5, "{shift}");
        stop(&mut server).await;
    }
    rig.configure("audit: {type: file, path: DIR/audit.log, mode: durable, spool: {path: DIR/audit.redb}}");
    let mut server = rig.ready().await;
    let records = rig.logged("audit.log", 15).await;
    stop(&mut server).await;
    let delivered: Vec<&str> = records.iter().map(|record| record["decision_id"].as_str().unwrap()).collect();
    assert_eq!(delivered, ids, "in the order in which they were decided, each once");
    let years: BTreeSet<String> =
        records.iter().map(|record: &Json| record["timestamp"].as_str().unwrap()[..4].to_owned()).collect();
    assert_eq!(years.len(), 3, "a record has the time that the clock told: {years:?}");
}
