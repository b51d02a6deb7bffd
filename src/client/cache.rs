//! Answers that may be reused, for as long as the server said.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prost::Message as _;

use super::Answer;
use crate::{api::grpc::proto::CheckRequest, clock};

/// What every entry takes up beside its question and its answer, about.
const ENTRY_BYTES: usize = 512;

/// A whole question, as it goes over the wire: questions that differ in anything never share an answer.
pub(super) type Key = Arc<[u8]>;

/// The answers. Bounded; those that end first go first.
#[derive(Debug)]
pub(super) struct Cache {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<Key, Entry>,
    /// The keys by the time at which their answers end, and a number that tells equal times apart.
    ends: BTreeMap<(Duration, u64), Key>,
    bytes: usize,
    count: u64,
}

#[derive(Debug)]
struct Entry {
    answer: Arc<Answer>,
    end: (Duration, u64),
    bytes: usize,
}

impl Cache {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: Mutex::default() }
    }

    /// The key of a question; none, if its answer is not to be kept. That of a credential is not: it may expire or be
    /// revoked before the answer's time is over, and a key with a token in it would be a secret.
    pub(super) fn key(&self, message: &CheckRequest) -> Option<Key> {
        if self.most == 0 || message.credential.is_some() {
            return None;
        }
        // The caller's own name for the question is no part of it.
        if message.request_id.is_empty() {
            return Some(message.encode_to_vec().into());
        }
        Some(CheckRequest { request_id: String::new(), ..message.clone() }.encode_to_vec().into())
    }

    /// The answer to that question, if it may still be reused.
    pub(super) fn get(&self, key: &[u8]) -> Option<Arc<Answer>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = kept.answers.get(key)?;
        // Read within the lock, so that waiting for it does not count.
        (clock::uptime() < entry.end.0).then(|| Arc::clone(&entry.answer))
    }

    /// Keeps an answer, which came in so many bytes, until `end`; what has no end, no time left, or no room is not kept.
    pub(super) fn keep(&self, key: Key, answer: &Arc<Answer>, bytes: usize, end: Option<Duration>) {
        let bytes = key.len() + 2 * bytes + ENTRY_BYTES;
        let now = clock::uptime();
        let Some(end) = end.filter(|end| *end > now && bytes <= self.most) else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(&key);
        while let Some(((first, _), other)) = kept.ends.first_key_value()
            && (*first <= now || kept.bytes + bytes > self.most)
        {
            let other = Arc::clone(other);
            kept.remove(&other);
        }
        kept.count += 1;
        let end = (end, kept.count);
        kept.bytes += bytes;
        kept.ends.insert(end, Arc::clone(&key));
        kept.answers.insert(key, Entry { answer: Arc::clone(answer), end, bytes });
    }
}

impl Kept {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.answers.remove(key) {
            self.ends.remove(&entry.end);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests;
