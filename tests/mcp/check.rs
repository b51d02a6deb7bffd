//! What a message is asked as, what goes back, and what a list shows.

use serde_json::{Value as Json, json};

use crate::{
    client::{Answer, policy, post},
    over_grpc::agrees,
    support::Server,
};

pub(crate) const CHECK: &str = "/mcp/v1/check";
const FILTER: &str = "/mcp/v1/filter-tools";
pub(crate) const SERVER: &str = "https://mcp.example.com/mcp";

/// Allows `read`, and says what it saw; challenges for others.
const RULES: &str = r#"package p
default decision := {"allow": false, "reasons": [{"code": "no", "message": "secret ground", "user_message": "Ask Eve."}]}
decision := {"allow": true, "context": {"input": input}} if input.resource.id in {"read", "x://1", "https://mcp.example.com/mcp"}
decision := {"allow": false, "reasons": ["scope"], "required_scopes": ["a", "b", "a"]} if input.resource.id == "scoped"
decision := {"allow": false, "reasons": ["scope"], "required_scopes": ["a", "b\"\r\nX: y"]} if input.resource.id == "forged"
decision := {"allow": false, "reasons": ["auth"], "required_scopes": ["a"], "step_up": {"acr_values": ["mfa"], "max_age": 60}} if input.resource.id == "step"
decision := {"allow": "yes"} if input.resource.id == "broken"
"#;

async fn check(server: &Server, message: Json, claims: Option<Json>) -> Json {
    let mut body = json!({"server": SERVER, "message": message});
    if let Some(claims) = claims {
        body["claims"] = claims;
    }
    let answer = post(server, CHECK, &body).await.ok();
    agrees(server, &body, &answer).await;
    answer
}

fn call(tool: &str) -> Json {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {"n": 1}}})
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where there may be none")]
fn alice() -> Option<Json> {
    Some(json!({"sub": "alice", "client_id": "app", "act": {"sub": "bot"}}))
}

#[tokio::test]
async fn a_message_is_asked_by_its_body() {
    let (_folder, server) = policy(RULES).await;
    let answer = check(&server, call("read"), alice()).await;
    assert_eq!(answer["decision"], true, "{answer}");
    assert!(answer.get("response").is_none());
    let input = &answer["context"]["input"];
    assert_eq!((&input["subject"]["type"], &input["subject"]["id"]), (&json!("identity"), &json!("alice")));
    assert_eq!(input["subject"]["properties"]["claims"]["act"]["sub"], "bot");
    assert!(input.get("token").is_none() && input.get("caller").is_none());
    assert_eq!(input["action"]["name"], "tools/call");
    assert_eq!(input["resource"], json!({"type": "mcp_tool", "id": "read", "properties": {"server": SERVER}}));
    assert_eq!((&input["context"]["agent"], &input["context"]["arguments"]), (&json!("bot"), &json!({"n": 1})));
    for (method, params, kind) in [
        ("resources/read", json!({"uri": "x://1"}), "mcp_resource"),
        ("prompts/get", json!({"name": "read"}), "mcp_prompt"),
        ("tasks/get", json!({"taskId": "read"}), "mcp_task"),
        ("completion/complete", json!({"ref": {"type": "ref/prompt", "name": "read"}}), "mcp_prompt"),
        ("tools/list", json!({}), "mcp_server"),
    ] {
        let message = json!({"jsonrpc": "2.0", "id": "x", "method": method, "params": params});
        let answer = check(&server, message, Some(json!({"client_id": "app"}))).await;
        let input = &answer["context"]["input"];
        assert_eq!(input["resource"]["type"], kind, "{answer}");
        assert_eq!(input["subject"]["type"], "client");
    }
}

#[tokio::test]
async fn a_method_that_is_not_known_is_denied_whatever_the_policy_says() {
    let (_folder, server) = policy("package p\nallow := true\n").await;
    assert_eq!(check(&server, call("read"), alice()).await["decision"], true);
    for method in ["tools/invent", "Tools/Call", "tools/call ", "rpc.discover", ""] {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"name": "read"}});
        let answer = check(&server, message, alice()).await;
        assert_eq!(answer["decision"], false, "{method}: {answer}");
    }
    // Readers that don't tell cases apart would take these for `delete`.
    for message in [
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "Method": "tools/call", "params": {"name": "delete"}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read", "Name": "delete"}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read", "Arguments": {}}}),
    ] {
        assert_eq!(check(&server, message, alice()).await["decision"], false);
    }
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/invent"});
    let answer = check(&server, message, alice()).await;
    assert_eq!(
        (&answer["response"]["status"], &answer["response"]["body"]["error"]["code"]),
        (&json!(404), &json!(-32601))
    );
    assert!(answer.to_string().contains("unknown_method"), "{answer}");
}

#[tokio::test]
async fn a_deny_says_what_to_send_back() {
    let (_folder, server) = policy(RULES).await;
    let metadata = "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\"";
    for (tool, claims, status, number, challenge) in [
        ("other", alice(), 403, -32001, None),
        ("other", None, 401, -32001, Some(format!("Bearer {metadata}"))),
        (
            "scoped",
            alice(),
            403,
            -32001,
            Some(format!("Bearer error=\"insufficient_scope\", scope=\"a b\", {metadata}")),
        ),
        ("forged", alice(), 403, -32001, None),
        (
            "step",
            alice(),
            401,
            -32001,
            Some(format!(
                "Bearer error=\"insufficient_user_authentication\", acr_values=\"mfa\", max_age=\"60\", scope=\"a\", {metadata}"
            )),
        ),
        ("broken", alice(), 500, -32603, None),
    ] {
        let answer = check(&server, call(tool), claims).await;
        assert_eq!(answer["decision"], false, "{answer}");
        let response = &answer["response"];
        assert_eq!(response["status"], status, "{answer}");
        assert_eq!(response["headers"].get("WWW-Authenticate").and_then(Json::as_str), challenge.as_deref());
        assert_eq!((&response["body"]["id"], &response["body"]["error"]["code"]), (&json!(7), &json!(number)));
        assert!(!response.to_string().contains("secret"), "{answer}");
    }
    let answer = check(&server, call("other"), alice()).await;
    assert_eq!(answer["response"]["body"]["error"]["message"], "Ask Eve.");
}

#[tokio::test]
async fn a_list_shows_what_the_caller_may_use() {
    let (_folder, server) = policy(RULES).await;
    let read = json!({"name": "read", "annotations": {"readOnlyHint": true}, "z": 1});
    let result = json!({"tools": [{"name": "other"}, read, 7, {"name": ""}, {"name": 1}, {"name": "read\n"}, {"name": "read", "Name": "other"}, {"name": "read"}],
        "nextCursor": "c"});
    let body = json!({"server": SERVER, "claims": alice(), "result": result});
    let answer: Answer = post(&server, FILTER, &body).await;
    assert_eq!(answer.ok(), json!({"result": {"tools": [read, {"name": "read"}], "nextCursor": "c"}}));
    for result in [
        json!({}),
        json!({"tools": [], "Tools": []}),
        json!({"tools": {}}),
        json!([]),
        json!({"tools": vec![json!({"name": "read"}); 1_001]}),
    ] {
        post(&server, FILTER, &json!({"server": SERVER, "claims": alice(), "result": result})).await.refused(400);
    }
}
