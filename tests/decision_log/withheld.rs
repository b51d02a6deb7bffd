//! Answers over HTTP/2 are made at once, and withheld until their records are kept: what a client sees where that fails.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};
use tonic::Code;
use verdict::api::grpc::proto::{CheckRequest, Effect};

use crate::{
    durable::delivered,
    envoy_client::{check_over, get},
    rig::{Rig, skipped, stop},
    support::{Client, eventually, object, question},
};

/// A record that takes a while to be made: so long, the ones after it gather for the next commit.
const SLOW: &str = "package system.log

mask contains \"/input/none\" if {
	input.input.context.slow
	count([x | x := numbers.range(1, 3000)[_]; y := numbers.range(1, 3000)[_]; x == y + 5000]) > 0
}
";

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
                assert!(is_cut_off(&status), "{status:?}");
                fate.cut += 1;
            }
        }
    }
    fate
}

/// tonic has several names for a connection that is lost under a call; none of them came from the server.
fn is_cut_off(status: &tonic::Status) -> bool {
    let named = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled);
    named && std::error::Error::source(status).is_some()
}

fn with(context: &Json) -> CheckRequest {
    CheckRequest { context: Some(object(context.clone())), ..question() }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_are_cut_off_where_records_are_lost_and_those_after_them_hear_why() {
    let rig =
        Rig::new("x: {type: stdout}", &[("log.rego", SLOW), ("envoy.rego", "package envoy.authz\n\nallow := true\n")]);
    // A file system of two mebibytes, of the server's own, and nearly full.
    let script = "mkdir -p DIR/small && mount -t tmpfs -o size=2m none DIR/small && \
                  head -c 1950000 /dev/zero > DIR/small/filling && exec \"$@\""
        .replace("DIR", rig.folder.path().to_str().unwrap());
    let probe = Command::new("unshare").args(["-m", "sh", "-c", &script, "sh", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        return skipped("unshare", "no tmpfs can be mounted in a name space of one's own");
    }
    rig.configure("audit: {type: file, path: DIR/small/audit.log, mode: durable}");
    let serve = rig.serve().env("VERDICT_DECISION_LOG_COMMIT_TIMEOUT", "20s");
    let mut server = serve.within("unshare", &["-m", "sh", "-c", &script, "sh"]).ready().await;
    let clients = futures::future::join_all((0..4).map(|_| server.client())).await;
    let mut allowed = BTreeSet::new();
    for mut client in clients.clone() {
        let verdict = client.check(question()).await.unwrap().into_inner().verdict.unwrap();
        assert_eq!(verdict.effect(), Effect::Allow);
        allowed.insert(verdict.decision_id);
    }
    // While one record is made, others come that will be written together; there is not so much room.
    let mut client = server.client().await;
    let slow = tokio::spawn(async move { client.check(with(&json!({"slow": true}))).await });
    eventually("a record is being made", async || {
        let offered = server.metric("verdict_decision_log_records_total{sink=\"audit\",result=\"offered\"}").await?;
        (offered > 4.5).then_some(())
    })
    .await;
    let asked = with(&json!({"filling": "x".repeat(10_000)}));
    // Each connection has several calls at a time.
    let asking = clients.iter().flat_map(|client| std::iter::repeat_n(client, 6));
    let asking: Vec<_> = asking.map(|client| tokio::spawn(ask(client.clone(), asked.clone()))).collect();
    // Envoy might let pass what is not answered, so it always is.
    let channel = server.channel().await;
    let envoys = (0..6).map(|_| tokio::spawn(check_over(channel.clone(), get("/"))));
    let envoys: Vec<_> = envoys.collect();
    let (mut denied, mut cut) = (0, 0);
    for asked in asking {
        let fate = asked.await.unwrap();
        assert!(fate.cut <= 10, "calls are cut off only until it is known that records are lost: {}", fate.cut);
        allowed.extend(fate.allowed);
        (denied, cut) = (denied + fate.denied, cut + fate.cut);
    }
    println!("{} allowed, {denied} denied, {cut} cut off", allowed.len());
    for envoy in envoys {
        let answer = envoy.await.unwrap();
        if !answer.allowed {
            answer.denied(403, &["not_recorded"]);
            denied += 1;
        }
    }
    assert!(cut > 0 && denied >= 24 * DENIED, "{cut} cut off, {denied} denied");
    // It may have been written with those others.
    match slow.await.unwrap() {
        Ok(answer) => {
            let verdict = answer.into_inner().verdict.unwrap();
            if verdict.effect() == Effect::Allow {
                allowed.insert(verdict.decision_id);
            } else {
                denied += 1;
            }
        }
        Err(status) => panic!("it is alone on its connection, and waits itself: {status:?}"),
    }
    server.logged("records can't be kept").await;
    let refused = server.metric("verdict_decision_log_refused_total{sink=\"audit\"}").await.unwrap();
    assert!(refused > f64::from(denied) && refused <= f64::from(denied + cut), "{refused}: {denied}, {cut}");
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

/// What waits for a commit holds up pings: who sets times so that connections end of it is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_may_take_longer_than_a_connection_may_be_silent_is_warned_of() {
    let best = "audit: {type: file, path: DIR/best.log}";
    let durable = "audit: {type: file, path: DIR/audit.log, mode: durable}";
    for (sink, commit_timeout, warned) in [(durable, "20s", true), (durable, "1s", false), (best, "20s", false)] {
        let rig = Rig::new(sink, &[]);
        let mut server = rig.serve().env("VERDICT_DECISION_LOG_COMMIT_TIMEOUT", commit_timeout).ready().await;
        stop(&mut server).await;
        let log: String = server.lines().iter().map(ToString::to_string).collect();
        assert_eq!(log.contains("server.keepalive_timeout"), warned, "{sink} {commit_timeout}: {log}");
    }
}
