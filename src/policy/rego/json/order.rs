//! The order of terms, in which OPA writes sets and objects.

use std::cmp::Ordering;

use serde_json::Value;

/// A set's terms, each once.
pub(super) fn set(mut terms: Vec<Value>) -> Vec<Value> {
    terms.sort_by(compare);
    terms.dedup_by(|one, other| compare(one, other).is_eq());
    terms
}

/// An object's pairs, as OPA's parser keeps them: all, also of one key.
pub(super) fn object(mut pairs: Vec<(Value, Value)>) -> Vec<Value> {
    pairs.sort_by(|(one, _), (other, _)| compare(one, other));
    pairs.into_iter().map(|(key, value)| Value::Array(vec![key, value])).collect()
}

fn compare(one: &Value, other: &Value) -> Ordering {
    let kind = |term: &Value| term.get("type").and_then(Value::as_str).map_or(u8::MAX, rank);
    let ranks = kind(one).cmp(&kind(other));
    let (Some(left), Some(right)) = (one.get("value"), other.get("value")) else { return ranks };
    ranks.then_with(|| match (left, right) {
        (Value::Number(left), Value::Number(right)) => numbers(left, right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => lists(left, right),
        // Comprehensions and templates: any order that is the same each time.
        _ => left.to_string().cmp(&right.to_string()),
    })
}

/// Terms, or pairs of them, one after the other.
fn lists(left: &[Value], right: &[Value]) -> Ordering {
    let differing = left.iter().zip(right).map(|(one, other)| match (one, other) {
        (Value::Array(one), Value::Array(other)) => lists(one, other),
        _ => compare(one, other),
    });
    differing.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| left.len().cmp(&right.len()))
}

fn numbers(left: &serde_json::Number, right: &serde_json::Number) -> Ordering {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal),
    }
}

fn rank(kind: &str) -> u8 {
    const KINDS: [&str; 14] = [
        "null",
        "boolean",
        "number",
        "string",
        "templatestring",
        "var",
        "ref",
        "array",
        "object",
        "set",
        "arraycomprehension",
        "objectcomprehension",
        "setcomprehension",
        "call",
    ];
    KINDS.iter().position(|known| *known == kind).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}
