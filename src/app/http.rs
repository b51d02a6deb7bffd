//! The doors that share the HTTP port, each merged into the operators' part.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::MatchedPath};
use serde_json::Value as Json;

use super::{Error, State};
use crate::{
    api::{self, Observer, authzen, credentials::Credentials, issuance::Issuer, mcp, opa, ops, search},
    clock,
    decision::Decider,
    reload,
    ssf::Receiver,
    telemetry::doors::Protocol,
};

/// What the doors are told.
pub(super) struct Doors {
    /// Who tells whom a credential proves.
    pub(super) credentials: Arc<dyn Credentials>,
    pub(super) authzen: authzen::Config,
    pub(super) opa: opa::Config,
    /// What takes security events, if they may be pushed.
    pub(super) ssf: Option<Receiver>,
    pub(super) search: search::Config,
    pub(super) issuer: Issuer,
    pub(super) max_items: usize,
    /// The settings, without secrets.
    pub(super) settings: Json,
}

impl Doors {
    /// How long a request may take once the port closes.
    pub(super) fn drain(&self) -> Duration {
        self.authzen.request_timeout.max(Duration::from_secs(1))
    }

    pub(super) fn router(
        self,
        decider: &Arc<Decider>,
        state: &Arc<State>,
        handle: &reload::Handle,
    ) -> Result<Router, Error> {
        let Self { credentials, authzen: authzen_config, opa: opa_config, ssf, search, issuer, max_items, settings } =
            self;
        let request_timeout = authzen_config.request_timeout;
        let observer = || Arc::clone(state) as Arc<dyn Observer>;
        let status = || Arc::clone(state) as Arc<dyn ops::Status>;
        let limits = opa::Limits {
            max_body_bytes: authzen_config.max_body_bytes,
            request_timeout: authzen_config.request_timeout,
        };
        let peers = opa::Peers {
            decider: Arc::clone(decider),
            credentials: Arc::clone(&credentials),
            observer: observer(),
            ids: Arc::new(clock::decision_id),
            status: status(),
            administration: Arc::new(handle.clone()),
            settings,
        };
        let opa = opa::Door::new(peers, opa_config, limits);
        let mcp_config = mcp::Config {
            max_body_bytes: authzen_config.max_body_bytes,
            request_timeout: authzen_config.request_timeout,
            max_tools: max_items,
        };
        let mcp = mcp::Door::new(
            (Arc::clone(decider), Arc::clone(&credentials)),
            observer(),
            Arc::new(clock::decision_id),
            mcp_config,
        );
        let telling = (observer(), Arc::new(clock::decision_id) as _);
        let authzen = authzen::Door::new(Arc::clone(decider), telling, authzen_config, max_items, search, issuer)
            .map_err(|error| Error::System(error.to_string()))?
            .verifying(credentials);
        let router = ops::router(status()).merge(authzen::router(authzen));
        let router = router.merge(opa::router(opa)).merge(mcp::router(mcp));
        let router = match ssf {
            Some(receiver) => router.merge(api::ssf::router(receiver, request_timeout)),
            None => router,
        };
        Ok(router.layer(state.follows(Protocol::Http(route))))
    }
}

/// The route of a request, as it was written for the router.
fn route(extensions: &axum::http::Extensions) -> Option<&str> {
    extensions.get::<MatchedPath>().map(MatchedPath::as_str)
}
