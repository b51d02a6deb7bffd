//! A value for each thread, so that none waits for another's cache line.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use crossbeam_utils::CachePadded;

/// How many threads were given a number.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Relaxed);
}

/// As many values as the machine runs threads at once, or a few more. Further threads share.
pub(super) struct Shards<T>(Box<[CachePadded<T>]>);

impl<T> Shards<T> {
    /// The calling thread's own. Always there; an `Option` only because nothing here may panic.
    pub(super) fn mine(&self) -> Option<&T> {
        // INVARIANT: the length is a power of two.
        let mask = self.0.len().wrapping_sub(1);
        self.0.get(THREAD.with(|number| number & mask)).map(|shard| &**shard)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|shard| &**shard)
    }
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self((0..threads.next_power_of_two()).map(|_| CachePadded::default()).collect())
    }
}
