//! Messages to what the registry is told; every fault of a message is named.

use prost_types::Timestamp;

use crate::{
    api::{
        grpc::proto::{
            ListRevocationsRequest, NewRevocation, RevocationTarget, RevokeRequest, UnrevokeRequest,
            revocation_target::Which,
        },
        status::{CallError, FieldViolation},
    },
    revocation::{Filter, Found, Id, Kind, Reach, Registry, Revocation, Target},
};

/// The most revocations of one call.
const MOST: usize = 10_000;
/// The longest name of what is revoked.
const LONGEST_NAME: usize = 1_024;
const LONGEST_REASON: usize = 1_024;
const LONGEST_AUTHOR: usize = 256;
/// Pages: by default, and the largest.
const PAGES: (usize, usize) = (100, 1_000);
/// The latest time that is taken, in seconds since 1970: in the year 2106.
const LATEST: u64 = u32::MAX as u64 - 1;

/// The faults that are told of one call.
const TOLD: usize = 10;

#[derive(Default)]
struct Faults(Vec<FieldViolation>);

impl Faults {
    fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        if self.0.len() < TOLD {
            self.0.push(FieldViolation::new(field, description));
        }
    }

    fn none<T>(self, value: T) -> Result<T, CallError> {
        if self.0.is_empty() { Ok(value) } else { Err(CallError::InvalidRequest(self.0)) }
    }
}

pub(super) fn revocations(request: RevokeRequest, registry: &Registry) -> Result<Vec<Revocation>, CallError> {
    let RevokeRequest { revocations } = request;
    let mut faults = Faults::default();
    if !(1..=MOST).contains(&revocations.len()) {
        faults.add("revocations", format!("has {} entries; a call has from 1 to {MOST}", revocations.len()));
        return faults.none(Vec::new());
    }
    let now = registry.now();
    let mut all = Vec::with_capacity(revocations.len());
    for (at, new) in revocations.into_iter().enumerate() {
        let field = |name: &str| format!("revocations[{at}].{name}");
        let NewRevocation { target: message, issued_before, expires, reason, author } = new;
        for (name, text, longest) in [("reason", &reason, LONGEST_REASON), ("author", &author, LONGEST_AUTHOR)] {
            if text.len() > longest {
                faults.add(field(name), format!("has {} bytes; it may have {longest}", text.len()));
            }
        }
        let issued_before = issued_before.and_then(|time| seconds(time, &field("issued_before"), &mut faults));
        let expires = expires.and_then(|time| seconds(time, &field("expires"), &mut faults));
        if expires.is_some_and(|expires| expires <= now) {
            faults.add(field("expires"), "is over already");
        }
        let Some(target) = target(message, &field("target"), registry, &mut faults) else { continue };
        if target.kind == Kind::Everything && issued_before.is_none() {
            faults.add(
                field("issued_before"),
                "is missing; without it, all tokens of the issuer would be revoked for ever",
            );
        }
        let reach = Reach { issued_before, sessions: false, expires };
        let (source, event) = (String::new(), String::new());
        all.push(Revocation { target, reach, reason, author, at: now, source, event });
    }
    faults.none(all)
}

/// The revocations that are named, by their ids or how those begin. One that is not there is left out. Reads the disk.
pub(super) fn ids(request: UnrevokeRequest, registry: &Registry) -> Result<Vec<Id>, CallError> {
    let UnrevokeRequest { ids } = request;
    let mut faults = Faults::default();
    if !(1..=MOST).contains(&ids.len()) {
        faults.add("ids", format!("has {} entries; a call has from 1 to {MOST}", ids.len()));
    }
    let mut named = Vec::new();
    for (at, text) in ids.iter().take(MOST).enumerate() {
        match text.parse() {
            Ok(id) => named.push(id),
            Err(_) if Id::is_beginning(text) => match registry.find(text)? {
                Found::One(id) => named.push(id),
                Found::None => {}
                Found::Many => faults.add(
                    format!("ids[{at}]"),
                    format!("`{text}` is how the ids of more than one revocation begin; give more of it"),
                ),
            },
            Err(invalid) => faults.add(format!("ids[{at}]"), format!("is {invalid}")),
        }
    }
    faults.none(named)
}

