//! Every shape of a result, and what Envoy is told then.

use envoy_types::ext_authz::v3::pb::HttpResponse;
use serde_json::json;

use crate::client::{answering, check, get, policy, policy_with};

#[tokio::test]
async fn booleans_are_allow_and_deny() {
    let (_folder, server) =
        policy("package envoy.authz\n\nallow if input.parsed_path == [\"open\"]\n\ndefault allow := false\n").await;
    let allowed = check(&server, get("/open")).await;
    assert!(allowed.allowed);
    assert_eq!(allowed.headers.keys().collect::<Vec<_>>(), ["verdict-decision-id"]);
    assert_eq!(allowed.headers["verdict-decision-id"], [allowed.metadata["decision_id"].as_str().unwrap()]);
    assert_eq!(allowed.metadata["verdict"]["effect"], "allow");
    let denied = check(&server, get("/shut")).await;
    denied.denied(403, &["policy_denied"]);
    assert_eq!((denied.body.as_str(), denied.headers.len()), ("", 1));
    assert_eq!(denied.headers["verdict-decision-id"], [denied.metadata["decision_id"].as_str().unwrap()]);
    assert!(denied.metadata["verdict"]["revision"].as_str().unwrap().contains(" sha256:"));
}

#[tokio::test]
async fn objects_say_what_else_is_to_be_done() {
    let (_folder, server) = policy(&answering(&json!({
        "allowed": true,
        "headers": {"x-user": "alice", "x-role": ["a", "b"]},
        "response_headers_to_add": {"x-seen": "1"},
        "request_headers_to_remove": ["authorization"],
        "query_parameters_to_set": {"tenant": "t"},
        "query_parameters_to_remove": ["token"],
        "dynamic_metadata": {"tier": "gold"},
        "body": "unused", "http_status": 200,
    })))
    .await;
    let answer = check(&server, get("/")).await;
    assert!(answer.allowed);
    assert_eq!(answer.headers["x-role"], ["a", "b"]);
    assert_eq!(answer.metadata["tier"], "gold");
    let Some(HttpResponse::OkResponse(ok)) = answer.response.http_response else { panic!("an allow") };
    assert_eq!(ok.headers_to_remove, ["authorization"]);
    assert_eq!(ok.query_parameters_to_remove, ["token"]);
    assert_eq!(ok.query_parameters_to_set[0].key, "tenant");
    assert_eq!(ok.response_headers_to_add[0].header.as_ref().unwrap().key, "x-seen");

    let (_folder, server) = policy(&answering(&json!({
        "allowed": false,
        "headers": {"location": "/login", "set-cookie": ["a=1", "b=2"]},
        "http_status": 302, "body": "log in",
        "dynamic_metadata": {"tier": "none", "decision_id": "forged"},
    })))
    .await;
    let answer = check(&server, get("/")).await;
    answer.denied(302, &["policy_denied"]);
    assert_eq!((answer.body.as_str(), answer.metadata["tier"].as_str().unwrap()), ("log in", "none"));
    assert_eq!(answer.headers["set-cookie"], ["a=1", "b=2"]);
    assert_ne!(answer.metadata["decision_id"], "forged");
}

#[tokio::test]
async fn what_is_no_result_is_denied() {
    for result in [
        json!(null),
        json!(1),
        json!("true"),
        json!([true]),
        json!({}),
        json!({"allowed": "true"}),
        json!({"allowed": 1}),
        json!({"allowed": null}),
        json!({"allowed": true, "allow": false}),
        json!({"allowed": true, "headers": {"x": "a\nb"}}),
        json!({"allowed": true, "headers": {"x": 1}}),
        json!({"allowed": true, "dynamic_metadata": ["foo", "bar"]}),
        json!({"allowed": true, "request_headers_to_remove": "x"}),
        json!({"allowed": false, "http_status": 200}),
        json!({"allowed": false, "http_status": 204, "headers": {"x": "y"}}),
        json!({"allowed": false, "http_status": "403"}),
        json!({"allowed": false, "body": 1}),
        json!({"allowed": false, "headers": {":status": "200"}}),
    ] {
        let (_folder, server) = policy(&answering(&result)).await;
        let answer = check(&server, get("/")).await;
        answer.denied(403, &["invalid_decision"]);
        assert_eq!((answer.body.as_str(), answer.headers.len()), ("", 1), "{result}");
    }
}

#[tokio::test]
async fn reasons_for_users_are_told_where_that_is_configured() {
    let result = json!({"allowed": false, "reasons": [
        {"code": "closed", "message": "shop 7 is closed for audit", "user_message": "The shop is closed."}]});
    let (_folder, server) = policy_with(
        &answering(&result),
        &[("VERDICT_ENVOY_REASONS_IN_BODY", "true"), ("VERDICT_ENVOY_DECISION_ID_HEADER", "off")],
    )
    .await;
    let answer = check(&server, get("/")).await;
    answer.denied(403, &["closed"]);
    assert_eq!((answer.body.as_str(), answer.headers.len()), ("The shop is closed.", 0));
    let (_folder, server) = policy(&answering(&result)).await;
    let answer = check(&server, get("/")).await;
    assert_eq!(answer.body, "");
    assert!(!answer.metadata.to_string().contains("audit"), "{answer:?}");
}
