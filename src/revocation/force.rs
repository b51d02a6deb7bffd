//! What is in force: small, and asked on every verification of a token.

use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use dashmap::{DashMap, mapref::entry::Entry as Place};

use super::entry::{Kind, Reach};

/// Parts with a lock each: so many that threads seldom meet, and that the growth of one is small.
const PARTS: usize = 256;

/// All of a target's tokens.
const ALL: u32 = u32::MAX;

/// A revocation, as far as a verification needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compact {
    /// Tokens issued before this second; [`ALL`] for all.
    before: u32,
    /// The second at which it is over; [`u32::MAX`] for never.
    expires: u32,
    /// Where it comes from, by number.
    source: u16,
    /// Whether `auth_time` counts too.
    sessions: bool,
    kind: Kind,
}

/// The revocations of one target. Nearly always one.
enum Held {
    One(Compact),
    #[expect(clippy::box_collection, reason = "a pointer where a vector would make every entry a half larger")]
    Many(Box<Vec<Compact>>),
}

/// What a token says of its age.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Age {
    /// `iat`, in whole seconds; 0 where there is none, so that it is before everything.
    pub(super) issued: u32,
    /// `auth_time`, likewise.
    pub(super) authenticated: Option<u32>,
}

/// Keys are hashes already.
#[derive(Default)]
struct Taken(u64);

/// All that is in force.
pub(super) struct InForce {
    entries: DashMap<u128, Held, BuildHasherDefault<Taken>>,
    /// How many revocations there are of each kind: nothing is looked up of a kind that has none.
    counts: [AtomicU64; Kind::ALL.len()],
}

impl Compact {
    pub(super) fn new(kind: Kind, reach: Reach, source: u16) -> Self {
        let second = |time: Option<u64>| time.map_or(u32::MAX, |time| u32::try_from(time).unwrap_or(u32::MAX));
        Self {
            before: second(reach.issued_before),
            expires: second(reach.expires),
            source,
            sessions: reach.sessions,
            kind,
        }
    }

    fn is_over(self, now: u32) -> bool {
        self.expires <= now && self.expires != u32::MAX
    }

    fn hits(self, age: Age) -> bool {
        self.before == ALL
            || age.issued < self.before
            || self.sessions && age.authenticated.is_some_and(|time| time < self.before)
    }
}

impl Held {
    fn all(&self) -> &[Compact] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl InForce {
    pub(super) fn new() -> Self {
        Self {
            entries: DashMap::with_hasher_and_shard_amount(BuildHasherDefault::default(), PARTS),
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Whether there is any revocation of that kind.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.counts.get(kind.number()).is_some_and(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Revocations of each kind.
    pub(super) fn counts(&self) -> [(Kind, u64); Kind::ALL.len()] {
        Kind::ALL.map(|kind| (kind, self.counts.get(kind.number()).map_or(0, |count| count.load(Ordering::Relaxed))))
    }

    /// Whether a token of that age is revoked by what is held under `key`. The time is asked for only where it matters.
    pub(super) fn revokes(&self, key: u128, age: Age, now: &impl Fn() -> u32) -> bool {
        self.entries.get(&key).is_some_and(|held| {
            held.all().iter().any(|one| one.hits(age) && (one.expires == u32::MAX || !one.is_over(now())))
        })
    }

    /// How many there are in all.
    pub(super) fn total(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// Puts one in force, from its return on.
    pub(super) fn insert(&self, key: u128, new: Compact) {
        // Before the entry: who sees no count looks for nothing.
        self.count(new.kind, 1);
        match self.entries.entry(key) {
            Place::Vacant(vacant) => drop(vacant.insert(Held::One(new))),
            Place::Occupied(held) if held.get().all().contains(&new) => self.uncount(new.kind, 1),
            Place::Occupied(mut held) => {
                let all = held.get().all().iter().copied().chain([new]).collect();
                drop(held.insert(Held::Many(Box::new(all))));
            }
        }
    }

    /// Ends one.
    pub(super) fn remove(&self, key: u128, old: Compact) {
        self.end(key, |one| one == old);
    }

    /// Ends what is over under `key`.
    pub(super) fn sweep(&self, key: u128, now: u32) {
        self.end(key, |one| one.is_over(now));
    }

    /// The keys under which something is over.
    pub(super) fn over(&self, now: u32) -> Vec<u128> {
        let over = |held: &Held| held.all().iter().any(|one| one.is_over(now));
        self.entries.iter().filter(|entry| over(entry.value())).map(|entry| *entry.key()).collect()
    }

    fn end(&self, key: u128, ends: impl Fn(Compact) -> bool) {
        let Place::Occupied(mut held) = self.entries.entry(key) else { return };
        let (ended, left): (Vec<_>, Vec<_>) = held.get().all().iter().copied().partition(|one| ends(*one));
        match left.as_slice() {
            [] => drop(held.remove()),
            [one] => drop(held.insert(Held::One(*one))),
            _ => drop(held.insert(Held::Many(Box::new(left)))),
        }
        for one in ended {
            self.uncount(one.kind, 1);
        }
    }

    fn count(&self, kind: Kind, more: u64) {
        if let Some(count) = self.counts.get(kind.number()) {
            count.fetch_add(more, Ordering::SeqCst);
        }
    }

    fn uncount(&self, kind: Kind, fewer: u64) {
        if let Some(count) = self.counts.get(kind.number()) {
            count.fetch_sub(fewer, Ordering::SeqCst);
        }
    }
}

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u128(&mut self, key: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "any half of a hash is one")]
        let half = key as u64;
        self.0 = half;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: Kind, issued_before: Option<u64>, sessions: bool, expires: Option<u64>) -> Compact {
        Compact::new(kind, Reach { issued_before, sessions, expires }, 0)
    }

    #[test]
    fn a_million_entries_are_small() {
        assert!(size_of::<(u128, Held)>() <= 32);
    }

    #[test]
    fn reaches_tokens_by_their_age() {
        let force = InForce::new();
        let age = |issued, authenticated| Age { issued, authenticated };
        force.insert(1, one(Kind::Subject, Some(100), false, None));
        assert!(force.revokes(1, age(99, None), &|| 0) && !force.revokes(1, age(100, None), &|| 0));
        assert!(!force.revokes(1, age(100, Some(99)), &|| 0));
        force.insert(1, one(Kind::Subject, Some(90), true, None));
        assert!(force.revokes(1, age(100, Some(89)), &|| 0) && !force.revokes(1, age(100, Some(90)), &|| 0));
        force.insert(1, one(Kind::Subject, None, false, Some(50)));
        assert!(force.revokes(1, age(200, None), &|| 49) && !force.revokes(1, age(200, None), &|| 50));
        assert_eq!(force.over(50), [1]);
        force.sweep(1, 50);
        assert!(force.over(50).is_empty() && force.total() == 2);
    }

    #[test]
    fn each_is_ended_by_itself_and_counted() {
        let force = InForce::new();
        let (all, some) = (one(Kind::Token, None, false, None), one(Kind::Token, Some(5), false, None));
        force.insert(7, all);
        force.insert(7, some);
        force.insert(7, all);
        assert_eq!(force.counts()[0], (Kind::Token, 2));
        force.remove(7, all);
        assert!(force.has(Kind::Token) && !force.revokes(7, Age { issued: 9, authenticated: None }, &|| 0));
        force.remove(7, some);
        force.remove(7, some);
        assert!(!force.has(Kind::Token));
    }
}
