//! Revocations to messages.

use prost_types::Timestamp;

use crate::{
    api::grpc::proto::{self, revocation_target::Which},
    revocation::{Id, Kind, Reach, Revocation, Target},
};

pub(super) fn revocation((id, revocation): (Id, Revocation)) -> proto::Revocation {
    let Revocation { target: of, reach, reason, author, at, source, event } = revocation;
    let Reach { issued_before, sessions, expires } = reach;
    proto::Revocation {
        id: id.to_string(),
        target: Some(target(of)),
        issued_before: issued_before.map(time),
        sessions,
        expires: expires.map(time),
        reason,
        author,
        revoked_at: Some(time(at)),
        source,
        event,
    }
}

fn target(target: Target) -> proto::RevocationTarget {
    let Target { kind, issuer, value } = target;
    let which = match kind {
        Kind::Token => Some(Which::Jti(value)),
        Kind::Session => Some(Which::Session(value)),
        Kind::Subject => Some(Which::Subject(value)),
        Kind::Client => Some(Which::Client(value)),
        Kind::Actor => Some(Which::Actor(value)),
        Kind::Identifier => Some(Which::Identifier(value)),
        Kind::Everything => Some(Which::Everything(true)),
        // Nothing is revoked by one.
        Kind::Device | Kind::Group => None,
    };
    proto::RevocationTarget { issuer, which }
}

fn time(seconds: u64) -> Timestamp {
    Timestamp { seconds: i64::try_from(seconds).unwrap_or(i64::MAX), nanos: 0 }
}
