//! Durations on the command line.

use std::time::Duration;

use anyhow::Context as _;

/// `500ms`, `5s` or `1m`; more than zero.
pub(super) fn parse(text: &str) -> anyhow::Result<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().context("not a duration; write it like `500ms`, `5s` or `1m`")?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => anyhow::bail!("not a duration; write it like `500ms`, `5s` or `1m`"),
    };
    anyhow::ensure!(!duration.is_zero(), "must be more than zero");
    Ok(duration)
}
