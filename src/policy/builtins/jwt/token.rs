//! A token's three parts, and what its header says.

use regorus::Value as Rego;

use super::super::{
    Failure,
    crypto::{
        encoding, json,
        operand::{bad, member},
    },
};

/// A token in compact form (RFC 7515 §7.1), its parts still encoded.
pub(super) struct Token<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// What a verifier reads of a header; what is missing is empty.
#[derive(Default)]
pub(super) struct Header {
    pub(super) algorithm: String,
    pub(super) key_id: String,
    pub(super) content_type: String,
    /// Whether `crit` names a member of the header that is not understood (RFC 7515 §4.1.11).
    pub(super) critical_unknown: bool,
}

impl<'a> Token<'a> {
    /// Splits at the periods.
    pub(super) fn split(text: &'a str) -> Result<Self, Failure> {
        let mut parts = text.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(payload), Some(signature), None) => Ok(Self { header, payload, signature }),
            (_, None, ..) => Err(bad("encoded JWT had no period separators")),
            _ => Err(bad("encoded JWT must have 3 sections")),
        }
    }

    /// The header as an object.
    pub(super) fn header(&self) -> Result<Rego, Failure> {
        let bytes = encoding::url(self.header).ok_or_else(|| bad("JWT header had invalid encoding"))?;
        let header = json::object(&bytes)?;
        if let Rego::Object(members) = &header
            && member(members, "enc").is_some()
        {
            return Err(bad("JWT is a JWE object, which is not supported"));
        }
        Ok(header)
    }

    /// The bytes of the payload.
    pub(super) fn payload(&self) -> Result<Vec<u8>, Failure> {
        encoding::url(self.payload).ok_or_else(|| bad("JWT payload had invalid encoding"))
    }

    /// The bytes of the signature.
    pub(super) fn signature(&self) -> Result<Vec<u8>, Failure> {
        encoding::url(self.signature).ok_or_else(|| bad("JWT signature had invalid encoding"))
    }

    /// What is signed (RFC 7515 §5.2).
    pub(super) fn signed(&self) -> Vec<u8> {
        [self.header, ".", self.payload].concat().into_bytes()
    }
}

impl Header {
    /// The header's members that a verifier looks at.
    pub(super) fn new(header: &Rego) -> Result<Self, Failure> {
        let members = header.as_object().map_err(|_| bad("decoded JSON type was not an Object"))?;
        let string = |name: &str| match member(members, name) {
            None => Ok(String::new()),
            Some(Rego::String(text)) => Ok(text.to_string()),
            Some(_) => Err(bad(format!("{name}: must be a string"))),
        };
        string("typ")?;
        let critical_unknown = match member(members, "crit") {
            None => false,
            Some(Rego::Array(names)) => {
                // Names count up to the first that is no string.
                let mut names = names.iter().take_while(|name| matches!(name, Rego::String(_))).peekable();
                if names.peek().is_none() {
                    return Err(bad("crit: must be a nonempty list"));
                }
                let understood = |name: &Rego| ["alg", "cty", "crit", "kid", "typ"].map(Rego::from).contains(name);
                names.any(|name| members.contains_key(name) && !understood(name))
            }
            Some(_) => return Err(bad("crit: must be a list")),
        };
        Ok(Self { algorithm: string("alg")?, key_id: string("kid")?, content_type: string("cty")?, critical_unknown })
    }
}
