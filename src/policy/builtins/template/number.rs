//! Numbers and characters as a template writes them, by Go's rules for constants.

use super::{Fault, lexer::unquoted, value::Value};

/// The value of a literal. Imaginary numbers are not known.
pub(super) fn literal(text: &str) -> Result<Value, Fault> {
    let illegal = || Fault::Failed(format!("illegal number syntax: {text}"));
    if let Some(inner) = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        let bytes = unquoted(inner, '\'')?;
        // An escape can be a byte that is no character; its number is what counts.
        let code = match (std::str::from_utf8(&bytes), bytes.as_slice()) {
            (Ok(text), _) if text.chars().count() == 1 => text.chars().next().map(u32::from),
            (Err(_), [byte]) => Some(u32::from(*byte)),
            _ => None,
        };
        return code.map(|code| Value::Int(i64::from(code))).ok_or_else(illegal);
    }
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, body) = match (lower.get(..2), lower.get(2..)) {
        (Some("0x"), Some(body)) => (16, body),
        (Some("0o"), Some(body)) => (8, body),
        (Some("0b"), Some(body)) => (2, body),
        _ if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|byte| byte.is_ascii_digit()) => {
            (8, lower.get(1..).unwrap_or_default())
        }
        _ => (10, lower.as_str()),
    };
    if let Ok(number) = i128::from_str_radix(body, radix) {
        let number = if negative { -number } else { number };
        return i64::try_from(number).map(Value::Int).map_err(|_| Fault::Failed("integer overflow".to_owned()));
    }
    if radix == 16 && body.contains('p') {
        return hexadecimal(body, negative).map(Value::Float).ok_or_else(illegal);
    }
    if radix != 10 || !lower.contains(['.', 'e']) || text.starts_with('+') && digits.starts_with(['+', '-']) {
        return Err(illegal());
    }
    let float: f64 = lower.parse().map_err(|_| illegal())?;
    if !float.is_finite() {
        return Err(illegal());
    }
    Ok(Value::Float(if negative { -float } else { float }))
}

/// `1.8p3`, what follows `0x`.
fn hexadecimal(body: &str, negative: bool) -> Option<f64> {
    let (mantissa, exponent) = body.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 13 {
        return None;
    }
    // At most 52 bits, which a double holds.
    #[expect(clippy::cast_precision_loss, reason = "13 digits are 52 bits")]
    let number = u64::from_str_radix(&digits, 16).ok()? as f64;
    let exponent: i32 = exponent.parse().ok()?;
    let shift = exponent.checked_sub(i32::try_from(4 * fraction.len()).ok()?)?;
    let value = number * 2_f64.powi(shift);
    (value.is_finite()).then_some(if negative { -value } else { value })
}
