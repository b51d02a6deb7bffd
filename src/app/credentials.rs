//! The issuers of credentials, put together: their keys are kept by tasks of the server.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::state::State;
use crate::{
    api::credentials::Credentials,
    identity::Identity,
    issuers::{Config, Issuers, Settings},
    revocation::Registry,
};

/// Opens the issuers, and starts what keeps their keys until `draining` is cancelled.
pub(super) fn open(
    config: Config,
    (registry, state): (&Registry, &State),
    tasks: &mut JoinSet<&'static str>,
    draining: &CancellationToken,
) -> Arc<dyn Credentials> {
    let known = |(name, settings): (&String, &Settings)| {
        // As its tokens name it.
        let its = match &settings.issuer.identity {
            Identity::Issuer(issuer) => issuer.clone(),
            Identity::TrustDomain(domain) => format!("spiffe://{domain}"),
            Identity::Opaque { issuer, .. } => issuer.clone().unwrap_or_else(|| name.clone()),
        };
        (name.clone(), its)
    };
    let configured: Vec<_> = config.issuers.iter().map(known).collect();
    registry.know(configured.clone());
    let issuers = Issuers::new(config, Arc::new(registry.clone()));
    if !configured.is_empty() {
        state.know(issuers.clone());
    }
    for work in issuers.work() {
        let work = draining.clone().run_until_cancelled_owned(work);
        tasks.spawn(async move {
            let _ = work.await;
            "keeper of an issuer's keys"
        });
    }
    Arc::new(issuers)
}
