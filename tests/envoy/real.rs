//! A real Envoy asks, and does what it is told.

use serde_json::json;

use crate::{
    client::{policy, policy_with},
    real_support::{Envoy, program},
    support::{Folder, Serve},
};

const SHOP: &str = r#"package envoy.authz

import input.attributes.request.http

default allow := {"allowed": false, "http_status": 404, "body": "nothing here"}

allow := {
	"allowed": true,
	"headers": {"x-user": "alice", "x-role": ["a", "b"]},
	"response_headers_to_add": {"x-seen": "by the policy"},
	"request_headers_to_remove": ["authorization"],
	"query_parameters_to_set": {"tenant": "t1"},
	"query_parameters_to_remove": ["token"],
} if {
	input.parsed_path[0] == "open"
}

allow := {
	"allowed": false,
	"http_status": 401,
	"body": "who are you?",
	"headers": {"www-authenticate": "Bearer", "set-cookie": ["a=1", "b=2"], "content-type": "text/x-refusal"},
} if {
	input.parsed_path[0] == "private"
}

allow := {"allowed": false, "http_status": 200, "body": "all is well"} if input.parsed_path[0] == "odd"

allow := input.parsed_body.amount < 100 if {
	input.parsed_path == ["orders"]
	not input.truncated_body
}

allow := {"allowed": false, "http_status": 413} if {
	input.parsed_path == ["orders"]
	input.truncated_body
}

allow := {"allowed": false, "http_status": 405} if input.parsed_path[0] == "admin"
"#;

#[tokio::test]
async fn an_allow_reaches_the_service_with_what_the_policy_says() {
    let Some(program) = program() else { return };
    let (_folder, server) = policy(SHOP).await;
    let envoy = Envoy::start(&program, &server, &json!({})).await;
    let sent = [
        ("authorization", "Bearer secret"),
        ("x-user", "mallory"),
        ("x-role", "root"),
        ("verdict-decision-id", "forged"),
        ("x-own", "kept"),
    ];
    let answer = envoy.get("/open/door?a=1&tenant=t9&token=x", &sent).await;
    let seen = answer.seen();
    let headers = &seen["headers"];
    assert_eq!(seen["line"], "GET /open/door?a=1&tenant=t1 HTTP/1.1");
    assert_eq!((&headers["x-user"], &headers["x-role"]), (&json!("alice"), &json!("a,b")));
    assert_eq!((&headers["x-own"], headers.get("authorization")), (&json!("kept"), None));
    assert_eq!(answer.header("x-seen"), "by the policy");
    // The same id in the metadata, which the route tells, and in the header for the service.
    let id = answer.header("x-decision-id");
    assert_eq!((id.len(), &headers["verdict-decision-id"]), (36, &json!(id)));
}

#[tokio::test]
async fn a_deny_is_the_policys_response_and_the_service_knows_nothing_of_it() {
    let Some(program) = program() else { return };
    let (_folder, server) = policy(SHOP).await;
    let envoy = Envoy::start(&program, &server, &json!({})).await;
    let answer = envoy.get("/private", &[]).await;
    answer.refused(401);
    assert_eq!(answer.body, "who are you?");
    assert_eq!((answer.header("www-authenticate"), answer.header("content-type")), ("Bearer", "text/x-refusal"));
    assert_eq!(answer.headers["set-cookie"], ["a=1", "b=2"]);
    assert_eq!(answer.headers["content-type"].len(), 1);
    assert_eq!(answer.header("verdict-decision-id").len(), 36);
    assert_eq!(envoy.get("/nowhere", &[]).await.refused(404).body, "nothing here");
    // A status of success on a deny is no decision.
    assert_eq!(envoy.get("/odd", &[]).await.refused(403).body, "");
}

