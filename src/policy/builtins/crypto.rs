//! `crypto.*`: digests, HMAC, certificates and private keys.

pub(super) mod asn1;
pub(super) mod encoding;
pub(super) mod json;
pub(super) mod key;
pub(super) mod operand;
pub(super) mod pairs;
pub(super) mod private;
pub(super) mod url;
pub(super) mod x509;

#[cfg(test)]
mod tests;

use ::hmac::{Hmac, KeyInit as _, Mac as _};
use aws_lc_rs::{constant_time, digest, hmac};
use md5::{Digest as _, Md5};
use regorus::Value as Rego;

use super::{Failure, Function};
use encoding::to_hex;
use operand::{bad, string};

/// The family.
pub(super) const ALL: &[Function] = &[
    Function { name: "crypto.md5", arity: 1, call: md5 },
    Function { name: "crypto.sha1", arity: 1, call: |arguments| hash(&digest::SHA1_FOR_LEGACY_USE_ONLY, arguments) },
    Function { name: "crypto.sha256", arity: 1, call: |arguments| hash(&digest::SHA256, arguments) },
    Function { name: "crypto.hmac.md5", arity: 2, call: hmac_md5 },
    Function {
        name: "crypto.hmac.sha1",
        arity: 2,
        call: |arguments| authenticate(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, arguments),
    },
    Function { name: "crypto.hmac.sha256", arity: 2, call: |arguments| authenticate(hmac::HMAC_SHA256, arguments) },
    Function { name: "crypto.hmac.sha512", arity: 2, call: |arguments| authenticate(hmac::HMAC_SHA512, arguments) },
    Function { name: "crypto.hmac.equal", arity: 2, call: equal },
    Function { name: "crypto.parse_private_keys", arity: 1, call: pairs::parse_private_keys },
    Function { name: "crypto.x509.parse_certificates", arity: 1, call: x509::parse_certificates },
    Function { name: "crypto.x509.parse_and_verify_certificates", arity: 1, call: x509::parse_and_verify },
    Function {
        name: "crypto.x509.parse_and_verify_certificates_with_options",
        arity: 2,
        call: x509::parse_and_verify_with_options,
    },
    Function { name: "crypto.x509.parse_certificate_request", arity: 1, call: x509::parse_request },
    Function { name: "crypto.x509.parse_keypair", arity: 2, call: pairs::parse_keypair },
    Function { name: "crypto.x509.parse_rsa_private_key", arity: 1, call: pairs::parse_rsa_private_key },
];

fn hash(algorithm: &'static digest::Algorithm, arguments: &[Rego]) -> Result<Rego, Failure> {
    Ok(to_hex(digest::digest(algorithm, string(arguments, 0)?.as_bytes()).as_ref()).into())
}

fn md5(arguments: &[Rego]) -> Result<Rego, Failure> {
    Ok(to_hex(&Md5::digest(string(arguments, 0)?)).into())
}

fn authenticate(algorithm: hmac::Algorithm, arguments: &[Rego]) -> Result<Rego, Failure> {
    let (message, key) = (string(arguments, 0)?, string(arguments, 1)?);
    let key = hmac::Key::new(algorithm, key.as_bytes());
    Ok(to_hex(hmac::sign(&key, message.as_bytes()).as_ref()).into())
}

fn hmac_md5(arguments: &[Rego]) -> Result<Rego, Failure> {
    let (message, key) = (string(arguments, 0)?, string(arguments, 1)?);
    let mut mac = Hmac::<Md5>::new_from_slice(key.as_bytes()).map_err(|_| bad("the key can't be used"))?;
    mac.update(message.as_bytes());
    Ok(to_hex(&mac.finalize().into_bytes()).into())
}

/// In a time that tells nothing about where the two differ.
fn equal(arguments: &[Rego]) -> Result<Rego, Failure> {
    let (one, other) = (string(arguments, 0)?, string(arguments, 1)?);
    Ok(Rego::from(constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()))
}
