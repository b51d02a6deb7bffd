//! Why a server did not start, or did not end well.

use std::sync::Arc;

use crate::{
    api::{
        envoy,
        listen::{self, BindError, inherited, tls},
    },
    audit::OpenError,
    reload::Failure,
    revocation::OpenError as RevocationError,
    ssf,
    telemetry::export::ExportError,
    workload,
};

/// Why the server did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// What the supervisor handed over can't be used.
    #[error(transparent)]
    Inherited(#[from] inherited::Error),
    /// The policy service's socket could not be bound.
    #[error(transparent)]
    Admin(#[from] listen::private::Error),
    /// A door's certificate, key or authorities can't be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The SPIFFE Workload API gave no certificate.
    #[error(transparent)]
    Workload(#[from] workload::Late),
    /// Who may ask what can't be read.
    #[error("{0}")]
    Callers(String),
    /// The policies are not usable, and `policies.strict` makes that fatal.
    #[error("the policies can't be used, and `--strict` is set:\n{0}")]
    Strict(Arc<Failure>),
    /// A bundle's key can't be used.
    #[error("bundles.{0}")]
    Bundles(String),
    /// A sink of the decision log can't be opened.
    #[error("decision_log.sinks.{0}")]
    DecisionLog(#[from] OpenError),
    /// What was revoked can't be read, so that it might pass.
    #[error("revocation.store: {0}")]
    Revocation(#[from] RevocationError),
    /// A transmitter's keys or token can't be read.
    #[error("ssf.transmitters.{0}")]
    Ssf(#[from] ssf::OpenError),
    /// The file of `envoy.descriptors` is none.
    #[error("envoy.descriptors: {0}")]
    Descriptors(#[from] envoy::DescriptorsError),
    /// The file of `policies.capabilities` is none.
    #[error("policies.capabilities: {0}")]
    Capabilities(String),
    /// Telemetry can't be pushed.
    #[error(transparent)]
    Telemetry(#[from] ExportError),
    /// The system failed us.
    #[error("{0}")]
    System(String),
    /// A part of the server ended, which is a bug.
    #[error("the {0} ended unexpectedly; the log may say why")]
    Ended(&'static str),
}

/// What the system says, as an error.
pub(super) fn system(error: impl std::fmt::Display) -> Error {
    Error::System(error.to_string())
}
