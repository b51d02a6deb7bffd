//! Bytes as a message of MCP, as the request that has one, and as a list of tools. The first byte chooses.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{chosen, json, server};

/// A verdict or a refusal, and no allow without the word.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let (path, body) = match choice % 4 {
        0 => ("/mcp/v1/check", rest.to_vec()),
        1 => {
            let message = STANDARD.encode(rest);
            (
                "/mcp/v1/check",
                format!(r#"{{"server": "https://mcp.example", "message_base64": "{message}"}}"#).into_bytes(),
            )
        }
        2 => ("/mcp/v1/filter-tools", rest.to_vec()),
        _ => {
            let body =
                [br#"{"server": "https://mcp.example", "claims": {"sub": "alice"}, "result": "#, rest, b"}"].concat();
            ("/mcp/v1/filter-tools", body)
        }
    };
    let (status, answer) = server::http("POST", path, "application/json", &body);
    if status != 200 {
        return;
    }
    let said = || json::says(&body, server::WORD) || json::says(rest, server::WORD) || within(&body);
    server::hold(json::is_true(&answer, "decision"), said, || String::from_utf8_lossy(&answer).into_owned());
    assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok());
}

/// Whether the message that a body has as a text says the word.
fn within(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
    let text = body["message"].as_str().is_some_and(|text| json::says(text.as_bytes(), server::WORD));
    let encoded = body["message_base64"].as_str().and_then(|text| STANDARD.decode(text).ok());
    text || encoded.is_some_and(|message| json::says(&message, server::WORD))
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let call = |tool: &str| {
        format!(
            r#"{{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {{"name": "{tool}", "arguments": {{"n": [1, "\u00e9"]}}}}}}"#
        )
    };
    let check = format!(
        r#"{{"server": "https://mcp.example", "claims": {{"sub": "alice", "client_id": "app", "act": {{"sub": "bot"}}}}, "message": {}, "headers": {{"Mcp-Method": "tools/call", "Mcp-Name": ["read"]}}, "context": {{"x": 1}}}}"#,
        call("read")
    );
    let tools = r#"{"tools": [{"name": "read", "inputSchema": {"type": "object"}}, {"name": "open sesame", "annotations": {"readOnlyHint": true}}], "nextCursor": "x"}"#;
    vec![
        ("check", chosen(0, check)),
        ("check-token", chosen(0, r#"{"server": "x", "token": "a.b.c", "proof": {"jkt": "k"}, "message": "{}"}"#)),
        ("call", chosen(1, call("read"))),
        ("call-allow", chosen(1, call("open sesame"))),
        ("initialize", chosen(1, r#"{"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": {"_meta": {}}}"#)),
        (
            "resource",
            chosen(1, r#"{"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "x://1"}}"#),
        ),
        (
            "notification",
            chosen(1, r#"{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}"#),
        ),
        ("answer", chosen(1, r#"{"jsonrpc": "2.0", "id": 1, "result": {}}"#)),
        ("batch", chosen(1, "[{}, {}]")),
        ("filter", chosen(2, format!(r#"{{"server": "https://mcp.example", "result": {tools}}}"#))),
        ("tools", chosen(3, tools)),
    ]
}
