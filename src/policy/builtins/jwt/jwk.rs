//! The keys that a token is verified with: a certificate, a public key, a JWK or a set of them (RFC 7517).

use serde_json::{Map, Value};

use super::{
    super::{
        Failure,
        crypto::{
            asn1::without_zeros,
            encoding,
            key::{Curve, PublicKey},
            operand::bad,
            private::{PrivateKey, Rsa},
            x509::Certificate,
        },
    },
    algorithm,
};

/// The most keys of a set: each may have to be tried.
const MAX_KEYS: usize = 100;

/// What a JWK's `alg` may be beside the algorithms for signatures: keys for encryption are passed over (RFC 7518 §4.1).
const OTHER_ALGORITHMS: [&str; 29] = [
    "A128CBC-HS256",
    "A128GCM",
    "A128GCMKW",
    "A128KW",
    "A192CBC-HS384",
    "A192GCM",
    "A192GCMKW",
    "A192KW",
    "A256CBC-HS512",
    "A256GCM",
    "A256GCMKW",
    "A256KW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "Ed25519",
    "Ed448",
    "ES256K",
    "none",
    "PBES2-HS256+A128KW",
    "PBES2-HS384+A192KW",
    "PBES2-HS512+A256KW",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA-OAEP-384",
    "RSA-OAEP-512",
    "RSA1_5",
];

/// A key, and what it says of itself.
pub(super) struct Jwk {
    /// Empty where it says nothing.
    pub(super) algorithm: String,
    /// Empty where it has none.
    pub(super) id: String,
    pub(super) key: Key,
}

/// What a key can do.
pub(super) enum Key {
    Public(PublicKey),
    Private(Box<PrivateKey>),
    Secret(Vec<u8>),
}

/// The keys to verify with.
pub(super) fn for_verification(text: &str) -> Result<Vec<Jwk>, Failure> {
    if let Some((block, rest)) = encoding::pem(text.as_bytes()) {
        if !rest.is_empty() {
            return Err(bad("extra data after a PEM certificate block"));
        }
        let key = match block.label.as_str() {
            "CERTIFICATE" => Certificate::parse(&block.bytes)?.public_key,
            "PUBLIC KEY" => {
                Some(PublicKey::from_info(&block.bytes).ok_or_else(|| bad("failed to parse a PEM public key"))?)
            }
            _ => return Err(bad("failed to extract a Key from the PEM certificate")),
        };
        let jwk = |key| Jwk { algorithm: String::new(), id: String::new(), key: Key::Public(key) };
        return Ok(key.into_iter().map(jwk).collect());
    }
    let mut keys = parse(text)?;
    keys.retain(|key| key.algorithm.is_empty() || algorithm::find(&key.algorithm).is_some());
    Ok(keys)
}

/// A JWK, or a set of them.
pub(super) fn parse(text: &str) -> Result<Vec<Jwk>, Failure> {
    // OPA reads a key up to its end, and passes over what comes after it; not so for a set.
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let Some(Ok(Value::Object(object))) = values.next() else {
        return Err(bad("failed to parse a JWK key (set)"));
    };
    let trailing = text.get(values.byte_offset()..).is_none_or(|rest| !rest.trim_ascii().is_empty());
    match object.get("keys") {
        None => Ok(vec![Jwk::new(&object)?]),
        Some(_) if trailing => Err(bad("failed to parse a JWK set")),
        Some(Value::Array(keys)) if keys.len() > MAX_KEYS => {
            Err(Failure::Spent(format!("a JWK set has more than {MAX_KEYS} keys")))
        }
        Some(Value::Array(keys)) => {
            keys.iter().map(|key| Jwk::new(key.as_object().ok_or_else(|| bad("a JWK must be an object"))?)).collect()
        }
        Some(_) => Err(bad("failed to parse a JWK set: `keys` must be an array")),
    }
}

