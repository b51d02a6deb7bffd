//! `[identity.issuers.NAME]`: tables whose names are the operator's.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::{
    bundles::is_name,
    fault::{Fault, excerpt, in_file},
    quantity::time,
    table::Table,
};
use crate::{
    identity::{Algorithm, Identity, Issuer, Mapping},
    issuers::{KeysFrom, Settings},
};

/// What an issuer may be told.
pub(super) const KNOWN: [&str; 14] = [
    "kind",
    "issuer",
    "trust_domain",
    "jwks_file",
    "algorithms",
    "audience",
    "types",
    "leeway",
    "max_age",
    "max_lifetime",
    "required_claims",
    "sender_constrained",
    "subject",
    "refresh",
];

/// The greatest difference between two clocks.
const MAX_LEEWAY: Duration = Duration::from_mins(10);

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Jwt,
    Spiffe,
}

/// A duration, or `off`.
struct Limit(Option<Duration>);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "off" {
            return Ok(Self(None));
        }
        let fault =
            |why| D::Error::custom(format!("`{text}` {why}, expected a duration such as `30s`, `1h`, or `off`"));
        time(&text).map(|limit| Self(Some(limit))).map_err(fault)
    }
}

/// A claim: its name, or a JSON pointer (RFC 6901) to one inside of another.
struct Claim(Vec<String>);

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let parts: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect(),
            None => vec![text],
        };
        if parts.iter().any(String::is_empty) {
            return Err(D::Error::custom("an empty name, expected a claim such as `sub` or `/realm_access/roles`"));
        }
        Ok(Self(parts))
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSubject {
    r#type: Option<String>,
    type_claim: Option<Claim>,
    #[serde(default)]
    id: Vec<Claim>,
    #[serde(default)]
    properties: BTreeMap<String, Claim>,
}

/// Reads one table.
pub(super) fn read(file: &Path, name: &str, table: Value, faults: &mut Vec<Fault>) -> Option<Settings> {
    let place = |field: &str| in_file(file, &format!("identity.issuers.{name}{field}"));
    let before = faults.len();
    if !is_name(name) {
        let expected = "a name of small letters, digits, `-` and `_`, at most 64, that begins with a letter or digit";
        faults.push(Fault::new(place(""), "is no name of an issuer", expected));
    }
    let Value::Object(members) = table else {
        faults.push(Fault::new(place(""), "is no table", "a table such as `issuer: https://…`"));
        return None;
    };
    let mut table = Table { place: &place, page: "docs/identity.md", members, faults };
    let kind = table.take::<Kind>("kind").unwrap_or_default();
    let identity = identity(&mut table, kind);
    let algorithms = algorithms(&mut table);
    let audience = list(&mut table, "audience", "the audiences of which a token must have one, such as `[\"api\"]`");
    let types = types(&mut table, kind);
    let leeway =
        table.take::<Limit>("leeway").map_or(Duration::from_secs(30), |Limit(leeway)| leeway.unwrap_or_default());
    if leeway > MAX_LEEWAY {
        table.fault(".leeway", "is out of range", "at most 10m");
    }
    let max_lifetime = match (table.take::<Limit>("max_lifetime"), kind) {
        (Some(Limit(limit)), _) => limit,
        (None, Kind::Jwt) => Some(Duration::from_hours(24)),
        (None, Kind::Spiffe) => None,
    };
    let issuer = Issuer {
        name: name.to_owned(),
        identity: identity.unwrap_or(Identity::Issuer(String::new())),
        algorithms,
        audience,
        types,
        leeway,
        max_age: table.take::<Limit>("max_age").and_then(|Limit(limit)| limit),
        max_lifetime,
        required_claims: table.take("required_claims").unwrap_or_default(),
        bound: table.take("sender_constrained").unwrap_or_default(),
        subject: subject(&mut table, kind),
    };
    let keys = keys(&mut table);
    table.end(&KNOWN, "is nothing that this kind of issuer has", "it at another one");
    if faults.len() > before {
        return None;
    }
    Some(Settings { issuer, keys: keys? })
}

