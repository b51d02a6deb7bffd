//! `http.send` and `net.lookup_ip_addr`: off, unless the configuration lists hosts.
//!
//! What is forbidden halts the evaluation, so that neither `not` nor `raise_error: false` makes a value of it. What fails
//! otherwise (no answer, a wrong request) is as any built-in's failure. The calls block the thread that evaluates, for at
//! most the `timeout` of the settings or of the request; the exchange itself runs on a thread of its own.

mod address;
mod cache;
mod client;
mod memory;
mod request;
mod response;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    fmt,
    future::Future,
    net::{IpAddr, ToSocketAddrs as _},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use crate::policy::meter::{self, Kind};
use regorus::Value as Rego;
use tokio::runtime::Runtime;

pub(in crate::policy) use self::memory::{Query, close};
pub use self::settings::{Hosts, InvalidHost, NetworkSettings};
use super::{Failure, Function};
use cache::Cache;
pub use cache::figures as network_cache_figures;
use client::Resolve;
pub(super) use request::KEYS as REQUEST_KEYS;

/// Without configuration.
pub(super) const ALL: &[Function] = &[
    Function { name: "http.send", arity: 1, call: |arguments| Network::OFF.http_send(arguments) },
    Function { name: "net.lookup_ip_addr", arity: 1, call: |arguments| Network::OFF.lookup(arguments) },
];

/// How many calls are under way at most.
const MAX_IN_FLIGHT: usize = 64;
/// How many names are looked up at once; a lookup cannot be stopped.
const RESOLVERS: usize = 16;

/// The access of policies to the network, which is the same for all of a process' evaluators.
#[derive(Clone, Copy, Default)]
pub struct Network(Option<&'static Shared>);

struct Shared {
    settings: NetworkSettings,
    resolve: Resolve,
    cache: Mutex<Cache>,
    in_flight: AtomicUsize,
    runtime: OnceLock<Option<Runtime>>,
}

impl Network {
    /// No access.
    pub const OFF: Self = Self(None);

    /// Access as the settings say; [`Self::OFF`] where they list no hosts. What it makes lives as long as the process, so
    /// this is for once a process.
    #[must_use]
    pub fn new(settings: NetworkSettings) -> Self {
        Self::with_resolver(settings, Arc::new(resolve))
    }

    fn with_resolver(settings: NetworkSettings, resolve: Resolve) -> Self {
        if settings.allow.is_empty() {
            return Self::OFF;
        }
        let (cache, in_flight, runtime) = (Mutex::default(), AtomicUsize::new(0), OnceLock::new());
        Self(Some(Box::leak(Box::new(Shared { settings, resolve, cache, in_flight, runtime }))))
    }

    /// Gives an engine the built-ins, where they are on. It must have none of these names yet.
    pub(super) fn install(self, engine: &mut regorus::Engine, strict: bool) {
        if self.0.is_none() {
            return;
        }
        let kind = Kind::of("http.send");
        let send = move |arguments: Vec<Rego>| {
            meter::admit(&kind, &arguments)?;
            super::settle(&kind, self.http_send(&arguments), strict)
        };
        let _ = engine.add_extension("http.send".to_owned(), 1, Box::new(send));
        let kind = Kind::of("net.lookup_ip_addr");
        let lookup = move |arguments: Vec<Rego>| {
            meter::admit(&kind, &arguments)?;
            super::settle(&kind, self.lookup(&arguments), strict)
        };
        let _ = engine.add_extension("net.lookup_ip_addr".to_owned(), 1, Box::new(lookup));
    }

    fn shared(self) -> Result<&'static Shared, Failure> {
        self.0.ok_or_else(|| {
            Failure::Halt(
                "policies may not use the network; list the hosts that they may ask in `network.allow`".to_owned(),
            )
        })
    }

    /// Blocks for at most the timeout.
    fn http_send(self, arguments: &[Rego]) -> Result<Rego, Failure> {
        let shared = self.shared()?;
        let argument = arguments.first().unwrap_or(&Rego::Undefined);
        let raises = request::raises(argument)?;
        let told = |network: bool, failure: Failure| match failure {
            Failure::Operand(cause) | Failure::Type(cause) if !raises => Ok(response::of_failure(network, &cause)),
            failure => Err(failure),
        };
        let request = match request::read(argument) {
            Ok(request) => request,
            Err(failure) => return told(false, failure),
        };
        // Before the cache, so that a host that left the list is never answered for.
        let (host, port) = match client::target(&request.url) {
            Ok(target) => target,
            Err(failure) => return told(false, failure),
        };
        client::check(&shared.settings, &host, port)?;
        let decode = request.decode;
        match shared.response(request, &host) {
            Ok(response) => response::object(&response, decode),
            Err(failure) => told(true, failure),
        }
    }

    /// Blocks for at most the timeout.
    fn lookup(self, arguments: &[Rego]) -> Result<Rego, Failure> {
        let shared = self.shared()?;
        let Some(Rego::String(name)) = arguments.first() else {
            return Err(Failure::Type("operand 1 must be string".to_owned()));
        };
        let host = name.trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok();
        let listed = address.map_or_else(|| host.clone(), |address| address.to_canonical().to_string());
        if !shared.settings.allow.allows_name(&listed) {
            let shown: String = host.chars().take(255).collect();
            return Err(Failure::Halt(format!("the host `{shown}` is not in `network.allow`")));
        }
        let addresses = match address {
            Some(address) => vec![address],
            None => shared.wait(shared.settings.timeout, &host, client::addresses(&shared.resolve, host.clone()))?,
        };
        let text = |address: &IpAddr| Rego::from(address.to_canonical().to_string());
        let addresses: BTreeSet<Rego> = addresses.iter().map(text).collect();
        Ok(Rego::from(addresses))
    }
}

