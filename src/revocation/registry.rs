//! The registry: what doors and verifiers hold.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, SyncSender, TrySendError},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use tokio::sync::oneshot;

use super::{
    config::Config,
    entry::{Id, Kind, Reach, Revocation, Target},
    force::{Age, Compact, InForce},
    key::{self, Keys},
    signal::{self, Attributes, LONGEST, Signal},
    store::{self, Filter, OpenError, Page, Store},
    writer::{Change, Done, Job, Refused, Writer},
};
use crate::{
    clock,
    decision::{Number, Object, Value},
    identity::Revocations,
};

/// What signals are about, in the words of policies, and the claims that name it.
const ABOUT: [(&str, Kind, &[&str]); 6] = [
    ("subject", Kind::Subject, &["sub"]),
    ("session", Kind::Session, &["sid"]),
    ("token", Kind::Token, &["jti"]),
    ("client", Kind::Client, &["client_id", "azp"]),
    ("device", Kind::Device, &["device_id", "deviceid"]),
    ("tenant", Kind::Group, &["tenant_id", "tid"]),
];

/// The most changes that wait to be written.
const WAITING: usize = 1_024;

/// What is revoked. A handle: clones are the same registry.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

pub(super) struct Inner {
    pub(super) force: InForce,
    pub(super) keys: Keys,
    pub(super) store: Option<Store>,
    signals: DashMap<u128, Arc<Object>>,
    /// Whether there are any, which each verification asks: the map would have to be locked for that.
    signalled: AtomicBool,
    /// The configured issuers: their names, and how tokens name them.
    issuers: ArcSwap<Vec<(String, String)>>,
    /// Transmitters and their events, by number; operators have 0.
    sources: Mutex<Vec<String>>,
    epoch: AtomicU64,
    /// How often something was said of a subject.
    told: AtomicU64,
    max_entries: u64,
    jobs: SyncSender<Job>,
    clock: fn() -> SystemTime,
}

/// What an operator revokes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoke {
    /// Which of the target's tokens.
    pub reach: Reach,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub author: String,
}

/// What the registry holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Revocations by kind.
    pub revocations: Vec<(Kind, u64)>,
    /// Subjects with signals.
    pub signals: u64,
    /// How often what is in force has changed.
    pub epoch: u64,
}

impl Registry {
    /// Opens the file and reads it whole. What is damaged is an error, as nobody knows then what was revoked.
    pub fn open(config: &Config) -> Result<(Self, Writer), OpenError> {
        Self::open_at(config, clock::now)
    }

    pub(super) fn open_at(config: &Config, clock: fn() -> SystemTime) -> Result<(Self, Writer), OpenError> {
        let (jobs, queue) = mpsc::sync_channel(WAITING);
        let force = InForce::new();
        let signals = DashMap::new();
        let mut sources = vec![String::new()];
        let (store, keys) = match &config.store {
            None => (None, Keys::new(&[0; 16])),
            Some(path) => {
                let now = seconds(clock());
                let opened = store::open(
                    path,
                    |_, id, revocation| {
                        let Revocation { target, reach, .. } = &revocation;
                        if !reach.is_over(now) {
                            let number = number(&mut sources, &origin(&revocation));
                            force.insert(key::target_of(id), Compact::new(target.kind, *reach, number));
                        }
                    },
                    |key, attributes| drop(signals.insert(key, Arc::new(attributes.shown()))),
                )?;
                if force.total() > config.max_entries as u64 {
                    return Err(OpenError::TooMany { path: path.clone(), limit: config.max_entries });
                }
                (Some(opened.store), opened.keys)
            }
        };
        let inner = Arc::new(Inner {
            force,
            keys,
            store,
            signalled: AtomicBool::new(!signals.is_empty()),
            signals,
            issuers: ArcSwap::default(),
            sources: Mutex::new(sources),
            epoch: AtomicU64::new(1),
            told: AtomicU64::new(1),
            max_entries: config.max_entries as u64,
            jobs,
            clock,
        });
        Ok((Self(Arc::clone(&inner)), Writer { inner, jobs: queue }))
    }