fn identity(table: &mut Table<'_>, kind: Kind) -> Option<Identity> {
    match kind {
        Kind::Jwt => {
            let issuer: String = table.need("issuer", "the whole of `iss`, such as `https://issuer.example.com`")?;
            if issuer.is_empty() {
                table.fault(".issuer", "is empty", "the whole of `iss`, such as `https://issuer.example.com`");
            }
            Some(Identity::Issuer(issuer))
        }
        Kind::Spiffe => {
            let domain: String = table.need("trust_domain", "a SPIFFE trust domain, such as `example.org`")?;
            // SPIFFE-ID §2.1.
            let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
            if domain.is_empty() || domain.len() > 255 || !domain.bytes().all(plain) {
                let problem = format!("`{}` is no trust domain", excerpt(&domain));
                table.fault(
                    ".trust_domain",
                    problem,
                    "one such as `example.org`: small letters, digits, `.`, `-`, `_`",
                );
            }
            Some(Identity::TrustDomain(domain))
        }
    }
}

fn algorithms(table: &mut Table<'_>) -> Vec<Algorithm> {
    let names = list(table, "algorithms", "what the issuer signs with, such as `[\"RS256\", \"ES256\"]`");
    let mut algorithms = Vec::new();
    for name in names {
        if let Ok(algorithm) = name.parse() {
            algorithms.push(algorithm);
        } else {
            let problem = format!("`{}` is no algorithm of a token that is verified here", excerpt(&name));
            let known = Algorithm::ALL.map(Algorithm::name).join("`, `");
            table.fault(".algorithms", problem, format!("some of `{known}`"));
        }
    }
    algorithms
}

fn types(table: &mut Table<'_>, kind: Kind) -> Vec<String> {
    let given: Option<Vec<String>> = table.take("types");
    // RFC 9068 §4; JWT-SVID §2.3.
    let usual: &[&str] = match kind {
        Kind::Jwt => &["at+jwt"],
        Kind::Spiffe => &["jwt", "jose", ""],
    };
    let types = given.unwrap_or_else(|| usual.iter().map(|name| (*name).to_owned()).collect());
    if types.is_empty() {
        table.fault(".types", "is empty", "types such as `[\"at+jwt\", \"JWT\"]`; `\"\"` stands for none");
    }
    let small = |name: String| {
        let name = name.to_ascii_lowercase();
        name.strip_prefix("application/").map_or_else(|| name.clone(), str::to_owned)
    };
    types.into_iter().map(small).collect()
}

/// A list that must be there and have something in it.
fn list(table: &mut Table<'_>, field: &str, why: &str) -> Vec<String> {
    let Some(list) = table.need::<Vec<String>>(field, why) else { return Vec::new() };
    if list.is_empty() || list.iter().any(String::is_empty) {
        table.fault(&format!(".{field}"), "is empty", why);
    }
    list
}

fn subject(table: &mut Table<'_>, kind: Kind) -> Mapping {
    let RawSubject { r#type, type_claim, id, properties } = table.take("subject").unwrap_or_default();
    if r#type.as_ref().is_some_and(String::is_empty) {
        table.fault(".subject.type", "is empty", "a type of subject, such as `user`");
    }
    let usual = Mapping::default();
    let otherwise = match kind {
        Kind::Jwt => usual.kind,
        Kind::Spiffe => "workload".to_owned(),
    };
    Mapping {
        kind: r#type.unwrap_or(otherwise),
        kind_claim: type_claim.map(|Claim(path)| path),
        id_claims: if id.is_empty() { usual.id_claims } else { id.into_iter().map(|Claim(path)| path).collect() },
        properties: properties.into_iter().map(|(name, Claim(path))| (name, path)).collect(),
    }
}

fn keys(table: &mut Table<'_>) -> Option<KeysFrom> {
    let file: PathBuf = table.need("jwks_file", "the file of the issuer's keys, a JWK set")?;
    Some(KeysFrom::File(file))
}
