//! TLS to a server: whom to trust, and what to show of oneself.

use std::{io, sync::Arc};

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};
use tonic::transport::{Channel, Endpoint, Uri};

/// How a client speaks TLS.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

/// Why a client can't speak TLS so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidTls(String);

impl Tls {
    /// Trusts the authorities of `ca`, in PEM, or those of the system; shows the certificate and the key of `identity`.
    ///
    /// # Errors
    /// If something of it is no PEM, or a key does not go with its certificate.
    pub fn new(ca: Option<&[u8]>, identity: Option<(&[u8], &[u8])>) -> Result<Self, InvalidTls> {
        let invalid = |text: &str| InvalidTls(text.to_owned());
        let mut roots = RootCertStore::empty();
        match ca {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|_| invalid("the authorities are no PEM of certificates"))?;
                    roots.add(certificate).map_err(|error| InvalidTls(format!("an authority is no good: {error}")))?;
                }
            }
            // What can't be read is not trusted.
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        if roots.is_empty() {
            return Err(invalid("there is no authority to trust"));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| InvalidTls(error.to_string()))?
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
                let chain = chain.map_err(|_| invalid("the certificate is no PEM"))?;
                let key =
                    PrivateKeyDer::from_pem_slice(key).map_err(|_| invalid("the key is no private key in PEM"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| InvalidTls(format!("the certificate does not go with its key: {error}")))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// A connection to `authority` (`pdp.internal:9191`), made when it is first needed and again whenever it is lost.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If that is no host and port.
    pub fn lazy(
        &self,
        authority: &str,
        endpoint: impl FnOnce(Endpoint) -> Endpoint,
    ) -> Result<Channel, tonic::transport::Error> {
        let origin = Uri::try_from(format!("https://{authority}")).unwrap_or_default();
        // tonic's own TLS would be asked of `https`; this is done by the connector.
        let endpoint = endpoint(Endpoint::from_shared(format!("http://{authority}"))?.origin(origin));
        let connector = TlsConnector::from(Arc::clone(&self.0));
        Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |uri: Uri| {
            let connector = connector.clone();
            async move {
                let fault = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
                let host = uri.host().ok_or_else(|| fault("there is no host"))?.trim_matches(['[', ']']).to_owned();
                let port = uri.port_u16().ok_or_else(|| fault("there is no port"))?;
                let stream = TcpStream::connect((host.as_str(), port)).await?;
                stream.set_nodelay(true)?;
                let name = ServerName::try_from(host).map_err(|_| fault("the host is no name for a certificate"))?;
                io::Result::Ok(TokioIo::new(connector.connect(name, stream).await?))
            }
        })))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Tls").finish_non_exhaustive()
    }
}
