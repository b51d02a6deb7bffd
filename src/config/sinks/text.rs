//! Values of a sink's table that people write with a unit.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::config::quantity::{size, time};

/// A duration: `250ms`, `1h`.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

/// A size: `64MiB`, or bytes.
#[derive(Clone, Copy)]
pub(super) struct Bytes(pub(super) u64);

/// A share in 10,000: `5%`, `0.5%`.
#[derive(Clone, Copy)]
pub(super) struct Rate(pub(super) u32);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let fault =
            |why| D::Error::custom(format!("`{text}` {why}, expected a duration such as `250ms`, `1s` or `24h`"));
        time(&text).map(Self).map_err(fault)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(u64),
            Text(String),
        }
        match Raw::deserialize(from)? {
            Raw::Number(number) => Ok(Self(number)),
            Raw::Text(text) => size(&text).map(Self).map_err(|why| {
                D::Error::custom(format!("`{text}` {why}, expected a size in bytes or such as `64MiB`"))
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let fault = || D::Error::custom(format!("`{text}` is no share, expected one such as `5%` or `0.25%`"));
        let number = text.strip_suffix('%').ok_or_else(fault)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 2 || !digits(whole) || !digits(part) {
            return Err(fault());
        }
        let whole: u32 = whole.parse().map_err(|_| fault())?;
        let part: u32 = format!("{part:0<2}").parse().map_err(|_| fault())?;
        let rate = whole.checked_mul(100).and_then(|rate| rate.checked_add(part)).ok_or_else(fault)?;
        if rate > 10_000 { Err(fault()) } else { Ok(Self(rate)) }
    }
}
