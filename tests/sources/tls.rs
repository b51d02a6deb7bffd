//! TLS: the system's authorities or those of a file, and certificates of clients.

use std::{path::Path, sync::Arc};

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};

use crate::support::{failure, next, server, source, whole};

/// An authority of this test, that nobody else trusts.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap(), issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server named `localhost`, that may want certificates of this authority from clients.
    pub(crate) fn server(&self, wants_certificate: bool) -> TlsAcceptor {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = if wants_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let (certificate, key) = self.issue("localhost");
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// The lines that make a source trust it.
    pub(crate) fn trusted(&self, folder: &Path) -> String {
        let path = folder.join("ca.pem");
        std::fs::write(&path, self.certificate.pem()).unwrap();
        format!("tls.ca_file = '{}'\n", path.display())
    }

    fn client(&self, folder: &Path) -> String {
        let (certificate, key) = self.issue("client");
        let (cert_file, key_file) = (folder.join("client.pem"), folder.join("client.key"));
        std::fs::write(&cert_file, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        format!("tls.cert_file = '{}'\ntls.key_file = '{}'\n", cert_file.display(), key_file.display())
    }
}

#[tokio::test]
async fn trusts_whom_it_is_told_to_trust() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let address = server(Some(authority.server(false)), |_, _| whole("200 OK", "", "one")).await;
    let url = format!("https://localhost:{}/", address.port());
    assert_eq!(next(&mut source(&url, &authority.trusted(folder.path()))).await.unwrap(), b"one");
    for more in [other.trusted(folder.path()), String::new()] {
        let words = failure(&mut source(&url, &more)).await;
        assert!(words.contains("cannot be reached") && words.to_lowercase().contains("certificate"), "{words}");
    }
    let named = format!("https://127.0.0.1:{}/", address.port());
    let words = failure(&mut source(&named, &authority.trusted(folder.path()))).await;
    assert!(words.to_lowercase().contains("certificate not valid for name"), "{words}");
}

#[tokio::test]
async fn takes_up_certificates_that_are_exchanged_in_their_files() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let address = server(Some(authority.server(false)), |_, _| whole("200 OK", "", "one")).await;
    let mut source = source(&format!("https://localhost:{}/", address.port()), &other.trusted(folder.path()));
    failure(&mut source).await;
    std::fs::write(folder.path().join("ca.pem"), "no certificate").unwrap();
    let words = failure(&mut source).await;
    assert!(words.contains("holds no certificate"), "{words}");
    authority.trusted(folder.path());
    assert_eq!(next(&mut source).await.unwrap(), b"one");
}

#[tokio::test]
async fn shows_its_certificate_to_a_server_that_wants_one() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let address = server(Some(authority.server(true)), |_, _| whole("200 OK", "", "one")).await;
    let url = format!("https://localhost:{}/", address.port());
    let trusted = authority.trusted(folder.path());
    let words = failure(&mut source(&url, &trusted)).await;
    assert!(words.contains("cannot be reached"), "{words}");
    let words = failure(&mut source(&url, &format!("{trusted}{}", other.client(folder.path())))).await;
    assert!(words.contains("cannot be reached"), "{words}");
    let own = authority.client(folder.path());
    assert_eq!(next(&mut source(&url, &format!("{trusted}{own}"))).await.unwrap(), b"one");
    std::fs::write(folder.path().join("client.key"), "no key").unwrap();
    let words = failure(&mut source(&url, &format!("{trusted}{own}"))).await;
    assert!(words.contains("no certificate with its key") && !words.contains("BEGIN"), "{words}");
}
