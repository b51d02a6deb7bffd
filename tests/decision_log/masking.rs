//! What is hidden, by field rules and by policies; and what happens when those fail.

use serde_json::json;

use crate::rig::{Rig, ask, stop};

#[tokio::test]
async fn field_rules_remove_replace_and_hash() {
    let sinks = "plain: {type: file, path: DIR/plain.log}
masked:
  type: file
  path: DIR/masked.log
  mask:
    remove: [/input/context/ip, '/input/context/cards/*/number', /input/nothing]
    replace: {/input/context/name: someone}
    hash: [/input/subject/id]
    key_file: DIR/hmac.key
    names: [shoe_size]";
    let rig = Rig::new("x: {type: stdout}", &[]);
    rig.folder.write("hmac.key", "0123456789abcdef0123456789abcdef");
    rig.configure(sinks);
    let mut server = rig.ready().await;
    let context = json!({"ip": "10.1.2.3", "cards": [{"number": "4711-1", "kind": "a"}, {"number": "4711-2"}],
        "name": "Alice Liddell", "note": "asked by Alice Liddell from 10.1.2.3", "shoe_size": "forty"});
    ask(&server, "bob", &context).await;
    ask(&server, "bob", &context).await;
    ask(&server, "carl", &context).await;
    stop(&mut server).await;

    let plain = &rig.lines("plain.log")[0];
    assert_eq!(plain["input"]["context"], context, "each sink has a mask of its own");
    let masked = rig.lines("masked.log");
    let record = &masked[0];
    assert_eq!(record["input"]["context"]["cards"], json!([{"kind": "a"}, {}]));
    assert_eq!(record["input"]["context"]["name"], "someone");
    assert_eq!(record["input"]["context"].get("ip"), None);
    assert_eq!(record["input"]["context"].get("shoe_size"), None);
    assert_eq!(
        record["erased"],
        json!([
            "/input/context/cards/0/number",
            "/input/context/cards/1/number",
            "/input/context/ip",
            "/input/context/shoe_size"
        ])
    );
    // What the policy says about it repeats what is hidden.
    assert_eq!(record["result"]["reasons"][0]["message"], "[redacted]");
    assert_eq!(record["masked"], json!(["/input/context/name", "/input/subject/id", "/result/reasons/0/message"]));
    let ids: Vec<&str> = masked.iter().map(|record| record["input"]["subject"]["id"].as_str().unwrap()).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    // `printf bob | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
    assert_eq!(ids[0], "hmac-sha256:643cdfc83364b72c5248ec2d45e7cd58caf99310228f3c6a590bd299519248a7");
}

#[tokio::test]
async fn policies_mask_and_drop_by_opas_conventions() {
    let policy = "package system.log
mask contains \"/input/context/ssn\"
mask contains {\"op\": \"upsert\", \"path\": \"/input/context/name\", \"value\": \"someone\"}
mask contains {\"op\": \"remove\", \"path\": \"/result/reasons/0/message\"} if input.path == \"authz/decision\"
drop if input.input.context.ping
";
    let sinks = "all: {type: file, path: DIR/all.log}
raw: {type: file, path: DIR/raw.log, mask: {policies: false}}";
    let rig = Rig::new(sinks, &[("log.rego", policy)]);
    let mut server = rig.ready().await;
    ask(&server, "bob", &json!({"note": "n", "ssn": "123", "name": "Bob"})).await;
    ask(&server, "bob", &json!({"note": "n", "ping": true})).await;
    stop(&mut server).await;
    let records = rig.lines("all.log");
    assert_eq!((records.len(), rig.lines("raw.log").len()), (1, 2), "a sink may leave policies out");
    assert_eq!(records[0]["input"]["context"], json!({"note": "n", "name": "someone"}));
    assert_eq!(records[0]["erased"], json!(["/input/context/ssn", "/result/reasons/0/message"]));
    assert_eq!(records[0]["masked"], json!(["/input/context/name"]));
}

#[tokio::test]
async fn a_mask_that_fails_withholds_the_payload_whatever_the_failure() {
    for (what, rule) in [
        ("a conflict", "mask := {\"/input/a\"} if input.input\nmask := {\"/input/b\"} if input.input"),
        ("no set", "mask := true if input.input"),
        ("another root", "mask contains \"/decision_id\" if input.input"),
        ("an op", "mask contains {\"op\": \"hide\", \"path\": \"/input\"} if input.input"),
        ("a number", "mask contains 7 if input.input"),
        (
            "too long",
            "mask contains \"/input\" if count([x | x := numbers.range(1, 3000)[_]; y := numbers.range(1, 3000)[_]; x == y + 5000]) > 0",
        ),
    ] {
        let rig =
            Rig::new("all: {type: file, path: DIR/all.log}", &[("log.rego", &format!("package system.log\n{rule}\n"))]);
        let mut server = rig.serve().env("VERDICT_POLICIES_EVALUATION_BUDGET", "200ms").ready().await;
        let (_, id) = ask(&server, "bob", &json!({"note": "do not tell", "mine": "wording"})).await;
        let records = rig.logged("all.log", 1).await;
        let withheld = server.metric("verdict_decision_log_withheld_total{sink=\"all\"}").await;
        stop(&mut server).await;
        assert_eq!(
            (&records[0]["decision_id"], &records[0]["withheld"]),
            (&json!(id), &json!("mask_failed")),
            "{what}"
        );
        assert_eq!(withheld, Some(1.0), "{what}");
        for text in ["do not tell", "wording", "bob"] {
            assert!(!records[0].to_string().contains(text), "{what}: {}", records[0]);
            assert!(
                server.lines().iter().all(|line| !line.to_string().contains(text)),
                "{what}: {:#?}",
                server.lines()
            );
        }
    }
}

#[tokio::test]
async fn a_drop_rule_that_fails_drops_nothing() {
    let rule = "package system.log\ndrop := true if input.input\ndrop := false if input.input\n";
    let rig = Rig::new("all: {type: file, path: DIR/all.log}", &[("log.rego", rule)]);
    let mut server = rig.ready().await;
    ask(&server, "bob", &json!({"note": "n"})).await;
    stop(&mut server).await;
    assert_eq!(rig.lines("all.log").len(), 1);
}

#[tokio::test]
async fn ten_mebibytes_of_context_are_truncated_and_marked() {
    let rig = Rig::new("all: {type: file, path: DIR/all.log}", &[]);
    let serve = rig.serve().env("VERDICT_HTTP_MAX_BODY_BYTES", "16MiB").env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s");
    let mut server = serve.ready().await;
    ask(&server, "alice", &json!({"blob": "x".repeat(10 << 20), "kept": "yes"})).await;
    stop(&mut server).await;
    let records = rig.lines("all.log");
    let context = &records[0]["input"]["context"];
    assert_eq!((&context["blob"], &context["kept"]), (&json!("[truncated: 10485760 bytes]"), &json!("yes")));
    assert_eq!(records[0]["truncated"], json!(["/input/context/blob"]));
}
