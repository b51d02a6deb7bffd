//! The effective settings in words.

mod bundles;
mod candidates;
mod issuers;
mod sinks;
mod transmitters;

use std::fmt::Write as _;

use super::{
    Config, Server,
    quantity::{show_size, show_time},
};
use crate::{
    api::{self, place::Place},
    audit, issuance, policy, reload, revocation, source, ssf, telemetry, workload,
};

/// A value as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shown {
    /// Written as it is.
    Plain(String),
    /// Free text, written in quotes.
    Text(String),
    /// Not set; what that means.
    Unset(&'static str),
}

/// Every setting and its value, in the order of the table of keys.
///
/// Components are destructured whole, so that a setting that one of them gains cannot be left out here unseen; a test
/// compares the names with the table.
pub(super) fn values(config: &Config) -> Vec<(&'static str, Shown)> {
    let Config {
        grpc,
        http,
        authzen,
        opa,
        envoy,
        issuance,
        search,
        admin,
        policy,
        source,
        reload,
        bundles: _,
        identity,
        callers,
        load,
        log,
        telemetry,
        decision_log,
        revocation,
        ssf,
        server,
        spiffe,
    } = config;
    let api::grpc::policy::Config { place, max_bundle_bytes, request_timeout: admin_timeout } = admin;
    let policy::Config { default_policy, rego_v0, evaluation_budget, capabilities, network, redact } = policy;
    let policy::NetworkSettings { allow, timeout, max_response_bytes, cache_bytes } = network;
    let source::Config { path, settle, poll_interval } = source;
    let reload::Config { strict, retained, store, tests, start_timeout } = reload;

    let rest = [
        (
            "admin.address",
            match place {
                Place::Default => Shown::Unset(
                    "`unix:$XDG_RUNTIME_DIR/verdict/admin.sock`, or `unix:/run/verdict/admin.sock`, if one can be made",
                ),
                Place::Off | Place::Unix(_) => text(place),
            },
        ),
        ("admin.max_bundle_bytes", Shown::Plain(show_size(*max_bundle_bytes))),
        ("admin.request_timeout", Shown::Plain(show_time(*admin_timeout))),
        (
            "policies.path",
            path.as_ref()
                .map_or(Shown::Unset("the policies embedded in the binary"), |path| text(&path.to_string_lossy())),
        ),
        ("policies.default", text(default_policy)),
        ("policies.rego_v0", plain(rego_v0)),
        ("policies.evaluation_budget", Shown::Plain(show_time(*evaluation_budget))),
        ("policies.settle", Shown::Plain(show_time(*settle))),
        ("policies.poll_interval", Shown::Plain(show_time(*poll_interval))),
        ("policies.strict", plain(strict)),
        ("policies.retained", plain(retained)),
        (
            "policies.capabilities",
            capabilities.as_ref().map_or(Shown::Unset("none, so that policies may call every built-in"), |path| {
                text(&path.to_string_lossy())
            }),
        ),
        (
            "bundles.store",
            store.as_ref().map_or(Shown::Unset("nowhere, so that a restart waits for the sources"), |path| {
                text(&path.to_string_lossy())
            }),
        ),
        ("bundles.tests", plain(tests)),
        ("bundles.start_timeout", Shown::Plain(show_time(*start_timeout))),
        (
            "network.allow",
            if allow.is_empty() { Shown::Unset("none, so that policies may not use the network") } else { text(allow) },
        ),
        ("network.timeout", Shown::Plain(show_time(*timeout))),
        ("network.max_response_bytes", Shown::Plain(show_size(*max_response_bytes))),
        ("network.cache_bytes", Shown::Plain(show_size(*cache_bytes))),
        ("identity.cache_bytes", Shown::Plain(show_size(identity.cache_bytes))),
    ];
    let explain = [("explain.redact", text(redact))];
    self::grpc(grpc)
        .into_iter()
        .chain(self::http(http, authzen))
        .chain(self::opa(opa))
        .chain(self::envoy(envoy))
        .chain(self::issuance(issuance))
        .chain(self::search(search))
        .chain(rest)
        .chain(self::callers(callers, load.caller_rate))
        .chain(self::spiffe(spiffe))
        .chain(explain)
        .chain(process((log, telemetry), decision_log, (revocation, ssf), (server, load)))
        .collect()
}

