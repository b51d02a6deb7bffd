//! OPA's floating-point numbers: 64 bits of mantissa, rounded to even, shown with as few digits as tell them apart.
//!
//! OPA computes with them wherever a number is no integer, and in every division (Go's `math/big.Float`).

use bigdecimal::{
    BigDecimal,
    num_bigint::{BigInt, Sign},
};
use num_traits::{One as _, Signed as _, Zero as _};

/// Bits of a mantissa.
const BITS: i64 = 64;

/// A number of 64 bits: mantissa and power of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Float {
    // INVARIANT: zero, or from 2^63 to 2^64 - 1 in size.
    mantissa: BigInt,
    exponent: i64,
}

impl Float {
    /// The nearest one.
    pub(super) fn of(number: &BigDecimal) -> Self {
        let (digits, scale) = number.as_bigint_and_scale();
        if scale <= 0 {
            return Self::ratio(&(digits.as_ref() * ten(scale.unsigned_abs())), &BigInt::one());
        }
        Self::ratio(&digits, &ten(scale.unsigned_abs()))
    }

    /// The one nearest to `left / right`, which must not be divided by zero.
    pub(super) fn quotient(left: &Self, right: &Self) -> Self {
        let Self { mantissa, exponent } = Self::ratio(&left.mantissa, &right.mantissa);
        Self { mantissa, exponent: exponent + left.exponent - right.exponent }
    }

    /// The same number.
    pub(super) fn exact(&self) -> BigDecimal {
        let Self { mantissa, exponent } = self;
        let power = exponent.unsigned_abs();
        if *exponent >= 0 {
            return BigDecimal::from(mantissa << power);
        }
        // An even mantissa needs fewer digits.
        let zeros = mantissa.trailing_zeros().unwrap_or(power).min(power);
        let power = power - zeros;
        BigDecimal::new((mantissa >> zeros) * power_of(5, power), i64::try_from(power).unwrap_or(i64::MAX))
    }

    /// As Go shows it: no more digits than tell it from its neighbours, of which it takes both for equally far.
    pub(super) fn shown(&self) -> BigDecimal {
        let (exact, scale) = self.exact().into_bigint_and_scale();
        let all = exact.magnitude().to_string();
        let digits = all.trim_end_matches('0');
        let between = |by: i8| {
            let mantissa = self.mantissa.magnitude() * 2_u8;
            let mantissa = if by < 0 { mantissa - 1_u8 } else { mantissa + 1_u8 };
            let edge = Self { mantissa: mantissa.into(), exponent: self.exponent - 1 };
            edge.exact().into_bigint_and_scale().0.to_string().trim_end_matches('0').to_owned()
        };
        if digits.is_empty() {
            return BigDecimal::default();
        }
        let (lower, upper) = (between(-1), between(1));
        let is_even = !self.mantissa.bit(0);
        let at = |edge: &str, at: usize| edge.as_bytes().get(at).copied().unwrap_or(b'0');
        let cut = digits.bytes().enumerate().find_map(|(place, digit)| {
            let down = at(&lower, place) != digit || is_even && place + 1 == lower.len();
            let top = at(&upper, place);
            let up = digit != top && (is_even || digit + 1 < top || place + 1 < upper.len());
            (down || up).then_some((place + 1, down, up))
        });
        let Some((kept, down, up)) = cut.filter(|(kept, ..)| *kept < digits.len()) else {
            return BigDecimal::new(exact, scale).normalized();
        };
        let rest = digits.get(kept..).unwrap_or_default();
        let is_odd = at(digits, kept - 1) % 2 == 1;
        let up = if down && up { if rest == "5" { is_odd } else { rest >= "5" } } else { up };
        let size =
            digits.get(..kept).and_then(|digits| digits.parse::<BigInt>().ok()).unwrap_or_default() + i32::from(up);
        let size = if exact.sign() == Sign::Minus { -size } else { size };
        let zeros = i64::try_from(all.len() - kept).unwrap_or(i64::MAX);
        BigDecimal::new(size, scale - zeros).normalized()
    }

    fn ratio(left: &BigInt, right: &BigInt) -> Self {
        if left.is_zero() || right.is_zero() {
            return Self { mantissa: BigInt::zero(), exponent: 0 };
        }
        let negative = (left.sign() == Sign::Minus) != (right.sign() == Sign::Minus);
        let (left, right) = (left.abs(), right.abs());
        let bits = |number: &BigInt| i64::try_from(number.bits()).unwrap_or(i64::MAX);
        // The quotient then has 64 bits or 65.
        let mut shift = BITS - (bits(&left) - bits(&right));
        let divided = |shift: i64| {
            let (over, under) = if shift >= 0 {
                (&left << shift.unsigned_abs(), right.clone())
            } else {
                (left.clone(), &right << shift.unsigned_abs())
            };
            (&over / &under, &over % &under, under)
        };
        let (mut whole, mut rest, mut under) = divided(shift);
        if bits(&whole) > BITS {
            shift -= 1;
            (whole, rest, under) = divided(shift);
        }
        let twice = rest * 2;
        if twice > under || (twice == under && whole.bit(0)) {
            whole += 1;
            if bits(&whole) > BITS {
                whole >>= 1_u8;
                shift -= 1;
            }
        }
        Self { mantissa: if negative { -whole } else { whole }, exponent: -shift }
    }
}

fn ten(power: u64) -> BigInt {
    power_of(10, power)
}

fn power_of(base: u8, power: u64) -> BigInt {
    BigInt::from(base).pow(u32::try_from(power).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> BigDecimal {
        text.parse().unwrap()
    }

    #[test]
    fn shows_what_opa_shows() {
        let float = |text: &str| Float::of(&decimal(text));
        let quotient = |left: &str, right: &str| Float::quotient(&float(left), &float(right)).shown();
        assert_eq!(quotient("1", "3"), decimal("0.33333333333333333334"));
        assert_eq!(quotient("123456789012345678901234567890", "7"), decimal("17636684144620811271000000000"));
        assert_eq!(quotient("10", "-4"), decimal("-2.5"));
        assert_eq!(quotient("0", "4"), decimal("0"));
        assert_eq!(quotient("73786976294838206464", "2"), decimal("36893488147419103230"));
        for (sum, shown) in [
            (float("0.1").exact() + float("0.2").exact(), "0.3"),
            (float("1").exact() - float("0.9").exact(), "0.10000000000000000002"),
            (float("1700000000000000000").exact() - float("2.5").exact(), "1699999999999999997.5"),
            (float("123456789012345678901234567890").exact() - float("0.5").exact(), "123456789012345678900000000000"),
            (float("2.5").exact() * float("1e30").exact(), "2500000000000000000100000000000"),
            (float("1.1e400").exact() + float("0.5").exact(), "1.1e400"),
        ] {
            assert_eq!(Float::of(&sum).shown(), decimal(shown));
        }
    }

    #[test]
    fn what_has_few_bits_stays_as_it_is() {
        for text in ["0", "1", "-1", "2.5", "18446744073709551615", "-0.0009765625", "1e-30", "1e300", "0.1"] {
            assert_eq!(Float::of(&decimal(text)).shown(), decimal(text), "{text}");
        }
    }
}
