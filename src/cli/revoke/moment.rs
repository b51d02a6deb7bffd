//! Times on the command line.

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use prost_types::Timestamp;

const TIMES: &str = "write it like `2026-11-28T09:00:00Z`";

/// `now`, or a moment (RFC 3339).
pub(super) fn past(text: &str) -> anyhow::Result<Timestamp> {
    if text == "now" {
        return Ok(timestamp(now()));
    }
    let moment = DateTime::parse_from_rfc3339(text).with_context(|| format!("not a time; {TIMES}, or `now`"))?;
    Ok(timestamp(moment.to_utc()))
}

/// A moment (RFC 3339), or one so far from now: `30m`, `12h`, `30d`.
pub(super) fn future(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(timestamp(moment.to_utc()));
    }
    let wrong = || format!("not a time; {TIMES}, or after how long, like `30m`, `12h` or `30d`");
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: i64 = number.parse().with_context(wrong)?;
    let span = match unit {
        "s" => TimeDelta::try_seconds(number),
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    };
    let moment = span.and_then(|span| now().checked_add_signed(span)).with_context(wrong)?;
    Ok(timestamp(moment))
}

fn now() -> DateTime<Utc> {
    verdict::clock::now().into()
}

fn timestamp(moment: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: moment.timestamp(), nanos: i32::try_from(moment.timestamp_subsec_nanos()).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_moments_and_spans() {
        assert_eq!(past("2026-11-28T09:00:00.5Z").unwrap(), Timestamp { seconds: 1_795_856_400, nanos: 500_000_000 });
        assert!(past("now").unwrap().seconds > 1_700_000_000);
        let (from, later) = (past("now").unwrap().seconds, future("2h").unwrap().seconds);
        assert!((7_199..=7_205).contains(&(later - from)));
        assert!(future("1d").is_ok() && future("2026-11-28T10:00:00+01:00").is_ok());
        for text in ["", "h", "5", "5w", "yesterday", "-1h", "99999999999999999d"] {
            assert!(future(text).is_err(), "{text}");
        }
        assert!(past("5m").is_err());
    }
}
