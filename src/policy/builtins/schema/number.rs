//! Numbers of schemas, exactly, and how Go writes them.

use bigdecimal::{BigDecimal, Signed as _};
use serde_json::Value as Json;

use super::super::Failure;

/// The exact value of a number; `None` for what is none.
pub(super) fn exact(value: &Json) -> Option<BigDecimal> {
    match value {
        Json::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// As Go's `%v` writes it: with an exponent from a million on.
pub(super) fn shown(number: &BigDecimal) -> String {
    let (digits, scale) = number.normalized().into_bigint_and_exponent();
    let sign = if digits.is_negative() { "-" } else { "" };
    let digits = digits.abs().to_string();
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let exponent = length - 1 - scale;
    if digits == "0" {
        return digits;
    }
    if !(-4..6).contains(&exponent) {
        let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
        let point = if rest.is_empty() { "" } else { "." };
        let minus = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}{point}{rest}e{minus}{:02}", exponent.unsigned_abs());
    }
    format!("{sign}{}", BigDecimal::new(digits.parse().unwrap_or_default(), scale).to_plain_string())
}

/// A value as Go's JSON writes it once its numbers are doubles: values are equal if these texts are.
pub(super) fn plain(value: &Json) -> Result<String, Failure> {
    let mut text = String::new();
    write(value, &mut text)?;
    Ok(text)
}

fn write(value: &Json, text: &mut String) -> Result<(), Failure> {
    match value {
        Json::Number(number) => match number.to_string().parse::<f64>() {
            Ok(double) if double.is_finite() => text.push_str(&double_text(double)),
            _ => return Err(Failure::Spent("a number is too large to be compared with a schema's".to_owned())),
        },
        Json::Array(items) => {
            text.push('[');
            for (number, item) in items.iter().enumerate() {
                text.push_str(if number > 0 { "," } else { "" });
                write(item, text)?;
            }
            text.push(']');
        }
        Json::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (number, (name, item)) in sorted.into_iter().enumerate() {
                text.push_str(if number > 0 { "," } else { "" });
                text.push_str(&super::super::json::safe_for_html(&Json::from(name.as_str()).to_string()));
                text.push(':');
                write(item, text)?;
            }
            text.push('}');
        }
        scalar => text.push_str(&super::super::json::safe_for_html(&scalar.to_string())),
    }
    Ok(())
}

fn double_text(double: f64) -> String {
    let size = double.abs();
    if double == 0.0 || (1e-6..1e21).contains(&size) {
        return double.to_string();
    }
    let text = format!("{double:e}");
    if size < 1.0 { text } else { text.replace('e', "e+") }
}
