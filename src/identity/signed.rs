//! Signed claims that are nobody's credential: Security Event Tokens (RFC 8417).

use super::{Algorithm, Invalid, KeySet, jws::Unverified};
use crate::decision::{Object, Value};

/// A signed JSON object whose signature nobody has looked at.
pub struct Signed<'a>(Unverified<'a>);

impl<'a> Signed<'a> {
    /// Reads the compact form, as strictly as tokens are read.
    pub fn read(text: &'a str) -> Result<Self, Invalid> {
        Unverified::read(text).map(Self)
    }

    /// Its `typ`, in small letters, without `application/`.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.0.kind.as_deref()
    }

    /// Whose it says to be (`iss`): only for choosing the keys that tell whether that is so.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        match self.0.claims.get("iss") {
            Some(Value::String(issuer)) => Some(issuer),
            _ => None,
        }
    }

    /// Its claims, if one of these keys signed it by one of these algorithms.
    pub fn verify(self, algorithms: &[Algorithm], keys: &KeySet) -> Result<Object, Invalid> {
        let algorithm = self.0.algorithm.parse::<Algorithm>().map_err(|_| Invalid::AlgorithmRefused)?;
        if !algorithms.contains(&algorithm) {
            return Err(Invalid::AlgorithmRefused);
        }
        keys.verify(&self.0, algorithm)?;
        Ok(self.0.claims)
    }
}
