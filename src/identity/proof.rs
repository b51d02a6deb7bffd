//! Sender constraint: what a token is bound to, and what the enforcement point saw proven.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::Invalid;
use crate::decision::{Object, Value};

/// What the enforcement point has verified of whoever showed the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// The JWK thumbprint of the key of a `DPoP` proof (RFC 9449 §6.1).
    pub jkt: Option<String>,
    /// The SHA-256 thumbprint of the client's certificate (RFC 8705 §3.1).
    pub x5t_s256: Option<String>,
}

impl Proof {
    /// Whether it is of the key that the token is bound to. Every binding of the token must be met, and one that is not
    /// known here is met by nothing.
    pub(super) fn check(&self, claims: &Object, required: bool) -> Result<(), Invalid> {
        let bound = match claims.get("cnf") {
            None => Object::new(),
            Some(Value::Object(cnf)) if !cnf.is_empty() => cnf.clone(),
            Some(_) => return Err(Invalid::Malformed("its `cnf` is no object with members")),
        };
        if required && bound.is_empty() {
            return Err(Invalid::ProofMismatch);
        }
        // A DPoP proof is shown for a token that is bound to it (RFC 9449 §7.1); a certificate may be there anyway.
        if self.jkt.is_some() && bound.get("jkt").is_none() {
            return Err(Invalid::ProofMismatch);
        }
        for (method, expected) in bound.iter() {
            let stated = match method {
                "jkt" => self.jkt.as_deref(),
                "x5t#S256" => self.x5t_s256.as_deref(),
                _ => None,
            };
            let (Some(stated), Value::String(expected)) = (stated, expected) else {
                return Err(Invalid::ProofMismatch);
            };
            verify_slices_are_equal(stated.as_bytes(), expected.as_bytes()).map_err(|_| Invalid::ProofMismatch)?;
        }
        Ok(())
    }
}
