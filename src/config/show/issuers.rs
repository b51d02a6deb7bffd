//! The issuers of credentials, as they were given.

use super::{quoted, show_time};
use crate::{
    config::Config,
    identity::{Algorithm, Identity, Issuer, Mapping},
    issuers::{Introspection, KeysFrom, Means, SecretFrom, Settings, Times, Transport},
};

/// The tables of the issuers.
pub(super) fn yaml(config: &Config, yaml: &mut String) {
    yaml.push_str("  issuers:\n");
    for (name, issuer) in &config.identity.issuers {
        yaml.extend(["    ", name, ":\n"]);
        for (key, value) in lines(issuer) {
            yaml.extend(["      ", key, ": ", &value, "\n"]);
        }
    }
}

fn lines(settings: &Settings) -> Vec<(&'static str, String)> {
    let Settings { issuer, means, transport } = settings;
    let Issuer {
        name: _,
        identity,
        algorithms,
        audience,
        types,
        leeway,
        max_age,
        max_lifetime,
        required_claims,
        bound,
        subject,
    } = issuer;
    let mut lines = match identity {
        Identity::Issuer(issuer) => vec![("kind", "jwt".to_owned()), ("issuer", quoted(issuer))],
        Identity::TrustDomain(domain) => vec![("kind", "spiffe".to_owned()), ("trust_domain", quoted(domain))],
        Identity::Opaque { prefix, issuer } => {
            let issuer = issuer.as_ref().map(|issuer| ("issuer", quoted(issuer)));
            [("kind", "opaque".to_owned()), ("prefix", quoted(prefix))].into_iter().chain(issuer).collect()
        }
    };
    lines.extend(self::means(means));
    let Transport { timeout, ca_file, plain_http } = transport;
    lines.push(("timeout", show_time(*timeout)));
    lines.extend(ca_file.as_ref().map(|path| ("ca_file", quoted(&path.to_string_lossy()))));
    lines.push(("plain_http", plain_http.to_string()));
    let limit = |limit: &Option<std::time::Duration>| limit.map_or_else(|| "off".to_owned(), show_time);
    if !matches!(identity, Identity::Opaque { .. }) {
        lines.push(("algorithms", list(algorithms.iter().copied().map(Algorithm::name))));
        lines.push(("types", list(types.iter().map(String::as_str))));
    }
    lines.extend([
        ("audience", list(audience.iter().map(String::as_str))),
        ("leeway", show_time(*leeway)),
        ("max_age", limit(max_age)),
        ("max_lifetime", limit(max_lifetime)),
        ("required_claims", list(required_claims.iter().map(String::as_str))),
        ("sender_constrained", bound.to_string()),
        ("subject", mapping(subject)),
    ]);
    lines
}

fn means(means: &Means) -> Vec<(&'static str, String)> {
    match means {
        Means::Keys { from, times: Times { refresh, stale, apart } } => vec![
            match from {
                KeysFrom::File(path) => ("jwks_file", quoted(&path.to_string_lossy())),
                KeysFrom::Url(url) => ("jwks_url", quoted(url.as_str())),
                KeysFrom::Discovery(_) => ("discovery", "true".to_owned()),
            },
            ("refresh", show_time(*refresh)),
            ("stale", show_time(*stale)),
            ("refetch_after", show_time(*apart)),
        ],
        Means::Introspection(Introspection { url, client_id, secret, auth, keep }) => vec![
            ("introspection_url", quoted(url.as_str())),
            ("client_id", quoted(client_id)),
            match secret {
                SecretFrom::File(path) => ("client_secret_file", quoted(&path.to_string_lossy())),
                SecretFrom::Variable(name) => ("client_secret_env", quoted(name)),
            },
            ("client_auth", auth.to_string()),
            ("cache_active", show_time(keep.active)),
            ("cache_inactive", show_time(keep.inactive)),
        ],
    }
}

fn mapping(mapping: &Mapping) -> String {
    let Mapping { kind, kind_claim, id_claims, properties } = mapping;
    let mut members = vec![format!("type: {}", quoted(kind))];
    members.extend(kind_claim.as_ref().map(|path| format!("type_claim: {}", quoted(&pointer(path)))));
    let ids: Vec<String> = id_claims.iter().map(|path| pointer(path)).collect();
    members.push(format!("id: {}", list(ids.iter().map(String::as_str))));
    if !properties.is_empty() {
        let property = |(name, path): &(String, Vec<String>)| format!("{}: {}", quoted(name), quoted(&pointer(path)));
        members.push(format!("properties: {{{}}}", properties.iter().map(property).collect::<Vec<_>>().join(", ")));
    }
    format!("{{{}}}", members.join(", "))
}

fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |place, part| place + "/" + &part.replace('~', "~0").replace('/', "~1"))
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", items.map(quoted).collect::<Vec<_>>().join(", "))
}
