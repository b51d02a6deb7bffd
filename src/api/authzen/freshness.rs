//! How fresh the policies must be that a request is decided on: the header `Verdict-At-Least-As-Fresh`, as
//! `at_least_as_fresh` of gRPC's `Check`. AuthZEN leaves headers to others, and its bodies to itself.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

use super::Call;
use crate::{
    api::{
        caller::outside,
        status::{CallError, FieldViolation},
    },
    decision::{At, Decider, Freshness, NotAt},
};

const HEADER: HeaderName = HeaderName::from_static("verdict-at-least-as-fresh");

/// What is kept of a request's time to tell its caller that the policies it waits for did not come.
const TO_ANSWER: Duration = Duration::from_millis(50);

/// What the request asks for: a sequence number, revisions of bundles (`NAME=REVISION`), or both, with commas between them.
pub(super) fn wanted(headers: &HeaderMap) -> Result<At, CallError> {
    let mut wanted: Option<Freshness> = None;
    for value in headers.get_all(&HEADER) {
        let text = value.to_str().map_err(|_| invalid("has other characters than those of ASCII that are visible"))?;
        for item in text.split(',').map(str::trim) {
            let Freshness { sequence, bundles } = wanted.get_or_insert_default();
            match item.split_once('=') {
                Some((name, revision)) if !name.is_empty() && !revision.is_empty() => {
                    if bundles.insert(name.to_owned(), revision.to_owned()).is_some() {
                        return Err(invalid("names a bundle twice"));
                    }
                }
                None if *sequence == 0 && item.bytes().all(|byte| byte.is_ascii_digit()) => {
                    *sequence = item.parse().map_err(|_| invalid("has no number, or one that is too large"))?;
                }
                _ => return Err(invalid("is neither a revision's number nor `NAME=REVISION` of a bundle")),
            }
        }
    }
    Ok(wanted.map_or(At::Active, At::Fresh))
}

/// What is fresh enough. Of what does not come in time this says so shortly before the deadline, so that the caller still
/// hears it.
pub(super) async fn within<T>(
    pinned: impl Future<Output = Result<T, NotAt>>,
    decider: &Decider,
    call: &Call,
) -> Result<T, CallError> {
    let left = call.deadline.left()?;
    let patience = left.saturating_sub((left / 10).min(TO_ANSWER));
    let pinned = outside(tokio::time::timeout(patience, pinned)).await?;
    Ok(pinned.unwrap_or_else(|_| Err(decider.instead(&call.at)))?)
}

fn invalid(fault: &str) -> CallError {
    CallError::InvalidQuery(vec![FieldViolation::new("Verdict-At-Least-As-Fresh", fault)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Option<At> {
        let values = values.iter().map(|value| (HEADER, value.parse().unwrap()));
        wanted(&values.collect()).ok()
    }

    #[test]
    fn reads_numbers_and_bundles_and_nothing_else() {
        let fresh = |sequence, bundles: &[(&str, &str)]| {
            let bundles = bundles.iter().map(|&(name, revision)| (name.to_owned(), revision.to_owned()));
            Some(At::Fresh(Freshness { sequence, bundles: bundles.collect() }))
        };
        assert_eq!(read(&[]), Some(At::Active));
        assert_eq!(read(&["7"]), fresh(7, &[]));
        assert_eq!(read(&["users=r=1 x"]), fresh(0, &[("users", "r=1 x")]));
        assert_eq!(read(&["a=1, 12", "b=2"]), fresh(12, &[("a", "1"), ("b", "2")]));
        for values in
            [&[""][..], &["x"], &["-1"], &["1,2"], &["a="], &["=1"], &["a=1,a=2"], &["99999999999999999999"], &["1,"]]
        {
            assert_eq!(read(values), None, "{values:?}");
        }
    }
}
