//! The credential of the request that Envoy asks about: its `authorization`, and the client's certificate.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use envoy_types::ext_authz::v3::pb::CheckRequest;
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};

use crate::{
    api::credentials::{Credential, bearer},
    identity::Proof,
};

/// Takes the token out of the request, if it has one: nothing of it stays behind. Other schemes stay where they are.
pub(super) fn take(request: &mut CheckRequest) -> Option<Credential> {
    let attributes = request.attributes.as_mut()?;
    let certificate = attributes.source.as_ref().map(|source| source.certificate.as_str());
    let proof = Proof { jkt: None, x5t_s256: certificate.and_then(thumbprint) };
    let http = attributes.request.as_mut()?.http.as_mut()?;
    let is_ours = |name: &str| name.eq_ignore_ascii_case("authorization");
    let mut values: Vec<String> =
        http.headers.iter().filter(|(name, _)| is_ours(name)).map(|(_, value)| value.clone()).collect();
    for header in http.header_map.iter().flat_map(|map| &map.headers).filter(|header| is_ours(&header.key)) {
        values.push(if header.raw_value.is_empty() {
            header.value.clone()
        } else {
            String::from_utf8_lossy(&header.raw_value).into_owned()
        });
    }
    if !values.iter().any(|value| bearer(value).is_some()) {
        return None;
    }
    http.headers.retain(|name, _| !is_ours(name));
    if let Some(map) = &mut http.header_map {
        map.headers.retain(|header| !is_ours(&header.key));
    }
    // More than one is none: together they are no token.
    values.dedup();
    let token = match values.as_slice() {
        [one] => bearer(one).unwrap_or_default().to_owned(),
        _ => values.join(","),
    };
    Some(Credential { token: token.into(), proof })
}

/// The thumbprint (RFC 8705 §3.1) of a certificate as Envoy gives it: PEM, percent-encoded.
fn thumbprint(certificate: &str) -> Option<String> {
    if certificate.is_empty() {
        return None;
    }
    let text = percent_decode_str(certificate).decode_utf8().ok()?;
    let pem = pem::parse(text.as_bytes()).ok().filter(|pem| pem.tag() == "CERTIFICATE")?;
    Some(URL_SAFE_NO_PAD.encode(Sha256::digest(pem.contents())))
}
