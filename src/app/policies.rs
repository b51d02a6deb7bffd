//! What decides: the policies' options, the Decider, its state, and what reloads it.

use std::{collections::BTreeMap, sync::Arc};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    authz::Callers,
    bundles,
    state::State,
    tasks::{named, until},
};
use crate::{
    api::{caller::Gate, listen::tls},
    decision::Decider,
    policy::{Capabilities, Network, Options},
    reload::{self, Reloader, Sink},
    revocation::Registry,
    source, ssf,
    telemetry::{export::Exports, metrics::Metrics},
};

/// What reloads the policies, after the first time where they must be good.
pub(super) async fn loaded(
    bundles: BTreeMap<String, reload::Bundle>,
    source: &source::Config,
    state: &Arc<State>,
    settings: reload::Settings,
) -> Result<Reloader, Error> {
    let strict = settings.config.strict;
    let mut reloader = reloader(bundles, source, Arc::clone(state) as Arc<dyn Sink>, settings)?;
    state.follow(reloader.handle());
    if strict {
        reloader.first().await.map_err(Error::Strict)?;
    }
    Ok(reloader)
}

/// What reloads the policies: of bundles, or of a plain folder.
fn reloader(
    bundles: BTreeMap<String, reload::Bundle>,
    source: &source::Config,
    sink: Arc<dyn Sink>,
    settings: reload::Settings,
) -> Result<Reloader, Error> {
    if bundles.is_empty() {
        return Ok(Reloader::plain(source.open(), sink, settings));
    }
    Ok(Reloader::bundles(bundles::feeds(bundles).map_err(Error::Bundles)?, sink, settings))
}

/// Follows the sources, and what is signalled of subjects, until the server drains.
pub(super) fn keep(
    reloader: Reloader,
    signals: impl Future<Output = ()> + Send + 'static,
    tasks: &mut JoinSet<&'static str>,
    draining: &CancellationToken,
) {
    tasks.spawn(named("signals", until(signals, draining.clone())));
    tasks.spawn(named("reloader", until(reloader.run(), draining.clone())));
}

/// What policies may use and do.
pub(super) fn options(policy: &crate::policy::Config) -> Result<Options, Error> {
    let capabilities = match &policy.capabilities {
        Some(path) => Capabilities::open(path).map_err(|error| Error::Capabilities(error.to_string()))?,
        None => Capabilities::ALL,
    };
    let mut network = policy.network.clone();
    network.allow = capabilities.hosts(network.allow);
    Ok(Options {
        rego_v0: policy.rego_v0,
        evaluators: tokio::runtime::Handle::current().metrics().num_workers(),
        network: Network::new(network),
        capabilities,
        ..Options::default()
    })
}

/// What decides, and what is known of it.
pub(super) fn deciding(
    policy: crate::policy::Config,
    retained: usize,
    (sources, gate): ((Registry, ssf::Receiver), Gate),
    exports: &Exports,
) -> (Arc<Decider>, Arc<State>) {
    let decider = Decider::new(policy.default_policy, policy.evaluation_budget).retaining(retained);
    let decider = Arc::new(decider.guarded(Arc::new(gate)));
    let state = State::new(Arc::clone(&decider), Metrics::new(), sources, exports.clone(), policy.redact);
    (decider, Arc::new(state))
}

/// What tells policies who asks, and refuses what they may not ask.
pub(super) fn gate(known: Option<&Callers>, doors: [&tls::Config; 2]) -> Gate {
    match known {
        Some(callers) => Gate::new(callers.authorizer()),
        None if doors.iter().any(|tls| tls.knows_clients()) => Gate::of_callers(),
        None => Gate::of_strangers(),
    }
}
