//! One validated configuration: a file, `VERDICT_…` variables over it, command-line flags over both.
//!
//! Owns how settings are given, read, bounded and reported; [`load`] reports every fault at once. What a setting does,
//! and its default, belongs to the component whose own `Config` holds it. Reads one file and the environment that it is
//! handed; looks at no policy and opens no socket. `docs/configuration.md` is held to this by a test.

mod bundles;
mod candidates;
mod env;
mod fault;
mod file;
mod issuers;
mod key;
mod near;
mod otel;
mod public;
mod quantity;
mod shape;
mod show;
mod sinks;
mod spiffe;
mod table;
#[cfg(test)]
mod tests;
mod transmitters;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use self::fault::{Fault, Faults};
use self::{fault::Origin, key::Key, shape::Raw};
use crate::{
    api::{self, Address, place::Place},
    audit, issuance, policy, reload, revocation, source, ssf, telemetry, workload,
};

/// The whole configuration, one part a component.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The gRPC door: `grpc.*`.
    pub grpc: api::grpc::Config,
    /// The HTTP door: `http.address`.
    pub http: api::ops::Config,
    /// AuthZEN at the HTTP door: the rest of `http.*`.
    pub authzen: api::authzen::Config,
    /// OPA's REST API at the HTTP door: `opa.*`.
    pub opa: api::opa::Config,
    /// The Envoy door: `envoy.*`.
    pub envoy: api::envoy::Config,
    /// Token issuance: `issuance.*`.
    pub issuance: issuance::Config,
    /// Searches: `search.*`, and `[search.candidates.ENTRY]` of the file.
    pub search: api::search::Config,
    /// The policy service: `admin.*`.
    pub admin: api::grpc::policy::Config,
    /// Evaluation: `policies.default`, `policies.rego_v0`, `policies.evaluation_budget`.
    pub policy: policy::Config,
    /// The policy folder: `policies.path`, `policies.settle`, `policies.poll_interval`.
    pub source: source::Config,
    /// Reloading: `policies.strict`, `policies.retained`, `bundles.*`.
    pub reload: reload::Config,
    /// The bundles by their names: `[bundles.NAME]` of the file.
    pub bundles: BTreeMap<String, reload::Bundle>,
    /// Credentials: `identity.*`, and `[identity.issuers.NAME]` of the file.
    pub identity: crate::issuers::Config,
    /// Who may ask: `callers.*`.
    pub callers: api::caller::Config,
    /// How much is answered at once: `server.max_in_flight`, `server.max_queued`, `callers.rate`.
    pub load: api::caller::LoadConfig,
    /// The log: `log.*`.
    pub log: telemetry::Config,
    /// Telemetry that is pushed: `telemetry.*`, and OpenTelemetry's own variables.
    pub telemetry: telemetry::export::Config,
    /// The decision log: `decision_log.*`, and `[decision_log.sinks.NAME]` of the file.
    pub decision_log: audit::Config,
    /// Revocation: `revocation.*`.
    pub revocation: revocation::Config,
    /// Shared Signals: `ssf.*`, and `[ssf.transmitters.NAME]` of the file.
    pub ssf: ssf::Config,
    /// The process: `server.*`.
    pub server: Server,
    /// The SPIFFE Workload API: `spiffe.*`.
    pub spiffe: workload::Config,
}

/// Settings of the process.
#[derive(Clone, Debug)]
pub struct Server {
    /// How long calls in progress may take to end once the process is told to stop.
    pub drain_timeout: Duration,
    /// How many threads run the doors and the decisions; 0 for one a core.
    pub worker_threads: usize,
    /// Whether plain text may leave this machine.
    pub insecure: bool,
    /// What each door allows its connections.
    pub connections: api::listen::Connections,
}

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The file that `--config` names; it goes before `VERDICT_CONFIG`.
    pub file: Option<PathBuf>,
    /// Settings: the key (`grpc.address`), the flag for messages (`--grpc-address`), and the value as it was typed.
    /// Of two with one key, the last counts.
    pub values: Vec<(&'static str, &'static str, String)>,
}

/// A setting that was given, not read yet.
struct Setting {
    key: &'static Key,
    origin: Origin,
    raw: Raw,
}

/// Applies settings in order, and keeps every fault.
#[derive(Default)]
struct Reader {
    config: Config,
    faults: Vec<Fault>,
    origins: BTreeMap<&'static str, Applied>,
}

