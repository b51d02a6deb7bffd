//! What is known of tokens, by their hash: never the token itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Parts with a lock each, so that threads seldom meet.
const PARTS: usize = 32;

/// The most tokens of a generation of a part; a part has two.
const MOST: usize = 1_024;

/// What a token takes beyond its claims.
const BASE: usize = 256;

/// A SHA-256 of a token.
pub(super) type Hash = [u8; 32];

/// What can be remembered.
pub(super) trait Weighed {
    /// About how many bytes it takes.
    fn size(&self) -> usize;
}

/// What is known, by hash. Where only what is valid gets in, nobody without valid tokens can fill it.
pub(super) struct Cache<T> {
    parts: [Mutex<Part<T>>; PARTS],
    /// The most bytes of a generation of a part.
    bytes: usize,
}

struct Part<T> {
    young: HashMap<Hash, Arc<T>>,
    /// About what `young` takes, in bytes.
    size: usize,
    old: HashMap<Hash, Arc<T>>,
    /// How often something was looked up and was there, and was not.
    found: u64,
    missed: u64,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { young: HashMap::new(), size: 0, old: HashMap::new(), found: 0, missed: 0 }
    }
}

impl<T: Weighed> Cache<T> {
    /// One that takes about `bytes` at most.
    pub(super) fn new(bytes: usize) -> Self {
        Self { parts: std::array::from_fn(|_| Mutex::default()), bytes: bytes / PARTS / 2 }
    }

    /// The same as [`Self::get`], counted.
    pub(super) fn look_up(&self, hash: &Hash) -> Option<Arc<T>> {
        let mut part = self.part(hash)?.lock().unwrap_or_else(PoisonError::into_inner);
        let known = part.young.get(hash).or_else(|| part.old.get(hash)).cloned();
        *if known.is_some() { &mut part.found } else { &mut part.missed } += 1;
        known
    }

    /// How often what was looked up was there, and was not.
    pub(super) fn figures(&self) -> (u64, u64) {
        let parts = self.parts.iter().map(|part| part.lock().unwrap_or_else(PoisonError::into_inner));
        parts.fold((0, 0), |(found, missed), part| (found + part.found, missed + part.missed))
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<Arc<T>> {
        let part = self.part(hash)?.lock().unwrap_or_else(PoisonError::into_inner);
        part.young.get(hash).or_else(|| part.old.get(hash)).cloned()
    }

    pub(super) fn insert(&self, hash: Hash, known: Arc<T>) {
        let Some(part) = self.part(&hash) else { return };
        let size = BASE + known.size();
        if size > self.bytes {
            return;
        }
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        if part.young.len() >= MOST || part.size + size > self.bytes {
            part.old = std::mem::take(&mut part.young);
            part.size = 0;
        }
        if part.young.insert(hash, known).is_none() {
            part.size += size;
        }
    }

    pub(super) fn remove(&self, hash: &Hash) {
        let Some(part) = self.part(hash) else { return };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(removed) = part.young.remove(hash) {
            part.size = part.size.saturating_sub(BASE + removed.size());
        }
        part.old.remove(hash);
    }

    /// About how many bytes are held, and how many tokens.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let parts = self.parts.iter().map(|part| part.lock().unwrap());
        parts.fold((0, 0), |(bytes, tokens), part| {
            let of = |all: &HashMap<Hash, Arc<T>>| all.values().map(|one| BASE + one.size()).sum::<usize>();
            (bytes + of(&part.young) + of(&part.old), tokens + part.young.len() + part.old.len())
        })
    }

    fn part(&self, hash: &Hash) -> Option<&Mutex<Part<T>>> {
        self.parts.get(usize::from(*hash.first()?) % PARTS)
    }
}
