//! `numbers.*`, `bits.*`, `to_number` and `units.*`, whole numbers of any size exactly.

use bigdecimal::{BigDecimal, RoundingMode};
use num_bigint::BigInt;
use num_traits::{Signed as _, ToPrimitive as _, Zero as _};
use regorus::Value as Rego;

use super::{
    Failure, Function,
    arithmetic::number as exact,
    operand::{Answer, any, big, failed, from_big, mismatch, text},
    precision::Float,
    strings::lower,
};

pub(super) const ALL: &[Function] = &[
    Function { name: "numbers.range", arity: 2, call: |arguments| range(arguments, BigInt::from(1)) },
    Function { name: "numbers.range_step", arity: 3, call: |arguments| range(arguments, big(arguments, 2)?) },
    Function { name: "bits.and", arity: 2, call: |arguments| bits(arguments, |one, other| one & other) },
    Function { name: "bits.or", arity: 2, call: |arguments| bits(arguments, |one, other| one | other) },
    Function { name: "bits.xor", arity: 2, call: |arguments| bits(arguments, |one, other| one ^ other) },
    Function { name: "bits.negate", arity: 1, call: |arguments| Ok(from_big(&!big(arguments, 0)?)) },
    Function { name: "bits.lsh", arity: 2, call: |arguments| shift(arguments, true) },
    Function { name: "bits.rsh", arity: 2, call: |arguments| shift(arguments, false) },
    Function { name: "to_number", arity: 1, call: to_number },
    Function { name: "units.parse", arity: 1, call: units },
    Function { name: "units.parse_bytes", arity: 1, call: bytes },
];

/// The most elements that a range may have.
const MAX_ELEMENTS: usize = 1_000_000;
/// The most bits by which a number may be shifted to the left.
const MAX_SHIFT: usize = 10_000;
/// The most digits of an exponent of ten.
const MAX_DIGITS: usize = 3;
/// The most digits of an exponent before a unit, zeros with them, in OPA.
const MAX_UNIT_DIGITS: usize = 6;

fn range(arguments: &[Rego], step: BigInt) -> Answer {
    let (from, to) = (big(arguments, 0)?, big(arguments, 1)?);
    if !step.is_positive() {
        return failed("step must be a positive integer");
    }
    let elements = ((&to - &from).abs() / &step).to_usize().filter(|elements| *elements < MAX_ELEMENTS);
    let Some(elements) = elements else {
        return Err(Failure::Spent(format!("the range has more than {MAX_ELEMENTS} elements")));
    };
    let step = if from > to { -step } else { step };
    let mut numbers = Vec::with_capacity(elements + 1);
    let mut number = from;
    for _ in 0..=elements {
        numbers.push(from_big(&number));
        number += &step;
    }
    Ok(Rego::from(numbers))
}

fn bits(arguments: &[Rego], combine: fn(BigInt, BigInt) -> BigInt) -> Answer {
    Ok(from_big(&combine(big(arguments, 0)?, big(arguments, 1)?)))
}

fn shift(arguments: &[Rego], left: bool) -> Answer {
    let (number, by) = (big(arguments, 0)?, big(arguments, 1)?);
    if by.is_negative() {
        let fault = "operand 2 must be an unsigned integer number but got a negative integer";
        return Err(Failure::Type(fault.to_owned()));
    }
    match by.to_usize() {
        Some(by) if left && by <= MAX_SHIFT => Ok(from_big(&(number << by))),
        _ if left => Err(Failure::Spent(format!("a shift by more than {MAX_SHIFT} bits"))),
        // More bits than it has leave nothing but the sign.
        by => Ok(from_big(&(&number >> by.map_or(number.bits(), |by| number.bits().min(by as u64))))),
    }
}

fn to_number(arguments: &[Rego]) -> Answer {
    match any(arguments, 0) {
        Rego::Null => Ok(Rego::from(0_i64)),
        Rego::Bool(truth) => Ok(Rego::from(i64::from(*truth))),
        number @ Rego::Number(_) => Ok(number.clone()),
        Rego::String(text) => {
            let name = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
            if matches!(&*name, "inf" | "infinity" | "nan") {
                return mismatch(arguments, 0, "valid number string");
            }
            let Some(Decimal { digits, exponent }) = Decimal::read(text)? else {
                if text.contains('_') && Decimal::read(&text.replace('_', ""))?.is_some() {
                    return Err(Failure::Spent("a number with `_`".to_owned()));
                }
                // Go's hexadecimal floats, `0x1p3`.
                let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text).to_ascii_lowercase();
                if unsigned.starts_with("0x") && unsigned.contains('p') {
                    return Err(Failure::Spent("a hexadecimal number with an exponent".to_owned()));
                }
                return failed("invalid syntax");
            };
            if text.parse::<f64>().is_ok_and(f64::is_infinite) {
                return failed("value out of range");
            }
            decimal(&format!("{digits}e{exponent}"))
        }
        _ => mismatch(arguments, 0, "null, boolean, number, string"),
    }
}

