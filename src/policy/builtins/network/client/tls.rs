//! TLS to a server, which is always verified.

use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

use super::Tls;

/// Speaks TLS with the server that has this name.
pub(super) async fn connect(stream: TcpStream, name: &str, tls: &Tls) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(name.to_owned()).map_err(|_| "no name for a certificate".to_owned())?;
    let connector = TlsConnector::from(Arc::new(config(tls)?));
    connector.connect(name, stream).await.map_err(|error| error.to_string())
}

fn config(tls: &Tls) -> Result<ClientConfig, String> {
    let mut roots =
        if tls.authorities.is_none() || tls.with_system { system().clone() } else { RootCertStore::empty() };
    for certificate in CertificateDer::pem_slice_iter(tls.authorities.as_deref().unwrap_or_default().as_bytes()) {
        let certificate = certificate.map_err(|_| "`tls_ca_cert` is no certificate".to_owned())?;
        roots.add(certificate).map_err(|_| "`tls_ca_cert` is no certificate of an authority".to_owned())?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let builder = builder.with_root_certificates(roots);
    let Some((certificate, key)) = &tls.client else { return Ok(builder.with_no_client_auth()) };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let chain = chain.map_err(|_| "`tls_client_cert` is no certificate".to_owned())?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "`tls_client_key` is no key".to_owned())?;
    builder.with_client_auth_cert(chain, key).map_err(|_| "`tls_client_cert` and `tls_client_key` don't fit".to_owned())
}

/// The authorities that the system trusts.
fn system() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // What cannot be read is not trusted.
        let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}
