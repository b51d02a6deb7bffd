//! Names to 128 bits: what is held of a name in memory. Keyed, so that nobody outside can make two names meet.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::entry::{Id, Kind, Revocation};

/// The key of a registry, as long as its file lives.
#[derive(Clone)]
pub(super) struct Keys(SipHasher13);

impl Keys {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(key))
    }

    /// Of a thing of an issuer.
    pub(super) fn target(&self, kind: Kind, issuer: &str, value: &str) -> u128 {
        let mut hasher = self.0;
        let number = u8::try_from(kind.number()).unwrap_or(u8::MAX);
        hasher.write_u8(number);
        text(&mut hasher, issuer);
        text(&mut hasher, value);
        hasher.finish128().as_u128()
    }

    /// Of a token that a transmitter sent.
    pub(super) fn seen(&self, transmitter: &str, jti: &str) -> u128 {
        let mut hasher = self.0;
        hasher.write_u8(u8::MAX);
        text(&mut hasher, transmitter);
        text(&mut hasher, jti);
        hasher.finish128().as_u128()
    }

    /// The target's, and then what tells its revocations apart.
    pub(super) fn id(&self, revocation: &Revocation) -> Id {
        let Revocation { target, reach, source, event, reason: _, author: _, at: _ } = revocation;
        let mut hasher = self.0;
        hasher.write_u64(reach.issued_before.unwrap_or(u64::MAX));
        hasher.write_u64(reach.expires.unwrap_or(u64::MAX));
        hasher.write_u8(u8::from(reach.sessions));
        text(&mut hasher, source);
        text(&mut hasher, event);
        let (variant, _) = hasher.finish128().as_u64();
        let mut id = [0; 24];
        let parts = self.target(target.kind, &target.issuer, &target.value).to_be_bytes();
        for (byte, part) in id.iter_mut().zip(parts.into_iter().chain(variant.to_be_bytes())) {
            *byte = part;
        }
        Id(id)
    }
}

/// With its length before it, so that no two pairs of texts are one.
fn text(hasher: &mut SipHasher13, text: &str) {
    hasher.write_u64(text.len() as u64);
    hasher.write(text.as_bytes());
}

/// The target's part of an id.
pub(super) fn target_of(Id(id): Id) -> u128 {
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(id) {
        *byte = from;
    }
    u128::from_be_bytes(bytes)
}
