//! Numbers by Go's verbs.

use num_bigint::{BigInt, Sign};

use super::{Spec, push_escaped};

/// The most decimals that a double has: 2^-1074 has them all.
const MOST_DECIMALS: usize = 1074;

/// The hexadecimal digits of a double behind its first.
const HEX_DIGITS: usize = 13;

/// A whole number of 64 bits; `None` where there is no such verb for it.
pub(super) fn int(value: i64, verb: char, spec: Spec) -> Option<String> {
    let code = || u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    let digits = match verb {
        'v' | 'd' => value.unsigned_abs().to_string(),
        'b' => format!("{:b}", value.unsigned_abs()),
        'o' | 'O' => format!("{:o}", value.unsigned_abs()),
        'x' => format!("{:x}", value.unsigned_abs()),
        'X' => format!("{:X}", value.unsigned_abs()),
        'c' => return Some(spec.pad(&code().to_string())),
        'q' => {
            let mut quoted = "'".to_owned();
            push_escaped(&mut quoted, code(), '\'', spec.plus);
            return Some(spec.pad(&(quoted + "'")));
        }
        'U' => return Some(unicode(value, spec)),
        _ => return None,
    };
    if spec.precision == Some(0) && value == 0 {
        return Some(spec.pad_with_spaces(""));
    }
    let sign = sign(value < 0, spec);
    let least = match (spec.precision, spec.width) {
        (Some(precision), _) => precision,
        (None, Some(width)) if spec.zero && !spec.minus => width.saturating_sub(sign.len()),
        _ => 0,
    };
    let digits = format!("{}{digits}", "0".repeat(least.saturating_sub(digits.len())));
    let prefix = match verb {
        'O' if spec.sharp && !digits.starts_with('0') => "0o0",
        'O' => "0o",
        'b' if spec.sharp => "0b",
        'o' if spec.sharp && !digits.starts_with('0') => "0",
        'x' if spec.sharp => "0x",
        'X' if spec.sharp => "0X",
        _ => "",
    };
    Some(spec.pad_with_spaces(&format!("{sign}{prefix}{digits}")))
}

fn sign(negative: bool, spec: Spec) -> &'static str {
    if negative {
        "-"
    } else if spec.plus {
        "+"
    } else if spec.space {
        " "
    } else {
        ""
    }
}

fn unicode(value: i64, spec: Spec) -> String {
    let digits = format!("{:X}", value.cast_unsigned());
    let least = spec.precision.unwrap_or(4).max(4);
    let mut text = format!("U+{}{digits}", "0".repeat(least.saturating_sub(digits.len())));
    let character = u32::try_from(value).ok().and_then(char::from_u32);
    if let Some(character) = character.filter(|character| spec.sharp && super::is_printed(*character)) {
        text.extend([" '", &*character.to_string(), "'"]);
    }
    spec.pad_with_spaces(&text)
}

/// A larger whole number.
pub(super) fn big(value: &BigInt, verb: char, spec: Spec) -> String {
    let digits = value.magnitude();
    let (digits, prefix) = match verb {
        'v' | 'd' | 's' => (digits.to_string(), ""),
        'b' => (digits.to_str_radix(2), if spec.sharp { "0b" } else { "" }),
        'o' => (digits.to_str_radix(8), if spec.sharp { "0" } else { "" }),
        'O' => (digits.to_str_radix(8), "0o"),
        'x' => (digits.to_str_radix(16), if spec.sharp { "0x" } else { "" }),
        'X' => (digits.to_str_radix(16).to_uppercase(), if spec.sharp { "0X" } else { "" }),
        _ => return format!("%!{verb}(big.Int={value})"),
    };
    let sign = sign(value.sign() == Sign::Minus, spec);
    let length = sign.len() + prefix.len() + digits.len();
    let zeros = match (spec.precision, spec.width) {
        (Some(precision), _) => precision.saturating_sub(digits.len()),
        (None, Some(width)) if spec.zero && !spec.minus => width.saturating_sub(length),
        _ => 0,
    };
    spec.pad_with_spaces(&format!("{sign}{prefix}{}{digits}", "0".repeat(zeros)))
}

/// A decimal number; `None` where there is no such verb for it.
pub(super) fn float(value: f64, verb: char, spec: Spec) -> Option<String> {
    let size = value.abs();
    let mut digits = match verb {
        'v' | 'g' => general(size, spec.precision),
        'G' => general(size, spec.precision).to_uppercase(),
        'e' => scientific(size, spec.precision),
        'E' => scientific(size, spec.precision).to_uppercase(),
        'f' | 'F' => {
            let (decimals, zeros) = decimals(spec.precision);
            format!("{size:.decimals$}") + &zeros
        }
        'b' => binary(size),
        'x' => hex(size, spec.precision),
        'X' => hex(size, spec.precision).to_uppercase(),
        _ => return None,
    };
    if spec.sharp && verb != 'b' {
        digits = sharpened(&digits, verb, spec.precision);
    }
    let sign = sign(value.is_sign_negative(), spec);
    let missing = spec.width.unwrap_or(0).saturating_sub(sign.len() + digits.len());
    if spec.zero && !spec.minus && !sign.is_empty() {
        return Some(format!("{sign}{}{digits}", "0".repeat(missing)));
    }
    Some(spec.pad(&format!("{sign}{digits}")))
}