/// Where a key's last value came from, and whether any of its values was refused.
struct Applied {
    origin: Origin,
    refused: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            drain_timeout: Duration::from_secs(10),
            worker_threads: 0,
            insecure: false,
            connections: api::listen::Connections::default(),
        }
    }
}

impl Config {
    /// The effective settings as YAML text; read as a file, it gives the same configuration.
    #[must_use]
    pub fn describe(&self) -> String {
        show::yaml(self)
    }

    /// The settings that `other` has otherwise, by their names. Tables with names of the operator's are not told apart.
    #[must_use]
    pub fn changes(&self, other: &Self) -> Vec<&'static str> {
        let both = show::values(self).into_iter().zip(show::values(other));
        let mut names: Vec<_> = both.filter(|(one, other)| one != other).map(|((name, _), _)| name).collect();
        if names.is_empty() && self.describe() != other.describe() {
            names.push("a table of bundles, sinks, issuers, transmitters or candidates");
        }
        names
    }

    /// The effective settings for whoever may ask the server: without anything that could be a secret.
    #[must_use]
    pub fn public(&self) -> serde_json::Value {
        public::settings(&self.describe())
    }
}

/// Reads the configuration: defaults, then the file, then `env`, then `flags`, the later over the earlier.
///
/// A value that a later one replaces is checked all the same. Variables that do not start with `VERDICT_` or `OTEL_` are not
/// looked at, but for `SPIFFE_ENDPOINT_SOCKET`, nor those that other parts of Verdict read (`docs/configuration.md` lists them).
///
/// # Errors
/// Every fault that the file, the variables and the flags have, in that order.
pub fn load(flags: &Flags, env: impl Iterator<Item = (OsString, OsString)>) -> Result<Config, Faults> {
    let variables: Vec<_> = env.collect();
    let environment = env::read(variables.iter().cloned());
    let mut reader = Reader::default();
    if let Some(path) = flags.file.as_ref().or(environment.file.as_ref()) {
        let file::Found { settings, bundles, sinks, transmitters, issuers, candidates, faults } = file::read(path);
        reader.apply(settings, faults);
        reader.bundles(path, bundles);
        reader.sinks(path, sinks);
        reader.candidates(path, candidates);
        reader.transmitters(path, transmitters);
        reader.issuers(path, issuers);
    }
    otel::apply(&variables, &mut reader.config, &mut reader.faults);
    reader.apply(environment.settings, environment.faults);
    for (name, flag, value) in &flags.values {
        let origin = Origin::Flag(flag);
        match key::find(name) {
            Some(key) => reader.set(Setting { key, origin, raw: Raw::Untyped(value.clone()) }),
            None => reader.faults.push(Fault::new(
                origin.place(name),
                format!("sets `{name}`, which is no setting"),
                "the name of a setting",
            )),
        }
    }
    spiffe::apply(&variables, &mut reader.config, &mut reader.faults);
    reader.finish()
}

impl Reader {
    fn apply(&mut self, settings: Vec<Setting>, faults: Vec<Fault>) {
        self.faults.extend(faults);
        for setting in settings {
            self.set(setting);
        }
    }

    fn bundles(&mut self, file: &Path, tables: Vec<(String, serde_json::Value)>) {
        for (name, table) in tables {
            if let Some(bundle) = bundles::read(file, &name, table, &mut self.faults) {
                self.config.bundles.insert(name, bundle);
            }
        }
    }

    fn sinks(&mut self, file: &Path, tables: Vec<(String, serde_json::Value)>) {
        for (name, table) in tables {
            let Some(sink) = sinks::read(file, &name, table, &mut self.faults) else { continue };
            let sinks = &mut self.config.decision_log.sinks;
            self.faults.extend(sinks::sharing(file, &name, &sink, sinks));
            sinks.insert(name, sink);
        }
    }

    fn transmitters(&mut self, file: &Path, tables: Vec<(String, serde_json::Value)>) {
        for (name, table) in tables {
            if let Some(transmitter) = transmitters::read(file, &name, table, &mut self.faults) {
                self.config.ssf.transmitters.insert(name, transmitter);
            }
        }
    }

    fn candidates(&mut self, file: &Path, tables: Vec<(String, serde_json::Value)>) {
        let mut paths = Vec::new();
        for (entry, table) in tables {
            paths.extend(candidates::read(file, &entry, table, &paths, &mut self.faults));
        }
        self.config.search.candidates = Arc::new(paths.into_iter().collect());
    }

