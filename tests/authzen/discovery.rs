//! Metadata (§9), and the certification scenario's level Discovery.

use serde_json::json;

use crate::{
    client::{Answer, raw, send},
    support::Serve,
};

const WELL_KNOWN: &str = "/.well-known/authzen-configuration";

fn assert_metadata(answer: &Answer, base: &str) {
    let endpoint = |path: &str| format!("{base}/access/v1/{path}");
    let wanted = json!({
        "policy_decision_point": base,
        "access_evaluation_endpoint": endpoint("evaluation"),
        "access_evaluations_endpoint": endpoint("evaluations"),
        "search_subject_endpoint": endpoint("search/subject"),
        "search_resource_endpoint": endpoint("search/resource"),
        "search_action_endpoint": endpoint("search/action"),
        "capabilities": ["urn:openid:authzen:capability:token-issuance"],
    });
    assert_eq!(answer.ok(), wanted);
}

#[tokio::test]
async fn metadata_is_of_the_configured_url_whatever_the_host() {
    let server = Serve::embedded().env("VERDICT_HTTP_PUBLIC_URL", "https://pdp.example.com/tenant1").ready().await;
    for path in [WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}/tenant1")] {
        let answer = send(&server, "GET", &path, &[("x-forwarded-host", "evil.test")], b"").await;
        assert_metadata(&answer, "https://pdp.example.com/tenant1");
        assert_eq!(answer.headers["cache-control"], "public, max-age=3600");
    }
    send(&server, "GET", &format!("{WELL_KNOWN}/tenant2"), &[], b"").await.refused(404);
}

#[tokio::test]
async fn metadata_is_of_the_host_where_none_is_configured() {
    let server = Serve::embedded().ready().await;
    let answer = send(&server, "GET", WELL_KNOWN, &[("x-forwarded-host", "evil.test")], b"").await;
    assert_metadata(&answer, "https://pdp.test");
    assert_eq!((answer.headers["cache-control"].as_str(), answer.headers["vary"].as_str()), ("no-store", "host"));
    send(&server, "GET", &format!("{WELL_KNOWN}/tenant1"), &[], b"").await.refused(404);
    for host in ["host: a@b", "host: a/b", "host: \"", "host: a\r\nhost: b", "host:"] {
        let request = format!("GET {WELL_KNOWN} HTTP/1.1\r\n{host}\r\nconnection: close\r\n\r\n");
        let answer = raw(&server, request.as_bytes()).await;
        assert_eq!(answer.status, 400, "{host}: {answer:?}");
    }
    let head = send(&server, "HEAD", WELL_KNOWN, &[], b"").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}
