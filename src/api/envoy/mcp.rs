//! Whether a request's body is a message of the Model Context Protocol: JSON-RPC 2.0 in JSON, one request or notification.

use super::input::Headers;
use crate::{
    api::{
        json,
        mcp::message::{MEMBERS, PARAMETERS},
        status::FieldViolation,
    },
    decision::{Object, Value},
};

/// The members of a message that a policy sees.
const SEEN: [&str; 4] = ["id", "jsonrpc", "method", "params"];

/// The message, for the policy's `input.mcp`; `None` for what is none, such as a batch or a response.
///
/// # Errors
/// For a message that some readers take for another, because of members that differ from the known ones in case only.
pub(super) fn message(headers: Headers<'_>, body: &[u8]) -> Result<Option<Value>, FieldViolation> {
    let is_json =
        headers.text("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("application/json"));
    let Some(Value::Object(message)) = is_json.then(|| json::any(body).ok()).flatten() else { return Ok(None) };
    let versioned = message.get("jsonrpc").is_some() || json::has_lookalike(&message, &["jsonrpc"]);
    let parameters = match message.get("params") {
        Some(Value::Object(parameters)) => Some(parameters),
        _ => None,
    };
    if versioned
        && (json::has_lookalike(&message, &MEMBERS)
            || parameters.is_some_and(|parameters| json::has_lookalike(parameters, &PARAMETERS)))
    {
        let fault = "is a message of JSON-RPC with a member that differs from a known one in case only";
        return Err(FieldViolation::new("attributes.request.http.body", fault));
    }
    Ok(read(message))
}

fn read(mut message: Object) -> Option<Value> {
    let version = message.get("jsonrpc")?;
    if *version != Value::from("2.0") || !matches!(message.get("method"), Some(Value::String(_))) {
        return None;
    }
    let members = SEEN.iter().filter_map(|name| Some(((*name).to_owned(), message.remove(name)?)));
    Some(Value::Object(members.collect::<Object>()))
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;

    use super::*;

    fn read(kind: &str, body: &str) -> Option<String> {
        let http =
            HttpRequest { headers: [("content-type".to_owned(), kind.to_owned())].into(), ..HttpRequest::default() };
        message(Headers::of(&http), body.as_bytes()).unwrap().map(|message| json::written(&message).to_string())
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
        assert_eq!(read("application/json", r#"{"Method":"POST"}"#), None);
    }

    #[test]
    fn what_another_reader_takes_for_another_message_is_refused() {
        let headers = [("content-type".to_owned(), "application/json".to_owned())].into();
        let http = HttpRequest { headers, ..HttpRequest::default() };
        for body in [
            r#"{"jsonrpc":"2.0","method":"tools/list","Method":"tools/call"}"#,
            r#"{"Jsonrpc":"2.0","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read","Name":"delete"}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"pay","argument\u017f":{}}}"#,
        ] {
            assert!(message(Headers::of(&http), body.as_bytes()).is_err(), "{body}");
        }
    }
}