    fn issuers(&mut self, file: &Path, tables: Vec<(String, serde_json::Value)>) {
        for (name, table) in tables {
            let Some(issuer) = issuers::read(file, &name, table, &mut self.faults) else { continue };
            let same = |other: &&crate::issuers::Settings| other.issuer.identity.is_same(&issuer.issuer.identity);
            if let Some(other) = self.config.identity.issuers.values().find(same) {
                let problem = format!("is the same issuer as `{}`", other.issuer.name);
                let place = fault::in_file(file, &format!("identity.issuers.{name}"));
                self.faults.push(Fault::new(place, problem, "each issuer once"));
            }
            self.config.identity.issuers.insert(name, issuer);
        }
    }

    fn set(&mut self, Setting { key, origin, raw }: Setting) {
        let mut refused = self.origins.get(key.name).is_some_and(|applied| applied.refused);
        if let Err(problem) = key.shape.apply(&raw, &mut self.config) {
            self.faults.push(Fault::new(origin.place(key.name), problem, key.shape.expected()));
            refused = true;
        }
        self.origins.insert(key.name, Applied { origin, refused });
    }

    fn finish(mut self) -> Result<Config, Faults> {
        if overlap(&self.config.grpc.address, &self.config.http.address)
            && !self.refused("grpc.address")
            && !self.refused("http.address")
        {
            let place = format!("{} and {}", self.place("grpc.address"), self.place("http.address"));
            let problem = format!("both doors listen on `{}`", self.config.grpc.address);
            self.faults.push(Fault::new(place, problem, "two addresses that do not overlap"));
        }
        self.collectors();
        self.transport();
        self.callers();
        if self.config.source.path.is_some() && !self.config.bundles.is_empty() {
            let problem = "is given together with `bundles`: a plain folder owns all of `data`";
            let expected = "one of them; a folder can be a bundle, with the `url` `folder:///…`";
            self.faults.push(Fault::new(self.place("policies.path"), problem, expected));
        }
        if !self.config.ssf.transmitters.is_empty() && self.config.revocation.store.is_none() {
            let problem = "is not set, and there are `ssf.transmitters`: what they say would be forgotten";
            self.faults.push(Fault::new(self.place("revocation.store"), problem, "the path of a file"));
        }
        for (door, address) in
            [("grpc.address", &self.config.grpc.address), ("http.address", &self.config.http.address)]
        {
            let Place::Unix(path) = &self.config.admin.place else { break };
            if *address == Address::Unix(path.clone()) && !self.refused(door) && !self.refused("admin.address") {
                let place = format!("{} and {}", self.place("admin.address"), self.place(door));
                let problem = format!("the policy service and another door listen on `{address}`");
                self.faults.push(Fault::new(place, problem, "two addresses that do not overlap"));
            }
        }
        if self.faults.is_empty() { Ok(self.config) } else { Err(Faults::new(self.faults)) }
    }

    /// Lets sinks that name no collector send to the one that the log goes to.
    fn collectors(&mut self) {
        let Config { telemetry, decision_log, .. } = &mut self.config;
        for (name, sink) in &mut decision_log.sinks {
            let audit::Place::Otlp { destination, resource, .. } = &mut sink.place else { continue };
            *resource = telemetry.described();
            if destination.is_none() {
                *destination = telemetry.reach(telemetry::export::SignalName::Logs);
            }
            if destination.is_none() {
                let place = format!("decision_log.sinks.{name}.url");
                let expected = "it, `telemetry.endpoint` or `OTEL_EXPORTER_OTLP_ENDPOINT`";
                self.faults.push(Fault::new(place, "is missing, and the log goes to no collector", expected));
            }
        }
    }

