//! The room for what is kept of messages: of those that have come in part, and of answers; of all calls together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// How much of it there is, and is taken.
pub(in crate::api::caller) struct Room {
    most: usize,
    taken: AtomicUsize,
}

/// What one message takes of it, until this is dropped.
pub(in crate::api::caller) struct Held {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    /// Room for `most` bytes.
    pub(in crate::api::caller) fn new(most: usize) -> Self {
        Self { most, taken: 0.into() }
    }

    /// How many bytes are taken.
    pub(in crate::api::caller) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }
}

impl Held {
    /// Nothing yet.
    pub(in crate::api::caller) fn none(room: &Arc<Room>) -> Self {
        Self { room: Arc::clone(room), bytes: 0 }
    }

    /// Takes what is missing to `bytes`. Without that much room nothing changes.
    pub(in crate::api::caller) fn grow(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else { return true };
        let grown = |taken: usize| taken.checked_add(more).filter(|taken| *taken <= self.room.most);
        if self.room.taken.fetch_update(Relaxed, Relaxed, grown).is_err() {
            return false;
        }
        self.bytes = bytes;
        true
    }

    /// Takes what is missing to `bytes`, whether or not there is room.
    pub(in crate::api::caller) fn take(&mut self, bytes: usize) {
        let more = bytes.saturating_sub(self.bytes);
        self.room.taken.fetch_add(more, Relaxed);
        self.bytes += more;
    }

    /// Hands over so much of it, or what there is.
    pub(in crate::api::caller) fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { room: Arc::clone(&self.room), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Relaxed);
    }
}
