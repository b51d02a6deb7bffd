//! Going back, going on, patching: by the command line, seen in what is decided.

use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tonic::Code;
use verdict::api::grpc::proto::{
    ActivateRequest, ExpectedRevision, PatchDataRequest, RollbackRequest, activate_request::Target,
};

use crate::support::{Home, Server, assert_refused, eventually, policy, verdict};

/// What `verdict policy` says as JSON, having succeeded.
#[track_caller]
fn says(home: &Home, server: &Server, arguments: &[&str], input: &str) -> Json {
    let mut all = vec!["policy"];
    all.extend(arguments);
    all.extend(["--format", "json", "--server", &server.admin]);
    let ended = home.verdict(&all, input);
    assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.err);
    serde_json::from_str(&ended.out).unwrap()
}

/// Puts new content where the source finds it, and waits until it is active.
fn bring(home: &Home, server: &Server, revision: &str, allow: &str) {
    home.bundle("main", &policy("authz", revision, allow));
    let arguments =
        ["policy", "watch", "--until", &format!("main={revision}"), "--timeout", "30s", "--server", &server.admin];
    let ended = home.verdict(&arguments, "");
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
}

#[tokio::test]
async fn a_rollback_is_at_once_and_holds_until_it_is_released() {
    let home = Home::new();
    let server = home.serve("a").await;
    bring(&home, &server, "v2", "");
    assert!(!server.allows().await);
    let mut client = server.admin().await;
    let started = Instant::now();
    let active = client.rollback(RollbackRequest::default()).await.unwrap().into_inner().active.unwrap();
    let verdict = server.ask().await;
    let took = started.elapsed();
    println!("rollback to its effect: {took:?}");
    assert_eq!(verdict.revision, active.revision);
    assert!(server.allows().await);
    assert!(took < Duration::from_secs(10), "{took:?}");

    // What the source brings waits.
    let status = says(&home, &server, &["status"], "");
    assert_eq!((&status["pinned"], &status["active"]["cause"]), (&Json::Bool(true), &Json::from("activate")));
    home.bundle("main", &policy("authz", "v3", ""));
    let before = server.sequence().await;
    let text = home.verdict(&["policy", "status", "--server", &server.admin], "").out;
    assert!(text.contains("verdict policy release"), "{text}");
    let released = eventually("the source's own is there after release", || {
        let released = says(&home, &server, &["release"], "");
        (released["revision"]["bundles"]["main"] == "v3").then_some(released)
    })
    .await;
    assert!(released["revision"]["sequence"].as_u64().unwrap() > before);
    assert!(!server.allows().await);
    assert_eq!(says(&home, &server, &["status"], "")["pinned"], false);
    let human = home.verdict(&["policy", "rollback", "--server", &server.admin], "");
    assert!(human.code == 0 && human.out.starts_with("active  "), "{}{}", human.out, human.err);
}

#[tokio::test]
async fn a_retained_revision_is_activated_by_number_or_digest_and_others_are_not() {
    let home = Home::new();
    let server = home.serve("a").await;
    bring(&home, &server, "v2", "");
    bring(&home, &server, "v3", "allow := 1 == 2");
    let revisions = says(&home, &server, &["revisions"], "");
    let revisions = revisions.as_array().unwrap();
    assert_eq!(revisions[0]["revision"]["bundles"]["main"], "v3", "newest first: {revisions:#?}");
    assert!(revisions.iter().all(|one| one["retained"] == true), "{revisions:#?}");
    let first = revisions.last().unwrap()["revision"].clone();
    let active = says(&home, &server, &["activate", &first["sequence"].to_string()], "");
    assert_eq!(active["revision"]["digest"], first["digest"]);
    assert!(server.allows().await);
    let digest = revisions[1]["revision"]["digest"].as_str().unwrap();
    assert_eq!(says(&home, &server, &["activate", digest], "")["revision"]["bundles"]["main"], "v2");
    assert!(!server.allows().await);

    let mut client = server.admin().await;
    for (target, code, reason) in [
        (Some(Target::Sequence(999)), Code::NotFound, "REVISION_NOT_FOUND"),
        (Some(Target::Digest(format!("sha256:{}", "0".repeat(64)))), Code::NotFound, "REVISION_NOT_FOUND"),
        (Some(Target::Digest("v1".to_owned())), Code::InvalidArgument, "INVALID_REQUEST"),
        (None, Code::InvalidArgument, "INVALID_REQUEST"),
    ] {
        let status = client.activate(ActivateRequest { target, expected: None }).await.unwrap_err();
        assert_refused(&status, code, reason);
    }
    let expected = Some(ExpectedRevision { sequence: 1_000, ..ExpectedRevision::default() });
    let status = client.rollback(RollbackRequest { expected }).await.unwrap_err();
    assert_refused(&status, Code::Aborted, "REVISION_CONFLICT");
    let ended = home.verdict(&["policy", "rollback", "--expect", "1000", "--server", &server.admin], "");
    assert_eq!(ended.code, 2, "{}", ended.out);
    assert!(ended.err.contains("REVISION_CONFLICT"), "{}", ended.err);
    for wrong in [["policy", "activate", "0"], ["policy", "activate", "v1"]] {
        assert_eq!(home.verdict(&wrong, "").code, 64);
    }
}

