//! Who is asking: a bearer token to claims that may be believed.
//!
//! Owns reading and verifying signed tokens, and what an issuer's tokens must be like. Knows no policy, no door and no
//! clock: the time is handed in. Opens no socket: keys are handed in, and nothing that a token says is ever fetched.
//! A token is a [`Secret`] from its first moment on; no error has any part of one.
//!
//! Who fetches keys and answers the doors is another component, `issuers`.

mod actors;
mod algorithm;
mod cache;
mod claims;
mod invalid;
mod issuer;
mod jws;
mod keys;
mod opaque;
mod proof;
mod revocation;
mod secret;
mod signed;
#[cfg(test)]
mod tests;
mod verifier;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use invalid::Invalid;
pub use issuer::{Identity, Issuer, Mapping};
pub use keys::{InvalidKeys, KeySet};
pub use opaque::{Keep, Told};
pub use proof::Proof;
pub use revocation::{Nothing, Revocations};
pub use secret::Secret;
pub use signed::Signed;
pub use verifier::{Caller, Verifier};
