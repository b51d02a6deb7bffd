//! Every row of the table "Bad input" in `docs/mcp.md`, over HTTP and gRPC, against a policy that allows everything.

use serde_json::{Value as Json, json};

use crate::{
    check::{CHECK, SERVER},
    client::{policy, post, post_bytes},
    over_grpc::agrees,
    support::Server,
};

const ECHO: &str = "package p\n\ndecision := {\"allow\": true, \"context\": {\"input\": input}}\n";

async fn check(server: &Server, message: &str, headers: Option<Json>) -> Json {
    let mut body = json!({"server": SERVER, "claims": {"sub": "a"}, "message": message});
    if let Some(headers) = headers {
        body["headers"] = headers;
    }
    let answer = post(server, CHECK, &body).await.ok();
    agrees(server, &body, &answer).await;
    answer
}

#[track_caller]
fn refused(answer: &Json, code: &str, number: i64) {
    assert_eq!(answer["decision"], false, "{answer}");
    assert!(answer["context"]["reason_admin"].get(code).is_some(), "{code}: {answer}");
    assert_eq!(answer["response"]["status"], 400, "{answer}");
    if let Some(body) = answer["response"].get("body") {
        assert_eq!(body["error"]["code"], number, "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let (_folder, server) = policy(ECHO).await;
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"a","arguments":{{"a":{}{}}}}}}}"#,
        "[".repeat(70),
        "]".repeat(70)
    );
    for (message, code, number) in [
        ("", "parse_error", -32700),
        ("{", "parse_error", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#, "parse_error", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#, "parse_error", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"n":1e999999}}"#, "parse_error", -32700),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, "invalid_message", -32600),
        ("[]", "invalid_message", -32600),
        ("7", "invalid_message", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "invalid_message", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, "invalid_message", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "invalid_message", -32600),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, "invalid_message", -32600),
        (r#"{"id":1,"method":"ping"}"#, "invalid_message", -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "invalid_message", -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "invalid_message", -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, "invalid_message", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, "invalid_message", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":""}"#, "invalid_message", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, "invalid_params", -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, "invalid_params", -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":""}}"#, "invalid_params", -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}"#, "invalid_params", -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\u0000"}}"#, "invalid_params", -32602),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
            "invalid_params",
            -32602,
        ),
        (r#"{"jsonrpc":"2.0","method":"tools/call","params":{}}"#, "invalid_params", -32602),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"path":"/a","Path":"/b"}}}"#,
            "invalid_params",
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"l":[{"k":1,"\u212a":2}]}}}"#,
            "invalid_params",
            -32602,
        ),
        (&deep, "invalid_params", -32602),
    ] {
        refused(&check(&server, message, None).await, code, number);
    }
    let bytes = json!({"server": SERVER, "claims": {"sub": "a"}, "message_base64": "eyJhIjoi/yJ9"});
    refused(&post(&server, CHECK, &bytes).await.ok(), "parse_error", -32700);
    let silent = check(&server, r#"{"jsonrpc":"2.0","method":"tools/call","params":{}}"#, None).await;
    assert!(silent["response"].get("body").is_none(), "{silent}");
}

#[tokio::test]
async fn ids_numbers_and_names_stay_exact() {
    let (_folder, server) = policy(ECHO).await;
    let message = r#"{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"tools/call","params":{}}"#;
    let answer = check(&server, message, None).await.to_string();
    assert!(answer.contains(r#""id":123456789012345678901234567890"#), "{answer}");
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rеad","arguments":{"n":18446744073709551616}}}"#;
    let answer = check(&server, message, None).await;
    assert_eq!(answer["context"]["input"]["resource"]["id"], "r\u{435}ad");
    assert!(answer.to_string().contains(r#""n":18446744073709551616"#), "{answer}");
}

#[tokio::test]
async fn headers_must_say_what_the_body_says() {
    let (_folder, server) = policy(ECHO).await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#;
    let new = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"é","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    let (version, named) = ("2026-07-28", "=?base64?w6k=?=");
    for (message, headers) in [
        (call, json!({})),
        (call, json!({"mcp-method": "tools/call", "MCP-NAME": ["a"], "Mcp-Protocol-Version": "2025-11-25", "x": "y"})),
        (call, json!({"Mcp-Name": "=?base64?YQ==?="})),
        (new, json!({"Mcp-Method": "tools/call", "Mcp-Name": named, "MCP-Protocol-Version": version})),
    ] {
        let answer = check(&server, message, Some(headers.clone())).await;
        assert_eq!(answer["decision"], true, "{headers}: {answer}");
    }
    for (message, headers) in [
        (call, json!({"Mcp-Method": "tools/list"})),
        (call, json!({"Mcp-Method": "Tools/call"})),
        (call, json!({"Mcp-Method": ["tools/call", "tools/call"]})),
        (call, json!({"Mcp-Method": "tools/call", "mcp-method": "tools/call"})),
        (call, json!({"Mcp-Name": "b"})),
        (call, json!({"Mcp-Name": ""})),
        (call, json!({"Mcp-Name": "=?base64?YQ?="})),
        (call, json!({"Mcp-Name": "=?base64?/w==?="})),
        (call, json!({"Mcp-Name": "a\u{0}"})),
        (call, json!({"MCP-Protocol-Version": version})),
        (new, json!({})),
        (new, json!({"MCP-Protocol-Version": version, "Mcp-Method": "tools/call"})),
        (new, json!({"MCP-Protocol-Version": version, "Mcp-Name": named})),
        (new, json!({"MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": "é"})),
        (new, json!({"MCP-Protocol-Version": "2025-11-25", "Mcp-Method": "tools/call", "Mcp-Name": named})),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, json!({"Mcp-Name": "a"})),
    ] {
        refused(&check(&server, message, Some(headers)).await, "header_mismatch", -32020);
    }
}

#[tokio::test]
async fn what_is_no_request_of_the_door_is_an_error() {
    let (_folder, server) = policy(ECHO).await;
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for (change, value) in [
        ("server", json!(null)),
        ("server", json!("a b")),
        ("server", json!("a\"b")),
        ("claims", json!({})),
        ("claims", json!({"sub": 7})),
        ("claims", json!({"sub": "", "client_id": "a"})),
        ("claims", json!({"sub": "a", "act": "b"})),
        ("claims", json!("a")),
        ("token", json!(["eyJ-secret"])),
        ("context", json!({"arguments": {}})),
        ("context", json!({"listing": true})),
        ("headers", json!([])),
        ("headers", json!({"Mcp-Name": 1})),
        ("resource_metadata", json!("https://a\r\nX: y")),
        ("message_base64", json!("e30=")),
    ] {
        let mut body = json!({"server": SERVER, "claims": {"sub": "a"}, "message": message});
        body[change] = value;
        let answer = post(&server, CHECK, &body).await;
        assert!(!answer.refused(400).contains("secret"), "{answer:?}");
    }
    post(&server, CHECK, &json!({"server": SERVER})).await.refused(400);
    for body in [&b""[..], b"[]", b"{", b"{\"server\":\"a\",\"server\":\"b\"}", b"\xff"] {
        post_bytes(&server, CHECK, body).await.refused(400);
    }
    let large = format!(r#"{{"server":"{SERVER}","message":"{}"}}"#, "a".repeat(10 << 20));
    post_bytes(&server, CHECK, large.as_bytes()).await.refused(413);
}
