//! Those that wait: how many, and whether they are a burst or a queue that stands.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// A queue that was never empty for so long stands: more comes than can be answered, and whoever waits in it only makes
/// those wait who come behind.
const STANDS: Duration = Duration::from_millis(100);

/// The longest that a call waits in a queue that stands, if calls end often enough.
const STANDING: Duration = Duration::from_millis(20);

/// Calls that have to end meanwhile, on average: a shorter wait would leave places empty.
const ENDS: u32 = 4;

/// Those that wait.
pub(super) struct Queue {
    began: Instant,
    waiting: AtomicUsize,
    /// Since when it is not empty, in nanoseconds since `began`, and one more; 0 while it is.
    since: AtomicU64,
}

/// One that waits, until this is dropped.
pub(super) struct Waiting(Arc<Queue>);

impl Queue {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), waiting: 0.into(), since: 0.into() }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Joins it. Gives how many are before.
    pub(super) fn join(queue: &Arc<Self>, now: Instant) -> (usize, Waiting) {
        let before = queue.waiting.fetch_add(1, Relaxed);
        // Whoever left as the last may not have said so yet; then the next one says since when.
        let _ = queue.since.compare_exchange(0, queue.at(now), Relaxed, Relaxed);
        (before, Waiting(Arc::clone(queue)))
    }

    /// How long a call may wait that would wait for `patience`, where one ends each `gap`.
    pub(super) fn patience(&self, patience: Duration, gap: Duration, now: Instant) -> Duration {
        let since = self.since.load(Relaxed);
        let stands = since != 0 && self.at(now).saturating_sub(since) > u64::try_from(STANDS.as_nanos()).unwrap_or(0);
        if stands { patience.min(STANDING.max(gap.saturating_mul(ENDS))) } else { patience }
    }

    fn at(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Relaxed) == 1 {
            self.0.since.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_may_wait_and_a_queue_that_stands_may_not() {
        let queue = Arc::new(Queue::new());
        let now = Instant::now();
        let gap = Duration::from_millis(1);
        assert_eq!(queue.patience(LONG, gap, now), LONG);
        let (before, one) = Queue::join(&queue, now);
        let (behind, other) = Queue::join(&queue, now + STANDS);
        assert_eq!((before, behind, queue.len()), (0, 1, 2));
        assert_eq!(queue.patience(LONG, gap, now + STANDS), LONG);
        let later = now + STANDS + gap;
        drop(one);
        assert_eq!(queue.patience(LONG, gap, later), STANDING);
        assert_eq!(queue.patience(gap, gap, later), gap, "nobody waits longer than it can");
        assert_eq!(queue.patience(LONG, STANDS, later), STANDS * ENDS, "calls end seldom");
        drop(other);
        assert_eq!(queue.patience(LONG, gap, later + LONG), LONG, "it was empty");
    }
}
