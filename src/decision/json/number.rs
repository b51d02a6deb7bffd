//! The text of a JSON number to a number that equals it, or a refusal: never a number near it.

use super::Number;

/// The most characters of a number; reading one costs the square of its length.
const MAX_LENGTH: usize = 400;

/// The greatest exponent: written out, such a number must stay within [`MAX_LENGTH`].
const MAX_EXPONENT: i32 = 400;

/// A decimal number as its digits, without zeros at either end, times a power of ten.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i32,
}

/// Reads `text`, which is a number in JSON's grammar.
pub(super) fn parse(text: &str) -> Result<Number, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("a number has more than {MAX_LENGTH} characters; send it as a string"));
    }
    if let Ok(number) = text.parse() {
        // `-0` is an integer here, as in Rego.
        return Ok(Number::Int(number));
    }
    if let Ok(number) = text.parse() {
        return Ok(Number::UInt(number));
    }
    let exact = decimal(text).ok_or_else(|| format!("`{text}` is no number"))?;
    if exact.exponent.abs() > MAX_EXPONENT {
        return Err(format!("the number `{text}` is out of range; send it as a string"));
    }
    if exact.exponent >= 0 {
        let integer = format!(
            "{}{}{}",
            if exact.negative { "-" } else { "" },
            exact.digits,
            "0".repeat(usize::try_from(exact.exponent).unwrap_or(0))
        );
        return Ok(integer
            .parse()
            .map(Number::Int)
            .or_else(|_| integer.parse().map(Number::UInt))
            .unwrap_or_else(|_| Number::Decimal(integer.into())));
    }
    let nearest: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if decimal(&format!("{nearest:e}")).as_ref() == Some(&exact)
        && let Some(number) = Number::from_f64(nearest)
    {
        return Ok(number);
    }
    Err(format!("the number `{text}` has more digits than policies can hold; send it as a string"))
}

fn decimal(text: &str) -> Option<Decimal> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    if significant.is_empty() {
        return Some(Decimal { negative: false, digits: "0".to_owned(), exponent: 0 });
    }
    exponent = exponent.checked_add(i32::try_from(trailing).ok()?)?;
    Some(Decimal { negative, digits: significant.to_owned(), exponent })
}
