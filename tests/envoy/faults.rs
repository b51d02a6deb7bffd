//! What goes wrong is a denied response, whatever Envoy's `failure_mode_allow` says; but for a dry run.

use prost::Message as _;
use serde_json::json;
use tonic::Code;

use crate::{
    client::{answering, check, get, policy, policy_with},
    raw::{call_at, frame},
    support::{Folder, Serve},
};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// A policy that fails in as many ways as there are paths.
const FAILING: &str = r#"package envoy.authz

allow := true if input.parsed_path == ["conflict"]

allow := false if input.parsed_path == ["conflict"]

allow if {
	input.parsed_path == ["forever"]
	some x in numbers.range(1, 9000)
	some y in numbers.range(1, 9000)
	x * y == -1
}
"#;

#[tokio::test]
async fn a_policy_that_fails_denies() {
    let (_folder, server) = policy_with(FAILING, &[("VERDICT_POLICIES_EVALUATION_BUDGET", "100ms")]).await;
    check(&server, get("/undefined")).await.denied(403, &["no_decision"]);
    check(&server, get("/conflict")).await.denied(403, &["evaluation_error"]);
    check(&server, get("/forever")).await.denied(403, &["budget_exceeded"]);
    let (_, _, metrics) = server.http("GET", "/metrics").await;
    let denials = metrics.lines().filter(|line| line.starts_with("verdict_decisions_total{") && line.contains("deny"));
    let counted: f64 = denials.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
    assert!((counted - 3.0).abs() < f64::EPSILON, "{metrics}");
}

#[tokio::test]
async fn without_such_a_rule_everything_is_denied() {
    let (_folder, server) = policy("package other\n\nallow := true\n").await;
    check(&server, get("/")).await.denied(403, &["no_decision"]);
    // The path is exact: a package is no rule.
    let settings = [("VERDICT_ENVOY_POLICY", "data.other")];
    let (_folder, server) = policy_with("package other\n\nallow := 1\n", &settings).await;
    check(&server, get("/")).await.denied(403, &["invalid_decision"]);
}

#[tokio::test]
async fn nothing_is_let_through_before_there_are_policies() {
    let folder = Folder::with(&[("broken.rego", "package envoy.authz\n\nallow if")]);
    let server = Serve::folder(&folder).listening().await;
    check(&server, get("/")).await.denied(503, &["POLICIES_NOT_READY"]);
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_none() {
    let (_folder, server) = policy(&answering(&json!(true))).await;
    let message = frame(&get("/").encode_to_vec());
    let answer = call_at(&server, CHECK, message.clone(), &[("grpc-timeout", "0n")]).await;
    assert_eq!(answer.status().code(), Code::Ok);
    let response = envoy_types::ext_authz::v3::pb::CheckResponse::decode(&answer.split()[0][..]).unwrap();
    assert_eq!(response.status.unwrap().code, 7);
    assert!(format!("{:?}", response.dynamic_metadata).contains("DEADLINE_EXCEEDED"));
    let answer = call_at(&server, CHECK, message, &[("grpc-timeout", "10S")]).await;
    let response = envoy_types::ext_authz::v3::pb::CheckResponse::decode(&answer.split()[0][..]).unwrap();
    assert_eq!(response.status.unwrap().code, 0);
}

#[tokio::test]
async fn a_dry_run_lets_everything_through_and_logs_the_verdict() {
    let result =
        json!({"allowed": false, "http_status": 401, "body": "no", "headers": {"x": "y"}, "reasons": ["closed"]});
    let (_folder, server) = policy_with(&answering(&result), &[("VERDICT_ENVOY_DRY_RUN", "true")]).await;
    server.logged("`envoy.dry_run` is set").await;
    let answer = check(&server, get("/secret-path?token=hunter2")).await;
    assert!(answer.allowed);
    assert_eq!(answer.headers.keys().collect::<Vec<_>>(), ["verdict-decision-id"], "nothing of the refusal");
    let told = &answer.metadata["verdict"];
    assert_eq!(
        (&told["effect"], &told["reasons"], &told["dry_run"]),
        (&json!("deny"), &json!(["closed"]), &json!(true))
    );
    let id = answer.metadata["decision_id"].as_str().unwrap();
    let line = server.logged_where("the verdict", |line| line["decision_id"] == id).await;
    assert_eq!((&line["effect"], &line["reasons"]), (&json!("deny"), &json!("closed")));
    assert!(!line.to_string().contains("secret-path") && !line.to_string().contains("hunter2"));
    assert!(check(&server, get("/%")).await.allowed);
}
