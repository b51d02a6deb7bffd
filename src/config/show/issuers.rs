//! The issuers of credentials, as they were given.

use super::{quoted, show_time};
use crate::{
    config::Config,
    identity::{Algorithm, Identity, Issuer, Mapping},
    issuers::{KeysFrom, Settings},
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
    let Settings { issuer, keys } = settings;
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
    };
    match keys {
        KeysFrom::File(path) => lines.push(("jwks_file", quoted(&path.to_string_lossy()))),
    }
    let limit = |limit: &Option<std::time::Duration>| limit.map_or_else(|| "off".to_owned(), show_time);
    lines.extend([
        ("algorithms", list(algorithms.iter().copied().map(Algorithm::name))),
        ("audience", list(audience.iter().map(String::as_str))),
        ("types", list(types.iter().map(String::as_str))),
        ("leeway", show_time(*leeway)),
        ("max_age", limit(max_age)),
        ("max_lifetime", limit(max_lifetime)),
        ("required_claims", list(required_claims.iter().map(String::as_str))),
        ("sender_constrained", bound.to_string()),
        ("subject", mapping(subject)),
    ]);
    lines
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
