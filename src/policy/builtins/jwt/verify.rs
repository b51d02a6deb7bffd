//! `io.jwt.verify_*`: whether a token is signed with one of the policy's keys.

use regorus::Value as Rego;

use super::{
    super::{
        Failure,
        crypto::{
            key::{Hash, PublicKey, Scheme, ecdsa_der},
            operand::{document, string},
        },
    },
    algorithm,
    jwk::{self, Jwk, Key},
    token::{Header, Token},
};

/// Verifies with a secret.
pub(super) fn hmac(hash: Hash, arguments: &[Rego]) -> Result<Rego, Failure> {
    let (text, secret) = (document(arguments, 0)?, string(arguments, 1)?);
    let token = Token::split(text)?;
    let signature = token.signature()?;
    Ok(Rego::from(algorithm::authenticates(hash, secret.as_bytes(), &token.signed(), &signature)))
}

/// Verifies with a public key. The scheme is the built-in's; the token's `alg` only chooses among the keys.
pub(super) fn with(scheme: Scheme, arguments: &[Rego]) -> Result<Rego, Failure> {
    let (text, keys) = (document(arguments, 0)?, document(arguments, 1)?);
    let token = Token::split(text)?;
    let keys = jwk::for_verification(keys)?;
    let signature = token.signature()?;
    let header = Header::new(&token.header()?)?;
    let message = token.signed();
    Ok(Rego::from(any(&keys, &header, |key| match key {
        Key::Public(key) => verifies(scheme, key, &message, &signature),
        Key::Private(_) | Key::Secret(_) => false,
    })))
}

/// Whether a key of those that may have signed a token with this header did: the one of its `kid` if there is one, or
/// all that do not say another `alg`.
pub(super) fn any(keys: &[Jwk], header: &Header, signed: impl Fn(&Key) -> bool) -> bool {
    if !header.key_id.is_empty()
        && let Some(jwk) = keys.iter().find(|jwk| jwk.id == header.key_id)
    {
        return signed(&jwk.key);
    }
    keys.iter().filter(|jwk| jwk.algorithm.is_empty() || jwk.algorithm == header.algorithm).any(|jwk| signed(&jwk.key))
}

/// Here a signature of ECDSA may have any length; its halves are the numbers.
fn verifies(scheme: Scheme, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    match scheme {
        Scheme::Ecdsa(_) => key.verifies(scheme, message, &ecdsa_der(signature)),
        _ => key.verifies(scheme, message, signature),
    }
}
