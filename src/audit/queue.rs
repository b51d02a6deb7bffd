//! The queue of one sink in memory: bounded by records and bytes, never waited for by who puts something in.
//!
//! A mutex that is held for a push or a swap, and no ring without locks: what takes from it takes all there is at once,
//! so that under load a decision in hundreds meets the other side.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{config::QueueLimits, event::Event};

/// A decision on its way, and who waits for it to be kept.
pub(super) struct Item {
    pub(super) event: Arc<Event>,
    pub(super) kept: Option<oneshot::Sender<bool>>,
}

pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    // For pauses: one of its own, as a wake-up that is for who takes must not end at who only waits.
    ending: Condvar,
    limits: QueueLimits,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    bytes: usize,
    closed: bool,
    sleeping: bool,
}

/// What a look into the queue found.
pub(super) enum Taken {
    /// These, in their order; none if nothing came in time.
    Items(Vec<Item>),
    /// Nothing will come any more.
    Closed,
}

impl Queue {
    pub(super) fn new(limits: QueueLimits) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), ending: Condvar::new(), limits }
    }

    /// Puts a decision in, or gives it back if there is no room.
    pub(super) fn push(&self, item: Item) -> Result<(), Item> {
        let mut state = self.lock();
        let size = item.event.size();
        if state.closed || state.items.len() >= self.limits.records || state.bytes + size > self.limits.bytes {
            return Err(item);
        }
        state.bytes += size;
        state.items.push(item);
        let wake = std::mem::take(&mut state.sleeping);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes all there is; waits for at most `patience` for the first.
    pub(super) fn take(&self, patience: Duration) -> Taken {
        let mut state = self.lock();
        if state.items.is_empty() && !state.closed {
            state.sleeping = true;
            let waited = self.filled.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.sleeping = false;
        }
        if state.items.is_empty() && state.closed {
            return Taken::Closed;
        }
        state.bytes = 0;
        Taken::Items(std::mem::take(&mut state.items))
    }

    /// Nothing more is taken in; what is in it can still be taken out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.ending.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits, until then, or until it is closed or half full.
    pub(super) fn pause(&self, time: Duration) {
        let end = std::time::Instant::now() + time;
        let mut state = self.lock();
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now());
            let half = state.items.len() >= self.limits.records / 2 || state.bytes >= self.limits.bytes / 2;
            if state.closed || left.is_zero() || half {
                return;
            }
            // A push wakes nobody who pauses, so this looks again.
            let waited = self.ending.wait_timeout(state, left.min(Duration::from_millis(20)));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().items.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
