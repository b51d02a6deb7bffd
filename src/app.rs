//! The composition root: builds every part, binds, supervises every task, drains in order.

mod audit;
mod authz;
mod bundles;
mod credentials;
mod door;
mod edge;
mod error;
mod guards;
mod http;
mod listeners;
mod measured;
mod policies;
mod revocation;
mod services;
mod signals;
mod state;
mod supervisor;
mod tasks;
mod telling;

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::error::Error;
use self::{
    authz::Callers,
    door::Door,
    edge::Edge,
    state::{Serving, State},
    tasks::named,
};
use crate::{
    api::{Address, grpc, listen},
    audit::{DRAIN, Log},
    config::Config,
    reload,
    revocation::Registry,
    ssf,
    telemetry::{
        doors::Protocol,
        export::{Exports, Sending},
    },
};

/// The stack of each thread that evaluates. Reserved, not used: a policy's nesting, which the static gate bounds, is
/// what uses it.
pub const STACK: usize = 64 << 20;

/// Has a running server look at everything that it follows now, instead of when it would.
#[derive(Clone)]
pub struct Again(Arc<State>);

/// A running server.
pub struct App {
    tasks: JoinSet<&'static str>,
    // The decision log's own, which end after the doors.
    log_threads: JoinSet<&'static str>,
    log: Option<Arc<Log>>,
    registry: Registry,
    grpc: Address,
    http: Address,
    state: Arc<State>,
    handle: reload::Handle,
    draining: CancellationToken,
    closing: CancellationToken,
    drain_timeout: Duration,
    sending: Option<Sending>,
}

impl Again {
    /// Has policies, certificates, keys and grants looked at, and tells the supervisor.
    pub fn look(&self) {
        let serving = self.0.serves();
        // The supervisor would take it for the end of the end.
        if serving == Serving::Draining {
            return;
        }
        tracing::info!("told to look again at policies, certificates, keys and grants");
        supervisor::reload(serving != Serving::NotReady, || self.0.look_again());
    }
}

