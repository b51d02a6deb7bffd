//! `io.jwt.*`: JSON Web Tokens, signed (RFC 7515, RFC 7519). Encrypted ones are not read.
//!
//! Keys come from the policy alone: `jwk`, `jku`, `x5c` and `x5u` of a token's header are never looked at. Signatures are
//! aws-lc-rs', with its bounds on keys, so that these are refused where OPA takes them:
//! - RSA of more than 8,192 bits, or with an exponent of more than 33; of less than 2,048 for PS*, RS384 and to sign,
//!   of less than 1,024 for the others (RFC 7518 §3.3 asks for 2,048);
//! - a PS* signature whose salt is not as long as the digest (RFC 7518 §3.5), which `io.jwt.verify_ps*` of OPA takes;
//! - signing with ES* on a curve that is not the algorithm's (RFC 7518 §3.4).
//!
//! OPA itself crashes on an `iss` that is no string where an issuer is demanded, and on such a `cty`. The one does not
//! verify here, the other is an error.

mod algorithm;
mod constraints;
mod jwk;
mod sign;
mod token;
mod verify;

#[cfg(test)]
mod tests;

use regorus::Value as Rego;

use super::{
    Failure, Function,
    crypto::{
        encoding, json,
        key::{Hash, Scheme},
        operand::{bad, document, member},
    },
};
use token::Token;

/// The family.
pub(super) const ALL: &[Function] = &[
    Function { name: "io.jwt.decode", arity: 1, call: decode },
    Function { name: "io.jwt.decode_verify", arity: 2, call: constraints::decode_verify },
    Function { name: "io.jwt.encode_sign", arity: 3, call: sign::encode_sign },
    Function { name: "io.jwt.encode_sign_raw", arity: 3, call: sign::encode_sign_raw },
    Function { name: "io.jwt.verify_eddsa", arity: 2, call: |arguments| verify::with(Scheme::EdDsa, arguments) },
    Function {
        name: "io.jwt.verify_es256",
        arity: 2,
        call: |arguments| verify::with(Scheme::Ecdsa(Hash::Sha256), arguments),
    },
    Function {
        name: "io.jwt.verify_es384",
        arity: 2,
        call: |arguments| verify::with(Scheme::Ecdsa(Hash::Sha384), arguments),
    },
    Function {
        name: "io.jwt.verify_es512",
        arity: 2,
        call: |arguments| verify::with(Scheme::Ecdsa(Hash::Sha512), arguments),
    },
    Function { name: "io.jwt.verify_hs256", arity: 2, call: |arguments| verify::hmac(Hash::Sha256, arguments) },
    Function { name: "io.jwt.verify_hs384", arity: 2, call: |arguments| verify::hmac(Hash::Sha384, arguments) },
    Function { name: "io.jwt.verify_hs512", arity: 2, call: |arguments| verify::hmac(Hash::Sha512, arguments) },
    Function {
        name: "io.jwt.verify_ps256",
        arity: 2,
        call: |arguments| verify::with(Scheme::Pss(Hash::Sha256), arguments),
    },
    Function {
        name: "io.jwt.verify_ps384",
        arity: 2,
        call: |arguments| verify::with(Scheme::Pss(Hash::Sha384), arguments),
    },
    Function {
        name: "io.jwt.verify_ps512",
        arity: 2,
        call: |arguments| verify::with(Scheme::Pss(Hash::Sha512), arguments),
    },
    Function {
        name: "io.jwt.verify_rs256",
        arity: 2,
        call: |arguments| verify::with(Scheme::Pkcs1(Hash::Sha256), arguments),
    },
    Function {
        name: "io.jwt.verify_rs384",
        arity: 2,
        call: |arguments| verify::with(Scheme::Pkcs1(Hash::Sha384), arguments),
    },
    Function {
        name: "io.jwt.verify_rs512",
        arity: 2,
        call: |arguments| verify::with(Scheme::Pkcs1(Hash::Sha512), arguments),
    },
];

/// Header, payload and signature, with nothing verified.
fn decode(arguments: &[Rego]) -> Result<Rego, Failure> {
    let mut text = document(arguments, 0)?.to_owned();
    loop {
        let token = Token::split(&text)?;
        let header = token.header()?;
        let payload = token.payload()?;
        let fields = header.as_object().map_err(|_| bad("decoded JSON type was not an Object"))?;
        match member(fields, "cty") {
            // A token in a token. Each is shorter than the one around it, so that this ends.
            Some(Rego::String(kind)) if &**kind == "JWT" => {
                let inner = String::from_utf8(payload).map_err(|_| bad("JWT payload had invalid encoding"))?;
                inner.trim_matches(['"', '\'']).clone_into(&mut text);
                continue;
            }
            Some(Rego::String(_)) | None => {}
            Some(_) => return Err(bad("cty: must be a string")),
        }
        let payload = json::object(&payload)?;
        let signature = encoding::to_hex(&token.signature()?);
        return Ok(Rego::from(vec![header, payload, signature.into()]));
    }
}
