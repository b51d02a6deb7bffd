//! The composition root: builds every part, binds, supervises every task, drains in order.

mod audit;
mod authz;
mod bundles;
mod credentials;
mod door;
mod http;
mod measured;
mod revocation;
mod signals;
mod state;
mod supervisor;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::{authz::Callers, door::Door, state::State};
use crate::{
    api::{
        Address,
        caller::{Authenticator, Gate, Grpc, Guard, Http, Keeper, Load, LoadConfig},
        credentials::Credentials,
        envoy, grpc,
        issuance::Issuer,
        listen::{
            self, BindError, Listener,
            inherited::{self, Inherited},
            tls::{self, Tls},
        },
        ops,
    },
    audit::{DRAIN, Log, OpenError},
    clock,
    config::{Config, Server},
    decision::Decider,
    issuance,
    policy::{Capabilities, Network, Options},
    reload::{self, Failure, Reloader, Sink},
    revocation::{OpenError as RevocationError, Registry},
    source, ssf,
    telemetry::{
        doors::Protocol,
        export::{ExportError, Exports, Sending},
        metrics::Metrics,
    },
};

/// The stack of each thread that evaluates. Reserved, not used: a policy's nesting, which the static gate bounds, is
/// what uses it.
pub const STACK: usize = 64 << 20;

/// How long a call may take until its message is there, beyond what it may take by itself.
const READING: Duration = Duration::from_secs(1);

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

impl App {
    /// Binds and starts everything. From its return on, both doors answer; the gRPC door is `NOT_SERVING` until the
    /// first policies are active.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let exports = Exports::open(config.telemetry.clone())?;
        Self::start_telling(config, exports).await
    }

    /// The same, with telemetry that others tell something, too.
    pub async fn start_telling(config: Config, exports: Exports) -> Result<Self, Error> {
        let settings = config.public();
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
        } = config;
        let [(grpc_listener, grpc_address), (http_listener, http_address)] =
            listeners([&grpc_config.address, &http_config.address])?;

        // Before anything is answered.
        let (registry, writer) = Registry::open(&revocation)?;
        let receiver = ssf::Receiver::open(&ssf, registry.clone())?;
        let options = options(&policy)?;
        let known = Callers::open(&callers, &options).map_err(Error::Callers)?.map(Arc::new);
        let gate = gate(known.as_deref(), [&grpc_config.tls, &http_config.tls]);
        let sources = ((registry.clone(), receiver.clone()), gate, known.clone());
        let (decider, state) = deciding(policy, reload.retained, sources, &exports);
        let (log, log_threads) = audit::open(decision_log, &decider, &state)?;
        let reloader = loaded(bundles, &source, &state, reload::Settings { options, config: reload }).await?;
        let handle = reloader.handle();

        let admin_door = Door::open(admin, registry.is_kept())?;
        let admin_address = admin_door.as_ref().map(Door::address);

        let (draining, closing) = (CancellationToken::new(), CancellationToken::new());
        let health = grpc::Health::new().await;
        let mut tasks = JoinSet::new();
        tell(&health, &state, &mut tasks);
        let [grpc_tls, http_tls] = secured((&grpc_config, &http_config), &mut tasks, &draining)?;
        let credentials = credentials::open(identity, (&registry, &state), &mut tasks, &draining);
        let observer = || Arc::clone(&state) as Arc<dyn crate::api::Observer>;
        let searches = searches(&decider, observer(), &grpc_config, search.clone());
        let issuer = issuer(&decider, observer(), issuance_config);
        let issuances = grpc::Issuances::new(issuer.clone(), grpc_config.request_timeout);
        let mcp = messages((&decider, &credentials), observer(), &grpc_config);
        let http_doors = http::Doors {
            credentials: Arc::clone(&credentials),
            authzen: authzen_config,
            opa: opa_config,
            ssf: ssf.push.then(|| receiver.clone()),
            search,
            issuer,
            max_items: grpc_config.max_batch_items,
            settings,
        };
        let (http_drain, http_routes) = (http_doors.drain(), http_doors.router(&decider, &state, &handle)?);
        let envoy = envoy_door((&decider, &credentials), observer(), envoy_config, &grpc_config)?;
        let service = decisions(decider, Arc::clone(&credentials), observer(), &grpc_config, &draining);
        let routes =
            grpc::routes(service, Some(searches), Some(issuances), Some(mcp), Some(envoy), health, &grpc_config)
                .map_err(system)?;
        let keeper = keeper((callers, load), known, (&credentials, observer()), &grpc_config, (&mut tasks, &draining));
        let routes = guarded(routes.observed(observer()), &keeper, &grpc_config);
        let routes = tower::Layer::layer(&state.follows(Protocol::Rpc), routes);
        let door = door_options(&grpc_config, &server);
        let operators = operators(&handle, observer(), &registry, &grpc_config);
        administer(admin_door, operators, (&door, &draining), &mut tasks);
        let grpc_door = listen::Options { tls: grpc_tls, ..door.clone() };
        tasks.spawn(named("gRPC door", listen::serve(grpc_listener, routes, grpc_door, draining.clone())));
        // It closes after the other door, so it gets no more than its own requests may take.
        let door = listen::Options { drain_timeout: http_drain.min(door.drain_timeout), tls: http_tls, ..door };
        tasks.spawn(named(
            "HTTP door",
            listen::serve(http_listener, Guard::new(http_routes, keeper, Http), door, closing.clone()),
        ));
        revocation::start(writer, &receiver, &mut tasks, &draining)?;
        let signals = signals::publish(registry.clone(), handle.clone(), ssf.publish_interval);
        tasks.spawn(named("signals", until(signals, draining.clone())));
        tasks.spawn(named("reloader", until(reloader.run(), draining.clone())));
        let sending = push(&exports, &state)?;
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

