//! How long a call may take: the caller's `grpc-timeout`, or the server's own limit, whichever is shorter.

use std::time::Duration;

use tonic::metadata::MetadataMap;

pub(in crate::api) use crate::api::deadline::Deadline;

impl Deadline {
    /// From the call's arrival, where a guard knows of that; else from now.
    pub(in crate::api) fn of(metadata: &MetadataMap, longest: Duration) -> Self {
        let asked = timeout(metadata).map_or(longest, |asked| asked.min(longest));
        Self::of_call(asked)
    }
}

/// The `grpc-timeout` header ("PROTOCOL-HTTP2.md": at most 8 digits and a unit). One that can't be read is as none:
/// the server's own limit holds in any case.
pub(super) fn timeout(metadata: &MetadataMap) -> Option<Duration> {
    read(metadata.get("grpc-timeout")?.to_str().ok()?)
}

/// The same of a request's head.
pub(in crate::api) fn timeout_of(headers: &axum::http::HeaderMap) -> Option<Duration> {
    read(headers.get("grpc-timeout")?.to_str().ok()?)
}

fn read(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.len() > 8 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number.checked_mul(3_600)?),
        "M" => Duration::from_secs(number.checked_mul(60)?),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::CallError;

    fn given(text: &str) -> Option<Duration> {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", text.parse().unwrap());
        timeout(&metadata)
    }

    #[test]
    fn reads_every_unit_and_nothing_else() {
        assert_eq!(given("2H"), Some(Duration::from_secs(7_200)));
        assert_eq!(given("99999999H"), Some(Duration::from_secs(99_999_999 * 3_600)));
        assert_eq!(given("15m"), Some(Duration::from_millis(15)));
        assert_eq!(given("0n"), Some(Duration::ZERO));
        for text in ["", "5", "m", "123456789S", "-1S", "1.5S", "1s"] {
            assert_eq!(given(text), None, "{text}");
        }
    }

    #[test]
    fn the_shorter_limit_holds() {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", "99999999H".parse().unwrap());
        assert!(Deadline::of(&metadata, Duration::from_secs(1)).left().unwrap() <= Duration::from_secs(1));
        metadata.insert("grpc-timeout", "0n".parse().unwrap());
        assert_eq!(Deadline::of(&metadata, Duration::from_secs(1)).left(), Err(CallError::DeadlineExceeded));
    }
}
