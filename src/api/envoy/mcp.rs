//! Whether a request's body is a message of the Model Context Protocol: JSON-RPC 2.0 in JSON, one request or notification.

use super::input::Headers;
use crate::{
    api::json,
    decision::{Object, Value},
};

/// The members of a message that a policy sees.
const MEMBERS: [&str; 4] = ["id", "jsonrpc", "method", "params"];

/// The message, for the policy's `input.mcp`; `None` for what is none, such as a batch or a response.
pub(super) fn message(headers: Headers<'_>, body: &[u8]) -> Option<Value> {
    let is_json = headers.text("content-type")?.to_ascii_lowercase().contains("application/json");
    let Value::Object(mut message) = is_json.then(|| json::any(body).ok()).flatten()? else { return None };
    let version = message.get("jsonrpc")?;
    if *version != Value::from("2.0") || !matches!(message.get("method"), Some(Value::String(_))) {
        return None;
    }
    let members = MEMBERS.iter().filter_map(|name| Some(((*name).to_owned(), message.remove(name)?)));
    Some(Value::Object(members.collect::<Object>()))
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;

    use super::*;

    fn read(kind: &str, body: &str) -> Option<String> {
        let http =
            HttpRequest { headers: [("content-type".to_owned(), kind.to_owned())].into(), ..HttpRequest::default() };
        message(Headers::of(&http), body.as_bytes()).map(|message| json::written(&message).to_string())
    }

    #[test]
    fn a_request_and_a_notification_are_messages_and_nothing_else_is() {
        let call = r#"{"id":7,"jsonrpc":"2.0","method":"tools/call","params":{"name":"refund"}}"#;
        assert_eq!(read("application/json; charset=utf-8", call).as_deref(), Some(call));
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(read("application/json", notification).as_deref(), Some(notification));
        for body in [
            "",
            "{",
            "7",
            r#"[{"jsonrpc":"2.0","method":"ping"}]"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"1.0","method":"ping"}"#,
            r#"{"jsonrpc":2.0,"method":"ping"}"#,
            r#"{"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":1}"#,
            r#"{"jsonrpc":"2.0","method":"ping","method":"pong"}"#,
        ] {
            assert_eq!(read("application/json", body), None, "{body}");
        }
        assert_eq!(read("text/plain", call), None);
    }
}
