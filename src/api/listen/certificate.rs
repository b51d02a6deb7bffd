//! Whose certificate a client has shown; TLS has verified it against the door's authorities.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::{Request, service::Service};
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

use super::Unread;
use crate::workload::is_spiffe_id;

/// A verified certificate of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its SPIFFE ID, if it is an X.509-SVID: one URI among its names, and that a SPIFFE ID (X509-SVID §2).
    pub spiffe_id: Option<String>,
    /// Its DNS names.
    pub dns: Vec<String>,
    /// Its URIs.
    pub uris: Vec<String>,
    /// Its hash, as tokens that are bound to it have it (RFC 8705 §3.1).
    pub x5t_s256: String,
}

/// The user at the other end of a unix socket, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixUser(pub u32);

/// A service whose requests carry what their connection proves: a certificate, or a user.
#[derive(Clone, Debug)]
pub(super) struct Certified<S> {
    pub(super) service: S,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) user: Option<UnixUser>,
    pub(super) unread: Arc<Unread>,
}

impl Certificate {
    /// Reads it. Names that can't be read are as none.
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Self {
        let x5t_s256 = URL_SAFE_NO_PAD.encode(Sha256::digest(certificate));
        let (mut dns, mut uris) = (Vec::new(), Vec::new());
        if let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) {
            dns.extend(certificate.valid_dns_names().map(str::to_ascii_lowercase));
            uris.extend(certificate.valid_uri_names().map(str::to_owned));
        }
        let spiffe_id = match uris.as_slice() {
            [one] if is_spiffe_id(one) => Some(one.clone()),
            _ => None,
        };
        Self { spiffe_id, dns, uris, x5t_s256 }
    }

    /// The one name that it stands for: the SPIFFE ID; else its only name, `dns:` or `uri:` before it. A certificate with
    /// several others stands for nobody.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match (&self.spiffe_id, self.dns.as_slice(), self.uris.as_slice()) {
            (Some(id), _, _) => Some(id.clone()),
            (None, [name], []) => Some(format!("dns:{name}")),
            (None, [], [uri]) => Some(format!("uri:{uri}")),
            _ => None,
        }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Certified<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(Arc::clone(certificate));
        }
        if let Some(user) = self.user {
            request.extensions_mut().insert(user);
        }
        request.extensions_mut().insert(Arc::clone(&self.unread));
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(dns: &[&str], uris: &[&str]) -> Option<String> {
        let mut params = rcgen::CertificateParams::new(dns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let params = params.as_mut().unwrap();
        params.subject_alt_names.extend(uris.iter().map(|uri| rcgen::SanType::URI((*uri).try_into().unwrap())));
        let key = rcgen::KeyPair::generate().unwrap();
        Certificate::read(params.clone().self_signed(&key).unwrap().der()).id()
    }

    #[test]
    fn stands_for_one_name_or_nobody() {
        assert_eq!(named(&[], &["spiffe://example.org/gateway"]), Some("spiffe://example.org/gateway".to_owned()));
        assert_eq!(named(&["a.test"], &["spiffe://example.org"]), Some("spiffe://example.org".to_owned()));
        assert_eq!(named(&["A.test"], &[]), Some("dns:a.test".to_owned()));
        assert_eq!(named(&[], &["https://a.test/x"]), Some("uri:https://a.test/x".to_owned()));
        assert_eq!(named(&[], &[]), None);
        assert_eq!(named(&["a.test", "b.test"], &[]), None);
        assert_eq!(named(&["a.test"], &["https://a.test"]), None);
        assert_eq!(named(&[], &["spiffe://a/x", "spiffe://b/x"]), None, "an SVID has one");
    }
}
