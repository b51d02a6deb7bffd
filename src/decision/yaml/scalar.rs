//! What a scalar of YAML is, as OPA's reader (go-yaml, version 2) resolves it.

use super::{Unreadable, doubt::merges_here, node::Raw};

/// A scalar by its type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond `i64`.
    UInt(u64),
    Float(f64),
    Text(String),
    /// `<<` as a key that merges, and whether a list stands behind it.
    Merge {
        list: bool,
    },
}

impl Scalar {
    /// What it is called as a member of an object.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Null | Self::UInt(_) | Self::Merge { .. } => None,
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Int(number) => Some(number.to_string()),
            Self::Float(number) => Some(short(*number)),
            Self::Text(text) => Some(text.clone()),
        }
    }
}

/// What a scalar is, by what stands around it in the text.
pub(super) fn read(text: &str, raw: &Raw<'_>, is_key: bool) -> Result<Scalar, Unreadable> {
    let lost = || Unreadable::unsure("a scalar has no place");
    let Some(start) = raw.start else {
        // It has escapes, or is of several lines.
        return if raw.is_text { Ok(Scalar::Text(raw.text.to_string())) } else { Err(lost()) };
    };
    let (before, rest) = text.split_at_checked(start).ok_or_else(lost)?;
    let after = rest.strip_prefix(&*raw.text).ok_or_else(lost)?;
    // A plain scalar would go on over a quote.
    if raw.is_text && after.starts_with(['"', '\'']) {
        return Ok(Scalar::Text(raw.text.to_string()));
    }
    match plain(&raw.text) {
        Scalar::Merge { .. } if !is_key => Ok(Scalar::Text(raw.text.to_string())),
        Scalar::Merge { .. } if !merges_here(before, after) => {
            Err(Unreadable::unsure("a key `<<` by an alias, or with an anchor; as a text, write it with quotes"))
        }
        Scalar::Merge { .. } => {
            let value = after.trim_start_matches([' ', '\t', ':']);
            Ok(Scalar::Merge { list: value.starts_with('[') })
        }
        read => Ok(read),
    }
}

/// What stands there without quotes.
fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        "<<" => return Scalar::Merge { list: false },
        _ => {}
    }
    let number = match text.bytes().next() {
        Some(b'.') => float(&without_separators(text)),
        Some(b'0'..=b'9' | b'+' | b'-') => {
            let digits = text.replace('_', "");
            integer(&digits).or_else(|| float(&digits)).or_else(|| binary(&digits))
        }
        _ => None,
    };
    number.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

/// An integer as Go writes them: `0x1F`, `0b1`, `0o17`, `017`.
fn integer(text: &str) -> Option<Scalar> {
    let (sign, unsigned) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.get(..1), rest),
        None => (None, text),
    };
    let after = |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| unsigned.strip_prefix(prefix));
    let (digits, radix) = if let Some(digits) = after(["0x", "0X"]) {
        (digits, 16)
    } else if let Some(digits) = after(["0b", "0B"]) {
        (digits, 2)
    } else if let Some(digits) = after(["0o", "0O"]) {
        (digits, 8)
    } else if unsigned.len() > 1 && unsigned.starts_with('0') {
        (unsigned, 8)
    } else {
        (unsigned, 10)
    };
    let size = whole(digits, radix)?;
    let signed = if sign == Some("-") { -size } else { size };
    match (i64::try_from(signed), u64::try_from(size)) {
        (Ok(number), _) => Some(Scalar::Int(number)),
        (_, Ok(number)) if sign.is_none() => Some(Scalar::UInt(number)),
        _ => None,
    }
}

/// Go-yaml takes a sign after `0b`.
fn binary(text: &str) -> Option<Scalar> {
    let digits = text.strip_prefix("0b")?;
    let (negative, size) = match digits.strip_prefix('-') {
        Some(digits) => (true, whole(digits, 2)?),
        None => (false, whole(digits.strip_prefix('+')?, 2)?),
    };
    i64::try_from(if negative { -size } else { size }).ok().map(Scalar::Int)
}

fn whole(digits: &str, radix: u32) -> Option<i128> {
    let digits = digits.chars().all(|digit| digit.is_digit(radix)).then_some(digits)?;
    i128::from_str_radix(digits, radix).ok()
}

fn float(text: &str) -> Option<Scalar> {
    let digit = |letter: char| letter.is_ascii_digit();
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !before.is_empty() || !after.is_empty();
    if !some || exponent.is_empty() || ![before, after, exponent].iter().all(|part| part.chars().all(digit)) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Scalar::Float)
}

/// A decimal without the `_` that stand between digits, as Go takes them there.
fn without_separators(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let kept = |(at, letter): (usize, char)| {
        (letter != '_' || !digit(at.checked_sub(1)) || !digit(at.checked_add(1))).then_some(letter)
    };
    text.char_indices().filter_map(kept).collect()
}

/// A number as a name: Go's `%g` of 32 bits.
fn short(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "as OPA has it")]
    let number = number as f32;
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number == 0.0 || (-4..6).contains(&exponent) {
        return number.to_string();
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}
