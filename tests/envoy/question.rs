//! Requests as questions: subject, action, resource and context, asked as any other.

use envoy_types::pb::envoy::config::core::v3::Metadata;
use serde_json::json;

use crate::client::{check, get, http, metadata, of, policy_with};

const ECHO: &str = "package authz\n\n\
    allow := true\n\n\
    context := {\"envoy\": {\"dynamic_metadata\": {\"input\": json.marshal(input)}, \"headers\": {\"x-user\": input.subject.id}}}\n";

fn asking<'a>(settings: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("VERDICT_ENVOY_INPUT", "question")], settings].concat()
}

#[tokio::test]
async fn a_request_is_mapped_to_the_decision_model() {
    let (_folder, server) = policy_with(ECHO, &asking(&[])).await;
    let request = of(http("GET", "/a%2Fb/c?x=1", &[("x-tenant", "t")]));
    let answer = check(&server, request).await;
    assert_eq!(answer.headers["x-user"], ["spiffe://example.org/shop"]);
    assert_eq!(
        answer.input(),
        json!({
            "subject": {"type": "user", "id": "spiffe://example.org/shop", "properties": {}},
            "action": {"name": "GET", "properties": {}},
            "resource": {"type": "path", "id": "/a%2Fb/c", "properties": {
                "host": "shop.test", "scheme": "http", "segments": ["a/b", "c"], "query": {"x": ["1"]}}},
            "context": {
                "headers": {"x-tenant": "t"},
                "source": {"address": {"socketAddress": {"address": "10.0.0.7", "portValue": 0}},
                    "principal": "spiffe://example.org/shop"},
                "protocol": "HTTP/1.1", "parsed_body": null, "truncated_body": false
            }
        })
    );
}

#[tokio::test]
async fn the_subject_is_found_where_that_is_configured() {
    let settings = [
        ("VERDICT_ENVOY_SUBJECT", "header:X-User"),
        ("VERDICT_ENVOY_SUBJECT_TYPE", "employee"),
        ("VERDICT_ENVOY_RESOURCE_TYPE", "route"),
    ];
    let (_folder, server) = policy_with(ECHO, &asking(&settings)).await;
    let input = check(&server, of(http("GET", "/", &[("x-user", "alice")]))).await.input();
    assert_eq!(input["subject"], json!({"type": "employee", "id": "alice", "properties": {}}));
    assert_eq!(input["resource"]["type"], "route");
    for headers in [&[][..], &[("x-user", "")]] {
        let input = check(&server, of(http("GET", "/", headers))).await.input();
        assert_eq!(input["subject"], json!({"type": "anonymous", "id": "anonymous", "properties": {}}));
    }

    let from = "metadata:envoy.filters.http.jwt_authn/verified_jwt/sub";
    let (_folder, server) = policy_with(ECHO, &asking(&[("VERDICT_ENVOY_SUBJECT", from)])).await;
    for (claims, wanted) in [
        (json!({"verified_jwt": {"sub": "alice"}}), "alice"),
        (json!({"verified_jwt": {"sub": 7}}), "anonymous"),
        (json!({"verified_jwt": "alice"}), "anonymous"),
        (json!({}), "anonymous"),
    ] {
        let mut request = get("/");
        request.attributes.as_mut().unwrap().metadata_context = Some(Metadata {
            filter_metadata: [("envoy.filters.http.jwt_authn".to_owned(), metadata(claims))].into(),
            ..Metadata::default()
        });
        assert_eq!(check(&server, request).await.input()["subject"]["id"], wanted);
    }
}

#[tokio::test]
async fn the_verdict_is_that_of_the_decision_contract() {
    let policy = r#"package authz

default allow := false

allow if {
	input.subject.id == "alice"
	input.action.name == "GET"
	input.resource.properties.segments[0] == "orders"
}

deny contains {"code": "closed", "message": "m"} if input.context.headers["x-closed"]

context := {"envoy": {"http_status": 451}} if input.resource.properties.segments[0] == "odd"

obligations := [{"id": "seen", "type": "log", "properties": {"n": 1}}]
"#;
    let (_folder, server) = policy_with(policy, &asking(&[("VERDICT_ENVOY_SUBJECT", "header:x-user")])).await;
    let ask = async |path: &str, headers: &[(&str, &str)]| check(&server, of(http("GET", path, headers))).await;
    let allowed = ask("/orders/7", &[("x-user", "alice")]).await;
    assert!(allowed.allowed);
    assert_eq!(
        allowed.metadata["verdict"]["obligations"],
        json!([{"id": "seen", "type": "log", "properties": {"n": 1.0}}])
    );
    ask("/orders/7", &[("x-user", "bob")]).await.denied(403, &["policy_denied"]);
    ask("/orders/7", &[]).await.denied(403, &["policy_denied"]);
    ask("/orders/7", &[("x-user", "alice"), ("x-closed", "1")]).await.denied(403, &["closed"]);
    ask("/odd", &[("x-user", "alice")]).await.denied(403, &["invalid_decision"]);
}