    /// Tells which issuers are configured: their names, and how tokens name them (`iss`, or `spiffe://` and the trust
    /// domain).
    pub fn know(&self, issuers: Vec<(String, String)>) {
        self.0.issuers.store(Arc::new(issuers));
    }

    /// The issuer as tokens name it, of its name in the configuration or that. `None` for one that is not configured.
    #[must_use]
    pub fn issuer(&self, given: &str) -> Option<String> {
        let issuers = self.0.issuers.load();
        issuers.iter().find(|(name, its)| name == given || its == given).map(|(_, its)| its.clone())
    }

    /// The configured issuers, as tokens name them.
    #[must_use]
    pub fn issuers(&self) -> Vec<String> {
        let issuers = self.0.issuers.load();
        issuers.iter().map(|(_, its)| its.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// How often what is in force has changed. What was decided at one epoch is not to be answered at another.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Acquire)
    }

    /// Now, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.0.now()
    }

    /// Makes a change. What it revokes is in force at once; from the return on, all of it is, and outlives the process.
    pub async fn change(&self, change: Change) -> Result<Done, Refused> {
        let inner = &self.0;
        let Some(store) = &inner.store else { return Err(Refused::Off) };
        let more = change.add.len() as u64;
        if more > 0 && inner.force.total() + more > inner.max_entries {
            return Err(Refused::Full(usize::try_from(inner.max_entries).unwrap_or(usize::MAX)));
        }
        // Of whom something was said before, more may be said: that takes no more room.
        let is_new = |signal: &Signal| {
            let Target { kind, issuer, value } = &signal.target;
            !inner.signals.contains_key(&inner.keys.target(*kind, issuer, value))
        };
        if inner.signals.len() as u64 >= inner.max_entries && change.signals.iter().any(is_new) {
            return Err(Refused::Full(usize::try_from(inner.max_entries).unwrap_or(usize::MAX)));
        }
        if change.signals.iter().any(|signal| signal.attribute.value.to_string().len() > LONGEST) {
            return Err(Refused::TooLong(LONGEST));
        }
        if let Some(seen) = &change.seen {
            let known = store.has_seen(inner.keys.seen(&seen.transmitter, &seen.jti));
            if known.map_err(|cause| Refused::NotKept { path: store.path(), cause })? {
                return Ok(Done { replayed: true, ..Done::default() });
            }
        }
        for revocation in &change.add {
            inner.enforce(revocation);
        }
        inner.turn();
        let (reply, answer) = oneshot::channel();
        inner.jobs.try_send(Job::Change(change, reply)).map_err(|error| match error {
            TrySendError::Full(_) => Refused::Busy,
            TrySendError::Disconnected(_) => Refused::Stopping,
        })?;
        answer.await.unwrap_or(Err(Refused::Stopping))
    }

    /// At most so many of the revocations that fit, after `after`. May read the disk, and hold the calling thread.
    pub fn list(&self, filter: &Filter, after: Option<Id>, most: usize) -> Result<Page, Refused> {
        let Some(store) = &self.0.store else { return Ok(Page::default()) };
        let target = match (&filter.kind, &filter.issuer, &filter.value) {
            (Some(kind), Some(issuer), Some(value)) => Some(self.0.keys.target(*kind, issuer, value)),
            _ => None,
        };
        let page = store.list(filter, target, after, most);
        page.map_err(|cause| Refused::NotKept { path: store.path(), cause })
    }

    /// What is said of a target.
    #[must_use]
    pub fn said(&self, target: &Target) -> Option<Object> {
        self.0.said(target.kind, &target.issuer, &target.value)
    }

