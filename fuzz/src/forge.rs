//! A key whose secret is no secret, and what is signed with it.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed of 32 bytes"));

/// The set that has its public half.
pub(super) fn keys() -> String {
    let x = BASE64URL.encode(PAIR.public_key());
    format!(r#"{{"keys": [{{"kty": "OKP", "crv": "Ed25519", "kid": "key", "use": "sig", "x": "{x}"}}]}}"#)
}

/// A token of these texts, whatever they are. The same texts make the same token.
pub(super) fn token(header: &[u8], payload: &[u8]) -> String {
    let text = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload));
    let signature = PAIR.sign(text.as_bytes());
    format!("{text}.{}", BASE64URL.encode(signature))
}

/// Whether a text is a token that this key signed.
pub(super) fn is_ours(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let mut parts = text.trim().split('.').map(|part| BASE64URL.decode(part).ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(header), Some(payload)) => token(&header, &payload) == text.trim(),
        _ => false,
    }
}
