//! Credentials reach the policy, as in opa-envoy-plugin, and nobody else.

use std::fmt::Write as _;

use serde_json::json;

use crate::client::{check, http, of, policy_with};

const POLICY: &str = r#"package envoy.authz

import input.attributes.request.http

# Knows the credentials, and lets errors and reasons be about them.
allow := {"allowed": http.headers.authorization == "Bearer hunter2", "reasons": reasons} if http.method == "GET"

allow := true if http.method == "CONFLICT"

allow := http.headers.authorization if http.method == "CONFLICT"

reasons contains {"code": "no", "message": sprintf("%s is not welcome", [http.headers.cookie]), "user_message": "No."}
"#;

#[tokio::test]
async fn credentials_reach_the_policy_and_no_log_metric_or_answer() {
    let settings = [("VERDICT_LOG_LEVEL", "trace"), ("VERDICT_ENVOY_REASONS_IN_BODY", "true")];
    let (_folder, server) = policy_with(POLICY, &settings).await;
    let mut answers = String::new();
    let headers = [
        ("authorization", "Bearer hunter2"),
        ("cookie", "session=hunter3"),
        ("x-api-key", "hunter4"),
        ("content-type", "application/json"),
    ];
    assert!(check(&server, of(http("GET", "/", &headers))).await.allowed);
    let wrong = [("authorization", "Bearer hunter5"), ("cookie", "session=hunter3")];
    let denied = check(&server, of(http("GET", "/?access_token=hunter6", &wrong))).await;
    assert_eq!(denied.denied(403, &["no"]).body, "No.");
    let mut asked = vec![denied];
    for (method, path, body) in [
        ("CONFLICT", "/", ""),
        ("NONE", "/hunter7", "{}"),
        ("GET", "/hunter7/../x", "{}"),
        ("GET", "/", "{\"password\": hunter8"),
        ("GET", "/", "{\"hunter8\": 1, \"hunter8\": 2}"),
    ] {
        let mut http = http(method, path, &headers);
        body.clone_into(&mut http.body);
        asked.push(check(&server, of(http)).await);
    }
    for answer in asked {
        assert!(!answer.allowed, "{answer:?}");
        let _ = write!(answers, "{answer:?}");
    }
    let log = json!(server.lines()).to_string();
    let (_, _, metrics) = server.http("GET", "/metrics").await;
    let (_, _, ready) = server.http("GET", "/health/ready").await;
    assert!(metrics.contains("data.envoy.authz.allow") && log.len() > 100);
    for text in [log, metrics, ready, answers] {
        for number in 2..9 {
            assert!(!text.contains(&format!("hunter{number}")), "{text}");
        }
    }
}
