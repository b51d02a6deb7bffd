//! Whether a request is a message of the Model Context Protocol, and what a policy sees of it. The message is read by the
//! MCP door's own reader: what that refuses is denied here, whatever the policy says.

use super::{body::Parsed, input::Headers};
use crate::{
    api::{
        json,
        mcp::{self, MIRRORS, code},
        status::FieldViolation,
    },
    decision::Value,
};

const BODY: &str = "attributes.request.http.body";

/// The message, for the policy's `input.mcp`; `None` for what is none.
///
/// # Errors
/// For JSON-RPC that the MCP door would refuse: a batch, a response, what some readers take for another message, headers
/// that do not say what the body says, a method that the mapping does not know; and for a body which can't be held to the
/// headers that are there.
pub(super) fn message(headers: Headers<'_>, body: &[u8], parsed: &Parsed) -> Result<Option<Value>, FieldViolation> {
    if body.is_empty() {
        return Ok(None);
    }
    let says_so = ["mcp-method", "mcp-name"].iter().any(|name| headers.text(name).is_some());
    if parsed.truncated {
        let fault = "is cut off, so that the headers of MCP can't be held to it; let Envoy send more of it";
        return if says_so { Err(FieldViolation::new(BODY, fault)) } else { Ok(None) };
    }
    if !says_so && !is_rpc(&parsed.value) {
        return Ok(None);
    }
    let mut mirrors = mcp::Headers::default();
    for name in MIRRORS {
        if let Some(value) = headers.text(name) {
            mirrors.add(name, value.into_owned());
        }
    }
    mcp::seen(body, &mirrors).map(|message| Some(message.into())).map_err(|(code, fault)| {
        let field = if code == code::HEADER_MISMATCH { "attributes.request.http.headers" } else { BODY };
        let hint =
            if code == code::UNKNOWN_METHOD { "; without MCP behind Envoy, set `envoy.mcp` to false" } else { "" };
        FieldViolation::new(field, format!("can't be those of a message of MCP: {fault}{hint}"))
    })
}

/// Whether a JSON text is a message of JSON-RPC, or a batch with one in it; for some reader, at least.
fn is_rpc(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.get("jsonrpc").is_some() || json::has_lookalike(members, &["jsonrpc"]),
        Value::Array(items) => items.iter().any(|item| matches!(item, Value::Object(_)) && is_rpc(item)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;

    use super::*;

    const CALL: &str = r#"{"id":7,"jsonrpc":"2.0","method":"tools/call","params":{"name":"refund"}}"#;

    fn read(headers: &[(&str, &str)], body: &str) -> Result<Option<String>, FieldViolation> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let http = HttpRequest { headers, ..HttpRequest::default() };
        let value = json::any(body.as_bytes()).unwrap_or_default();
        let parsed = Parsed { value, truncated: false };
        message(Headers::of(&http), body.as_bytes(), &parsed)
            .map(|message| message.map(|message| json::written(&message).to_string()))
    }

    #[test]
    fn a_request_and_a_notification_are_messages() {
        assert_eq!(read(&[], CALL).unwrap().as_deref(), Some(CALL));
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{}}"#;
        assert_eq!(read(&[], notification).unwrap().as_deref(), Some(notification));
        for body in ["", "7", "{}", r#"{"method":"ping"}"#, r#"{"Method":"POST"}"#, r#"[{"method":"ping"}]"#, "[[]]"] {
            assert_eq!(read(&[], body).unwrap(), None, "{body}");
        }
    }

    #[test]
    fn what_another_reader_may_take_for_another_message_is_refused() {
        for body in [
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"[7,{"JsonRpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"1.0","method":"ping"}"#,
            r#"{"jsonrpc":2.0,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/invent"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/list","Method":"tools/call"}"#,
            r#"{"Jsonrpc":"2.0","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read","Name":"delete"}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"pay","argument\u017f":{}}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"pay","arguments":{"to":"a","To":"b"}}}"#,
        ] {
            assert_eq!(read(&[], body).unwrap_err().field, BODY, "{body}");
        }
    }

    #[test]
    fn headers_are_held_to_the_body() {
        let named = [("mcp-method", "tools/call"), ("mcp-name", "refund")];
        assert_eq!(read(&named, CALL).unwrap().as_deref(), Some(CALL));
        for headers in [
            [("mcp-method", "tools/list"), ("mcp-name", "refund")],
            [("mcp-method", "tools/call"), ("mcp-name", "list")],
            [("mcp-method", "tools/call"), ("mcp-protocol-version", "2026-07-28")],
        ] {
            assert_eq!(read(&headers, CALL).unwrap_err().field, "attributes.request.http.headers", "{headers:?}");
        }
        for body in ["7", "{", "{}", "name=refund"] {
            assert!(read(&named, body).is_err(), "{body}");
        }
        let http =
            HttpRequest { headers: [("mcp-name".to_owned(), "refund".to_owned())].into(), ..HttpRequest::default() };
        let cut = Parsed { value: Value::Null, truncated: true };
        assert!(message(Headers::of(&http), b"{", &cut).is_err());
        assert_eq!(message(Headers::of(&HttpRequest::default()), b"{", &cut).unwrap(), None);
    }
}
