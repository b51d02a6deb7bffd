//! Numbers as OPA computes with them: whole ones exactly, others with 64 bits of mantissa.
//!
//! What is no whole number is kept as a double. One that would become a whole number thereby becomes the nearest that is
//! none, so that `%` and comparisons with whole numbers stay OPA's; where there is none, the evaluation ends.

use bigdecimal::{BigDecimal, RoundingMode, Zero as _, num_bigint::Sign};
use regorus::Value as Rego;

use super::{
    Failure, Function,
    lowered::pair,
    operand::{Answer, number as number_operand},
    precision::Float,
};

/// The family.
pub(super) const ALL: &[Function] = &[
    Function { name: "abs", arity: 1, call: |operands| rounded(operands, Rounding::Sign) },
    Function { name: "ceil", arity: 1, call: |operands| rounded(operands, Rounding::Up) },
    Function { name: "floor", arity: 1, call: |operands| rounded(operands, Rounding::Down) },
    Function { name: "round", arity: 1, call: |operands| rounded(operands, Rounding::Nearest) },
];

/// The most bits of a product: numbers that are squared again and again would fill memory.
const MAX_BITS: u64 = 1 << 16;

/// From here on, every double is a whole number.
const ALL_WHOLE: f64 = 4_503_599_627_370_496.0;

pub(super) fn arithmetic(operands: &[Rego], operator: &str) -> Result<Rego, Failure> {
    let (left, right) = pair(operands)?;
    let (Rego::Number(_), Rego::Number(_)) = (left, right) else {
        return Err(Failure::Type(format!("`{operator}` takes two numbers")));
    };
    if let (Ok(left), Ok(right)) = (left.as_i64(), right.as_i64()) {
        let small = match operator {
            "+" => left.checked_add(right),
            "-" => left.checked_sub(right),
            "*" => left.checked_mul(right),
            "/" if right != 0 && left.checked_rem(right) == Some(0) => left.checked_div(right),
            "%" if right != 0 => left.checked_rem(right),
            _ => None,
        };
        if let Some(result) = small {
            return Ok(Rego::from(result));
        }
    }
    let (left, right) = (decimal(left)?, decimal(right)?);
    if matches!(operator, "/" | "%") && right.is_zero() {
        return Err(Failure::Operand("divide by zero".to_owned()));
    }
    let whole = left.is_integer() && right.is_integer();
    let exact = match operator {
        "%" if !whole => return Err(Failure::Operand("modulo on floating-point number".to_owned())),
        "%" => left % right,
        "/" => return number(&Float::quotient(&Float::of(&left), &Float::of(&right)).shown()),
        _ => {
            let (left, right) =
                if whole { (left, right) } else { (Float::of(&left).exact(), Float::of(&right).exact()) };
            match operator {
                "+" => left + right,
                "-" => left - right,
                _ => multiplied(&left, &right)?,
            }
        }
    };
    number(&if whole { exact } else { Float::of(&exact).shown() })
}

/// The exact product, if it is not too long.
pub(super) fn multiplied(left: &BigDecimal, right: &BigDecimal) -> Result<BigDecimal, Failure> {
    if bits(left).saturating_add(bits(right)) > MAX_BITS {
        return Err(Failure::Spent(format!("a product of more than {MAX_BITS} bits")));
    }
    Ok(left * right)
}

fn bits(number: &BigDecimal) -> u64 {
    number.as_bigint_and_scale().0.bits()
}

/// The decimal that a number shows as.
pub(super) fn decimal(value: &Rego) -> Result<BigDecimal, Failure> {
    value.to_string().parse().map_err(|_| Failure::Operand("not a finite number".to_owned()))
}

/// Whole numbers are exact; others become the nearest double that is not whole.
pub(super) fn number(result: &BigDecimal) -> Result<Rego, Failure> {
    if result.is_integer() {
        let digits = result.with_scale(0).into_bigint_and_scale().0.to_string();
        return Rego::from_numeric_string(&digits).map_err(|error| Failure::Operand(error.to_string()));
    }
    match result.to_scientific_notation().parse::<f64>() {
        // Below, doubles have few digits, and none at last.
        Ok(double) if double.abs() < f64::MIN_POSITIVE => Err(Failure::Spent("a number is too small".to_owned())),
        Ok(double) if double.is_finite() => fractional(result, double).map(Rego::from),
        // OPA has it; undefined would be another answer.
        _ => Err(Failure::Spent("a number is too large".to_owned())),
    }
}

/// The double for `exact`, which is no whole number and has `nearest` as its nearest.
fn fractional(exact: &BigDecimal, nearest: f64) -> Result<f64, Failure> {
    let too_long = || Err(Failure::Spent("a number that is not whole has too many digits".to_owned()));
    // It is rounded to another number than one just beside it.
    let is_half = |double: f64| (double * 2.0).fract() == 0.0 && !exact.double().is_integer();
    if nearest.fract() != 0.0 {
        return if is_half(nearest) { too_long() } else { Ok(nearest) };
    }
    let between = (nearest.abs() <= ALL_WHOLE).then(|| {
        #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^52, as was just asked")]
        let whole = BigDecimal::from(nearest as i64);
        if whole < *exact { nearest.next_up() } else { nearest.next_down() }
    });
    match between {
        Some(double) if double.fract() != 0.0 && !is_half(double) => Ok(double),
        // A whole number or a half in its place would be another answer, and so would undefined.
        _ => too_long(),
    }
}

#[derive(Clone, Copy)]
enum Rounding {
    Sign,
    Up,
    Down,
    Nearest,
}