impl App {
    /// Binds and starts everything. From its return on, both doors answer; the gRPC door is `NOT_SERVING` until the
    /// first policies are active.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let exports = Exports::open(config.telemetry.clone())?;
        Self::start_telling(config, exports).await
    }

    /// The same, with telemetry that others tell something, too.
    pub async fn start_telling(config: Config, exports: Exports) -> Result<Self, Error> {
        let public = config.public();
        let Config {
            grpc: grpc_config,
            http: http_config,
            authzen: authzen_config,
            opa: opa_config,
            envoy: envoy_config,
            issuance: issuance_config,
            search,
            admin,
            policy,
            source,
            reload,
            bundles,
            identity,
            callers,
            load,
            log: _,
            telemetry: _,
            decision_log,
            revocation,
            ssf,
            server,
            spiffe,
        } = config;
        let [(grpc_listener, grpc_address), (http_listener, http_address)] =
            listeners::open([&grpc_config.address, &http_config.address])?;

        // Before anything is answered.
        let (registry, writer) = Registry::open(&revocation)?;
        let receiver = ssf::Receiver::open(&ssf, registry.clone())?;
        let options = policies::options(&policy)?;
        let known = Callers::open(&callers, &options).map_err(Error::Callers)?.map(Arc::new);
        let gate = policies::gate(known.as_deref(), [&grpc_config.tls, &http_config.tls]);
        let sources = ((registry.clone(), receiver.clone()), gate);
        let (decider, state) = policies::deciding(policy, reload.retained, sources, &exports);
        audit::compare(&decision_log, server.connections.keepalive_timeout);
        let (log, log_threads) = audit::open(decision_log, &decider, &state)?;
        let settings = reload::Settings { options, config: reload };
        let reloader = policies::loaded(bundles, &source, &state, settings).await?;
        let handle = reloader.handle();

        let admin_door = Door::open(admin, registry.is_kept())?;
        let admin_address = admin_door.as_ref().map(Door::address);

        let (draining, closing) = (CancellationToken::new(), CancellationToken::new());
        let health = grpc::Health::new().await;
        let mut tasks = JoinSet::new();
        telling::tell(&health, &state, &mut tasks);
        let certificates =
            listeners::certificates((&grpc_config, &http_config), &spiffe, (&mut tasks, &draining)).await?;
        let credentials = credentials::open(identity, (&registry, &state), &mut tasks, &draining);
        let observer = || Arc::clone(&state) as Arc<dyn crate::api::Observer>;
        let issuer = services::issuer(&decider, observer(), issuance_config);
        let reading = guards::reading(&authzen_config);
        let load = guards::load(&load, &grpc_config, &authzen_config);
        let http_doors = http::Doors {
            credentials: Arc::clone(&credentials),
            authzen: authzen_config,
            opa: opa_config,
            ssf: ssf.push.then(|| receiver.clone()),
            search: search.clone(),
            issuer: issuer.clone(),
            max_items: grpc_config.max_batch_items,
            settings: public,
        };
        let (http_drain, http_routes) = (http_doors.drain(), http_doors.router(&decider, &state, &handle)?);
        let asked = services::Asked { decider, credentials: Arc::clone(&credentials), observer: observer() };
        let routes = services::routes(asked, (envoy_config, search, issuer), health, &grpc_config, &draining)?;
        let proofs = (&credentials, observer());
        let keeper = guards::keeper((callers, load), known.clone(), proofs, &grpc_config, (&mut tasks, &draining));
        let routes = guards::guarded(routes.observed(observer()), &keeper, &grpc_config);
        let routes = tower::Layer::layer(&state.follows(Protocol::Rpc(grpc::is_method)), routes);
        let edge = Edge::new(certificates, Arc::clone(&keeper), known);
        let door = |name| edge.options(name, &grpc_config, &server);
        let operators = services::operators(&handle, observer(), &registry, &grpc_config);
        listeners::administer(admin_door, operators, (&door("admin"), &draining), &mut tasks);
        tasks.spawn(named("gRPC door", listen::serve(grpc_listener, routes, door("grpc"), draining.clone())));
        // It closes after the other door, so it gets no more than its own requests may take.
        let http = listen::Options { drain_timeout: http_drain.min(server.drain_timeout), ..door("http") };
        let routes = guards::guarded_http(http_routes, keeper, reading);
        tasks.spawn(named("HTTP door", listen::serve(http_listener, routes, http, closing.clone())));
        state.know_edge(edge);
        revocation::start(writer, &receiver, &mut tasks, &draining)?;
        let signals = signals::publish(registry.clone(), handle.clone(), ssf.publish_interval);
        policies::keep(reloader, signals, &mut tasks, &draining);
        let sending = telling::push(&exports, &state)?;
        tracing::info!(grpc = %grpc_address, http = %http_address, admin = admin_address, "listening");
        Ok(Self {
            tasks,
            log_threads,
            log,
            registry,
            grpc: grpc_address,
            http: http_address,
            state,
            handle,
            draining,
            closing,
            drain_timeout: server.drain_timeout,
            sending,
        })
    }

    /// What operators may ask of the policies.
    #[must_use]
    pub fn administration(&self) -> &reload::Handle {
        &self.handle
    }

    /// What has it look again.
    #[must_use]
    pub fn again(&self) -> Again {
        Again(Arc::clone(&self.state))
    }

    /// Where the gRPC door listens.
    #[must_use]
    pub fn grpc(&self) -> &Address {
        &self.grpc
    }

    /// Where the HTTP door listens.
    #[must_use]
    pub fn http(&self) -> &Address {
        &self.http
    }

    /// Runs until `shutdown` is ready, then drains: not ready, no new connections, what was accepted is answered, all
    /// within the drain timeout.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let ended = tokio::select! {
            () = shutdown => None,
            ended = self.tasks.join_next() => Some(ended),
            ended = self.log_threads.join_next(), if self.log.is_some() => Some(ended),
        };
        let result = match ended {
            None => Ok(()),
            Some(Some(Ok(task))) => Err(Error::Ended(task)),
            Some(Some(Err(_))) => Err(Error::Ended("panicking task")),
            Some(None) => Err(Error::Ended("set of tasks")),
        };
        tracing::info!(timeout = ?self.drain_timeout, "draining");
        self.state.drain();
        self.draining.cancel();
        let Self { mut tasks, log_threads, log, registry, closing, drain_timeout, sending, .. } = self;
        let closed = registry.clone();
        let drain = async {
            // The HTTP door goes last, so that it can say "draining" while the other drains.
            while let Some(ended) = tasks.join_next().await {
                if matches!(ended, Ok("gRPC door")) {
                    closing.cancel();
                }
                if matches!(ended, Ok("HTTP door")) {
                    closed.close();
                }
            }
        };
        // The doors keep the timeout themselves; this holds even if one does not.
        if tokio::time::timeout(drain_timeout + Duration::from_secs(2), drain).await.is_err() {
            tracing::warn!("tasks were still running at the end of the drain timeout; ending them");
        }
        // Also where a door did not end: nothing else ends the thread that writes.
        registry.close();
        if let Some(log) = log {
            drain_log(&log, log_threads).await;
        }
        if let Some(sending) = sending {
            sending.finish().await;
        }
        tracing::info!("stopped");
        result
    }
}

/// Lets the decision log deliver what it has, as far as there is time; what a spool has stays there.
async fn drain_log(log: &Log, mut threads: JoinSet<&'static str>) {
    log.close();
    let ends = async |threads: &mut JoinSet<&'static str>| while threads.join_next().await.is_some() {};
    if tokio::time::timeout(DRAIN, ends(&mut threads)).await.is_err() {
        log.hurry();
        if tokio::time::timeout(Duration::from_secs(1), ends(&mut threads)).await.is_err() {
            tracing::error!("a sink of the decision log does not end; what it has in memory is lost");
        }
    }
}
