//! The algorithms of JSON Web Signatures (RFC 7518 §3.1, RFC 8037 §3.1).

use aws_lc_rs::hmac;

use super::{
    super::crypto::key::{Hash, PublicKey, Scheme, ecdsa_der},
    jwk::Key,
};

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hmac(Hash),
    Asymmetric(Scheme),
}

/// The algorithm of this name. `none` is none.
pub(super) fn find(name: &str) -> Option<Algorithm> {
    use Algorithm::{Asymmetric, Hmac};
    use Hash::{Sha256, Sha384, Sha512};

    Some(match name {
        "HS256" => Hmac(Sha256),
        "HS384" => Hmac(Sha384),
        "HS512" => Hmac(Sha512),
        "RS256" => Asymmetric(Scheme::Pkcs1(Sha256)),
        "RS384" => Asymmetric(Scheme::Pkcs1(Sha384)),
        "RS512" => Asymmetric(Scheme::Pkcs1(Sha512)),
        "PS256" => Asymmetric(Scheme::Pss(Sha256)),
        "PS384" => Asymmetric(Scheme::Pss(Sha384)),
        "PS512" => Asymmetric(Scheme::Pss(Sha512)),
        "ES256" => Asymmetric(Scheme::Ecdsa(Sha256)),
        "ES384" => Asymmetric(Scheme::Ecdsa(Sha384)),
        "ES512" => Asymmetric(Scheme::Ecdsa(Sha512)),
        "EdDSA" => Asymmetric(Scheme::EdDsa),
        _ => return None,
    })
}

impl Algorithm {
    /// Whether `key` made `signature` over `message`. A key of another kind made none: an RSA key is never a secret.
    pub(super) fn verifies(self, key: &Key, message: &[u8], signature: &[u8]) -> bool {
        match (self, key) {
            (Self::Hmac(hash), Key::Secret(secret)) => authenticates(hash, secret, message, signature),
            (Self::Asymmetric(scheme), Key::Public(key)) => verifies(scheme, key, message, signature),
            (Self::Asymmetric(scheme), Key::Private(key)) => verifies(scheme, &key.public(), message, signature),
            _ => false,
        }
    }
}

/// Whether `signature` is the HMAC of `message`, looked at in constant time.
pub(super) fn authenticates(hash: Hash, secret: &[u8], message: &[u8], signature: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hash.hmac(), secret), message, signature).is_ok()
}

/// A signature of ECDSA has exactly the length of the curve's two numbers (RFC 7518 §3.4).
fn verifies(scheme: Scheme, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    match (scheme, key) {
        (Scheme::Ecdsa(_), PublicKey::Ec { curve, .. }) => {
            signature.len() == 2 * curve.size() && key.verifies(scheme, message, &ecdsa_der(signature))
        }
        _ => key.verifies(scheme, message, signature),
    }
}