/// The decimals that may be other than zero, and zeros for those behind them, of which Rust writes no more than 65,535.
fn decimals(precision: Option<usize>) -> (usize, String) {
    let precision = precision.unwrap_or(6);
    let exact = precision.min(MOST_DECIMALS);
    (exact, "0".repeat(precision - exact))
}

/// Go's `%e`.
fn scientific(value: f64, precision: Option<usize>) -> String {
    let (decimals, zeros) = decimals(precision);
    let written = format!("{value:.decimals$e}");
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    exponential(&format!("{mantissa}{zeros}e{exponent}"))
}

/// Go's `%g`: with an exponent below 1e-4, and from the precision on, or from 1e6.
fn general(value: f64, precision: Option<usize>) -> String {
    let written = match precision {
        Some(precision) => format!("{value:.*e}", (precision.max(1) - 1).min(MOST_DECIMALS)),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let mut digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.truncate(digits.trim_end_matches('0').len().max(1));
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let most = match precision.map(|precision| i32::try_from(precision.max(1)).unwrap_or(i32::MAX)) {
        Some(precision) if precision > count && count > exponent => count,
        Some(precision) => precision,
        None => 6,
    };
    if exponent < -4 || exponent >= most {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return exponential(&format!("{first}{point}{rest}e{exponent}"));
    }
    let decimals = usize::try_from((count - 1 - exponent).max(0)).unwrap_or(0);
    let exact: f64 = format!("{digits}e{}", exponent - count + 1).parse().unwrap_or(value);
    format!("{exact:.decimals$}")
}

/// Rust's exponent in Go's form: a sign and two digits.
fn exponential(written: &str) -> String {
    let (mantissa, exponent) = written.split_once('e').unwrap_or((written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// Mantissa and exponent of two.
fn binary_parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & ((1 << 52) - 1), i32::try_from(bits >> 52 & 0x7ff).unwrap_or(0));
    if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) }
}

fn binary(value: f64) -> String {
    let (mantissa, exponent) = binary_parts(value);
    format!("{mantissa}p{exponent:+}")
}

/// Go's `%x`: a digit, and as many behind the point as the precision says, or as there are.
fn hex(value: f64, precision: Option<usize>) -> String {
    let (mantissa, exponent) = binary_parts(value);
    let shift = mantissa.leading_zeros().saturating_sub(11);
    let exponent = exponent + 52 - i32::try_from(shift).unwrap_or(0);
    // The first digit, and 13 behind the point.
    let (mantissa, exponent) = if mantissa == 0 { (0, 0) } else { (mantissa << shift, exponent) };
    let (mantissa, exponent) = match precision {
        Some(precision) if precision < HEX_DIGITS => {
            let lost = 4 * (HEX_DIGITS - precision);
            let (kept, rest, half) = (mantissa >> lost, mantissa & ((1 << lost) - 1), 1 << (lost - 1));
            let kept = if rest > half || (rest == half && kept % 2 == 1) { kept + 1 } else { kept };
            // It may have become two.
            let rounded = kept << lost;
            if rounded >> 53 > 0 { (rounded >> 1, exponent + 1) } else { (rounded, exponent) }
        }
        _ => (mantissa, exponent),
    };
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let digits = match precision {
        Some(precision) => format!("{digits:0<precision$}").chars().take(precision).collect(),
        None => digits.trim_end_matches('0').to_owned(),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{}{point}{digits}p{sign}{:02}", mantissa >> 52, exponent.unsigned_abs())
}

/// What `#` makes of a number's digits: there is a point, and by `%g`, and `%x` as if its digits were such, as many digits
/// as the precision says.
fn sharpened(digits: &str, verb: char, precision: Option<usize>) -> String {
    let is_hex = matches!(verb, 'x' | 'X');
    let ends: &[char] = if is_hex { &['p', 'P'] } else { &['e', 'E'] };
    let (number, exponent) = digits.split_at(digits.find(ends).unwrap_or(digits.len()));
    let wanted = if matches!(verb, 'v' | 'g' | 'G' | 'x') { precision.unwrap_or(6) } else { 0 };
    let significant = number.chars().filter(|letter| *letter != '.').skip_while(|letter| *letter == '0').count();
    let is_zero = number == "0";
    let missing = wanted.saturating_sub(significant + usize::from(is_zero));
    let point = if number.contains('.') { "" } else { "." };
    format!("{number}{point}{}{exponent}", "0".repeat(missing))
}

/// The bytes of a text as hexadecimal digits.
pub(super) fn hex_text(text: &str, verb: char, spec: Spec) -> String {
    let prefix = match verb {
        _ if !spec.sharp => "",
        'x' => "0x",
        _ => "0X",
    };
    let bytes = text.bytes().take(spec.precision.unwrap_or(usize::MAX));
    let digits: Vec<String> =
        bytes.map(|byte| if verb == 'x' { format!("{byte:02x}") } else { format!("{byte:02X}") }).collect();
    if digits.is_empty() {
        return spec.pad("");
    }
    let separator = if spec.space { format!(" {prefix}") } else { String::new() };
    spec.pad(&format!("{prefix}{}", digits.join(&separator)))
}
