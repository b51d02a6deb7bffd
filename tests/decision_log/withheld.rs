//! Answers over HTTP/2 are made at once, and withheld until their records are kept: what a client sees where that fails.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

use serde_json::json;
use tonic::Code;
use verdict::api::grpc::proto::{CheckRequest, Effect};

use crate::{
    durable::delivered,
    rig::{Rig, skipped, stop},
    support::{Client, object, question},
};

/// What became of somebody's calls, until so many were denied.
#[derive(Default)]
struct Fate {
    allowed: BTreeSet<String>,
    denied: u32,
    cut: u32,
}

const DENIED: u32 = 5;

async fn ask(mut client: Client, asked: CheckRequest) -> Fate {
    let mut fate = Fate::default();
    while fate.denied < DENIED {
        match client.check(asked.clone()).await {
            Ok(answer) => {
                let verdict = answer.into_inner().verdict.unwrap();
                if verdict.effect() == Effect::Allow {
                    fate.allowed.insert(verdict.decision_id);
                } else {
                    let codes: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
                    assert_eq!(codes, ["not_recorded"]);
                    fate.denied += 1;
                }
            }
            Err(status) => {
                assert!(
                    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal),
                    "{status:?}"
                );
                fate.cut += 1;
            }
        }
    }
    fate
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_are_cut_off_where_records_are_lost_and_those_after_them_hear_why() {
    let rig = Rig::new("x: {type: stdout}", &[]);
    // A file system of two mebibytes, of the server's own.
    let script = "mkdir -p DIR/small && mount -t tmpfs -o size=2m none DIR/small && \
                  head -c 1200000 /dev/zero > DIR/small/filling && exec \"$@\""
        .replace("DIR", rig.folder.path().to_str().unwrap());
    let probe = Command::new("unshare").args(["-m", "sh", "-c", &script, "sh", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        return skipped("unshare", "no tmpfs can be mounted in a name space of one's own");
    }
    rig.configure("audit: {type: file, path: DIR/small/audit.log, mode: durable}");
    let mut server = rig.serve().within("unshare", &["-m", "sh", "-c", &script, "sh"]).ready().await;
    let context = json!({"filling": "x".repeat(10_000)});
    let asked = CheckRequest { context: Some(object(context)), ..question() };
    // Each connection has several calls at a time.
    let mut asking = Vec::new();
    for _ in 0..4 {
        let client = server.client().await;
        asking.extend((0..6).map(|_| tokio::spawn(ask(client.clone(), asked.clone()))));
    }
    let mut allowed = BTreeSet::new();
    let (mut denied, mut cut) = (0, 0);
    for asked in asking {
        let fate = asked.await.unwrap();
        assert!(fate.cut <= 2, "calls are cut off only until it is known that records are lost: {}", fate.cut);
        allowed.extend(fate.allowed);
        (denied, cut) = (denied + fate.denied, cut + fate.cut);
    }
    assert!(!allowed.is_empty() && denied == 24 * DENIED, "{}, {denied}", allowed.len());
    println!("{} allowed, {denied} denied, {cut} cut off", allowed.len());
    server.logged("records can't be kept").await;
    let refused = server.metric("verdict_decision_log_refused_total{sink=\"audit\"}").await.unwrap();
    assert!(refused >= f64::from(denied) && refused <= f64::from(denied + cut), "{refused}: {denied}, {cut}");
    // There is room again.
    let small = server.root().join(rig.path("small").strip_prefix("/").unwrap());
    fs::remove_file(small.join("filling")).unwrap();
    let verdict = server.ask(asked).await;
    assert_eq!(verdict.effect(), Effect::Allow);
    allowed.insert(verdict.decision_id);
    fs::copy(small.join("audit.log"), rig.path("audit.log")).unwrap();
    stop(&mut server).await;
    let kept: BTreeSet<String> = delivered(&rig, "audit.log").into_keys().collect();
    let lost: Vec<_> = allowed.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} were allowed without a record", lost.len(), allowed.len());
}

#[tokio::test]
async fn who_is_alone_always_hears_why() {
    // A server that is not there: nothing is ever delivered.
    let sink = "audit: {type: http, url: 'http://127.0.0.1:9/logs', mode: durable, \
                spool: {path: DIR/audit.redb, max_bytes: 8KiB, when_full: fail_closed}}";
    let rig = Rig::new(sink, &[]);
    let mut server = rig.ready().await;
    let mut client = server.client().await;
    let mut denied = 0;
    for _ in 0..40 {
        let verdict = client.check(question()).await.unwrap().into_inner().verdict.unwrap();
        if verdict.effect() != Effect::Allow {
            assert_eq!(verdict.reasons[0].code, "not_recorded");
            denied += 1;
        }
    }
    assert!((20..40).contains(&denied), "{denied}");
    stop(&mut server).await;
}