pub(super) fn listing(
    request: ListRevocationsRequest,
    registry: &Registry,
) -> Result<(Filter, Option<Id>, usize), CallError> {
    let ListRevocationsRequest { page_size, page_token, issuer, target: message, source } = request;
    let mut faults = Faults::default();
    let most = match usize::try_from(page_size) {
        Ok(0) => PAGES.0,
        Ok(size) => size.min(PAGES.1),
        Err(_) => {
            faults.add("page_size", "is negative");
            0
        }
    };
    let after = if page_token.is_empty() {
        None
    } else {
        let read = page_token.parse().ok();
        if read.is_none() {
            faults.add("page_token", "is none that a page before ended with");
        }
        read
    };
    let known = |given: String| if given.is_empty() { None } else { Some(registry.issuer(&given).unwrap_or(given)) };
    let mut filter =
        Filter { issuer: known(issuer), source: Some(source).filter(|source| !source.is_empty()), ..Filter::default() };
    if let Some(RevocationTarget { issuer, which }) = message {
        filter.issuer = known(issuer).or(filter.issuer);
        let (kind, value) = named(which).unzip();
        (filter.kind, filter.value) = (kind, value);
    }
    faults.none((filter, after, most))
}

fn target(message: Option<RevocationTarget>, field: &str, registry: &Registry, faults: &mut Faults) -> Option<Target> {
    let RevocationTarget { issuer: given, which } = message.unwrap_or_default();
    let issuers = registry.issuers();
    let issuer = match (given.as_str(), issuers.as_slice()) {
        ("", [only]) => Some(only.clone()),
        ("", _) => {
            faults.add(format!("{field}.issuer"), format!("is missing; it is {}", listed(&issuers)));
            None
        }
        _ => {
            let known = registry.issuer(&given);
            if known.is_none() {
                faults.add(format!("{field}.issuer"), format!("is no configured issuer; it is {}", listed(&issuers)));
            }
            known
        }
    };
    let Some((kind, value)) = named(which) else {
        faults.add(
            field,
            "names nothing; give one of `jti`, `session`, `subject`, `client`, `actor`, `identifier`, `everything`",
        );
        return None;
    };
    if value.len() > LONGEST_NAME || given.len() > LONGEST_NAME {
        faults.add(field, format!("has a name of more than {LONGEST_NAME} bytes"));
    }
    if value.is_empty() && kind != Kind::Everything {
        faults.add(field, "has an empty name");
    }
    let value = match kind {
        Kind::Identifier => identifier(value, field, faults),
        _ => value,
    };
    Some(Target { kind, issuer: issuer?, value })
}

fn named(which: Option<Which>) -> Option<(Kind, String)> {
    Some(match which? {
        Which::Jti(value) => (Kind::Token, value),
        Which::Session(value) => (Kind::Session, value),
        Which::Subject(value) => (Kind::Subject, value),
        Which::Client(value) => (Kind::Client, value),
        Which::Actor(value) => (Kind::Actor, value),
        Which::Identifier(value) => (Kind::Identifier, value),
        Which::Everything(true) => (Kind::Everything, String::new()),
        Which::Everything(false) => return None,
    })
}

fn identifier(value: String, field: &str, faults: &mut Faults) -> String {
    match value.split_once(':') {
        // As tokens are compared with it.
        Some(("email", address)) if !address.is_empty() => format!("email:{}", address.to_lowercase()),
        Some(("phone" | "uri", rest)) if !rest.is_empty() => value,
        _ => {
            faults.add(format!("{field}.identifier"), "is none; it begins with `email:`, `phone:` or `uri:`");
            value
        }
    }
}

fn listed(issuers: &[String]) -> String {
    const SHOWN: usize = 5;
    if issuers.is_empty() {
        return "one of those under `identity.issuers`, where none is configured".to_owned();
    }
    let names = issuers.iter().take(SHOWN).map(|issuer| format!("`{issuer}`")).collect::<Vec<_>>().join(", ");
    format!("one of {names}")
}

/// Whole seconds, rounded up: a token has whole ones, too, and more rather than fewer are meant.
fn seconds(time: Timestamp, field: &str, faults: &mut Faults) -> Option<u64> {
    let Timestamp { seconds, nanos } = time;
    let whole = u64::try_from(seconds).ok().map(|seconds| seconds.saturating_add(u64::from(nanos > 0)));
    let time = whole.filter(|seconds| (1..=LATEST).contains(seconds));
    if time.is_none() {
        faults.add(field, "is no time from 1970 to 2106");
    }
    time
}
