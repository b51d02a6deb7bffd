//! Durations and sizes as the configuration writes them: `250ms`, `2m`, `64MiB`.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// Units of time, the largest first, with their milliseconds.
pub const TIMES: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// Units of size, the largest first, with their bytes.
pub const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Bytes: a whole number, with a unit or without one.
///
/// # Errors
/// What is wrong with it, in words that follow it.
pub fn size(text: &str) -> Result<u64, &'static str> {
    let (number, unit) = split(text);
    match unit {
        "" => whole(number),
        _ => scale(number, unit, &SIZES, "has no unit of size"),
    }
}

/// A duration: a whole number and its unit.
///
/// # Errors
/// As [`size`].
pub fn time(text: &str) -> Result<Duration, &'static str> {
    milliseconds(text).map(Duration::from_millis)
}

/// A whole number in decimal digits.
///
/// # Errors
/// As [`size`].
pub fn whole(text: &str) -> Result<u64, &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is no whole number");
    }
    text.parse().map_err(|_| "is out of range")
}

fn milliseconds(text: &str) -> Result<u64, &'static str> {
    let (number, unit) = split(text);
    scale(number, unit, &TIMES, if unit.is_empty() { "has no unit" } else { "has no unit of time" })
}

fn split(text: &str) -> (&str, &str) {
    let (number, unit) = text.split_at(text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len()));
    (number, unit.trim_start())
}

fn scale(number: &str, unit: &str, units: &[(&str, u64)], unknown: &'static str) -> Result<u64, &'static str> {
    let number = whole(number)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or(unknown)?;
    number.checked_mul(*factor).ok_or("is out of range")
}

/// A duration, written as a whole number and its unit: `h`, `m`, `s` or `ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// Bytes, written as a whole number, with `B`, `KiB`, `MiB` or `GiB` or without a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

struct Amount {
    read: fn(&str) -> Result<u64, &'static str>,
    expected: &'static str,
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let amount = Amount { read: milliseconds, expected: "a duration such as `30s`, `2m` or `500ms`" };
        from.deserialize_any(amount).map(Duration::from_millis).map(Self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Amount { read: size, expected: "a size such as `64MiB`" }).map(Self)
    }
}

impl Visitor<'_> for Amount {
    type Value = u64;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        (self.read)(text).map_err(|_| E::custom(format!("`{text}` is not {}", self.expected)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        self.visit_str(&number.to_string())
    }
}
