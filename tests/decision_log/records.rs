//! Real records of every kind are what the schema says.

use serde_json::{Value as Json, json};

use crate::{
    rig::{Rig, ask, post, question, stop},
    support::{self, Ask as _, to},
};

const SINK: &str = "all: {type: file, path: DIR/all.log}";

#[tokio::test]
async fn records_of_every_kind_are_what_the_schema_says() {
    let failing = "package system.log\nmask contains 1 if input.input.subject.id == \"mallory\"\n";
    let rig = Rig::new(SINK, &[("mask.rego", failing)]);
    let mut server = rig.serve().env("VERDICT_DECISION_LOG_MAX_RECORD_BYTES", "8KiB").ready().await;
    ask(&server, "alice", &json!({"ip": "10.0.0.1", "big": 12_345_678_901_234_567_890_u64, "small": 1.5e-7})).await;
    ask(&server, "bob", &json!({"note": "hello"})).await;
    ask(&server, "mallory", &json!({"note": "hello"})).await;
    ask(&server, "carol", &json!({"note": "x".repeat(100_000), "zlist": vec![1; 10_000]})).await;
    let mut client = server.client().await;
    client.ask(to("data.authz.broken")).await;
    client.ask(to("data.nowhere")).await;
    let mut explained = support::question();
    explained.explain = 2;
    explained.request_id = "mine".to_owned();
    client.ask(explained).await;
    stop(&mut server).await;

    let records = rig.lines("all.log");
    assert_eq!(records.len(), 7, "{records:#?}");
    let schema: Json = serde_json::from_str(include_str!("../../docs/decision-record.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for record in &records {
        let errors: Vec<String> = schema.iter_errors(record).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{record:#}");
    }
    let mut worse = records[0].clone();
    worse["token"] = json!("x");
    assert!(!schema.is_valid(&worse), "the schema says no to something");

    let [allow, deny, withheld, truncated, broken, nowhere, explained] = records.as_slice() else { panic!() };
    assert_eq!((&allow["effect"], &allow["reasons"]), (&json!("allow"), &json!(["granted"])));
    assert_eq!(allow["input"]["context"]["big"].to_string(), "12345678901234567890");
    assert_eq!(allow["input"]["subject"], json!({"type": "user", "id": "alice"}));
    assert_eq!((&allow["door"], &allow["entry_point"]), (&json!("authzen"), &json!("data.authz.decision")));
    assert_eq!(deny["result"]["reasons"][0]["message"], "note: hello");
    assert_eq!((&withheld["withheld"], &withheld["effect"]), (&json!("mask_failed"), &json!("deny")));
    assert_eq!(withheld["reasons"], json!([]), "{withheld}");
    assert_eq!(truncated["truncated"], json!(["/input/context/note", "/input/context/zlist", "/result/reasons"]));
    assert_eq!(truncated["input"]["context"]["note"], "[truncated: 100000 bytes]");
    assert!(truncated.to_string().len() < 40_000);
    assert_eq!(
        (&broken["reasons"], &broken["diagnostics"][0]["code"]),
        (&json!(["evaluation_error"]), &json!("evaluation_error"))
    );
    assert_eq!((&nowhere["reasons"], &nowhere["entry_point"]), (&json!(["no_decision"]), &json!("data.nowhere")));
    assert_eq!(explained["request_id"], "mine");
    assert!(explained["explanation"]["fired"].is_array(), "{explained:#}");
    for record in &records {
        assert_eq!(record["caller"]["kind"], "tcp", "{record:#}");
        assert!(record["caller"]["address"].as_str().unwrap().starts_with("127.0.0.1:"));
        assert_eq!(record["phases_ns"]["decide"], record["duration_ns"]);
        assert!(record["phases_ns"]["decode"].is_u64() && record["phases_ns"]["log"].as_u64() > Some(0), "{record:#}");
        assert_eq!(record["input_form"], "question");
    }
    assert_eq!((&nowhere["policy"], &allow["policy"]), (&json!("data.nowhere"), &Json::Null));
}

#[tokio::test]
async fn a_record_has_what_the_caller_calls_its_request() {
    let rig = Rig::new(SINK, &[]);
    let mut server = rig.ready().await;
    let (one, id) = (question("alice", &json!({})), "trace-7/a b");
    post(&server, "", &format!("x-request-id: {id}\r\n"), &one.to_string()).await;
    let batch = json!({"evaluations": [one, {"subject": {}}, 7]});
    post(&server, "s", &format!("X-Request-ID: {id}\r\n"), &batch.to_string()).await;
    // What can't be echoed is refused, and decides nothing.
    for refused in [format!("x-request-id: {}\r\n", "x".repeat(257)), "x-request-id: \u{e9}\r\n".to_owned()] {
        assert!(post(&server, "", &refused, &one.to_string()).await.starts_with("HTTP/1.1 400"), "{refused}");
    }
    // A credential is none to be written down, whatever it is called.
    let token = "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";
    post(&server, "", &format!("x-request-id: {token}\r\n"), &one.to_string()).await;
    post(&server, "", "", &one.to_string()).await;
    stop(&mut server).await;
    let records = rig.lines("all.log");
    let ids: Vec<_> = records.iter().map(|record| record["request_id"].as_str()).collect();
    assert_eq!(ids.len(), 6, "{records:#?}");
    assert_eq!(ids[..4], [Some(id); 4]);
    assert!(ids[4].is_some_and(|id| !id.contains("eyJ")), "{ids:?}");
    assert_eq!(ids[5], None);
}

#[tokio::test]
async fn a_sink_gets_what_its_filter_wants() {
    let sinks = "denies: {type: file, path: DIR/denies.log, filter: {effects: [deny]}}
doors: {type: file, path: DIR/doors.log, filter: {doors: [grpc]}}
entry: {type: file, path: DIR/entry.log, filter: {entry_points: [data.authz.broken]}}
none: {type: file, path: DIR/none.log, filter: {sample_allows: 0%}}
some: {type: file, path: DIR/some.log, filter: {sample_allows: 30%}}";
    let rig = Rig::new(sinks, &[]);
    let mut server = rig.ready().await;
    let mut client = server.client().await;
    for _ in 0..400 {
        client.ask(support::question()).await;
    }
    for _ in 0..5 {
        client.ask(to("data.authz.broken")).await;
        ask(&server, "bob", &json!({"note": "n"})).await;
    }
    let filtered = server.metric("verdict_decision_log_records_total{sink=\"none\",result=\"filtered\"}").await;
    stop(&mut server).await;
    assert!(filtered.is_some());
    let count = |name: &str| rig.lines(name).len();
    assert_eq!((count("denies.log"), count("doors.log"), count("entry.log")), (10, 405, 5));
    assert_eq!(count("none.log"), 10, "denies are not sampled unless asked");
    let some = count("some.log");
    assert!((70..190).contains(&some), "30 % of 400 and 10 denies: {some}");
}

#[tokio::test]
async fn standard_output_gets_a_line_each() {
    let rig = Rig::new("out: {type: stdout}", &[]);
    let mut command = crate::support::verdict();
    let address = rig.path("grpc.sock");
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", &format!("unix:{}", address.display())]);
    command.args(["--policies", rig.path("policies").to_str().unwrap()]);
    command.args(["--config", rig.path("verdict.yaml").to_str().unwrap()]);
    let out = std::fs::File::create(rig.path("out")).unwrap();
    let mut child = command.stdout(out).stderr(std::process::Stdio::null()).spawn().unwrap();
    crate::support::eventually("an answer", async || {
        let mut check = crate::support::verdict();
        check.args(["check", "--server", &format!("unix:{}", address.display()), "--subject", "user:alice"]);
        check.args(["--action", "read", "--resource", "document:1"]);
        let ended = crate::support::run(&mut check);
        (ended.code == Some(0)).then_some(())
    })
    .await;
    let records = rig.logged("out", 1).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((&records[0]["door"], &records[0]["effect"]), (&json!("grpc"), &json!("allow")));
    let caller = &records[0]["caller"];
    assert_eq!((&caller["kind"], caller["pid"].is_i64()), (&json!("unix"), true), "{caller}");
    assert!(caller["uid"].is_u64() && caller["gid"].is_u64());
}
