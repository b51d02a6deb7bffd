//! Tokens that were verified, by their hash: never the token itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::verifier::Verified;

/// Parts with a lock each, so that threads seldom meet.
const PARTS: usize = 32;

/// The most tokens of a generation of a part; a part has two.
const MOST: usize = 1_024;

/// A SHA-256 of a token.
pub(super) type Hash = [u8; 32];

/// What was verified, by hash. Only what is valid gets in, so that nobody without valid tokens can fill it.
pub(super) struct Cache([Mutex<Part>; PARTS]);

#[derive(Default)]
struct Part {
    young: HashMap<Hash, Arc<Verified>>,
    old: HashMap<Hash, Arc<Verified>>,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<Arc<Verified>> {
        let part = self.part(hash)?.lock().unwrap_or_else(PoisonError::into_inner);
        part.young.get(hash).or_else(|| part.old.get(hash)).cloned()
    }

    pub(super) fn insert(&self, hash: Hash, verified: Arc<Verified>) {
        let Some(part) = self.part(&hash) else { return };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        if part.young.len() >= MOST {
            part.old = std::mem::take(&mut part.young);
        }
        part.young.insert(hash, verified);
    }

    pub(super) fn remove(&self, hash: &Hash) {
        let Some(part) = self.part(hash) else { return };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.young.remove(hash);
        part.old.remove(hash);
    }

    fn part(&self, hash: &Hash) -> Option<&Mutex<Part>> {
        self.0.get(usize::from(*hash.first()?) % PARTS)
    }
}