    /// How often something was said of a subject; it begins with 1.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.0.told.load(Ordering::Acquire)
    }

    /// What was said of all, as JSON: by issuer, then `subject`, `session` and so on, then by which. Of more than `most`,
    /// those of whom something was said last. Reads the disk, and holds the calling thread.
    pub fn everything_said(&self, most: usize) -> Result<serde_json::Value, Refused> {
        let Some(store) = &self.0.store else { return Ok(serde_json::Value::Object(serde_json::Map::new())) };
        let all = store.signals().map_err(|cause| Refused::NotKept { path: store.path(), cause })?;
        Ok(signal::by_issuer(all, most))
    }

    /// What it holds.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            revocations: self.0.force.counts().into_iter().filter(|(kind, _)| kind.revokes()).collect(),
            signals: self.0.signals.len() as u64,
            epoch: self.epoch(),
        }
    }

    /// Ends the writer once all that came before is written. Later changes are refused.
    pub fn close(&self) {
        // A writer that is gone needs no telling.
        let _ = self.0.jobs.send(Job::Stop);
    }
}

impl Inner {
    pub(super) fn now(&self) -> u64 {
        seconds((self.clock)())
    }

    /// Another epoch.
    pub(super) fn turn(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Puts a revocation in force, from its return on.
    pub(super) fn enforce(&self, revocation: &Revocation) {
        let Target { kind, issuer, value } = &revocation.target;
        self.force.insert(self.keys.target(*kind, issuer, value), self.compact(revocation));
    }

    /// Whether two revocations of one thing are held as one.
    pub(super) fn is_held_as(&self, one: &Revocation, other: &Revocation) -> bool {
        self.compact(one) == self.compact(other)
    }

    /// Ends a revocation.
    pub(super) fn end(&self, id: Id, old: &Revocation) {
        self.force.remove(key::target_of(id), self.compact(old));
    }

    /// Policies are told this from now on.
    pub(super) fn tell(&self, key: u128, attributes: &Attributes) {
        drop(self.signals.insert(key, Arc::new(attributes.shown())));
        self.signalled.store(true, Ordering::Relaxed);
        self.told.fetch_add(1, Ordering::AcqRel);
    }

    /// What is held of a revocation: of two that differ in their id, two that differ.
    fn compact(&self, revocation: &Revocation) -> Compact {
        let origin = origin(revocation);
        let number = if origin.is_empty() {
            0
        } else {
            number(&mut self.sources.lock().unwrap_or_else(PoisonError::into_inner), &origin)
        };
        Compact::new(revocation.target.kind, revocation.reach, number)
    }

    fn said(&self, kind: Kind, issuer: &str, value: &str) -> Option<Object> {
        Some(Object::clone(self.signals.get(&self.keys.target(kind, issuer, value))?.value()))
    }

    /// Whether a token of that age is revoked by what is held of that thing.
    fn revokes(&self, kind: Kind, issuer: &str, value: &str, age: Age) -> bool {
        self.force.has(kind)
            && self.force.revokes(self.keys.target(kind, issuer, value), age, &|| {
                u32::try_from(self.now()).unwrap_or(u32::MAX - 1)
            })
    }
}

impl Revocations for Registry {
    fn is_revoked(&self, issuer: &str, claims: &Object) -> bool {
        let inner = &self.0;
        if inner.force.total() == 0 {
            return false;
        }
        let issuers = inner.issuers.load();
        let issuer = named(&issuers, issuer, claims);
        let age = Age { issued: second(claims, "iat").unwrap_or_default(), authenticated: second(claims, "auth_time") };
        let is = |kind, value: Option<&str>| value.is_some_and(|value| inner.revokes(kind, issuer, value, age));
        is(Kind::Token, text(claims, "jti"))
            || is(Kind::Session, text(claims, "sid"))
            || is(Kind::Subject, text(claims, "sub"))
            || is(Kind::Client, text(claims, "client_id"))
            || is(Kind::Client, text(claims, "azp"))
            || is(Kind::Everything, Some(""))
            || inner.revokes_identifier(issuer, claims, age)
            || inner.revokes_actor(issuer, claims, age)
    }