fn grpc(config: &api::grpc::Config) -> [(&'static str, Shown); 15] {
    let api::grpc::Config {
        address,
        max_message_bytes,
        max_response_bytes,
        max_batch_items,
        max_stream_in_flight,
        max_concurrent_streams,
        request_timeout,
        reflection,
        tls,
    } = config;
    let [cert, key, ca, optional, crl, version, spiffe] = self::tls(tls);
    [
        ("grpc.address", text(address)),
        ("grpc.max_message_bytes", Shown::Plain(show_size(*max_message_bytes))),
        ("grpc.max_response_bytes", Shown::Plain(show_size(*max_response_bytes))),
        ("grpc.max_batch_items", plain(max_batch_items)),
        ("grpc.max_stream_in_flight", plain(max_stream_in_flight)),
        ("grpc.max_concurrent_streams", plain(max_concurrent_streams)),
        ("grpc.request_timeout", Shown::Plain(show_time(*request_timeout))),
        ("grpc.reflection", plain(reflection)),
        ("grpc.tls_cert_file", cert),
        ("grpc.tls_key_file", key),
        ("grpc.tls_client_ca_file", ca),
        ("grpc.tls_client_optional", optional),
        ("grpc.tls_crl_file", crl),
        ("grpc.tls_min_version", version),
        ("grpc.tls_spiffe", spiffe),
    ]
}

fn http(http: &api::ops::Config, authzen: &api::authzen::Config) -> [(&'static str, Shown); 12] {
    let api::ops::Config { address, tls } = http;
    let [cert, key, ca, optional, crl, version, spiffe] = self::tls(tls);
    let api::authzen::Config { max_body_bytes, request_timeout, public_url, credential_at } = authzen;
    [
        ("http.address", text(address)),
        ("http.max_body_bytes", Shown::Plain(show_size(*max_body_bytes))),
        ("http.request_timeout", Shown::Plain(show_time(*request_timeout))),
        (
            "http.public_url",
            public_url.as_ref().map_or(Shown::Unset("what the request's `Host` says, by `https`"), text),
        ),
        ("http.credential_at", text(credential_at)),
        ("http.tls_cert_file", cert),
        ("http.tls_key_file", key),
        ("http.tls_client_ca_file", ca),
        ("http.tls_client_optional", optional),
        ("http.tls_crl_file", crl),
        ("http.tls_min_version", version),
        ("http.tls_spiffe", spiffe),
    ]
}

fn tls(config: &api::listen::tls::Config) -> [Shown; 7] {
    let api::listen::tls::Config {
        cert_file,
        key_file,
        client_ca_file,
        crl_file,
        client_optional,
        min_version,
        spiffe,
    } = config;
    let file = |file: &Option<std::path::PathBuf>, without| {
        file.as_ref().map_or(Shown::Unset(without), |path| text(&path.to_string_lossy()))
    };
    [
        file(cert_file, "plain text"),
        file(key_file, "plain text"),
        file(client_ca_file, "clients are asked for no certificate"),
        plain(client_optional),
        file(crl_file, "no list, so that a certificate is good until it expires"),
        text(min_version),
        plain(spiffe),
    ]
}

fn spiffe(config: &workload::Config) -> [(&'static str, Shown); 3] {
    let workload::Config { endpoint, hint, start_timeout } = config;
    [
        ("spiffe.endpoint", endpoint.as_ref().map_or(Shown::Unset("what `SPIFFE_ENDPOINT_SOCKET` says"), text)),
        ("spiffe.hint", hint.as_ref().map_or(Shown::Unset("the first SVID"), text)),
        ("spiffe.start_timeout", Shown::Plain(show_time(*start_timeout))),
    ]
}

fn callers(config: &api::caller::Config, rate: u32) -> [(&'static str, Shown); 6] {
    let api::caller::Config { required, keys_file, token_audience, grants_file, policy } = config;
    let path = |path: &Option<std::path::PathBuf>, without| {
        path.as_ref().map_or(Shown::Unset(without), |path| text(&path.to_string_lossy()))
    };
    [
        ("callers.required", plain(required)),
        ("callers.keys_file", path(keys_file, "no key proves a caller")),
        (
            "callers.token_audience",
            if token_audience.is_empty() {
                Shown::Unset("no token proves a caller")
            } else {
                text(&token_audience.join(","))
            },
        ),
        ("callers.grants_file", path(grants_file, "nobody is granted anything")),
        ("callers.policy", path(policy, "the built-in policy, which reads the grants")),
        ("callers.rate", plain(&rate)),
    ]
}

fn process(
    (log, export): (&telemetry::Config, &telemetry::export::Config),
    decision_log: &audit::Config,
    (revocation, ssf): (&revocation::Config, &ssf::Config),
    (server, load): (&Server, &api::caller::LoadConfig),
) -> [(&'static str, Shown); 27] {
    // What else OpenTelemetry's variables say is not shown: it may be secret.
    let telemetry::export::Config { all, sampler, service_name, metrics_interval, .. } = export;
    let ssf::Config { push, replay_window, publish_interval, transmitters: _ } = ssf;
    let revocation::Config { store, max_entries } = revocation;
    let telemetry::Config { level, format } = log;
    let audit::Config { max_record_bytes, commit_timeout, sinks: _ } = decision_log;
    let Server { drain_timeout, worker_threads, insecure, connections } = server;
    let api::listen::Connections {
        most,
        most_per_address,
        handshake_timeout,
        max_age,
        age_grace,
        keepalive_time,
        keepalive_timeout,
    } = connections;
    [
        ("log.level", text(level)),
        (
            "log.format",
            plain(&match format {
                telemetry::Format::Human => "human",
                telemetry::Format::Json => "json",
            }),
        ),
        ("telemetry.endpoint", all.endpoint.as_ref().map_or(Shown::Unset("nowhere, so that nothing is pushed"), text)),
        ("telemetry.sampling", Shown::Plain(format!("{}%", sampler.ratio * 100.0))),
        ("telemetry.name", text(service_name)),
        ("telemetry.metrics_interval", Shown::Plain(show_time(*metrics_interval))),
        ("decision_log.max_record_bytes", Shown::Plain(show_size(*max_record_bytes))),
        ("decision_log.commit_timeout", Shown::Plain(show_time(*commit_timeout))),
        (
            "revocation.store",
            store
                .as_ref()
                .map_or(Shown::Unset("nowhere, so that nothing can be revoked"), |path| text(&path.to_string_lossy())),
        ),
        ("revocation.max_entries", plain(max_entries)),
        ("ssf.push", plain(push)),
        ("ssf.replay_window", Shown::Plain(show_time(*replay_window))),
        ("ssf.publish_interval", Shown::Plain(show_time(*publish_interval))),
        ("server.drain_timeout", Shown::Plain(show_time(*drain_timeout))),
        ("server.worker_threads", plain(worker_threads)),
        ("server.max_in_flight", plain(&load.max_in_flight)),
        ("server.max_queued", plain(&load.max_queued)),
        ("server.max_unfinished_bytes", Shown::Plain(show_size(load.max_unfinished_bytes))),
        ("server.max_unsent_bytes", Shown::Plain(show_size(load.max_unsent_bytes))),
        ("server.insecure", plain(insecure)),
        ("server.max_connections", plain(most)),
        ("server.max_connections_per_address", plain(most_per_address)),
        ("server.handshake_timeout", Shown::Plain(show_time(*handshake_timeout))),
        ("server.max_connection_age", Shown::Plain(show_time(*max_age))),
        ("server.max_connection_age_grace", Shown::Plain(show_time(*age_grace))),
        ("server.keepalive_time", Shown::Plain(show_time(*keepalive_time))),
        ("server.keepalive_timeout", Shown::Plain(show_time(*keepalive_timeout))),
    ]
}

fn search(config: &api::search::Config) -> [(&'static str, Shown); 2] {
    let api::search::Config { max_candidates, page_size, candidates: _ } = config;
    [("search.max_candidates", plain(max_candidates)), ("search.page_size", plain(page_size))]
}

fn opa(config: &api::opa::Config) -> [(&'static str, Shown); 4] {
    let api::opa::Config { enabled, query, write, credential_at } = config;
    [
        ("opa.enabled", plain(enabled)),
        ("opa.query", plain(query)),
        ("opa.write", plain(write)),
        ("opa.credential_at", text(credential_at)),
    ]
}

fn envoy(config: &api::envoy::Config) -> [(&'static str, Shown); 14] {
    let api::envoy::Config {
        form,
        policy,
        dry_run,
        parse_body,
        mcp,
        descriptors,
        decode_slashes,
        dot_segments,
        bearer,
        decision_id_header,
        reasons_in_body,
        subject,
        subject_type,
        resource_type,
    } = config;
    [
        ("envoy.input", plain(form)),
        (
            "envoy.policy",
            policy.as_ref().map_or(Shown::Unset("`data.envoy.authz.allow`; with `question`, `policies.default`"), text),
        ),
        ("envoy.dry_run", plain(dry_run)),
        ("envoy.parse_body", plain(parse_body)),
        ("envoy.mcp", plain(mcp)),
        (
            "envoy.descriptors",
            descriptors
                .as_ref()
                .map_or(Shown::Unset("none, so that gRPC bodies are not read"), |path| text(&path.to_string_lossy())),
        ),
        ("envoy.decode_slashes", plain(decode_slashes)),
        ("envoy.dot_segments", plain(dot_segments)),
        ("envoy.bearer", plain(bearer)),
        ("envoy.decision_id_header", text(decision_id_header)),
        ("envoy.reasons_in_body", plain(reasons_in_body)),
        ("envoy.subject", text(subject)),
        ("envoy.subject_type", text(subject_type)),
        ("envoy.resource_type", text(resource_type)),
    ]
}

fn issuance(config: &issuance::Config) -> [(&'static str, Shown); 10] {
    let issuance::Config { policy, max_lifetime, max_refresh_lifetime, max_actor_depth, agent, workload } = config;
    let time = |time: &std::time::Duration| Shown::Plain(show_time(*time));
    let words = |words: &Option<Vec<String>>| match words {
        None => Shown::Unset("no ceiling"),
        Some(words) if words.is_empty() => text("none"),
        Some(words) => text(&words.join(",")),
    };
    [
        ("issuance.policy", text(policy)),
        ("issuance.max_lifetime", time(max_lifetime)),
        ("issuance.max_refresh_lifetime", time(max_refresh_lifetime)),
        ("issuance.max_actor_depth", plain(max_actor_depth)),
        ("issuance.agent_max_lifetime", time(&agent.lifetime)),
        ("issuance.agent_scopes", words(&agent.scopes)),
        ("issuance.agent_audience", words(&agent.audience)),
        ("issuance.workload_max_lifetime", time(&workload.lifetime)),
        ("issuance.workload_scopes", words(&workload.scopes)),
        ("issuance.workload_audience", words(&workload.audience)),
    ]
}

/// The settings as a YAML file.
pub(super) fn yaml(config: &Config) -> String {
    let mut yaml = String::new();
    let mut open = "";
    for (name, value) in values(config) {
        let (section, leaf) = name.split_once('.').unwrap_or(("", name));
        if section != open {
            if open == "bundles" {
                bundles::yaml(config, &mut yaml);
            }
            if open == "search" {
                candidates::yaml(config, &mut yaml);
            }
            if open == "ssf" && !config.ssf.transmitters.is_empty() {
                transmitters::yaml(config, &mut yaml);
            }
            if open == "identity" && !config.identity.issuers.is_empty() {
                issuers::yaml(config, &mut yaml);
            }
            if open == "decision_log" && !config.decision_log.sinks.is_empty() {
                sinks::yaml(config, &mut yaml);
            }
            yaml.push_str(section);
            yaml.push_str(":\n");
            open = section;
        }
        match value {
            Shown::Plain(value) => yaml.extend(["  ", leaf, ": ", &value, "\n"]),
            Shown::Text(value) => yaml.extend(["  ", leaf, ": ", &quoted(&value), "\n"]),
            Shown::Unset(meaning) => yaml.extend(["  # ", leaf, ": not set: ", meaning, "\n"]),
        }
    }
    yaml
}

fn plain(value: &impl ToString) -> Shown {
    Shown::Plain(value.to_string())
}

fn text(value: &(impl ToString + ?Sized)) -> Shown {
    Shown::Text(value.to_string())
}

/// A flow sequence of texts.
fn list<'t>(texts: impl IntoIterator<Item = &'t String>) -> String {
    let texts: Vec<_> = texts.into_iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A flow mapping of what is there.
fn flow<const N: usize>(members: [(&str, Option<String>); N]) -> String {
    let members = members.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}", value?)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

/// A double-quoted scalar (YAML 1.2 §7.3.1).
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            // Not printable in YAML (§5.1), or a line break to some of its readers.
            '\0'..' ' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