/// As OPA rounds: the operand to 64 bits first. What is between -1 and 0 is rounded as if it were between 0 and 1.
fn rounded(operands: &[Rego], rounding: Rounding) -> Answer {
    let operand = number_operand(operands, 0)?;
    if let Ok(whole) = operand.as_i64()
        && let Some(size) = whole.checked_abs()
    {
        return Ok(Rego::from(if matches!(rounding, Rounding::Sign) { size } else { whole }));
    }
    let float = Float::of(&decimal(operand)?);
    if matches!(rounding, Rounding::Sign) {
        return number(&float.shown().abs());
    }
    let exact = float.exact();
    let truncated = |number: &BigDecimal| number.with_scale_round(0, RoundingMode::Down);
    let whole = truncated(&exact);
    let below_zero = whole.sign() == Sign::Minus;
    let one = BigDecimal::from(1);
    number(&match rounding {
        Rounding::Up if whole != exact && !below_zero => whole + one,
        Rounding::Down if whole != exact && below_zero => whole - one,
        Rounding::Nearest => {
            let half = BigDecimal::new(5.into(), 1);
            let moved = if exact.sign() == Sign::Minus { exact - half } else { exact + half };
            truncated(&Float::of(&moved).exact())
        }
        _ => whole,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(left: &str, operator: &str, right: &str) -> Option<String> {
        let operands = [left, right].map(|text| Rego::from_numeric_string(text).unwrap());
        arithmetic(&operands, operator).ok().map(|value| value.to_string())
    }

    /// Answers of OPA 1.20.2.
    #[test]
    fn arithmetic_is_opas() {
        for (left, operator, right, expected) in [
            ("0.1", "+", "0.2", "0.3"),
            ("0.1", "*", "3", "0.3"),
            ("10", "/", "4", "2.5"),
            ("6.0", "/", "2", "3"),
            ("5", "/", "2.5", "2"),
            ("2.5", "-", "2.5", "0"),
            ("7", "%", "3", "1"),
            ("-7", "%", "3", "-1"),
            ("7", "%", "-3", "1"),
            ("9007199254740993", "*", "3", "27021597764222979"),
            ("9223372036854775807", "+", "1", "9223372036854775808"),
            ("123456789012345678901234567890", "+", "1", "123456789012345678901234567891"),
            ("123456789012345678901234567890", "/", "123456789012345678901234567890", "1"),
        ] {
            assert_eq!(of(left, operator, right).as_deref(), Some(expected), "{left} {operator} {right}");
        }
        assert_eq!(of("1", "/", "0"), None);
        assert_eq!(of("1", "%", "0"), None);
        assert_eq!(of("7.5", "%", "2"), None);
        assert_eq!(of("-9223372036854775808", "/", "-1").as_deref(), Some("9223372036854775808"));
    }

    #[test]
    fn numbers_do_not_grow_without_end() {
        let large = "7".repeat(15_000);
        assert_eq!(of(&large, "*", &large), None);
    }

    /// What OPA shows; `None` where the evaluation ends.
    #[test]
    fn what_is_not_whole_does_not_become_whole() {
        for (left, operator, right, shown) in [
            ("9223372036854775807", "/", "2", None),
            ("9007199254740993", "/", "2", None),
            ("30000000000000001", "/", "10", None),
            ("9223372036854775807", "/", "18446744073709551616", None),
            ("5", "/", "2", Some("2.5")),
            ("1e-200", "*", "1e-200", None),
            ("1e-300", "/", "100000000000", None),
            ("-9007199254740995", "/", "2", None),
            ("9007199254740991", "/", "2", Some("4503599627370495.5")),
            ("1700000000123456050", "/", "1000", Some("1700000000123456.3")),
            ("1", "-", "1e-18", Some("0.9999999999999999")),
        ] {
            let operands = [left, right].map(|text| Rego::from_numeric_string(text).unwrap());
            match (arithmetic(&operands, operator), shown) {
                (Err(Failure::Spent(_)), None) => {}
                (Ok(value), Some(shown)) => assert_eq!(value.to_string(), shown, "{left} {operator} {right}"),
                (answer, _) => panic!("{left} {operator} {right} is {answer:?}"),
            }
        }
    }

    /// Answers of OPA 1.20.2.
    #[test]
    fn rounding_is_opas() {
        for (operand, expected) in [
            ("-0.5", ["0.5", "1", "0", "-1"]),
            ("2.5", ["2.5", "3", "2", "3"]),
            ("-2.5", ["2.5", "-2", "-3", "-3"]),
            ("0.49999999999999994", ["0.49999999999999994", "1", "0", "0"]),
            (
                "-9223372036854775808",
                ["9223372036854775808", "-9223372036854775808", "-9223372036854775808", "-9223372036854775808"],
            ),
            (
                "-18446744073709551617",
                ["18446744073709551616", "-18446744073709551616", "-18446744073709551616", "-18446744073709551616"],
            ),
            (
                "123456789012345678901234567890",
                [
                    "123456789012345678900000000000",
                    "123456789012345678899921813504",
                    "123456789012345678899921813504",
                    "123456789012345678899921813504",
                ],
            ),
        ] {
            let operands = [Rego::from_numeric_string(operand).unwrap()];
            let all = [Rounding::Sign, Rounding::Up, Rounding::Down, Rounding::Nearest];
            assert_eq!(all.map(|one| rounded(&operands, one).unwrap().to_string()), expected, "{operand}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_quotient_is_whole_if_it_is_whole_in_opa(left: i64, right in 1_i64..1_000_000_000) {
            let quotient = arithmetic(&[Rego::from(left), Rego::from(right)], "/");
            let Ok(quotient) = quotient else { return Ok(()) };
            let opas = Float::quotient(&Float::of(&left.into()), &Float::of(&right.into())).shown();
            let remainder = arithmetic(&[quotient, Rego::from(1_i64)], "%");
            proptest::prop_assert_eq!(remainder.is_ok(), opas.is_integer());
        }
    }
}