impl Jwk {
    fn new(object: &Map<String, Value>) -> Result<Self, Failure> {
        for name in ["use", "x5t", "x5t#S256", "x5u"] {
            string(object, name)?;
        }
        let algorithm = string(object, "alg")?.unwrap_or_default().to_owned();
        if object.contains_key("alg")
            && algorithm::find(&algorithm).is_none()
            && !OTHER_ALGORITHMS.contains(&algorithm.as_str())
        {
            return Err(bad("a JWK has an `alg` that is not known"));
        }
        operations(object.get("key_ops"))?;
        chain(object.get("x5c"))?;
        let id = string(object, "kid")?.unwrap_or_default().to_owned();
        let private = object.contains_key("d");
        let key = match string(object, "kty")? {
            Some("RSA") => rsa(object, private),
            Some("EC") => ec(object, private),
            Some("OKP") => okp(object, private),
            Some("oct") => bytes(object, "k").filter(|secret| !secret.is_empty()).map(Key::Secret),
            _ => return Err(bad("a JWK has a `kty` that is not known")),
        };
        Ok(Self { algorithm, id, key: key.ok_or_else(|| bad("a JWK is not valid"))? })
    }
}

fn rsa(object: &Map<String, Value>, private: bool) -> Option<Key> {
    let (n, e) = (bytes(object, "n")?, bytes(object, "e")?);
    let (n, e) = (without_zeros(&n).to_vec(), without_zeros(&e).to_vec());
    let odd = e.last().is_some_and(|last| last & 1 == 1);
    let fits = e.len() < 8 || (e.len() == 8 && e.first().is_some_and(|first| first & 0x80 == 0));
    if n.is_empty() || !odd || !fits {
        return None;
    }
    if !private {
        return Some(Key::Public(PublicKey::Rsa { n, e }));
    }
    let key = Rsa::new(&n, &e, &bytes(object, "d")?, &bytes(object, "p")?, &bytes(object, "q")?)?;
    Some(Key::Private(Box::new(PrivateKey::Rsa(key))))
}

fn ec(object: &Map<String, Value>, private: bool) -> Option<Key> {
    let name = object.get("crv")?.as_str()?;
    let curve = Curve::ALL.into_iter().find(|curve| *curve != Curve::P224 && curve.name() == name)?;
    let mut point = vec![4];
    for name in ["x", "y"] {
        let number = bytes(object, name)?;
        let number = without_zeros(&number);
        point.resize(point.len() + curve.size().checked_sub(number.len())?, 0);
        point.extend_from_slice(number);
    }
    if private {
        return Some(Key::Private(Box::new(PrivateKey::on_curve(curve, &bytes(object, "d")?, Some(&point))?)));
    }
    PublicKey::on_curve(curve, &point).map(Key::Public)
}

fn okp(object: &Map<String, Value>, private: bool) -> Option<Key> {
    let x = bytes(object, "x").filter(|x| x.len() == 32)?;
    match (object.get("crv")?.as_str()?, private) {
        ("Ed25519", false) => Some(Key::Public(PublicKey::Ed25519(x))),
        ("Ed25519", true) => {
            let key = PrivateKey::from_seed(&bytes(object, "d")?)?;
            (key.public() == PublicKey::Ed25519(x)).then(|| Key::Private(Box::new(key)))
        }
        ("X25519", false) => Some(Key::Public(PublicKey::X25519)),
        ("X25519", true) => PrivateKey::x25519(&bytes(object, "d")?).map(|key| Key::Private(Box::new(key))),
        _ => None,
    }
}

/// A member that is a string, or null, or is not there.
fn string<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Failure> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(format!("a JWK's `{name}` must be a string"))),
    }
}

fn bytes(object: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    encoding::any(object.get(name)?.as_str()?)
}

fn operations(value: Option<&Value>) -> Result<(), Failure> {
    match value {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => Ok(()),
        Some(_) => Err(bad("a JWK's `key_ops` is not valid")),
    }
}

fn chain(value: Option<&Value>) -> Result<(), Failure> {
    let certificates = match value {
        None => return Ok(()),
        Some(Value::Array(items)) if items.len() <= MAX_KEYS => items,
        Some(_) => return Err(bad("a JWK's `x5c` is not valid")),
    };
    for certificate in certificates {
        let text: String = certificate.as_str().unwrap_or_default().split_ascii_whitespace().collect();
        let der = encoding::standard(text.as_bytes()).ok_or_else(|| bad("a JWK's `x5c` is not valid"))?;
        Certificate::parse(&der)?;
    }
    Ok(())
}
