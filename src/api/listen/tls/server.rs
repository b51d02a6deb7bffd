//! A certificate, its key, and who clients must be, to what rustls takes.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

use super::{Config, Error, MinVersion, setting};

/// What a door's TLS is made of.
pub(super) struct Parts {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Who verifies clients; without it, they are asked for no certificate.
    pub(super) clients: Option<Arc<dyn ClientCertVerifier>>,
    /// What a certificate that does not go with its key is called by.
    pub(super) unfit: fn(&'static str, &Config, String) -> Error,
}

impl Parts {
    /// The door's own certificate.
    pub(super) fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.chain.first()
    }

    pub(super) fn server(&self, door: &'static str, config: &Config, alpn: &[Vec<u8>]) -> Result<ServerConfig, Error> {
        let versions: &[&SupportedProtocolVersion] = match config.min_version {
            MinVersion::Tls12 => &[&TLS13, &TLS12],
            MinVersion::Tls13 => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(|error| Error::Setting { setting: setting(door, "tls_min_version"), cause: error.to_string() })?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients)),
        };
        let mut server = builder
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(|error| (self.unfit)(door, config, format!("does not go with its key: {error}")))?;
        server.alpn_protocols = alpn.to_vec();
        if self.clients.is_some() {
            // A session would let its client in for as long as it is kept, whatever has become of its certificate.
            server.session_storage = Arc::new(NoServerSessionStorage {});
            server.send_tls13_tickets = 0;
        }
        Ok(server)
    }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What is done with a certificate of whose authority there is no list of revocations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unlisted {
    Refused,
    Taken,
}

/// What verifies clients' certificates by these authorities.
pub(super) fn verifier(
    roots: RootCertStore,
    lists: Vec<CertificateRevocationListDer<'static>>,
    unlisted: Unlisted,
    optional: bool,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    let builder = if lists.is_empty() { builder } else { builder.with_crls(lists) };
    let builder = match unlisted {
        Unlisted::Refused => builder,
        Unlisted::Taken => builder.allow_unknown_revocation_status(),
    };
    let builder = if optional { builder.allow_unauthenticated() } else { builder };
    builder.build()
}
