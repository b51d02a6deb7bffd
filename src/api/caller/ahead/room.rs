//! The room for messages that have come in part, of all calls together.

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
pub(super) struct Held {
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
    pub(super) fn none(room: &Arc<Room>) -> Self {
        Self { room: Arc::clone(room), bytes: 0 }
    }

    /// Takes what is missing to `bytes`. Without that much room nothing changes.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let Some(more) = bytes.checked_sub(self.bytes).filter(|more| *more > 0) else { return true };
        let grown = |taken: usize| taken.checked_add(more).filter(|taken| *taken <= self.room.most);
        if self.room.taken.fetch_update(Relaxed, Relaxed, grown).is_err() {
            return false;
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Relaxed);
    }
}
