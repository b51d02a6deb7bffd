//! `io.jwt.encode_sign` and `_raw`: makes a token.

use aws_lc_rs::hmac;
use regorus::Value as Rego;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    super::{
        Failure,
        crypto::{
            encoding, json,
            operand::{bad, document},
        },
    },
    algorithm::{self, Algorithm},
    jwk::{self, Key},
};

/// What is read of a header: of members with one name the first counts.
#[derive(Default)]
struct Header {
    algorithm: Option<Value>,
    kind: Option<Value>,
}

/// From values, of which OPA does not ask that they are objects.
pub(super) fn encode_sign(arguments: &[Rego]) -> Result<Rego, Failure> {
    let text = |at: usize| arguments.get(at).map_or_else(|| Err(bad("an operand is missing")), json::marshal);
    sign(&text(0)?, &text(1)?, &text(2)?)
}

/// From JSON texts, of which every byte is kept.
pub(super) fn encode_sign_raw(arguments: &[Rego]) -> Result<Rego, Failure> {
    sign(document(arguments, 0)?, document(arguments, 1)?, document(arguments, 2)?)
}

fn sign(headers: &str, payload: &str, key: &str) -> Result<Rego, Failure> {
    let keys = jwk::parse(key)?;
    let jwk = keys.first().ok_or_else(|| bad("no keys found in JWK set"))?;
    let header: Header = serde_json::from_str(headers).map_err(|_| bad("missing or invalid 'alg' header"))?;
    let name = header.algorithm.as_ref().and_then(Value::as_str);
    let name = name.ok_or_else(|| bad("missing or invalid 'alg' header"))?;
    let algorithm = algorithm::find(name).ok_or_else(|| bad("unknown JWS algorithm"))?;
    let kind = header.kind.as_ref().and_then(Value::as_str);
    if kind.is_none_or(|kind| kind == "JWT") && serde_json::from_str::<IgnoredAny>(payload).is_err() {
        return Err(bad("type is JWT but payload is not JSON"));
    }
    let message = format!("{}.{}", encoding::to_url(headers.as_bytes()), encoding::to_url(payload.as_bytes()));
    let signature = match (algorithm, &jwk.key) {
        (Algorithm::Hmac(hash), Key::Secret(secret)) => {
            Some(hmac::sign(&hmac::Key::new(hash.hmac(), secret), message.as_bytes()).as_ref().to_vec())
        }
        (Algorithm::Asymmetric(scheme), Key::Private(key)) => key.sign(scheme, message.as_bytes()),
        _ => None,
    };
    let signature = signature.ok_or_else(|| bad("the key is not one for this algorithm"))?;
    Ok(format!("{message}.{}", encoding::to_url(&signature)).into())
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Header;

            fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(name) = map.next_key::<String>()? {
                    let place = match name.as_str() {
                        "alg" => &mut header.algorithm,
                        "typ" => &mut header.kind,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    let value = map.next_value()?;
                    place.get_or_insert(value);
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(Members)
    }
}
