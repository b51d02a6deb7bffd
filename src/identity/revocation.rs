//! The port to what was revoked.

use crate::decision::Object;

/// Who knows what was revoked. Asked on every decision, whatever is cached.
pub trait Revocations: Send + Sync {
    /// Whether the token with these claims, of the issuer that is configured under this name, is no longer good.
    fn is_revoked(&self, issuer: &str, claims: &Object) -> bool;

    /// What was said since of whom and what the claims name: policies see it as `input.token.signals`.
    fn signals(&self, issuer: &str, claims: &Object) -> Object {
        let (_, _) = (issuer, claims);
        Object::new()
    }

    /// How often what is revoked has changed: whoever keeps an answer that took this into account keeps it with this
    /// number, and uses it only while the number is the same.
    fn epoch(&self) -> u64 {
        0
    }
}

/// Nothing was ever revoked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Revocations for Nothing {
    fn is_revoked(&self, _: &str, _: &Object) -> bool {
        false
    }
}
