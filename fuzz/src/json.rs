//! What a text of JSON says, read by somebody else than Verdict.

use serde_json::Value;

/// Whether some string in it, a name apart, is `word`. What is no JSON says nothing.
pub(super) fn says(text: &[u8], word: &str) -> bool {
    fn has(value: &Value, word: &str) -> bool {
        match value {
            Value::String(text) => text == word,
            Value::Array(items) => items.iter().any(|item| has(item, word)),
            Value::Object(members) => members.values().any(|member| has(member, word)),
            _ => false,
        }
    }
    serde_json::from_slice(text).is_ok_and(|value| has(&value, word))
}

/// Whether a member of this name is `true` anywhere in it.
pub(super) fn is_true(text: &[u8], name: &str) -> bool {
    fn has(value: &Value, name: &str) -> bool {
        match value {
            Value::Array(items) => items.iter().any(|item| has(item, name)),
            Value::Object(members) => {
                members.get(name) == Some(&Value::Bool(true)) || members.values().any(|member| has(member, name))
            }
            _ => false,
        }
    }
    serde_json::from_slice(text).is_ok_and(|value| has(&value, name))
}