    /// Plain text stays on this machine, and half of TLS is none.
    fn transport(&mut self) {
        let doors = [
            ("grpc.address", &self.config.grpc.address, &self.config.grpc.tls),
            ("http.address", &self.config.http.address, &self.config.http.tls),
        ];
        let mut faults = Vec::new();
        if doors.iter().any(|(.., tls)| tls.spiffe)
            && self.config.spiffe.endpoint.is_none()
            && !self.refused("spiffe.endpoint")
            && self.faults.iter().all(|fault| fault.place() != spiffe::VARIABLE)
        {
            let expected = format!("it, like `unix:///run/spire/agent.sock`, or the variable `{}`", spiffe::VARIABLE);
            let problem = "is not set, and the certificate of a door is to come from there";
            faults.push(Fault::new(self.place("spiffe.endpoint"), problem, expected));
        }
        for (door, address, tls) in doors {
            let section = door.split('.').next().unwrap_or_default();
            let mut fault = |leaf: &str, problem: &str, expected: String| {
                faults.push(Fault::new(self.place(&format!("{section}.{leaf}")), problem, expected));
            };
            if tls.spiffe {
                for (leaf, given) in [
                    ("tls_cert_file", &tls.cert_file),
                    ("tls_key_file", &tls.key_file),
                    ("tls_client_ca_file", &tls.client_ca_file),
                    ("tls_crl_file", &tls.crl_file),
                ] {
                    if given.is_some() {
                        let expected =
                            format!("one of them; with `{section}.tls_spiffe`, all of it comes from the agent");
                        fault(leaf, "stands beside `tls_spiffe`", expected);
                    }
                }
                continue;
            }
            let both = || format!("`{section}.tls_cert_file` and `{section}.tls_key_file`, or neither");
            match (&tls.cert_file, &tls.key_file) {
                (Some(_), None) => fault("tls_cert_file", "stands without `tls_key_file`", both()),
                (None, Some(_)) => fault("tls_key_file", "stands without `tls_cert_file`", both()),
                _ => {}
            }
            for (leaf, given) in [("tls_client_ca_file", &tls.client_ca_file), ("tls_crl_file", &tls.crl_file)] {
                if given.is_some() && !tls.is_on() {
                    fault(leaf, "stands without a certificate, so that it would do nothing", both());
                }
            }
            if tls.is_on() && tls.crl_file.is_some() && tls.client_ca_file.is_none() {
                let expected = format!("`{section}.tls_client_ca_file` beside it");
                fault("tls_crl_file", "revokes certificates of clients, and none are asked for", expected);
            }
            let is_local = match address {
                Address::Tcp(address) => address.ip().to_canonical().is_loopback(),
                Address::Unix(_) => true,
            };
            if !is_local && !tls.is_on() && !self.config.server.insecure && !self.refused(door) {
                let expected = format!(
                    "`{section}.tls_cert_file` and `{section}.tls_key_file`, `{section}.tls_spiffe`, a loopback address, or `server.insecure` \
                     (`--insecure`) where something else protects the network"
                );
                fault("address", "lets others reach the door, in plain text", expected);
            }
        }
        self.faults.extend(faults);
    }

    /// Settings of callers that would do nothing, or shut everyone out.
    fn callers(&mut self) {
        let api::caller::Config { required, keys_file, token_audience, grants_file, policy } = &self.config.callers;
        let mut faults = Vec::new();
        let mut fault = |name: &str, problem: &str, expected: &str| {
            faults.push(Fault::new(self.place(name), problem, expected));
        };
        for (name, given) in [
            ("callers.keys_file", keys_file.is_some()),
            ("callers.token_audience", !token_audience.is_empty()),
            ("callers.grants_file", grants_file.is_some()),
            ("callers.policy", policy.is_some()),
        ] {
            if given && !required {
                fault(name, "does nothing where callers need not be known", "`callers.required: true` beside it");
            }
        }
        if *required && grants_file.is_none() && policy.is_none() {
            let expected = "`callers.grants_file` or `callers.policy`";
            fault("callers.required", "is set, and nobody is allowed anything", expected);
        }
        self.faults.extend(faults);
    }

    fn refused(&self, name: &str) -> bool {
        self.origins.get(name).is_some_and(|applied| applied.refused)
    }

    fn place(&self, name: &str) -> String {
        self.origins
            .get(name)
            .map_or_else(|| format!("{name} (not set, so its default)"), |applied| applied.origin.place(name))
    }
}

/// Whether two doors cannot both listen: the same socket, or the same port where one takes all addresses.
fn overlap(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Tcp(one), Address::Tcp(other)) => {
            let (left, right) = (one.ip().to_canonical(), other.ip().to_canonical());
            let covers = |all: IpAddr, ip: IpAddr| all.is_unspecified() && all.is_ipv4() == ip.is_ipv4();
            one.port() != 0
                && one.port() == other.port()
                && (left == right || covers(left, right) || covers(right, left))
        }
        (Address::Unix(one), Address::Unix(other)) => one == other,
        _ => false,
    }
}
