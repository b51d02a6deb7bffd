//! What a scalar of YAML is, as OPA's reader (go-yaml, version 2) resolves it.

use super::{
    Unreadable,
    doubt::{Facts, asks_in_flow},
};

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
    /// `<<`, which merges as a key, and is a text elsewhere.
    Merge,
}

impl Scalar {
    /// What it is called as a member of an object.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Null | Self::UInt(_) => None,
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Int(number) => Some(number.to_string()),
            Self::Float(number) => Some(short(*number)),
            Self::Text(text) => Some(text.clone()),
            Self::Merge => Some("<<".to_owned()),
        }
    }
}

/// The scalar of `length` bytes at `start` of a text, by what stands around it.
pub(super) fn read(text: &str, facts: Facts, start: usize, length: usize) -> Result<Scalar, Unreadable> {
    let lost = || Unreadable::unsure("a scalar has no place");
    let found = text.get(start..start.saturating_add(length)).ok_or_else(lost)?;
    let before = text.get(..start).ok_or_else(lost)?;
    let after = text.as_bytes().get(start + length);
    // A plain scalar would go on over a quote.
    let quote = after.copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let before = match quote {
        Some(quote) => match before.strip_suffix(char::from(quote)) {
            Some(before) => before,
            None => return written_otherwise(facts, found, true),
        },
        None => before,
    };
    if quote.is_none() && asks_in_flow(before, found, text.get(start + length..).unwrap_or_default()) {
        return Err(Unreadable::unsure(format!("`?` in `{found}`, without quotes")));
    }
    let Some((tag, apart)) = tag(before, facts) else {
        return Ok(if quote.is_some() { Scalar::Text(found.to_owned()) } else { plain(found) });
    };
    let is_text = matches!(plain(found), Scalar::Text(_));
    // A tag on a line before may be that of a collection.
    if (apart || tag.ends_with('>') || tag == UNKNOWN) && !is_text {
        return Err(Unreadable::unsure(format!("whether the tag `{tag}` is that of `{found}`")));
    }
    if apart && matches!(tag, "!!bool" | "!!int" | "!!float" | "!!null") {
        return Err(Unreadable::unsure(format!("whether the tag `{tag}` is that of `{found}`")));
    }
    tagged(tag, found)
}

/// A scalar with escapes, or of several lines; `is_text` is what YAML 1.2 says of it.
pub(super) fn written_otherwise(facts: Facts, found: &str, is_text: bool) -> Result<Scalar, Unreadable> {
    if facts.has_escaped_slash && found.contains('/') {
        return Err(Unreadable::unsure("`\\/`, which is no escape in YAML 1.1; write `/`"));
    }
    if !is_text || facts.has_converting_tag {
        return Err(Unreadable::unsure("a tag beside a text with escapes, or of several lines"));
    }
    Ok(Scalar::Text(found.to_owned()))
}

/// A tag that may be there, behind what may be a comment.
const UNKNOWN: &str = "!, if it is one";

/// The tag before a scalar, and whether a line ends between them.
fn tag(before: &str, facts: Facts) -> Option<(&str, bool)> {
    let (mut rest, mut apart) = (before, false);
    loop {
        let trimmed = rest.trim_end();
        if rest.get(trimmed.len()..)?.contains(['\n', '\r']) {
            apart = true;
            let line = trimmed.rsplit(['\n', '\r']).next().unwrap_or_default();
            let comment = line.char_indices().find(|(at, letter)| {
                *letter == '#'
                    && line.get(..*at).is_none_or(|before| before.is_empty() || before.ends_with([' ', '\t']))
            });
            if comment.is_some() && line.contains('!') && line.contains(['"', '\'']) {
                return Some((UNKNOWN, true));
            }
            if let Some((at, _)) = comment {
                // The line end stays, so that a comment before this one is seen.
                rest = trimmed.get(..trimmed.len() - line.len() + at)?;
                continue;
            }
        }
        let token =
            trimmed.rsplit(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '[' | '{')).next()?;
        if token.starts_with('!') || (token.ends_with('>') && facts.has_verbatim_tag) {
            return Some((token, apart));
        }
        if !token.starts_with('&') {
            return None;
        }
        rest = trimmed.get(..trimmed.len() - token.len())?;
    }
}

fn tagged(tag: &str, found: &str) -> Result<Scalar, Unreadable> {
    let read = plain(found);
    Ok(match (tag, read) {
        ("!!binary" | "!!timestamp", _) => return Err(Unreadable::unsure(format!("the tag `{tag}`"))),
        ("!!bool", read @ Scalar::Bool(_))
        | ("!!int", read @ (Scalar::Int(_) | Scalar::UInt(_)))
        | ("!!float", read @ Scalar::Float(_))
        | ("!!null", read @ Scalar::Null)
        | ("!!merge", read @ Scalar::Merge) => read,
        #[expect(clippy::cast_precision_loss, reason = "OPA's float has as few bits")]
        ("!!float", Scalar::Int(number)) => Scalar::Float(number as f64),
        ("!!bool" | "!!int" | "!!float" | "!!null", _) => {
            return Err(Unreadable::invalid(format!("cannot decode `{found}` as a {tag}")));
        }
        _ => Scalar::Text(found.to_owned()),
    })
}

/// What stands there without quotes and tag.
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
        "<<" => return Scalar::Merge,
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
