//! The one table of settings. Names, bounds and where each value goes; unknown-key checks, the variables' names and the
//! test of `docs/configuration.md` are derived from it. Defaults are the components' own.

use std::time::Duration;

use super::shape::Shape;
use crate::telemetry::export::Sampler;

/// A setting.
pub(super) struct Key {
    /// The path in the file, joined by dots.
    pub(super) name: &'static str,
    /// What its value looks like, and where it goes.
    pub(super) shape: Shape,
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const YEAR: Duration = Duration::from_hours(24 * 365);

/// Every setting, in the order of the documentation.
pub(super) static KEYS: [Key; 114] = [
    key("grpc.address", Shape::Address(|config, value| config.grpc.address = value)),
    key("grpc.max_message_bytes", Shape::Size(KIB..=64 * MIB, |config, value| config.grpc.max_message_bytes = value)),
    key("grpc.max_response_bytes", Shape::Size(KIB..=64 * MIB, |config, value| config.grpc.max_response_bytes = value)),
    key(
        "grpc.max_batch_items",
        Shape::Count(1..=100_000, |config, value| config.grpc.max_batch_items = value as usize),
    ),
    key(
        "grpc.max_stream_in_flight",
        Shape::Count(1..=65_536, |config, value| config.grpc.max_stream_in_flight = value as usize),
    ),
    key(
        "grpc.max_concurrent_streams",
        Shape::Count(1..=1_000_000, |config, value| config.grpc.max_concurrent_streams = value),
    ),
    key(
        "grpc.request_timeout",
        Shape::Time(MILLISECOND..=MINUTE.saturating_mul(5), |config, value| config.grpc.request_timeout = value),
    ),
    key("grpc.reflection", Shape::Switch(|config, value| config.grpc.reflection = value)),
    key("grpc.tls_cert_file", Shape::File(|config, value| config.grpc.tls.cert_file = Some(value))),
    key("grpc.tls_key_file", Shape::File(|config, value| config.grpc.tls.key_file = Some(value))),
    key("grpc.tls_client_ca_file", Shape::File(|config, value| config.grpc.tls.client_ca_file = Some(value))),
    key("grpc.tls_client_optional", Shape::Switch(|config, value| config.grpc.tls.client_optional = value)),
    key("grpc.tls_crl_file", Shape::File(|config, value| config.grpc.tls.crl_file = Some(value))),
    key("grpc.tls_min_version", Shape::TlsVersion(|config, value| config.grpc.tls.min_version = value)),
    key("grpc.tls_spiffe", Shape::Switch(|config, value| config.grpc.tls.spiffe = value)),
    key("http.address", Shape::Address(|config, value| config.http.address = value)),
    key("http.max_body_bytes", Shape::Size(KIB..=64 * MIB, |config, value| config.authzen.max_body_bytes = value)),
    key(
        "http.request_timeout",
        Shape::Time(MILLISECOND..=MINUTE.saturating_mul(5), |config, value| config.authzen.request_timeout = value),
    ),
    key("http.public_url", Shape::PublicUrl(|config, value| config.authzen.public_url = Some(value))),
    key("http.credential_at", Shape::CredentialAt(|config, value| config.authzen.credential_at = value)),
    key("http.tls_cert_file", Shape::File(|config, value| config.http.tls.cert_file = Some(value))),
    key("http.tls_key_file", Shape::File(|config, value| config.http.tls.key_file = Some(value))),
    key("http.tls_client_ca_file", Shape::File(|config, value| config.http.tls.client_ca_file = Some(value))),
    key("http.tls_client_optional", Shape::Switch(|config, value| config.http.tls.client_optional = value)),
    key("http.tls_crl_file", Shape::File(|config, value| config.http.tls.crl_file = Some(value))),
    key("http.tls_min_version", Shape::TlsVersion(|config, value| config.http.tls.min_version = value)),
    key("http.tls_spiffe", Shape::Switch(|config, value| config.http.tls.spiffe = value)),
    key("opa.enabled", Shape::Switch(|config, value| config.opa.enabled = value)),
    key("opa.query", Shape::Switch(|config, value| config.opa.query = value)),
    key("opa.write", Shape::Switch(|config, value| config.opa.write = value)),
    key("opa.credential_at", Shape::CredentialAt(|config, value| config.opa.credential_at = value)),
    key("envoy.input", Shape::Form(|config, value| config.envoy.form = value)),
    key("envoy.policy", Shape::EntryPoint(|config, value| config.envoy.policy = Some(value))),
    key("envoy.dry_run", Shape::Switch(|config, value| config.envoy.dry_run = value)),
    key("envoy.parse_body", Shape::Switch(|config, value| config.envoy.parse_body = value)),
    key("envoy.mcp", Shape::Switch(|config, value| config.envoy.mcp = value)),
    key("envoy.descriptors", Shape::File(|config, value| config.envoy.descriptors = Some(value))),
    key("envoy.decode_slashes", Shape::Switch(|config, value| config.envoy.decode_slashes = value)),
    key("envoy.dot_segments", Shape::Switch(|config, value| config.envoy.dot_segments = value)),
    key("envoy.bearer", Shape::Switch(|config, value| config.envoy.bearer = value)),
    key("envoy.decision_id_header", Shape::IdHeader(|config, value| config.envoy.decision_id_header = value)),
    key("envoy.reasons_in_body", Shape::Switch(|config, value| config.envoy.reasons_in_body = value)),
    key("envoy.subject", Shape::Subject(|config, value| config.envoy.subject = value)),
    key("envoy.subject_type", Shape::Name(|config, value| config.envoy.subject_type = value)),
    key("envoy.resource_type", Shape::Name(|config, value| config.envoy.resource_type = value)),
    key("issuance.policy", Shape::EntryPoint(|config, value| config.issuance.policy = value)),
    key("issuance.max_lifetime", Shape::Time(SECOND..=YEAR, |config, value| config.issuance.max_lifetime = value)),
    key(
        "issuance.max_refresh_lifetime",
        Shape::Time(SECOND..=YEAR, |config, value| config.issuance.max_refresh_lifetime = value),
    ),
    key(
        "issuance.max_actor_depth",
        Shape::Count(0..=16, |config, value| config.issuance.max_actor_depth = value as usize),
    ),
    key(
        "issuance.agent_max_lifetime",
        Shape::Time(SECOND..=YEAR, |config, value| config.issuance.agent.lifetime = value),
    ),
    key("issuance.agent_scopes", Shape::Words(|config, value| config.issuance.agent.scopes = Some(value))),
    key("issuance.agent_audience", Shape::Words(|config, value| config.issuance.agent.audience = Some(value))),
    key(
        "issuance.workload_max_lifetime",
        Shape::Time(SECOND..=YEAR, |config, value| config.issuance.workload.lifetime = value),
    ),
    key("issuance.workload_scopes", Shape::Words(|config, value| config.issuance.workload.scopes = Some(value))),
    key("issuance.workload_audience", Shape::Words(|config, value| config.issuance.workload.audience = Some(value))),
    key(
        "search.max_candidates",
        Shape::Count(1..=65_536, |config, value| config.search.max_candidates = value as usize),
    ),
    key("search.page_size", Shape::Count(1..=65_536, |config, value| config.search.page_size = value as usize)),
    key("admin.address", Shape::Place(|config, value| config.admin.place = value)),
    key("admin.max_bundle_bytes", Shape::Size(KIB..=1024 * MIB, |config, value| config.admin.max_bundle_bytes = value)),
    key("admin.request_timeout", Shape::Time(SECOND..=HOUR, |config, value| config.admin.request_timeout = value)),
    key("policies.path", Shape::Folder(|config, value| config.source.path = Some(value))),
    key("policies.default", Shape::EntryPoint(|config, value| config.policy.default_policy = value)),
    key("policies.rego_v0", Shape::Switch(|config, value| config.policy.rego_v0 = value)),
    key(
        "policies.evaluation_budget",
        Shape::Time(MILLISECOND..=SECOND.saturating_mul(10), |config, value| config.policy.evaluation_budget = value),
    ),
    key(
        "policies.settle",
        Shape::Time(MILLISECOND..=SECOND.saturating_mul(10), |config, value| config.source.settle = value),
    ),
    key(
        "policies.poll_interval",
        Shape::Time(MILLISECOND.saturating_mul(100)..=HOUR, |config, value| config.source.poll_interval = value),
    ),
    key("policies.strict", Shape::Switch(|config, value| config.reload.strict = value)),
    key("policies.retained", Shape::Count(1..=64, |config, value| config.reload.retained = value as usize)),
    key("policies.capabilities", Shape::File(|config, value| config.policy.capabilities = Some(value))),
    key("bundles.store", Shape::Folder(|config, value| config.reload.store = Some(value))),
    key("bundles.tests", Shape::Tests(|config, value| config.reload.tests = value)),
    key(
        "bundles.start_timeout",
        Shape::Time(Duration::ZERO..=MINUTE.saturating_mul(10), |config, value| config.reload.start_timeout = value),
    ),
    key("network.allow", Shape::Hosts(|config, value| config.policy.network.allow = value)),
    key(
        "network.timeout",
        Shape::Time(MILLISECOND..=SECOND.saturating_mul(2), |config, value| config.policy.network.timeout = value),
    ),
    key(
        "network.max_response_bytes",
        Shape::Size(KIB..=16 * MIB, |config, value| config.policy.network.max_response_bytes = value),
    ),
    key("network.cache_bytes", Shape::Size(0..=256 * MIB, |config, value| config.policy.network.cache_bytes = value)),
    key("identity.cache_bytes", Shape::Size(0..=1024 * MIB, |config, value| config.identity.cache_bytes = value)),
    key("callers.required", Shape::Switch(|config, value| config.callers.required = value)),
    key("callers.keys_file", Shape::File(|config, value| config.callers.keys_file = Some(value))),
    key("callers.token_audience", Shape::Words(|config, value| config.callers.token_audience = value)),
    key("callers.grants_file", Shape::File(|config, value| config.callers.grants_file = Some(value))),
    key("callers.policy", Shape::Folder(|config, value| config.callers.policy = Some(value))),
    key("callers.rate", Shape::Count(0..=1_000_000, |config, value| config.load.caller_rate = value)),
    key("spiffe.endpoint", Shape::Agent(|config, value| config.spiffe.endpoint = Some(value))),
    key("spiffe.hint", Shape::Name(|config, value| config.spiffe.hint = Some(value))),
    key(
        "spiffe.start_timeout",
        Shape::Time(SECOND..=MINUTE.saturating_mul(10), |config, value| config.spiffe.start_timeout = value),
    ),
    key("explain.redact", Shape::Redaction(|config, value| config.policy.redact = value)),
    key("log.level", Shape::Filter(|config, value| config.log.level = value)),
    key("log.format", Shape::Format(|config, value| config.log.format = value)),
    key("telemetry.endpoint", Shape::Collector(|config, value| config.telemetry.all.endpoint = Some(value))),
    key(
        "telemetry.sampling",
        Shape::Share(|config, ratio| config.telemetry.sampler = Sampler { parent_based: true, ratio }),
    ),
    key("telemetry.name", Shape::Name(|config, value| config.telemetry.service_name = value)),
    key(
        "telemetry.metrics_interval",
        Shape::Time(MILLISECOND.saturating_mul(100)..=HOUR, |config, value| config.telemetry.metrics_interval = value),
    ),
    key(
        "decision_log.max_record_bytes",
        Shape::Size(KIB..=16 * MIB, |config, value| config.decision_log.max_record_bytes = value),
    ),
    key(
        "decision_log.commit_timeout",
        Shape::Time(MILLISECOND..=MINUTE, |config, value| config.decision_log.commit_timeout = value),
    ),
    key("revocation.store", Shape::File(|config, value| config.revocation.store = Some(value))),
    key(
        "revocation.max_entries",
        Shape::Count(1..=100_000_000, |config, value| config.revocation.max_entries = value as usize),
    ),
    key("ssf.push", Shape::Switch(|config, value| config.ssf.push = value)),
    key(
        "ssf.replay_window",
        Shape::Time(HOUR..=HOUR.saturating_mul(90 * 24), |config, value| config.ssf.replay_window = value),
    ),
    key(
        "ssf.publish_interval",
        Shape::Time(Duration::ZERO..=HOUR, |config, value| config.ssf.publish_interval = value),
    ),
    key(
        "server.drain_timeout",
        Shape::Time(Duration::ZERO..=MINUTE.saturating_mul(10), |config, value| config.server.drain_timeout = value),
    ),
    key(
        "server.worker_threads",
        Shape::Count(0..=1_024, |config, value| config.server.worker_threads = value as usize),
    ),
    key(
        "server.max_in_flight",
        Shape::Count(1..=1_000_000, |config, value| config.load.max_in_flight = value as usize),
    ),
    key("server.max_queued", Shape::Count(0..=1_000_000, |config, value| config.load.max_queued = value as usize)),
    key(
        "server.max_unfinished_bytes",
        Shape::Size(MIB..=64 * 1024 * MIB, |config, value| config.load.max_unfinished_bytes = value),
    ),
    key(
        "server.max_unsent_bytes",
        Shape::Size(MIB..=64 * 1024 * MIB, |config, value| config.load.max_unsent_bytes = value),
    ),
    key("server.insecure", Shape::Switch(|config, value| config.server.insecure = value)),
    key(
        "server.max_connections",
        Shape::Count(1..=1_000_000, |config, value| config.server.connections.most = value as usize),
    ),
    key(
        "server.max_connections_per_address",
        Shape::Count(1..=1_000_000, |config, value| config.server.connections.most_per_address = value as usize),
    ),
    key(
        "server.handshake_timeout",
        Shape::Time(MILLISECOND.saturating_mul(10)..=MINUTE, |config, value| {
            config.server.connections.handshake_timeout = value;
        }),
    ),
    key(
        "server.max_connection_age",
        Shape::Time(SECOND..=HOUR.saturating_mul(24), |config, value| config.server.connections.max_age = value),
    ),
    key(
        "server.max_connection_age_grace",
        Shape::Time(Duration::ZERO..=HOUR, |config, value| config.server.connections.age_grace = value),
    ),
    key(
        "server.keepalive_time",
        Shape::Time(MILLISECOND.saturating_mul(100)..=HOUR.saturating_mul(24), |config, value| {
            config.server.connections.keepalive_time = value;
        }),
    ),
    key(
        "server.keepalive_timeout",
        Shape::Time(MILLISECOND.saturating_mul(100)..=MINUTE.saturating_mul(10), |config, value| {
            config.server.connections.keepalive_timeout = value;
        }),
    ),
];

const fn key(name: &'static str, shape: Shape) -> Key {
    Key { name, shape }
}

impl Key {
    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("VERDICT_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// The table of the file that it stands in.
    pub(super) fn section(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(section, _)| section)
    }
}

/// The setting with this path.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The names of the file's tables, in order.
pub(super) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = KEYS.iter().map(Key::section).collect();
    sections.dedup();
    sections
}
