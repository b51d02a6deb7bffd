//! What holds of every request: methods, paths, types, ids, limits, readiness.

use std::time::Instant;

use serde_json::json;

use crate::{
    client::{EVALUATION, EVALUATIONS, policy, post, post_bytes, raw, send, wide},
    support::{Folder, Serve},
};

const QUESTION: &str =
    r#"{"subject":{"type":"user","id":"a"},"action":{"name":"read"},"resource":{"type":"document","id":"1"}}"#;
const ALLOW: &str = "package p\n\nallow := true\n";
const SEARCHES: [&str; 3] = ["/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action"];

#[tokio::test]
async fn other_methods_and_paths_are_told_so() {
    let (_folder, server) = policy(ALLOW).await;
    for path in [EVALUATION, EVALUATIONS].into_iter().chain(SEARCHES) {
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = send(&server, method, path, &[("x-request-id", "7")], b"").await;
            answer.refused(405);
            assert_eq!((answer.headers["allow"].as_str(), answer.headers["x-request-id"].as_str()), ("POST", "7"));
            assert!(!answer.headers.contains_key("access-control-allow-origin"));
        }
    }
    let answer = send(&server, "POST", "/.well-known/authzen-configuration", &[], b"").await;
    answer.refused(405);
    assert!(answer.headers["allow"].starts_with("GET"), "{answer:?}");
    for path in [
        "/access/v1/evaluation/",
        "/access/v1/evaluation/x",
        "/access/v1/search",
        "/access/v1/search/subjects",
        "/access/v2/evaluation",
        "//access/v1/evaluation",
        "/access/v1/../v1/evaluation",
        "/access/v1/%65valuation/x",
        "/.well-known/authzen",
    ] {
        let answer = send(&server, "POST", path, &[("content-type", "application/json")], QUESTION.as_bytes()).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn json_is_told_by_its_content_type() {
    let (_folder, server) = policy(ALLOW).await;
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\"; x=y"] {
        assert!(send(&server, "POST", EVALUATION, &[("content-type", kind)], QUESTION.as_bytes()).await.decision());
    }
    for headers in [
        &[][..],
        &[("content-type", "")],
        &[("content-type", "text/json")],
        &[("content-type", "application/jsonp")],
        &[("content-type", "application/json, text/plain")],
        &[("content-type", "application/json"), ("content-type", "text/plain")],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
    ] {
        send(&server, "POST", EVALUATION, headers, QUESTION.as_bytes()).await.refused(400);
    }
}

#[tokio::test]
async fn a_request_id_comes_back_on_every_answer_or_is_refused() {
    let (_folder, server) = policy(ALLOW).await;
    let long = "x".repeat(256);
    for id in ["1", "a b \"c\"; <script>", &long] {
        let headers = [("content-type", "application/json"), ("x-request-id", id)];
        for (path, body) in [(EVALUATION, QUESTION), (EVALUATION, "{"), (EVALUATIONS, QUESTION)] {
            let answer = send(&server, "POST", path, &headers, body.as_bytes()).await;
            assert_eq!(answer.headers["x-request-id"], id);
        }
    }
    for ids in [
        &[("x-request-id", format!("{long}x").as_str())][..],
        &[("x-request-id", "é")],
        &[("x-request-id", "1"), ("x-request-id", "2")],
    ] {
        let headers: Vec<_> = [("content-type", "application/json")].iter().chain(ids).copied().collect();
        let answer = send(&server, "POST", EVALUATION, &headers, QUESTION.as_bytes()).await;
        assert!(answer.refused(400).contains("X-Request-ID"));
        assert!(!answer.headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn an_answer_names_its_decision_and_revision_and_is_not_kept() {
    let (_folder, server) = policy("package p\n\ndefault allow := false\n\nallow if input.subject.id == \"b\"\n").await;
    let answer = post_bytes(&server, EVALUATION, QUESTION.as_bytes()).await;
    assert!(!answer.decision());
    let context = &answer.ok()["context"];
    assert_eq!(context["decision_id"], answer.headers["verdict-decision-id"].as_str());
    assert!(context["reason_admin"]["policy_denied"].as_str().unwrap().contains("allow"), "{context}");
    assert!(context.get("reason_user").is_none(), "{context}");
    assert!(answer.headers["verdict-revision"].starts_with("1 sha256:"), "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn before_the_first_policies_there_is_no_decision() {
    let folder = Folder::empty();
    let server = wide(Serve::folder(&folder)).listening().await;
    let search = json!({"subject": {"type": "user"}, "action": {"name": "a"}, "resource": {"type": "t", "id": "1"}});
    for (path, body) in [
        (EVALUATION, QUESTION.to_owned()),
        (EVALUATIONS, QUESTION.to_owned()),
        (EVALUATIONS, format!(r#"{{"evaluations":[{QUESTION}]}}"#)),
        ("/access/v1/search/subject", search.to_string()),
    ] {
        let answer = post_bytes(&server, path, body.as_bytes()).await;
        assert!(answer.refused(503).contains("no policies are active yet"));
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(server.metric(r#"verdict_call_errors_total{reason="POLICIES_NOT_READY"}"#).await, Some(4.0));
}

#[tokio::test]
async fn the_limits_are_those_that_are_configured() {
    let folder = Folder::always(&[("p.rego", ALLOW)]);
    let server = Serve::folder(&folder)
        .arg("--default-policy")
        .arg("data.p")
        .env("VERDICT_HTTP_MAX_BODY_BYTES", "1KiB")
        .env("VERDICT_GRPC_MAX_BATCH_ITEMS", "2")
        .ready()
        .await;
    let padded = |size: usize| format!("{QUESTION}{}", " ".repeat(size - QUESTION.len()));
    assert!(post_bytes(&server, EVALUATION, padded(1_024).as_bytes()).await.decision());
    let message = post_bytes(&server, EVALUATION, padded(1_025).as_bytes()).await;
    assert!(message.refused(413).contains("http.max_body_bytes"));
    let chunked = format!(
        "POST {EVALUATION} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n800\r\n{}\r\n0\r\n\r\n",
        padded(2_048)
    );
    raw(&server, chunked.as_bytes()).await.refused(413);
    // Who waits for a go-ahead is told before it sends.
    let expecting = format!(
        "POST {EVALUATION} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: 5000\r\n\r\n"
    );
    raw(&server, expecting.as_bytes()).await.refused(413);
    let batch = |items: usize| {
        let item: serde_json::Value = serde_json::from_str(QUESTION).unwrap();
        json!({"evaluations": vec![item; items]})
    };
    assert_eq!(post(&server, EVALUATIONS, &batch(2)).await.ok()["evaluations"].as_array().unwrap().len(), 2);
    assert!(post(&server, EVALUATIONS, &batch(3)).await.refused(400).contains("grpc.max_batch_items"));
    // A body that does not end.
    let server = Serve::folder(&folder).env("VERDICT_HTTP_REQUEST_TIMEOUT", "300ms").ready().await;
    let started = Instant::now();
    let stalled = format!(
        "POST {EVALUATION} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: 500\r\n\r\n{{"
    );
    raw(&server, stalled.as_bytes()).await.refused(504);
    assert!(started.elapsed().as_secs() < 10);
}
