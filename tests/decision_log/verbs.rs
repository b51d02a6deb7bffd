//! `verdict log` on what a server wrote.

use serde_json::{Value as Json, json};

use crate::{
    rig::{Rig, ask, stop},
    support::{Ask as _, to},
};

#[tokio::test]
async fn tail_show_and_stats_find_what_was_decided() {
    let sinks = "native: {type: file, path: DIR/native.log, rotate: {max_bytes: 1KiB, compression: gzip}}
opa: {type: file, path: DIR/opa.log, format: opa}
waits: {type: http, url: 'http://127.0.0.1:9/', mode: durable, spool: {path: DIR/waits.redb}}";
    let rig = Rig::new(sinks, &[]);
    let mut server = rig.ready().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(ask(&server, "alice", &json!({})).await.1);
    }
    ids.push(ask(&server, "bob", &json!({"note": "so"})).await.1);
    server.client().await.ask(to("data.nowhere")).await;
    stop(&mut server).await;

    for log in ["native.log", "opa.log", "waits.redb"] {
        let out = |arguments: &[&str]| {
            let ended = rig.log(arguments);
            assert_eq!(ended.code, Some(0), "{log} {arguments:?}: {}", ended.stderr);
            ended.stdout
        };
        assert_eq!(out(&["tail", log]).lines().count(), 8, "{log}");
        assert_eq!(out(&["tail", log, "-n", "2"]).lines().count(), 2);
        let denies = out(&["tail", log, "--effect", "deny"]);
        assert_eq!(denies.lines().count(), 2, "{denies}");
        assert!(denies.contains("user:bob read document:1  refused"), "{denies}");
        assert_eq!(out(&["tail", log, "--subject", "bob"]).lines().count(), 1);
        assert_eq!(out(&["tail", log, "--subject", "user:alice", "--door", "authzen"]).lines().count(), 6);
        assert_eq!(out(&["tail", log, "--reason", "no_decision"]).lines().count(), 1);
        assert_eq!(out(&["tail", log, "--policy", "data.authz"]).lines().count(), 7);
        assert_eq!(out(&["tail", log, "--until", "2001-01-01T00:00:00Z"]), "");
        assert_eq!(out(&["tail", log, "--since", "2001-01-01T00:00:00Z"]).lines().count(), 8);
        let shown = out(&["show", &ids[6], log]);
        for text in ["user:bob", "refused", "note: so", "data.authz.decision"] {
            assert!(shown.contains(text), "{log} {text}: {shown}");
        }
        let stats: Json = serde_json::from_str(&out(&["stats", "--json", log])).unwrap();
        assert_eq!((&stats["records"], &stats["repeated"]), (&json!(8), &json!(0)));
        assert_eq!(stats["by"]["effect"], json!([{"name": "allow", "count": 6}, {"name": "deny", "count": 2}]));
        assert!(out(&["stats", log]).contains("8 records"));
    }
    assert_eq!(rig.log(&["show", "nothing-like-it", "native.log"]).code, Some(1));
    assert_eq!(rig.log(&["tail", "nowhere.log"]).code, Some(2));
}

#[tokio::test]
async fn the_configuration_of_sinks_is_refused_with_every_fault() {
    let rig = Rig::new(
        "one: {type: file, pth: DIR/x.log, mode: durable}
two: {type: http, url: 'gopher://x', chunk_bytes: 1.5, filter: {sample_allows: '110%', entry_points: [authz]}}
three: {mode: best_effort}
four: {type: stdout, mask: {hash: [/input/subject/id], remove: [input.x]}, chain: {key_file: DIR/none.pem}}
Five: {type: stdout}
six: {type: file, path: DIR/six.log, chain: {key_file: DIR/none.pem}}
seven: {type: stdout, mode: durable}",
        &[],
    );
    let ended = rig.serve().arg("--check-config").run();
    assert_eq!(ended.code, Some(64), "{}", ended.stdout);
    for text in [
        "decision_log.sinks.one.path: is missing",
        "decision_log.sinks.one.pth: unknown key",
        "decision_log.sinks.two.url: `gopher://x` is no URL",
        "decision_log.sinks.two.filter: `110%` is no share",
        "decision_log.sinks.three.type: is missing",
        "decision_log.sinks.four.mask.key_file: is missing",
        "decision_log.sinks.four.mask.remove: `input.x` is no place",
        "decision_log.sinks.four.chain: is nothing that this type of sink",
        "decision_log.sinks.Five: is no name of a sink",
        "decision_log.sinks.six.chain.key_file: ",
        "decision_log.sinks.seven.spool: is missing",
    ] {
        assert!(ended.stderr.contains(text), "{text}\n{}", ended.stderr);
    }
}
