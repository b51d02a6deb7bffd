//! `[ssf.transmitters.NAME]`: tables whose names are the operator's. Read field by field, so that every fault is told at
//! once.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    bundles::is_name,
    fault::{Fault, excerpt, in_file},
    table::Table,
};
use crate::{
    identity::Algorithm,
    source::Span,
    ssf::{KeysAt, Poll, Transmitter},
};

/// What a transmitter may be told.
pub(super) const KNOWN: [&str; 10] = [
    "issuer",
    "audience",
    "jwks_file",
    "jwks_url",
    "jwks_ca_file",
    "algorithms",
    "issuers",
    "keep",
    "push_token_file",
    "poll",
];

/// Algorithms, where none are given.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPoll {
    url: String,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    interval: Option<Span>,
    max_events: Option<u32>,
}

impl OneOrMore {
    fn all(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::More(all) => all,
        }
    }
}

/// Texts with something in them, at least one.
fn texts(table: &mut Table<'_>, field: &str, given: Option<OneOrMore>, expected: &str) -> Option<Vec<String>> {
    let all = given?.all();
    if all.is_empty() || all.iter().any(String::is_empty) {
        table.fault(&format!(".{field}"), "is empty", expected);
        return None;
    }
    Some(all)
}

/// Reads one table.
pub(super) fn read(file: &Path, name: &str, table: Value, faults: &mut Vec<Fault>) -> Option<Transmitter> {
    let place = |field: &str| in_file(file, &format!("ssf.transmitters.{name}{field}"));
    let before = faults.len();
    if !is_name(name) {
        let expected = "a name of small letters, digits, `-` and `_`, at most 64, that begins with a letter or digit";
        faults.push(Fault::new(place(""), "is no name of a transmitter", expected));
    }
    let Value::Object(members) = table else {
        faults.push(Fault::new(place(""), "is no table", "a table such as `issuer: https://idp.example.com`"));
        return None;
    };
    let mut table = Table { place: &place, page: "docs/revocation.md", members, faults };
    let issuer: Option<String> = table.need("issuer", "the `iss` of its tokens, such as `https://idp.example.com`");
    let audience = table.need("audience", "the `aud` that its tokens have for this server");
    let audience = texts(&mut table, "audience", audience, "at least one audience");
    let keys = keys(&mut table);
    let algorithms = match table.take::<OneOrMore>("algorithms") {
        None => Some(ALGORITHMS.to_vec()),
        given => texts(&mut table, "algorithms", given, "at least one algorithm")
            .and_then(|names| algorithms(&mut table, &names)),
    };
    let issuers = match table.take::<OneOrMore>("issuers") {
        None => issuer.clone().map(|issuer| vec![issuer]),
        given => texts(&mut table, "issuers", given, "at least one issuer"),
    };
    let keep = table.take::<Span>("keep").map_or(Duration::from_hours(30 * 24), |span| span.0);
    if !(Duration::from_mins(1)..=Duration::from_hours(10 * 366 * 24)).contains(&keep) {
        table.fault(".keep", "is out of range", "a duration from 1m to 87840h");
    }
    let push_token_file = table.take("push_token_file");
    let poll = table.take::<RawPoll>("poll").map(|raw| poll(&mut table, raw));
    if poll.is_some() && push_token_file.is_some() {
        table.fault(
            ".push_token_file",
            "is given together with `poll`",
            "one of them: a transmitter pushes or is polled",
        );
    }
    table.end(&KNOWN, "means nothing here", "another");
    if faults.len() > before {
        return None;
    }
    Some(Transmitter {
        issuer: issuer?,
        audience: audience?,
        algorithms: algorithms?,
        keys: keys?,
        issuers: issuers?,
        keep,
        push_token_file,
        poll,
    })
}

fn algorithms(table: &mut Table<'_>, names: &[String]) -> Option<Vec<Algorithm>> {
    let mut all = Vec::new();
    for name in names {
        let Ok(algorithm) = name.parse() else {
            let known = Algorithm::ALL.map(Algorithm::name).join("`, `");
            table.fault(".algorithms", format!("`{}` is no algorithm", excerpt(name)), format!("some of `{known}`"));
            return None;
        };
        all.push(algorithm);
    }
    Some(all)
}

/// Where its keys are: in a file or at a URL.
fn keys(table: &mut Table<'_>) -> Option<KeysAt> {
    let file: Option<PathBuf> = table.take("jwks_file");
    let url: Option<String> = table.take("jwks_url");
    let ca_file: Option<PathBuf> = table.take("jwks_ca_file");
    if ca_file.is_some() && url.is_none() {
        table.fault(".jwks_ca_file", "is given without `jwks_url`", "both, or neither");
    }
    match (file, url) {
        (Some(file), None) => Some(KeysAt::File(file)),
        (None, Some(url)) => {
            let url = address(table, "jwks_url", &url)?;
            Some(KeysAt::Url { url, ca_file })
        }
        (Some(_), Some(_)) => {
            table.fault(".jwks_url", "is given together with `jwks_file`", "one of them");
            None
        }
        (None, None) => {
            table.fault(".jwks_file", "is missing", "the file of its public keys (a JWK set), or `jwks_url`");
            None
        }
    }
}

/// A URL of a server that is asked with TLS, or of this machine.
fn address(table: &mut Table<'_>, field: &str, url: &str) -> Option<Url> {
    let place = format!(".{field}");
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.host().is_some() => {
            if !parsed.username().is_empty() || parsed.password().is_some() {
                table.fault(&place, "has a user or a password in it", "one without; `poll` has `token_file`");
            }
            let is_here = match parsed.host() {
                Some(url::Host::Domain(name)) => name == "localhost",
                Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
                Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
                None => false,
            };
            if parsed.scheme() == "http" && !is_here {
                table.fault(&place, "is not encrypted", "one that begins with `https://`");
            }
            Some(parsed)
        }
        _ => {
            let problem = format!("`{}` is no URL of a server", excerpt(url));
            table.fault(&place, problem, "one that begins with `https://`");
            None
        }
    }
}

fn poll(table: &mut Table<'_>, raw: RawPoll) -> Poll {
    let RawPoll { url, token_file, ca_file, interval, max_events } = raw;
    address(table, "poll.url", &url);
    let interval = interval.map_or(Duration::from_secs(5), |span| span.0);
    if !(Duration::from_millis(100)..=Duration::from_hours(1)).contains(&interval) {
        table.fault(".poll.interval", "is out of range", "a duration from 100ms to 1h");
    }
    let max_events = max_events.unwrap_or(100);
    if !(1..=10_000).contains(&max_events) {
        table.fault(".poll.max_events", "is out of range", "a whole number from 1 to 10000");
    }
    Poll { url, token_file, ca_file, interval, max_events }
}
