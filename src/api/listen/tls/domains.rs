//! Clients' X.509-SVIDs, each verified by the authorities of its own trust domain (X509-SVID §5.1, §5.2).
//!
//! One store of all authorities would not do: those of a trust domain that is federated would vouch for everyone's workloads.

use std::{collections::BTreeMap, fmt, sync::Arc};

use rustls_pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::{
    self, CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::{leaf::Leaf, server::provider};
use crate::{api::listen::certificate::Certificate, workload::domain_of_workload};

pub(super) struct ByTrustDomain {
    domains: BTreeMap<String, Arc<dyn ClientCertVerifier>>,
    provider: Arc<CryptoProvider>,
    optional: bool,
}

impl ByTrustDomain {
    pub(super) fn new(domains: BTreeMap<String, Arc<dyn ClientCertVerifier>>, optional: bool) -> Self {
        Self { domains, provider: provider(), optional }
    }
}

impl ClientCertVerifier for ByTrustDomain {
    fn client_auth_mandatory(&self) -> bool {
        !self.optional
    }

    // Clients have one certificate, and authorities' names say nothing of trust domains.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let refused = |error: CertificateError| rustls::Error::InvalidCertificate(error);
        let id = Certificate::read(end_entity).spiffe_id;
        let domain = id.as_deref().and_then(domain_of_workload);
        let domain = domain.ok_or_else(|| refused(CertificateError::ApplicationVerificationFailure))?;
        let by = self.domains.get(domain).ok_or_else(|| refused(CertificateError::UnknownIssuer))?;
        let verified = by.verify_client_cert(end_entity, intermediates, now)?;
        // What may sign others is an authority's, not a workload's. Read last: until here, it was anybody's text.
        if Leaf::read(end_entity).is_none_or(|leaf| leaf.may_sign) {
            return Err(refused(CertificateError::ApplicationVerificationFailure));
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for ByTrustDomain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domains, provider: _, optional } = self;
        let domains: Vec<_> = domains.keys().collect();
        out.debug_struct("ByTrustDomain").field("domains", &domains).field("optional", optional).finish()
    }
}