    fn signals(&self, issuer: &str, claims: &Object) -> Object {
        let inner = &self.0;
        if !inner.signalled.load(Ordering::Relaxed) {
            return Object::new();
        }
        let issuers = inner.issuers.load();
        let issuer = named(&issuers, issuer, claims);
        let said = |kind, value: &str| inner.said(kind, issuer, value);
        let mut all = Object::new();
        for (member, kind, names) in ABOUT {
            let mut of = Object::new();
            for value in names.iter().filter_map(|name| text(claims, name)) {
                let tenant = format!("tenant:{value}");
                let value = if kind == Kind::Group { &tenant } else { value };
                merge(&mut of, said(kind, value));
            }
            if kind == Kind::Subject {
                for value in identifiers(claims) {
                    merge(&mut of, said(Kind::Identifier, &value));
                }
            }
            if !of.is_empty() {
                all.insert(member.to_owned(), Value::Object(of));
            }
        }
        all
    }

    fn epoch(&self) -> u64 {
        Registry::epoch(self)
    }
}

impl Inner {
    fn revokes_identifier(&self, issuer: &str, claims: &Object, age: Age) -> bool {
        self.force.has(Kind::Identifier)
            && identifiers(claims).iter().any(|value| self.revokes(Kind::Identifier, issuer, value, age))
    }

    /// Whether anyone in the chain is revoked, under the issuer that the actor names or the token's.
    fn revokes_actor(&self, issuer: &str, claims: &Object, age: Age) -> bool {
        let Some(Value::Array(actors)) = claims.get("actors") else { return false };
        actors.iter().any(|actor| {
            let Value::Object(actor) = actor else { return false };
            let its = text(actor, "iss").unwrap_or(issuer);
            let is = |kind, name| text(actor, name).is_some_and(|value| self.revokes(kind, its, value, age));
            is(Kind::Actor, "sub") || is(Kind::Actor, "client_id") || is(Kind::Client, "client_id")
        })
    }
}

/// Adds what was said of one who is known by several names; of the same attribute, the later stays.
fn merge(all: &mut Object, more: Option<Object>) {
    let at = |value: &Value| match value {
        Value::Object(members) => second(members, "at"),
        _ => None,
    };
    for (name, value) in more.into_iter().flatten() {
        if all.get(&name).is_none_or(|known| at(known) <= at(&value)) {
            all.insert(name, value);
        }
    }
}

/// The issuer as its tokens name it.
fn named<'a>(issuers: &'a [(String, String)], issuer: &'a str, claims: &'a Object) -> &'a str {
    let known = issuers.iter().find(|(name, _)| name == issuer).map(|(_, its)| its.as_str());
    known.or_else(|| text(claims, "iss")).unwrap_or(issuer)
}

/// By what else a token's claims say who somebody is.
pub(super) fn identifiers(claims: &Object) -> Vec<String> {
    let email = text(claims, "email").map(|email| format!("email:{}", email.to_lowercase()));
    let phone = text(claims, "phone_number").map(|phone| format!("phone:{phone}"));
    let uri = text(claims, "sub").filter(|sub| sub.contains(':')).map(|uri| format!("uri:{uri}"));
    email.into_iter().chain(phone).chain(uri).collect()
}

fn text<'a>(claims: &'a Object, name: &str) -> Option<&'a str> {
    match claims.get(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// A time in whole seconds; `None` where there is none that can be believed.
fn second(claims: &Object, name: &str) -> Option<u32> {
    match claims.get(name)? {
        Value::Number(Number::Int(number)) => Some(u32::try_from(*number).unwrap_or_default()),
        Value::Number(number) => {
            let seconds = number.to_f64();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds, checked here")]
            (0.0..4_294_967_295.0).contains(&seconds).then_some(seconds as u32)
        }
        _ => None,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Where a revocation comes from; empty for operators.
fn origin(Revocation { source, event, .. }: &Revocation) -> String {
    if source.is_empty() { String::new() } else { format!("{source} {event}") }
}

/// The number of a source, which gets one if it has none.
fn number(sources: &mut Vec<String>, source: &str) -> u16 {
    let at = sources.iter().position(|known| known == source).unwrap_or_else(|| {
        sources.push(source.to_owned());
        sources.len() - 1
    });
    u16::try_from(at).unwrap_or(u16::MAX)
}
