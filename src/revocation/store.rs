//! The file: what outlives the process, however it ends.
//!
//! It is read whole at the start, with its checksums, and each revocation must be stored under what it hashes to: what is
//! damaged ends the start, as nobody knows then what else was revoked.

mod open;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{PoisonError, RwLock},
};

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::{Deserialize, Serialize};

pub use self::open::OpenError;
pub(super) use self::open::open;
use super::{
    entry::{Id, Kind, Reach, Revocation, Target},
    key,
    signal::Attributes,
};

/// `format`, and `key`: that of the hashes.
const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
/// By id.
const REVOCATIONS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("revocations");
/// Tokens of transmitters, by hash: until when a second one of the same id is refused.
const SEEN: TableDefinition<'static, u128, u64> = TableDefinition::new("seen");
/// By the hash of whom they are about.
const SIGNALS: TableDefinition<'static, u128, &[u8]> = TableDefinition::new("signals");

/// The most revocations that one page is looked for among.
const SCANNED: usize = 50_000;

/// Which revocations are listed; what is not given is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of that kind.
    pub kind: Option<Kind>,
    /// Of that issuer.
    pub issuer: Option<String>,
    /// Of that one.
    pub value: Option<String>,
    /// From that transmitter; empty for operators.
    pub source: Option<String>,
}

/// Some of the revocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// They, in the order of their ids.
    pub revocations: Vec<(Id, Revocation)>,
    /// After which the next page begins; `None` at the end. A page may be short, even empty, before the end.
    pub next: Option<Id>,
}

/// What the first digits of an id name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No revocation.
    None,
    /// This one.
    One(Id),
    /// More than one.
    Many,
}

/// The open file. Written by one thread.
pub(super) struct Store {
    path: PathBuf,
    // Written only to open it again after a failure.
    database: RwLock<Option<Database>>,
}

/// A revocation on disk.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    kind: &'a str,
    #[serde(borrow)]
    issuer: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    value: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sessions: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    at: u64,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    reason: std::borrow::Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    author: std::borrow::Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    source: std::borrow::Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    event: std::borrow::Cow<'a, str>,
}

fn encode(revocation: &Revocation) -> Vec<u8> {
    let Revocation { target, reach, reason, author, at, source, event } = revocation;
    let stored = Stored {
        kind: target.kind.name(),
        issuer: target.issuer.as_str().into(),
        value: target.value.as_str().into(),
        before: reach.issued_before,
        sessions: reach.sessions,
        expires: reach.expires,
        at: *at,
        reason: reason.as_str().into(),
        author: author.as_str().into(),
        source: source.as_str().into(),
        event: event.as_str().into(),
    };
    // Texts and numbers always serialize.
    serde_json::to_vec(&stored).unwrap_or_default()
}

fn decode(bytes: &[u8]) -> Option<Revocation> {
    let stored: Stored<'_> = serde_json::from_slice(bytes).ok()?;
    Some(Revocation {
        target: Target::new(Kind::named(stored.kind)?, stored.issuer, stored.value),
        reach: Reach { issued_before: stored.before, sessions: stored.sessions, expires: stored.expires },
        reason: stored.reason.into_owned(),
        author: stored.author.into_owned(),
        at: stored.at,
        source: stored.source.into_owned(),
        event: stored.event.into_owned(),
    })
}

fn id_of(key: &[u8]) -> Option<Id> {
    key.try_into().map(Id).ok()
}

/// The first and the last id of a target.
fn range_of(target: u128) -> ([u8; 24], [u8; 24]) {
    let edge = |fill: u8| {
        let mut id = [fill; 24];
        for (byte, from) in id.iter_mut().zip(target.to_be_bytes()) {
            *byte = from;
        }
        id
    };
    (edge(0), edge(u8::MAX))
}

/// One transaction of the writer's.
pub(super) struct Writing<'a> {
    revocations: redb::Table<'a, &'static [u8], &'static [u8]>,
    seen: redb::Table<'a, u128, u64>,
    signals: redb::Table<'a, u128, &'static [u8]>,
}

impl Writing<'_> {
    /// Notes that a token was seen; `false` if it was before.
    pub(super) fn see(&mut self, key: u128, until: u64) -> Result<bool, redb::Error> {
        Ok(self.seen.insert(key, until)?.is_none())
    }

    pub(super) fn add(&mut self, id: Id, revocation: &Revocation) -> Result<(), redb::Error> {
        self.revocations.insert(id.0.as_slice(), encode(revocation).as_slice())?;
        Ok(())
    }

    pub(super) fn remove(&mut self, id: Id) -> Result<Option<Revocation>, redb::Error> {
        Ok(self.revocations.remove(id.0.as_slice())?.and_then(|value| decode(value.value())))
    }

    /// Those of one target.
    pub(super) fn of(&self, target: u128) -> Result<Vec<(Id, Revocation)>, redb::Error> {
        let (first, last) = range_of(target);
        let mut found = Vec::new();
        for item in self.revocations.range(first.as_slice()..=last.as_slice())? {
            let (key, value) = item?;
            found.extend(id_of(key.value()).zip(decode(value.value())));
        }
        Ok(found)
    }

    pub(super) fn attributes(&self, key: u128) -> Result<Option<Attributes>, redb::Error> {
        Ok(self.signals.get(key)?.and_then(|value| serde_json::from_slice(value.value()).ok()))
    }

    pub(super) fn set_attributes(&mut self, key: u128, attributes: &Attributes) -> Result<(), redb::Error> {
        self.signals.insert(key, serde_json::to_vec(attributes).unwrap_or_default().as_slice())?;
        Ok(())
    }

    /// Forgets tokens that may come again, because they would be refused for their age.
    pub(super) fn forget_seen(&mut self, now: u64) -> Result<(), redb::Error> {
        self.seen.retain(|_, until| until > now)?;
        Ok(())
    }
}