/// Says how this process is: to clients that ask for its health, and to its supervisor.
fn tell(health: &grpc::Health, state: &Arc<State>, tasks: &mut JoinSet<&'static str>) {
    tasks.spawn(report_health(health.reporter(), Arc::clone(state)));
    tasks.spawn(supervisor::tell(Arc::clone(state)));
}

/// Where the doors listen: what the supervisor has opened for them, and else what is opened now.
fn listeners(addresses: [&Address; 2]) -> Result<[(Listener, Address); 2], Error> {
    let mut inherited = Inherited::take()?;
    let [grpc, http] = addresses.map(|address| inherited.bind(address));
    let listeners = [addressed(grpc?)?, addressed(http?)?];
    inherited.finish()?;
    Ok(listeners)
}

/// What reloads the policies, after the first time where they must be good.
async fn loaded(
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

async fn until(work: impl Future<Output = ()>, draining: CancellationToken) {
    let _ = draining.run_until_cancelled_owned(work).await;
}

/// What policies may use and do.
fn options(policy: &crate::policy::Config) -> Result<Options, Error> {
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

/// What decides, and what is known of it.
fn deciding(
    policy: crate::policy::Config,
    retained: usize,
    (sources, gate, known): ((Registry, ssf::Receiver), Option<Gate>, Option<Arc<Callers>>),
    exports: &Exports,
) -> (Arc<Decider>, Arc<State>) {
    let decider = Decider::new(policy.default_policy, policy.evaluation_budget).retaining(retained);
    let decider = Arc::new(match gate {
        Some(gate) => decider.guarded(Arc::new(gate)),
        None => decider,
    });
    let state = State::new(Arc::clone(&decider), Metrics::new(), sources, exports.clone(), policy.redact);
    if let Some(known) = known {
        state.know_callers(known);
    }
    (decider, Arc::new(state))
}

fn addressed(listener: Listener) -> Result<(Listener, Address), Error> {
    let address = listener.address().map_err(system)?;
    Ok((listener, address))
}

fn system(error: impl std::fmt::Display) -> Error {
    Error::System(error.to_string())
}

fn operators(
    handle: &reload::Handle,
    observer: Arc<dyn crate::api::Observer>,
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

fn door_options(grpc: &grpc::Config, server: &Server) -> listen::Options {
    listen::Options {
        max_concurrent_streams: grpc.max_concurrent_streams,
        drain_timeout: server.drain_timeout,
        connections: server.connections.clone(),
        tls: None,
    }
}

/// What tells policies who asks, and refuses what they may not ask; none where nobody can be known.
fn gate(known: Option<&Callers>, doors: [&tls::Config; 2]) -> Option<Gate> {
    let can_be_known = known.is_some() || doors.iter().any(|tls| tls.client_ca_file.is_some());
    can_be_known.then(|| Gate::new(known.map(Callers::authorizer)))
}

/// Serves the policy service, if it has a socket.
fn administer(
    door: Option<Door>,
    operators: door::Operators,
    (options, draining): (&listen::Options, &CancellationToken),
    tasks: &mut JoinSet<&'static str>,
) {
    if let Some(door) = door {
        let serving = door.serve(operators, options.clone(), draining.clone());
        tasks.spawn(named("policy service's door", serving));
    }
}

/// The gRPC door's routes behind their guard.
fn guarded<S>(routes: S, keeper: &Arc<Keeper>, grpc: &grpc::Config) -> Guard<S, Grpc> {
    Guard::new(routes, Arc::clone(keeper), Grpc).within(grpc.request_timeout + READING)
}

/// What the guards of both doors go by.
fn keeper(
    (config, load): (crate::api::caller::Config, LoadConfig),
    known: Option<Arc<Callers>>,
    (credentials, observer): (&Arc<dyn Credentials>, Arc<dyn crate::api::Observer>),
    grpc: &grpc::Config,
    (tasks, draining): (&mut JoinSet<&'static str>, &CancellationToken),
) -> Arc<Keeper> {
    let authenticator = Authenticator {
        required: config.required,
        keys: known.as_deref().map(Callers::keys).unwrap_or_default(),
        token_audience: config.token_audience,
        credentials: Arc::clone(credentials),
        patience: grpc.request_timeout,
    };
    let authorizer = known.as_deref().map(Callers::authorizer);
    if let Some(known) = known {
        tasks.spawn(named("callers", until(known.follow(), draining.clone())));
    }
    let (load, patience) = (Arc::new(Load::new(load)), grpc.request_timeout);
    Arc::new(Keeper { authenticator, authorizer, load, patience, observer })
}

/// Opens the TLS of both doors, and has tasks follow their files.
fn secured(
    (grpc, http): (&grpc::Config, &ops::Config),
    tasks: &mut JoinSet<&'static str>,
    draining: &CancellationToken,
) -> Result<[Option<Arc<Tls>>; 2], tls::Error> {
    let doors = [Tls::open("grpc", &grpc.tls, &["h2"])?, Tls::open("http", &http.tls, &["h2", "http/1.1"])?];
    for tls in doors.iter().flatten() {
        tasks.spawn(named("certificates", until(Arc::clone(tls).follow(), draining.clone())));
    }
    Ok(doors)
}

fn searches(
    decider: &Arc<Decider>,
    observer: Arc<dyn crate::api::Observer>,
    grpc: &grpc::Config,
    search: crate::api::search::Config,
) -> grpc::Searches {
    grpc::Searches::new(Arc::clone(decider), observer, Arc::new(clock::decision_id), grpc.clone(), search)
}

fn issuer(decider: &Arc<Decider>, observer: Arc<dyn crate::api::Observer>, config: issuance::Config) -> Issuer {
    Issuer::new(Arc::clone(decider), observer, Arc::new(clock::decision_id), config, Arc::new(clock::seconds))
}

fn envoy_door(
    (decider, credentials): (&Arc<Decider>, &Arc<dyn Credentials>),
    observer: Arc<dyn crate::api::Observer>,
    config: envoy::Config,
    grpc: &grpc::Config,
) -> Result<envoy::Service, Error> {
    Ok(envoy::Service::new(
        Arc::clone(decider),
        Arc::clone(credentials),
        observer,
        Arc::new(clock::decision_id),
        config,
        grpc,
    )?)
}

fn messages(
    (decider, credentials): (&Arc<Decider>, &Arc<dyn Credentials>),
    observer: Arc<dyn crate::api::Observer>,
    config: &grpc::Config,
) -> grpc::Mcp {
    let asked = (Arc::clone(decider), Arc::clone(credentials));
    grpc::Mcp::new(asked, observer, Arc::new(clock::decision_id), config.clone())
}

/// Starts to push telemetry.
fn push(exports: &Exports, state: &Arc<State>) -> Result<Option<Sending>, Error> {
    let measured = Arc::clone(state);
    exports.send(Arc::new(move || measured.families())).map_err(system)
}

fn decisions(
    decider: Arc<Decider>,
    credentials: Arc<dyn Credentials>,
    observer: Arc<dyn crate::api::Observer>,
    config: &grpc::Config,
    draining: &CancellationToken,
) -> grpc::Service {
    let ids = Arc::new(clock::decision_id);
    grpc::Service::new(decider, credentials, observer, ids, config.clone(), draining.clone())
}

async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

/// Keeps `grpc.health.v1` at what the state says, until it drains.
async fn report_health(reporter: grpc::HealthReporter, state: Arc<State>) -> &'static str {
    let mut serving = state.serving();
    loop {
        let now = *serving.borrow_and_update();
        if now == state::Serving::Draining {
            reporter.end().await;
            return "health reporter";
        }
        reporter.set_serving(now == state::Serving::Ready).await;
        if serving.changed().await.is_err() {
            return "health reporter";
        }
    }
}
