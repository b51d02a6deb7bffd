//! Values that are the same have one form.

use serde_json::Value;

/// Numbers in one form, as `1.0` and `1e0` are `1`.
pub(crate) fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(format!("number {}", decimal(&number.to_string()))),
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(members) => members.iter().map(|(name, item)| (key(name), canonical(item))).collect(),
        other => other.clone(),
    }
}

/// Keys that are no strings are printed as JSON, with numbers as they were written.
fn key(name: &str) -> String {
    serde_json::from_str::<Value>(name).map_or_else(|_| name.to_owned(), |value| canonical(&value).to_string())
}

/// A number's significant digits and its exponent: equal for equal numbers.
pub(crate) fn decimal(text: &str) -> String {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let zeros = all.len() - all.trim_end_matches('0').len();
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX);
    let exponent =
        exponent.saturating_add(i64::try_from(zeros).unwrap_or(0)) - i64::try_from(fraction.len()).unwrap_or(0);
    format!("{sign}{significant}e{exponent}")
}
