//! What a spool holds, in memory: which chunks wait, which are being delivered, which may go.

use std::{collections::BTreeMap, time::Duration};

use crate::audit::figures::{Cause, Counts};

#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// In milliseconds of the spool's own time.
    pub(super) tick: u64,
}

#[derive(Default)]
pub(super) struct Index {
    chunks: BTreeMap<u64, Chunk>,
    records: u64,
    bytes: u64,
    next: u64,
    /// The first key that is not being delivered.
    cursor: u64,
    in_flight: Vec<u64>,
    /// No longer needed, and still on disk.
    removable: Vec<u64>,
    base: u64,
}

impl Index {
    pub(super) fn new(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    pub(super) fn insert(&mut self, first: u64, records: u64, bytes: u64, tick: u64) {
        self.chunks.insert(first, Chunk { records, bytes, tick });
        self.records += records;
        self.bytes += bytes;
        self.next = self.next.max(first + records);
    }

    /// What the spool's time was when it was last written.
    pub(super) fn set_base(&mut self, base: u64) {
        self.base = self.base.max(base);
    }

    pub(super) fn tick(&self, since_start: Duration) -> u64 {
        self.base + u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX / 2)
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The oldest record that is not delivered.
    pub(super) fn oldest_waiting(&self) -> Option<u64> {
        self.chunks.keys().next().copied()
    }

    pub(super) fn records_of(&self, key: u64) -> u64 {
        self.chunks.get(&key).map_or(0, |chunk| chunk.records)
    }

    /// Drops what is too old, and not being delivered.
    pub(super) fn expire(&mut self, tick: u64, max_age: Duration, counts: &Counts) {
        let limit = u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX);
        while let Some((key, chunk)) = self.oldest()
            && tick.saturating_sub(chunk.tick) > limit
        {
            counts.lose(Cause::SpoolExpired, chunk.records);
            self.forget(key);
            self.removable.push(key);
        }
    }

    /// Drops the oldest until `size` more fit; whether they do.
    pub(super) fn make_room(&mut self, size: u64, most: u64, counts: &Counts) -> bool {
        if size > most {
            return false;
        }
        while self.bytes + size > most {
            let Some((key, chunk)) = self.oldest() else { return false };
            counts.lose(Cause::SpoolFull, chunk.records);
            self.forget(key);
            self.removable.push(key);
        }
        true
    }

    /// What can be taken out of the database.
    pub(super) fn removals(&self) -> Vec<u64> {
        self.removable.clone()
    }

    /// It was.
    pub(super) fn removed(&mut self, removals: &[u64]) {
        // What became removable meanwhile was put behind.
        self.removable.drain(..removals.len().min(self.removable.len()));
    }

    /// The next chunk that waits.
    pub(super) fn waiting(&self) -> Option<u64> {
        self.chunks.range(self.cursor..).next().map(|(key, _)| *key)
    }

    /// Begins to deliver chunks of at most about that many bytes, at least one.
    pub(super) fn begin(&mut self, most: u64) -> Vec<u64> {
        let mut bytes = 0;
        let mut keys = Vec::new();
        for (key, chunk) in self.chunks.range(self.cursor..) {
            if !keys.is_empty() && bytes + chunk.bytes > most {
                break;
            }
            bytes += chunk.bytes;
            keys.push(*key);
        }
        if let Some(last) = keys.last() {
            self.cursor = last + 1;
        }
        self.in_flight.clone_from(&keys);
        keys
    }

    pub(super) fn done(&mut self, keys: &[u64]) {
        for key in keys {
            self.forget(*key);
            self.removable.push(*key);
        }
        self.in_flight.clear();
    }

    fn oldest(&self) -> Option<(u64, Chunk)> {
        let oldest = self.chunks.iter().find(|(key, _)| !self.in_flight.contains(key));
        oldest.map(|(key, chunk)| (*key, *chunk))
    }

    fn forget(&mut self, key: u64) {
        if let Some(chunk) = self.chunks.remove(&key) {
            self.records -= chunk.records;
            self.bytes -= chunk.bytes;
        }
    }
}
