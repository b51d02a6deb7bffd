//! `[identity.issuers.NAME]`: tables whose names are the operator's.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;
use url::Url;

use super::{
    bundles::is_name,
    fault::{Fault, excerpt, in_file},
    quantity::{show_time, time},
    table::Table,
};
use crate::{
    identity::{Algorithm, Identity, Issuer, Keep, Mapping},
    issuers::{ClientAuth, Introspection, KeysFrom, Means, SecretFrom, Settings, Times, Transport},
};

/// What an issuer may be told.
pub(super) const KNOWN: [&str; 29] = [
    "kind",
    "issuer",
    "trust_domain",
    "jwks_file",
    "jwks_url",
    "discovery",
    "refresh",
    "stale",
    "refetch_after",
    "timeout",
    "ca_file",
    "plain_http",
    "prefix",
    "introspection_url",
    "client_id",
    "client_secret_file",
    "client_secret_env",
    "client_auth",
    "cache_active",
    "cache_inactive",
    "algorithms",
    "audience",
    "types",
    "leeway",
    "max_age",
    "max_lifetime",
    "required_claims",
    "sender_constrained",
    "subject",
];

/// The greatest difference between two clocks.
const MAX_LEEWAY: Duration = Duration::from_mins(10);

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Jwt,
    Spiffe,
    Opaque,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawAuth {
    ClientSecretBasic,
    ClientSecretPost,
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
    let signed = kind != Kind::Opaque;
    let algorithms = if signed { algorithms(&mut table) } else { Vec::new() };
    let audience = if signed {
        list(&mut table, "audience", "the audiences of which a token must have one, such as `[\"api\"]`")
    } else {
        table.take("audience").unwrap_or_default()
    };
    let types = if signed { types(&mut table, kind) } else { Vec::new() };
    let leeway =
        table.take::<Limit>("leeway").map_or(Duration::from_secs(30), |Limit(leeway)| leeway.unwrap_or_default());
    if leeway > MAX_LEEWAY {
        table.fault(".leeway", "is out of range", "at most 10m");
    }
    let max_lifetime = match (table.take::<Limit>("max_lifetime"), kind) {
        (Some(Limit(limit)), _) => limit,
        (None, Kind::Jwt) => Some(Duration::from_hours(24)),
        (None, Kind::Spiffe | Kind::Opaque) => None,
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
    let transport = transport(&mut table);
    let means = if signed { keys(&mut table, &issuer, &transport) } else { introspection(&mut table, &transport) };
    table.end(&KNOWN, "is nothing that this kind of issuer has", "it at another one");
    if faults.len() > before {
        return None;
    }
    Some(Settings { issuer, means: means?, transport })
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
        Kind::Opaque => {
            Some(Identity::Opaque { prefix: table.take("prefix").unwrap_or_default(), issuer: table.take("issuer") })
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
        Kind::Jwt | Kind::Opaque => &["at+jwt"],
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
        Kind::Jwt | Kind::Opaque => usual.kind,
        Kind::Spiffe => "workload".to_owned(),
    };
    Mapping {
        kind: r#type.unwrap_or(otherwise),
        kind_claim: type_claim.map(|Claim(path)| path),
        id_claims: if id.is_empty() { usual.id_claims } else { id.into_iter().map(|Claim(path)| path).collect() },
        properties: properties.into_iter().map(|(name, Claim(path))| (name, path)).collect(),
    }
}

/// A duration within these bounds.
fn span(table: &mut Table<'_>, field: &str, default: Duration, [least, most]: [Duration; 2]) -> Duration {
    let given = table.take::<Limit>(field).map_or(default, |Limit(limit)| limit.unwrap_or_default());
    if !(least..=most).contains(&given) {
        let bounds = format!("a duration from {} to {}", show_time(least), show_time(most));
        table.fault(&format!(".{field}"), "is out of range", bounds);
    }
    given
}

fn transport(table: &mut Table<'_>) -> Transport {
    let Transport { timeout, .. } = Transport::default();
    Transport {
        timeout: span(table, "timeout", timeout, [Duration::from_millis(10), Duration::from_mins(1)]),
        ca_file: table.take("ca_file"),
        plain_http: table.take("plain_http").unwrap_or_default(),
    }
}

/// A URL that may be asked.
fn url(table: &mut Table<'_>, field: &str, text: &str, transport: &Transport) -> Option<Url> {
    let problem = match Url::parse(text) {
        Ok(url) => match transport.refuses(&url) {
            None => return Some(url),
            Some(problem) => problem,
        },
        Err(_) => "is no URL",
    };
    let expected = "one such as `https://issuer.example.com/keys`; to this machine `http`, with `plain_http: true`";
    // It may hold a secret: it is not shown.
    table.fault(&format!(".{field}"), problem, expected);
    None
}

fn keys(table: &mut Table<'_>, issuer: &Issuer, transport: &Transport) -> Option<Means> {
    let file: Option<PathBuf> = table.take("jwks_file");
    let given: Option<String> = table.take("jwks_url");
    let discovery = table.take("discovery").unwrap_or(false);
    let places = usize::from(file.is_some()) + usize::from(given.is_some()) + usize::from(discovery);
    if places != 1 {
        let problem = if places == 0 { "is missing" } else { "is given together with another place of keys" };
        table.fault(".jwks_file", problem, "one of `jwks_file`, `jwks_url` and `discovery: true`");
        return None;
    }
    let from = match (file, given) {
        (Some(path), _) => KeysFrom::File(path),
        (None, Some(given)) => KeysFrom::Url(url(table, "jwks_url", &given, transport)?),
        (None, None) if matches!(issuer.identity, Identity::TrustDomain(_)) => {
            table.fault(".discovery", "is nothing that a trust domain has", "`jwks_file` or `jwks_url`");
            return None;
        }
        (None, None) => KeysFrom::Discovery(url(table, "issuer", issuer.identity.as_str(), transport)?),
    };
    let (second, day) = (Duration::from_secs(1), Duration::from_hours(24));
    let is_file = matches!(from, KeysFrom::File(_));
    let (refresh, apart) = if is_file { (5, 1) } else { (600, 30) };
    let times = Times {
        refresh: span(table, "refresh", Duration::from_secs(refresh), [second, day]),
        stale: span(table, "stale", Duration::from_hours(1), [Duration::ZERO, 7 * day]),
        apart: span(table, "refetch_after", Duration::from_secs(apart), [second, Duration::from_hours(1)]),
    };
    Some(Means::Keys { from, times })
}

fn introspection(table: &mut Table<'_>, transport: &Transport) -> Option<Means> {
    let given: Option<String> = table.need("introspection_url", "where the issuer is asked about a token (RFC 7662)");
    let client_id: Option<String> = table.need("client_id", "the id of the client that asks");
    let (file, variable) = (table.take::<PathBuf>("client_secret_file"), table.take::<String>("client_secret_env"));
    let auth = match table.take::<RawAuth>("client_auth") {
        Some(RawAuth::ClientSecretPost) => ClientAuth::Post,
        Some(RawAuth::ClientSecretBasic) | None => ClientAuth::Basic,
    };
    let (zero, hour) = (Duration::ZERO, Duration::from_hours(1));
    let keep = Keep {
        active: span(table, "cache_active", Duration::from_secs(30), [zero, hour]),
        inactive: span(table, "cache_inactive", Duration::from_secs(10), [zero, hour]),
    };
    let secret = match (file, variable) {
        (Some(path), None) => Some(SecretFrom::File(path)),
        (None, Some(name)) => Some(SecretFrom::Variable(name)),
        (file, _) => {
            let problem = if file.is_some() { "is given together with `client_secret_env`" } else { "is missing" };
            table.fault(".client_secret_file", problem, "one of `client_secret_file` and `client_secret_env`");
            None
        }
    };
    let url = url(table, "introspection_url", &given?, transport)?;
    Some(Means::Introspection(Introspection { url, client_id: client_id?, secret: secret?, auth, keep }))
}
