//! Sizes and durations as people write them: `1MiB`, `250ms`.

use std::time::Duration;

use crate::source::quantity::{SIZES, TIMES};
pub(super) use crate::source::quantity::{size, time, whole};

/// A size in the largest unit that divides it.
pub(super) fn show_size(bytes: usize) -> String {
    show(bytes as u128, &SIZES).unwrap_or_else(|| bytes.to_string())
}

/// A duration in the largest unit that divides it; what is less than a millisecond is dropped.
pub(super) fn show_time(time: Duration) -> String {
    show(time.as_millis(), &TIMES).unwrap_or_else(|| "0s".to_owned())
}

fn show(amount: u128, units: &[(&str, u64)]) -> Option<String> {
    let (name, factor) = units.iter().find(|(_, factor)| amount != 0 && amount.is_multiple_of(u128::from(*factor)))?;
    Some(format!("{}{name}", amount / u128::from(*factor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows() {
        for bytes in [1, 1_000, 1_024, 1_536, 1 << 20, 3 << 30] {
            assert_eq!(size(&show_size(bytes)), Ok(bytes as u64));
        }
        for milliseconds in [0, 1, 999, 1_000, 61_000, 120_000, 3_600_000] {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(time(&show_time(duration)), Ok(duration));
        }
    }

    #[test]
    fn reads_a_space_before_the_unit() {
        assert_eq!(size("1 MiB"), Ok(1 << 20));
        assert_eq!(time("5 s"), Ok(Duration::from_secs(5)));
    }

    #[test]
    fn refuses_what_could_be_misread() {
        for text in
            ["", "MiB", "1MB", "1mib", "1k", "-1", "+1", "1.5MiB", "1_000", "0x10", " 1", "99999999999999999999"]
        {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(size("18446744073709551615KiB"), Err("is out of range"));
        for text in ["", "s", "1", "1S", "1min", "1.5s", "-1s", "1m30s", "1sec", "99999999999999999999s"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
