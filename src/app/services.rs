//! What the gRPC door answers with, each service with what it needs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Error, door, error::system};
use crate::{
    api::{Observer, credentials::Credentials, envoy, grpc, issuance::Issuer, search},
    clock,
    decision::Decider,
    issuance, reload,
    revocation::Registry,
};

/// What every service asks, and whom it tells.
pub(super) struct Asked {
    pub(super) decider: Arc<Decider>,
    pub(super) credentials: Arc<dyn Credentials>,
    pub(super) observer: Arc<dyn Observer>,
}

/// The routes of the gRPC door.
pub(super) fn routes(
    asked: Asked,
    (envoy, search, issuer): (envoy::Config, search::Config, Issuer),
    health: grpc::Health,
    config: &grpc::Config,
    draining: &CancellationToken,
) -> Result<grpc::LimitedRoutes, Error> {
    let Asked { decider, credentials, observer } = asked;
    let (decider, credentials, observer) =
        (|| Arc::clone(&decider), || Arc::clone(&credentials), || Arc::clone(&observer));
    let ids = || Arc::new(clock::decision_id);
    let searches = grpc::Searches::new(decider(), observer(), ids(), config.clone(), search);
    let issuances = grpc::Issuances::new(issuer, config.request_timeout);
    let mcp = grpc::Mcp::new((decider(), credentials()), observer(), ids(), config.clone());
    let envoy = envoy::Service::new(decider(), credentials(), observer(), ids(), envoy, config)?;
    let service = grpc::Service::new(decider(), credentials(), observer(), ids(), config.clone(), draining.clone());
    grpc::routes(service, Some(searches), Some(issuances), Some(mcp), Some(envoy), health, config).map_err(system)
}

/// What is asked about tokens, at both doors.
pub(super) fn issuer(decider: &Arc<Decider>, observer: Arc<dyn Observer>, config: issuance::Config) -> Issuer {
    Issuer::new(Arc::clone(decider), observer, Arc::new(clock::decision_id), config, Arc::new(clock::seconds))
}

/// What operators get at.
pub(super) fn operators(
    handle: &reload::Handle,
    observer: Arc<dyn Observer>,
    registry: &Registry,
    grpc: &grpc::Config,
) -> door::Operators {
    door::Operators {
        administration: Arc::new(handle.clone()),
        observer,
        registry: registry.clone(),
        max_message_bytes: grpc.max_message_bytes,
    }
}
