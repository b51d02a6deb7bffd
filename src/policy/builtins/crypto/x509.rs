//! `crypto.x509.*` on certificates and requests for them (RFC 5280, RFC 2986). The values are those that Go's JSON has.
//!
//! Stricter than OPA: a chain below the root in which an authority demands explicit policies is refused (Go weighs
//! them), and so are quoted mailboxes under name constraints; keys on P-224 are shown, but check no signature.

mod certificate;
mod chain;
mod constraints;
mod extension;
mod hostname;
mod name;
mod options;
mod request;
pub(super) mod value;

use regorus::Value as Rego;

use super::{
    super::Failure,
    encoding,
    operand::{bad, document, object},
};
pub(in super::super) use certificate::Certificate;
use options::Options;

/// The most certificates that are read of one text.
const MAX_CERTIFICATES: usize = 100;

/// Every certificate of a text.
pub(super) fn parse_certificates(arguments: &[Rego]) -> Result<Rego, Failure> {
    let certificates = read(document(arguments, 0)?)?;
    list(&certificates.iter().collect::<Vec<_>>(), true)
}

/// Whether the certificates are a chain: a root, intermediates, and last the leaf, which is for a server.
pub(super) fn parse_and_verify(arguments: &[Rego]) -> Result<Rego, Failure> {
    verify(document(arguments, 0)?, true, || Ok(Options::default()))
}

/// The same, with what the second argument demands.
pub(super) fn parse_and_verify_with_options(arguments: &[Rego]) -> Result<Rego, Failure> {
    let (text, options) = (document(arguments, 0)?, object(arguments, 1)?);
    verify(text, false, || Options::new(options))
}

/// A request for a certificate.
pub(super) fn parse_request(arguments: &[Rego]) -> Result<Rego, Failure> {
    let text = document(arguments, 0)?;
    let bytes = if text.starts_with("-----BEGIN CERTIFICATE REQUEST-----") {
        text.as_bytes().to_vec()
    } else {
        encoding::standard(text.as_bytes()).ok_or_else(|| bad("illegal base64 data"))?
    };
    match encoding::pem(&bytes) {
        Some((block, _)) if block.label == "CERTIFICATE REQUEST" => request::parse(&block.bytes),
        Some(_) => Err(bad("invalid PEM-encoded certificate signing request")),
        None => request::parse(&bytes),
    }
}

/// Certificates as the built-ins have them; only some of these have the URIs as texts, too.
pub(super) fn list(certificates: &[&Certificate], uri_strings: bool) -> Result<Rego, Failure> {
    let values = certificates.iter().map(|certificate| certificate.value(uri_strings));
    values.collect::<Result<Vec<_>, _>>().map(Rego::from)
}

fn verify(text: &str, strings: bool, options: impl Fn() -> Result<Options, Failure>) -> Result<Rego, Failure> {
    let refused = || Rego::from(vec![Rego::from(false), Rego::new_array()]);
    let certificates = match read(text) {
        Ok(certificates) => certificates,
        Err(Failure::Operand(_)) => return Ok(refused()),
        Err(failure) => return Err(failure),
    };
    let options = options()?;
    match chain::verified(&certificates, &options)? {
        Some(chain) => Ok(Rego::from(vec![Rego::from(true), list(&chain, strings)?])),
        None => Ok(refused()),
    }
}

/// Certificates in PEM, or DER in base64, or PEM in base64.
fn read(text: &str) -> Result<Vec<Certificate>, Failure> {
    const BEGIN: &[u8] = b"-----BEGIN";

    if text.as_bytes().starts_with(BEGIN) {
        return parse_all(&blocks(text.as_bytes())?);
    }
    let bytes = encoding::standard(text.as_bytes()).ok_or_else(|| bad("illegal base64 data"))?;
    if bytes.starts_with(BEGIN) { parse_all(&blocks(&bytes)?) } else { parse_all(&bytes) }
}

/// The bytes of all blocks, which are certificates, one after the other.
fn blocks(mut text: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some((block, rest)) = encoding::pem(text) {
        if block.label != "CERTIFICATE" {
            return Err(bad("a PEM block's type is not CERTIFICATE"));
        }
        bytes.extend(block.bytes);
        text = rest;
    }
    Ok(bytes)
}

fn parse_all(mut der: &[u8]) -> Result<Vec<Certificate>, Failure> {
    let mut certificates = Vec::new();
    while !der.is_empty() {
        if certificates.len() == MAX_CERTIFICATES {
            return Err(Failure::Spent(format!("more than {MAX_CERTIFICATES} certificates")));
        }
        let (certificate, rest) = Certificate::parse_first(der)?;
        certificates.push(certificate);
        der = rest;
    }
    Ok(certificates)
}
