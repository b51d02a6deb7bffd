//! What `verdict policy watch --until` waits for.

use verdict::api::grpc::proto::{PolicyStatus, Revision};

use super::connect::is_digest;

/// What must be active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// A bundle, at a revision.
    Bundle(String, String),
    /// A content.
    Digest(String),
}

/// Reads `main=v1.2.0` or `sha256:…`.
pub(super) fn parse(text: &str) -> Result<Until, String> {
    match text.split_once('=') {
        Some((name, revision)) if !name.is_empty() => Ok(Until::Bundle(name.to_owned(), revision.to_owned())),
        None if is_digest(text) => Ok(Until::Digest(text.to_owned())),
        _ => Err("no condition; write it like `main=v1.2.0`, or a digest `sha256:…`".to_owned()),
    }
}

/// What `status` lacks of `wanted`, in words; empty once all is there.
pub(super) fn missing(wanted: &[Until], status: &PolicyStatus) -> Vec<String> {
    let active = status.active.as_ref().and_then(|active| active.revision.clone()).unwrap_or_default();
    wanted.iter().filter_map(|until| lacks(until, &active)).collect()
}

fn lacks(until: &Until, active: &Revision) -> Option<String> {
    match until {
        Until::Bundle(name, wanted) => match active.bundles.get(name) {
            Some(revision) if revision == wanted => None,
            Some(revision) => Some(format!("`{name}` is `{revision}`, not `{wanted}`")),
            None => Some(format!("`{name}` is not active")),
        },
        Until::Digest(wanted) if active.digest == *wanted => None,
        Until::Digest(wanted) => Some(format!("`{}` is active, not `{wanted}`", active.digest)),
    }
}

#[cfg(test)]
mod tests {
    use verdict::api::grpc::proto::Publication;

    use super::*;

    #[test]
    fn reads_bundles_and_digests() {
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(parse("main=v1=2"), Ok(Until::Bundle("main".to_owned(), "v1=2".to_owned())));
        assert_eq!(parse("main="), Ok(Until::Bundle("main".to_owned(), String::new())));
        assert_eq!(parse(&digest), Ok(Until::Digest(digest.clone())));
        for wrong in ["", "main", "=v1", "sha256:1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        let wanted = [parse("a=1").unwrap(), parse("b=2").unwrap()];
        assert_eq!(missing(&wanted, &PolicyStatus::default()).len(), 2);
        let bundles = [("a", "1"), ("b", "1")].map(|(name, revision)| (name.to_owned(), revision.to_owned()));
        let revision = Revision { bundles: bundles.into(), ..Revision::default() };
        let active = Publication { revision: Some(revision), ..Publication::default() };
        let status = PolicyStatus { active: Some(active), ..PolicyStatus::default() };
        assert_eq!(missing(&wanted, &status), ["`b` is `1`, not `2`"]);
        assert_eq!(missing(&wanted[..1], &status), [""; 0]);
    }
}
