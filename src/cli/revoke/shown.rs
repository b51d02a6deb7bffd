//! Revocations for people and for programs.

use std::fmt::Write as _;

use prost_types::Timestamp;
use serde_json::{Value, json};
use verdict::{
    api::grpc::proto::{Revocation, RevocationTarget, revocation_target::Which},
    policy::printable,
};

use crate::cli::policy::moment;

/// One, in lines: what is revoked, and below it the rest.
pub(super) fn line(revocation: &Revocation) -> String {
    let Revocation { id, target, issued_before, sessions, expires, reason, author, revoked_at, source, event } =
        revocation;
    let (issuer, kind, value) = named(target.as_ref());
    let mut text = format!("{id}  {kind} {value} at {issuer}");
    if let Some(time) = issued_before {
        let of = if *sessions { "issued, or of a session that began," } else { "issued" };
        let _ = write!(text, ", {of} before {}", moment(time));
    }
    if let Some(time) = expires {
        let _ = write!(text, ", until {}", moment(time));
    }
    let since = revoked_at.as_ref().map(moment).unwrap_or_default();
    let _ = write!(text, "\n    since {since}");
    match (source.as_str(), author.as_str()) {
        ("", "") => {}
        ("", author) => {
            let _ = write!(text, " by {author}");
        }
        (source, _) => {
            let _ = write!(text, " by {event} of {source}");
        }
    }
    if !reason.is_empty() {
        let _ = write!(text, ": {reason}");
    }
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// One, as the contract's JSON has it.
pub(super) fn json(revocation: &Revocation) -> Value {
    let Revocation { id, target, issued_before, sessions, expires, reason, author, revoked_at, source, event } =
        revocation;
    let (issuer, kind, value) = named(target.as_ref());
    let time = |time: &Option<Timestamp>| time.as_ref().map(moment);
    json!({
        "id": id, "kind": kind, "issuer": issuer, "value": value, "issued_before": time(issued_before),
        "sessions": sessions, "expires": time(expires), "reason": reason, "author": author,
        "revoked_at": time(revoked_at), "source": source, "event": event,
    })
}

fn named(target: Option<&RevocationTarget>) -> (&str, &'static str, &str) {
    let Some(RevocationTarget { issuer, which }) = target else { return ("?", "?", "?") };
    let (kind, value) = match which {
        Some(Which::Jti(value)) => ("jti", value.as_str()),
        Some(Which::Session(value)) => ("session", value.as_str()),
        Some(Which::Subject(value)) => ("subject", value.as_str()),
        Some(Which::Client(value)) => ("client", value.as_str()),
        Some(Which::Actor(value)) => ("actor", value.as_str()),
        Some(Which::Identifier(value)) => ("identifier", value.as_str()),
        Some(Which::Everything(_)) => ("everything", ""),
        None => ("?", "?"),
    };
    (issuer, kind, value)
}