/// The number that a decimal is.
fn decimal(text: &str) -> Answer {
    match text.parse::<BigDecimal>() {
        // The double beside it is farther from it than OPA's number, which may be whole.
        Ok(number) if !number.is_integer() && text.parse::<f64>().is_ok_and(|double| double.fract() == 0.0) => {
            Err(Failure::Spent("a number that is not whole has too many digits".to_owned()))
        }
        Ok(number) => exact(&number),
        Err(_) => failed("invalid syntax"),
    }
}

/// A decimal number: its digits as a whole number, and the power of ten to multiply them with.
struct Decimal {
    digits: BigInt,
    exponent: i32,
}

impl Decimal {
    fn read(text: &str) -> Result<Option<Self>, Failure> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        if digits.trim_start_matches('0').len() > MAX_DIGITS {
            return Err(Failure::Spent(format!("an exponent of more than {MAX_DIGITS} digits")));
        }
        Ok(exponent.parse().ok().and_then(|exponent| Self::with(mantissa, exponent)))
    }

    fn with(mantissa: &str, exponent: i32) -> Option<Self> {
        let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = BigInt::parse_bytes(digits.as_bytes(), 10)?;
        let digits = if mantissa.starts_with('-') { -digits } else { digits };
        Some(Self { digits, exponent: exponent.checked_sub(i32::try_from(fraction.len()).ok()?)? })
    }

    /// It times `factor`, as a fraction.
    fn times(&self, factor: &BigInt) -> (BigInt, BigInt) {
        let power = BigInt::from(10).pow(self.exponent.unsigned_abs());
        if self.exponent < 0 {
            (&self.digits * factor, power)
        } else {
            (&self.digits * factor * power, BigInt::from(1))
        }
    }
}

/// A number and the unit after it. An `e` begins an exponent only before a digit or a sign.
fn split(text: &str) -> Result<(Decimal, &str), Failure> {
    if text.contains(' ') {
        return failed("spaces not allowed in resource strings");
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' | b'.' | b'+' | b'-' => {}
            b'e' | b'E' => match bytes.get(at + 1) {
                Some(b'0'..=b'9') => {}
                Some(b'+' | b'-') => at += 1,
                _ => break,
            },
            _ => break,
        }
        at += 1;
    }
    let (number, unit) = text.split_at_checked(at.min(text.len())).unwrap_or((text, ""));
    if number.is_empty() {
        return failed("no amount provided");
    }
    let exponent = number.rsplit(['e', 'E', '+', '-']).next().unwrap_or_default();
    if number.contains(['e', 'E']) && exponent.len() > MAX_UNIT_DIGITS {
        return failed("exponent too large");
    }
    match Decimal::read(number)? {
        Some(number) => Ok((number, unit)),
        None => failed("could not parse amount to a number"),
    }
}

/// 1000 or 1024 to the power that a unit's first letter has.
fn factor(letter: char, binary: bool) -> Option<BigInt> {
    let power = u32::try_from("kmgtpe".find(letter)?).ok()? + 1;
    Some(BigInt::from(if binary { 1024 } else { 1000 }).pow(power))
}

fn units(arguments: &[Rego]) -> Answer {
    let text = text(arguments, 0)?.replace('"', "");
    let (number, unit) = split(&text)?;
    let mut letters = unit.chars();
    let first = letters.next();
    let rest = letters.map(lower).collect::<String>();
    let (factor, divisor) = match (first, &*rest) {
        (None, _) => (Some(BigInt::from(1)), 1),
        (Some('m'), "") => (Some(BigInt::from(1)), 1000),
        (Some(letter), "" | "i") => (factor(letter.to_ascii_lowercase(), rest == "i"), 1),
        _ => (None, 1),
    };
    let Some(factor) = factor else { return failed(format!("unit {unit} not recognized")) };
    let (numerator, denominator) = number.times(&factor);
    let denominator = denominator * divisor;
    let rest: BigInt = &numerator % &denominator;
    if rest.is_zero() {
        return Ok(from_big(&(numerator / denominator)));
    }
    // Ten decimals, the last one rounded away from zero.
    let scaled: BigInt = (numerator.abs() * 20_000_000_000_i64 / denominator + 1) / 2;
    let sign = if numerator.is_negative() { "-" } else { "" };
    decimal(&format!("{sign}{scaled}e-10"))
}

fn bytes(arguments: &[Rego]) -> Answer {
    let text = text(arguments, 0)?.replace('"', "").chars().map(lower).collect::<String>();
    let (number, unit) = split(&text)?;
    let short = unit.strip_suffix('b').unwrap_or(unit);
    let mut letters = short.strip_suffix('i').unwrap_or(short).chars();
    let factor = match (letters.next(), letters.next()) {
        (None, _) if unit.is_empty() => Some(BigInt::from(1)),
        (Some(letter), None) => factor(letter, short.ends_with('i')),
        _ => None,
    };
    let Some(factor) = factor else { return failed(format!("byte unit {unit} not recognized")) };
    // OPA's numbers have 64 bits before the product and after it.
    let decimal = |text: String| text.parse::<BigDecimal>().map_err(|error| Failure::Operand(error.to_string()));
    let amount = Float::of(&decimal(format!("{}e{}", number.digits, number.exponent))?).exact();
    let product = Float::of(&(amount * decimal(factor.to_string())?)).exact();
    exact(&product.with_scale_round(0, RoundingMode::Down))
}