impl Store {
    /// Does `work` in one transaction. From its return on, what was done outlives the process; on an error nothing was.
    pub(super) fn write<T>(&self, work: impl FnOnce(&mut Writing<'_>) -> Result<T, redb::Error>) -> Result<T, String> {
        let outcome = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let Some(database) = database.as_ref() else {
                drop(database);
                self.open_again();
                return Err("it is not open; it is tried again with the next change".to_owned());
            };
            // What is damaged in the database's own pages may end in a panic there.
            catch_unwind(AssertUnwindSafe(|| {
                let transaction = database.begin_write()?;
                let done = {
                    let mut writing = Writing {
                        revocations: transaction.open_table(REVOCATIONS)?,
                        seen: transaction.open_table(SEEN)?,
                        signals: transaction.open_table(SIGNALS)?,
                    };
                    work(&mut writing)?
                };
                transaction.commit()?;
                Ok(done)
            }))
        };
        let cause = match outcome {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => redb::Error::to_string(&error),
            Err(_) => "its pages can't be written".to_owned(),
        };
        self.open_again();
        Err(cause)
    }

    /// After a failure the database takes nothing more; opened anew it is as after the last commit.
    fn open_again(&self) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The lock of the file goes with it.
        drop(database.take());
        let opened = catch_unwind(|| open::database(&self.path));
        *database = opened.ok().and_then(Result::ok);
    }

    /// The file.
    pub(super) fn path(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether a token was seen.
    pub(super) fn has_seen(&self, key: u128) -> Result<bool, String> {
        self.read(|transaction| Ok(transaction.open_table(SEEN)?.get(key)?.is_some()))
    }

    /// All that was said of subjects.
    pub(super) fn signals(&self) -> Result<Vec<Attributes>, String> {
        self.read(|transaction| {
            let mut all = Vec::new();
            for item in transaction.open_table(SIGNALS)?.iter()? {
                let (_, value) = item?;
                all.extend(serde_json::from_slice::<Attributes>(value.value()).ok());
            }
            Ok(all)
        })
    }

    /// At most so many revocations that fit, after `after`. Of one target if `target` is its hash.
    pub(super) fn list(
        &self,
        filter: &Filter,
        target: Option<u128>,
        after: Option<Id>,
        most: usize,
    ) -> Result<Page, String> {
        let Filter { kind, issuer, value, source } = filter;
        let fits = |found: &Revocation| {
            kind.is_none_or(|kind| found.target.kind == kind)
                && issuer.as_ref().is_none_or(|issuer| found.target.issuer == *issuer)
                && value.as_ref().is_none_or(|value| found.target.value == *value)
                && source.as_ref().is_none_or(|source| found.source == *source)
        };
        let (first, last) = target.map_or(([0; 24], [u8::MAX; 24]), range_of);
        let first = after.map_or(first, |Id(after)| after.max(first));
        self.read(|transaction| {
            let table = transaction.open_table(REVOCATIONS)?;
            let mut page = Page::default();
            for (scanned, item) in table.range(first.as_slice()..=last.as_slice())?.enumerate() {
                let (key, bytes) = item?;
                let Some(id) = id_of(key.value()) else { continue };
                if after == Some(id) {
                    continue;
                }
                if page.revocations.len() >= most || scanned >= SCANNED {
                    // The last that was looked at is where the next page begins.
                    return Ok(page);
                }
                page.next = Some(id);
                page.revocations.extend(decode(bytes.value()).filter(fits).map(|found| (id, found)));
            }
            page.next = None;
            Ok(page)
        })
    }

    /// The revocation from `first` to `last`.
    pub(super) fn within(&self, Id(first): Id, Id(last): Id) -> Result<Found, String> {
        self.read(|transaction| {
            let table = transaction.open_table(REVOCATIONS)?;
            let mut found = Found::None;
            for item in table.range(first.as_slice()..=last.as_slice())?.take(2) {
                let (key, _) = item?;
                found = match (found, id_of(key.value())) {
                    (Found::None, Some(id)) => Found::One(id),
                    _ => Found::Many,
                };
            }
            Ok(found)
        })
    }

    fn read<T>(&self, work: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>) -> Result<T, String> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or("it is not open")?;
        let read = catch_unwind(AssertUnwindSafe(|| work(&database.begin_read()?)));
        match read {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err("its pages can't be read".to_owned()),
        }
    }
}

/// Whether a revocation is stored under what it hashes to.
fn is_in_place(keys: &key::Keys, id: Id, revocation: &Revocation) -> bool {
    keys.id(revocation) == id
}
