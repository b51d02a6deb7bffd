//! A token in compact form (RFC 7515 §7.1), read so strictly that no two readers can differ about it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Invalid;
use crate::decision::{Object, Value, json};

/// The longest token that is read, in bytes.
const LONGEST: usize = 16 << 10;

/// A token whose signature nobody has looked at.
pub(super) struct Unverified<'a> {
    pub(super) algorithm: String,
    /// Only ever compared with the ids of an issuer's keys.
    pub(super) key_id: Option<String>,
    /// Small letters, without `application/` (RFC 7515 §4.1.9).
    pub(super) kind: Option<String>,
    pub(super) claims: Object,
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, Invalid> {
        if token.len() > LONGEST {
            return Err(Invalid::Malformed("it is longer than 16 KiB"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Invalid::Malformed("it has not three parts; encrypted tokens are not read"));
        };
        let signed = token.as_bytes().get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let mut header = object(header)?;
        // `crit` (RFC 7515 §4.1.11): no extension is understood here. `jku`, `jwk`, `x5u` and `x5c` are not looked at.
        for refused in ["crit", "b64", "enc", "zip", "cty"] {
            if header.get(refused).is_some() {
                return Err(Invalid::Malformed("its header asks for what is not done here"));
            }
        }
        let algorithm = text(header.remove("alg"))?.ok_or(Invalid::Malformed("it names no algorithm"))?;
        let kind = text(header.remove("typ"))?.map(|kind| {
            let kind = kind.to_ascii_lowercase();
            kind.strip_prefix("application/").map_or_else(|| kind.clone(), str::to_owned)
        });
        Ok(Self {
            algorithm,
            key_id: text(header.remove("kid"))?,
            kind,
            claims: object(payload)?,
            signed,
            signature: decode(signature)?,
        })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Invalid> {
    // No padding, no bits left over: of one signature there is one spelling.
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Invalid::Malformed("it is not base64url"))
}

fn object(part: &str) -> Result<Object, Invalid> {
    match json::parse(&decode(part)?) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Invalid::Malformed("a part of it is no JSON object, or has a name twice")),
    }
}

fn text(value: Option<Value>) -> Result<Option<String>, Invalid> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Invalid::Malformed("its header has a member of the wrong type")),
    }
}