#[tokio::test]
async fn bodies_are_looked_at() {
    let Some(program) = program() else { return };
    let (_folder, server) = policy(SHOP).await;
    for pack_as_bytes in [false, true] {
        let body = json!({"max_request_bytes": 1024, "allow_partial_message": true, "pack_as_bytes": pack_as_bytes});
        let envoy = Envoy::start(&program, &server, &json!({"with_request_body": body})).await;
        assert_eq!(envoy.post("/orders", r#"{"amount": 5}"#).await.seen()["body"], r#"{"amount": 5}"#);
        envoy.post("/orders", r#"{"amount": 500}"#).await.refused(403);
        envoy.post("/orders", r#"{"amount": 5, "amount": 500}"#).await.refused(400);
        envoy.post("/orders", "{").await.refused(400);
        envoy.post("/orders", "").await.refused(404);
        let long = format!(r#"{{"amount": 5, "note": "{}"}}"#, "x".repeat(2_000));
        envoy.post("/orders", &long).await.refused(413);
        // Without a length, it is Envoy's word that there is more.
        let chunk = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
        envoy.post_chunks("/orders", &chunk).await.refused(413);
    }
}

#[tokio::test]
async fn a_path_is_what_the_service_would_get() {
    let Some(program) = program() else { return };
    let (_folder, server) = policy(SHOP).await;
    let envoy = Envoy::start(&program, &server, &json!({})).await;
    assert_eq!(envoy.get("/admin/x", &[]).await.refused(405).body, "");
    envoy.get("//admin/x", &[]).await.refused(405);
    envoy.get("///admin/x", &[]).await.refused(405);
    envoy.get("/%61dmin/x", &[]).await.refused(405);
    envoy.get("/open/../admin/x", &[]).await.refused(400);
    envoy.get("/open/%2e%2e/admin/x", &[]).await.refused(400);
    envoy.get("/open/..%2fadmin/x", &[]).await.refused(400);
    // One segment, and no other resource.
    assert_eq!(envoy.get("/open%2fadmin", &[]).await.refused(404).body, "nothing here");
    // As a whole URI: Envoy takes the path out of it.
    envoy.get("http://open/admin", &[]).await.refused(405);
}

#[tokio::test]
async fn nothing_is_let_through_where_verdict_is_gone() {
    let Some(program) = program() else { return };
    let (_folder, mut server) = policy(SHOP).await;
    let envoy = Envoy::start(&program, &server, &json!({})).await;
    envoy.get("/open", &[]).await.seen();
    server.signal("KILL");
    let _ = server.ended().await;
    assert_eq!(envoy.get("/open", &[]).await.refused(403).body, "");
}

#[tokio::test]
async fn faults_are_denied_even_where_envoy_lets_failures_through() {
    let Some(program) = program() else { return };
    let lax = json!({"failure_mode_allow": true});
    let folder = Folder::with(&[("broken.rego", "package envoy.authz\n\nallow if")]);
    let server = Serve::folder(&folder).listening().await;
    let envoy = Envoy::start(&program, &server, &lax).await;
    envoy.get("/open", &[]).await.refused(503);

    let failing = "package envoy.authz\n\nallow := {\"allowed\": true, \"headers\": {\"x\": \"a\\nb\"}} if input.parsed_path == [\"bad\"]\n\n\
                   allow := true if input.parsed_path == [\"twice\"]\n\nallow := false if input.parsed_path == [\"twice\"]\n";
    let (_folder, server) = policy(failing).await;
    let envoy = Envoy::start(&program, &server, &lax).await;
    for path in ["/undefined", "/bad", "/twice"] {
        envoy.get(path, &[]).await.refused(403);
    }
    // Bytes that are no UTF-8: protobuf's own reader fails on them.
    for path in [&b"/\xff"[..], b"/open\xc3(", b"/open?a=\xff"] {
        let answer = envoy.send("GET", path, &[], "").await;
        assert!(!answer.passed && answer.status == 400, "{answer:?}");
    }
    let answer = envoy.send("GET", b"/undefined", &[("x-latin", "gr\u{fc}n")], "").await;
    answer.refused(403);
}

#[tokio::test]
async fn a_dry_run_lets_all_through() {
    let Some(program) = program() else { return };
    let (_folder, server) = policy_with(SHOP, &[("VERDICT_ENVOY_DRY_RUN", "true")]).await;
    let envoy = Envoy::start(&program, &server, &json!({})).await;
    let answer = envoy.get("/private", &[]).await;
    answer.seen();
    let id = answer.header("x-decision-id").to_owned();
    assert_eq!(server.logged_where("the verdict", |line| line["decision_id"] == id).await["effect"], "deny");
}

#[tokio::test]
async fn values_stay_values_whatever_is_in_them() {
    let Some(program) = program() else { return };
    // As deep as metadata may be: Envoy must be able to read it.
    let deep = (0..23).fold(json!(1), |value, _| json!({"a": value}));
    let result = json!({
        "allowed": true,
        "dynamic_metadata": {"deep": deep},
        "obligations": [{"id": "log", "properties": {"deep": deep}}],
        "headers": {"x-user": "", "x-name": "a, b; c=\"d\"", "x-greeting": "grüße"},
        "query_parameters_to_set": {"who": "a&admin=1 b#c%20d+e=f?", "x&y": "z", "grüße": "grüße", "tag": ["p", "q"]},
        "query_parameters_to_remove": ["token"],
    });
    // Unmarshalled: brackets nest less deep in policies.
    let text = format!("package envoy.authz\n\nallow := json.unmarshal(`{result}`)\n");
    let (_folder, server) = policy(&text).await;
    let envoy = Envoy::start(&program, &server, &json!({})).await;
    let answer = envoy.get("/?a=1&who=b&%77ho=c&%74oken=d&token=e&tag=z", &[("x-user", "mallory")]).await;
    let seen = answer.seen();
    let headers = &seen["headers"];
    assert_eq!((&headers["x-user"], &headers["x-name"]), (&json!(""), &json!("a, b; c=\"d\"")));
    assert_eq!(headers["x-greeting"], "grüße");
    let line =
        "GET /?a=1&gr%C3%BC%C3%9Fe=gr%C3%BC%C3%9Fe&tag=p&tag=q&who=a%26admin%3D1%20b%23c%20d+e%3Df?&x%26y=z HTTP/1.1";
    assert_eq!(seen["line"], line);
}
