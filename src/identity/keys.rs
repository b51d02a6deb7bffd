//! An issuer's keys: a JWK set (RFC 7517 §5) to what verifies.

use aws_lc_rs::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Algorithm, Invalid, algorithm::Family, jws::Unverified};
use crate::decision::{Object, Value, json};

/// The most keys of a set.
const MOST: usize = 100;

/// The most keys that are tried for a token that names none.
const TRIED: usize = 8;

/// The keys that an issuer signs with.
#[derive(Debug, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

/// Why a text is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JWK set of at most {MOST} keys")]
pub struct InvalidKeys;

#[derive(Debug, PartialEq, Eq)]
struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Curve { name: &'static str, point: Vec<u8> },
}

impl KeySet {
    /// Reads a set. Keys that sign nothing which is verified here are passed over, private and secret ones too.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKeys> {
        Self::read(text, |jwk| jwk.get("use").is_none_or(|purpose| *purpose == Value::from("sig")))
    }

    /// Reads a SPIFFE bundle: only its keys for JWT-SVIDs count (SPIFFE Trust Domain and Bundle §4.2.2).
    pub fn parse_bundle(text: &[u8]) -> Result<Self, InvalidKeys> {
        Self::read(text, |jwk| jwk.get("use").is_some_and(|purpose| *purpose == Value::from("jwt-svid")))
    }

    /// Whether it has no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn read(text: &[u8], is_meant: impl Fn(&Object) -> bool) -> Result<Self, InvalidKeys> {
        let Ok(Value::Object(set)) = json::parse(text) else { return Err(InvalidKeys) };
        match set.get("keys") {
            Some(Value::Array(keys)) if keys.len() <= MOST => {
                let meant = |jwk: &&Object| is_meant(jwk);
                let objects = keys.iter().filter_map(|jwk| match jwk {
                    Value::Object(jwk) => Some(jwk),
                    _ => None,
                });
                Ok(Self(objects.filter(meant).filter_map(key).collect()))
            }
            _ => Err(InvalidKeys),
        }
    }

    /// Whether one of these keys signed the token.
    pub(super) fn verify(&self, token: &Unverified<'_>, algorithm: Algorithm) -> Result<(), Invalid> {
        let fits = |key: &&Key| {
            token.key_id.as_ref().is_none_or(|id| key.id.as_ref() == Some(id))
                && key.algorithm.is_none_or(|its| its == algorithm)
                && key.material.fits(algorithm)
        };
        let mut keys = self.0.iter().filter(fits).take(TRIED).peekable();
        if keys.peek().is_none() {
            return Err(Invalid::KeyUnknown);
        }
        let signed = keys.any(|key| key.material.verifies(algorithm, token.signed, &token.signature));
        if signed { Ok(()) } else { Err(Invalid::SignatureInvalid) }
    }
}

impl Material {
    fn fits(&self, algorithm: Algorithm) -> bool {
        match (self, algorithm.family()) {
            (Self::Rsa { .. }, Family::Rsa(_)) => true,
            (Self::Curve { name, .. }, Family::Curve(curve, _)) => *name == curve,
            _ => false,
        }
    }

    fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm.family()) {
            (Self::Rsa { n, e }, Family::Rsa(parameters)) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            (Self::Curve { name, point }, Family::Curve(curve, verify)) if *name == curve => {
                UnparsedPublicKey::new(verify, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

fn key(jwk: &Object) -> Option<Key> {
    let text = |name: &str| match jwk.get(name) {
        Some(Value::String(text)) => Some(text.as_str()),
        _ => None,
    };
    if jwk.get("d").is_some() {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops") {
        let Value::Array(operations) = operations else { return None };
        if !operations.contains(&Value::from("verify")) {
            return None;
        }
    }
    let algorithm = match jwk.get("alg") {
        None => None,
        Some(_) => Some(text("alg")?.parse().ok()?),
    };
    let material = match text("kty")? {
        "RSA" => Material::Rsa { n: bytes(jwk, "n")?, e: bytes(jwk, "e")? },
        "EC" => {
            let (name, size) = match text("crv")? {
                "P-256" => ("P-256", 32),
                "P-384" => ("P-384", 48),
                "P-521" => ("P-521", 66),
                _ => return None,
            };
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            // RFC 7518 §6.2.1.2: of the curve's full size.
            if x.len() != size || y.len() != size {
                return None;
            }
            Material::Curve { name, point: [vec![4], x, y].concat() }
        }
        "OKP" if text("crv")? == "Ed25519" => Material::Curve { name: "Ed25519", point: bytes(jwk, "x")? },
        _ => return None,
    };
    let id = match jwk.get("kid") {
        None => None,
        Some(_) => Some(text("kid")?.to_owned()),
    };
    Some(Key { id, algorithm, material })
}

fn bytes(jwk: &Object, name: &str) -> Option<Vec<u8>> {
    let Value::String(text) = jwk.get(name)? else { return None };
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let zeros = if name == "n" || name == "e" { bytes.iter().take_while(|byte| **byte == 0).count() } else { 0 };
    bytes.get(zeros..).filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec)
}