impl Shared {
    /// The response to a request: within a query always the same, as in OPA.
    fn response(&'static self, request: request::Request, host: &str) -> Result<client::Response, Failure> {
        if let Some(result) = memory::recall(&request.key) {
            return result;
        }
        let key = request.key.clone();
        let result = self.fetched(request, host);
        memory::keep(key, &result);
        result
    }

    fn fetched(&'static self, mut request: request::Request, host: &str) -> Result<client::Response, Failure> {
        let lock = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let caching = request.cache.take();
        if let Some(response) = caching.as_ref().and_then(|_| lock().get(&request.key, Instant::now())) {
            return Ok(response);
        }
        let timeout = request.timeout.map_or(self.settings.timeout, |timeout| timeout.min(self.settings.timeout));
        let deadline = Instant::now() + timeout;
        let mut retries = request.retries;
        let response = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.wait(left, host, client::send(&self.settings, &self.resolve, request.clone())) {
                Err(Failure::Operand(_)) if retries > 0 && Instant::now() < deadline => retries -= 1,
                result => break result?,
            }
        };
        if let Some(caching) = caching {
            let most = self.settings.cache_bytes;
            lock().put(request.key, &response, caching.forced, Instant::now(), most);
        }
        Ok(response)
    }

    /// Runs `work` on the network's thread, and waits for it.
    fn wait<T: Send + 'static>(
        &'static self,
        timeout: Duration,
        host: &str,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let runtime = self.runtime.get_or_init(runtime).as_ref();
        let Some(runtime) = runtime else {
            return Err(Failure::Halt("there is no thread for the network".to_owned()));
        };
        let place = Place::take(&self.in_flight)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let task = runtime.spawn(async move {
            let _place = place;
            // Nobody waits any more if this fails.
            let _ = sender.send(work.await);
        });
        receiver.recv_timeout(timeout).unwrap_or_else(|_| {
            task.abort();
            Err(Failure::Operand(format!("request to `{host}` failed: it timed out")))
        })
    }
}

/// One of the calls under way.
struct Place(&'static AtomicUsize);

impl Place {
    fn take(in_flight: &'static AtomicUsize) -> Result<Self, Failure> {
        let place = Self(in_flight);
        if in_flight.fetch_add(1, Ordering::Relaxed) >= MAX_IN_FLIGHT {
            return Err(Failure::Halt(format!("more than {MAX_IN_FLIGHT} calls of the network are under way")));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Network").field(&self.0.map(|shared| &shared.settings)).finish()
    }
}

fn runtime() -> Option<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).max_blocking_threads(RESOLVERS).thread_name("network").enable_all().build().ok()
}

/// The system's resolver.
fn resolve(host: &str) -> std::io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}
