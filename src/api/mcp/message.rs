//! One JSON-RPC message: a request or a notification, as the revision 2026-07-28 of MCP lets clients send them.

use super::code;
use crate::{
    api::json,
    decision::{Number, Object, Value},
};

/// A request, or a notification if it has no id.
pub(super) struct Message {
    pub(super) id: Option<Value>,
    pub(super) method: String,
    pub(super) params: Object,
}

/// What is wrong with a message, and the id of the request that it is, if that is known.
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) id: Option<Value>,
}

/// The members of a message (JSON-RPC 2.0 §4, §5).
const MEMBERS: [&str; 6] = ["id", "jsonrpc", "method", "params", "result", "error"];

/// The parameters that say what is asked for.
const PARAMETERS: [&str; 6] = ["name", "uri", "taskId", "arguments", "ref", "_meta"];

impl Message {
    /// Reads the bytes. What another reader might read otherwise is refused: a name that stands twice, were it in other
    /// letters, at any depth; a batch; a message that is both a request and a response.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let fault = |code, message: &str| Fault { code, message: message.to_owned(), id: None };
        let invalid = |message| fault(code::INVALID_MESSAGE, message);
        let value = json::any(bytes).map_err(|error| fault(code::PARSE_ERROR, &format!("the message {error}")))?;
        let twins = json::has_twins(&value);
        let mut members = match value {
            Value::Object(members) => members,
            Value::Array(_) => return Err(invalid("the message is a batch, and MCP has none; send each alone")),
            _ => return Err(invalid("the message is not a JSON object")),
        };
        if json::has_lookalike(&members, &MEMBERS) {
            return Err(invalid("the message has a member that differs from a known one in case only"));
        }
        let id = match members.remove("id") {
            None => None,
            Some(id) if is_id(&id) => Some(id),
            Some(_) => return Err(invalid("the message's `id` is neither a string nor an integer")),
        };
        if members.get("result").is_some() || members.get("error").is_some() {
            return Err(invalid("the message is a response, and clients send none"));
        }
        let invalid = |message| Fault { id: id.clone(), ..invalid(message) };
        if members.get("jsonrpc") != Some(&Value::from("2.0")) {
            return Err(invalid("the message's `jsonrpc` is not \"2.0\""));
        }
        let method = match members.remove("method") {
            Some(Value::String(method)) if is_clean(&method) => method,
            Some(Value::String(_)) => return Err(invalid("the message's `method` is empty or has control characters")),
            _ => return Err(invalid("the message has no `method` that is a string")),
        };
        let params = match members.remove("params") {
            None => Object::new(),
            Some(Value::Object(params)) => params,
            Some(_) => {
                let message = "the message's `params` is not an object".to_owned();
                return Err(Fault { code: code::INVALID_PARAMS, message, id });
            }
        };
        let reference = match params.get("ref") {
            Some(Value::Object(reference)) => Some(reference),
            _ => None,
        };
        if json::has_lookalike(&params, &PARAMETERS)
            || reference.is_some_and(|reference| json::has_lookalike(reference, &["type", "name", "uri"]))
        {
            let message = "the message has a parameter that differs from a known one in case only".to_owned();
            return Err(Fault { code: code::INVALID_PARAMS, message, id });
        }
        if twins {
            let message = "the message has two names in one object that differ in case only".to_owned();
            return Err(Fault { code: code::INVALID_PARAMS, message, id });
        }
        Ok(Self { id, method, params })
    }

    /// The members, as a policy sees them.
    pub(super) fn into_object(self) -> Object {
        let Self { id, method, params } = self;
        let id = id.map(|id| ("id", id));
        let members = [("jsonrpc", "2.0".into()), ("method", Value::String(method)), ("params", params.into())];
        id.into_iter().chain(members).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// A parameter that is a string which names something.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.params.get(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }
}

/// Whether it names something, in characters that are seen.
pub(super) fn is_clean(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::String(_) | Value::Number(Number::Int(_) | Number::UInt(_)) => true,
        Value::Number(Number::Decimal(digits)) => {
            digits.strip_prefix('-').unwrap_or(digits).bytes().all(|digit| digit.is_ascii_digit())
        }
        _ => false,
    }
}