#[tokio::test]
async fn there_may_be_nothing_to_go_back_to() {
    let home = Home::new();
    let server = home.serve("a").await;
    let status = server.admin().await.rollback(RollbackRequest::default()).await.unwrap_err();
    assert_refused(&status, Code::FailedPrecondition, "NO_EARLIER_REVISION");
}

#[tokio::test]
async fn data_that_no_bundle_owns_is_patched_all_or_nothing() {
    let home = Home::new();
    home.bundle("main", &policy("authz", "v1", "allow if data.granted.alice"));
    let server = home.serve("a").await;
    assert!(!server.allows().await);
    let sequence = server.sequence().await;
    let mut client = server.admin().await;
    let mut patch = async |text: &str| {
        let expected = Some(ExpectedRevision { sequence, ..ExpectedRevision::default() });
        client.patch_data(PatchDataRequest { operations_json: text.as_bytes().to_vec(), expected }).await
    };
    for (text, code, reason) in [
        (r#"[{"op": "add", "path": "/authz/x", "value": 1}]"#, Code::FailedPrecondition, "ROOT_OWNED"),
        (r#"[{"op": "remove", "path": "/granted"}]"#, Code::FailedPrecondition, "PATCH_FAILED"),
        (
            r#"[{"op": "add", "path": "/granted", "value": {"alice": true}}, {"op": "test", "path": "/granted/alice", "value": 1}]"#,
            Code::FailedPrecondition,
            "PATCH_FAILED",
        ),
        (r#"{"op": "add"}"#, Code::InvalidArgument, "INVALID_REQUEST"),
    ] {
        assert_refused(&patch(text).await.unwrap_err(), code, reason);
    }
    assert!(!server.allows().await);
    let grant = r#"[{"op": "add", "path": "/granted", "value": {"alice": true}}]"#;
    let active = says(&home, &server, &["patch", "-", "--expect", &sequence.to_string()], grant);
    assert_eq!(active["cause"], "patch");
    assert!(server.allows().await);
    // The revision that was expected is no longer active.
    assert_refused(&patch(grant).await.unwrap_err(), Code::Aborted, "REVISION_CONFLICT");
    let ended = home.verdict(&["policy", "patch", "-", "--server", &server.admin], "[]");
    assert_eq!(ended.code, 2);
}

#[tokio::test]
async fn what_is_no_bundle_is_current_while_nothing_changes() {
    let home = Home::new();
    std::fs::create_dir(home.path("policies")).unwrap();
    std::fs::write(home.path("policies/a.rego"), "package authz\n\nallow := true\n").unwrap();
    std::fs::write(home.path("plain.yaml"), "log: {format: json}\n").unwrap();
    for (name, folder, kind) in [("a", Some(home.path("policies")), "folder"), ("b", None, "embedded")] {
        let mut command = verdict(&home.path("."));
        command.args(["serve", "--config", home.path("plain.yaml").to_str().unwrap(), "--grpc", "127.0.0.1:0"]);
        command.args(["--http", "127.0.0.1:0", "--admin", &format!("unix:{}", home.path(name).join("s").display())]);
        command.args(folder.iter().flat_map(|folder| ["--policies", folder.to_str().unwrap()]));
        let server = Server::start(command).await;
        server.logged("policies active").await;
        let status = says(&home, &server, &["status"], "");
        assert_eq!(status["bundles"][0]["source"]["kind"], kind, "{status:#}");
        let text = home.verdict(&["policy", "status", "--server", &server.admin], "").out;
        assert!(text.contains("0 s ago") && !text.contains("never"), "{text}");
    }
}
