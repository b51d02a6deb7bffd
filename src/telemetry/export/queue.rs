//! What waits to be sent: bounded, and counted to its end.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crossbeam_queue::ArrayQueue;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Batch;
use crate::otlp::{self, Failure};

/// How often a request is tried.
const TRIES: u32 = 4;

/// The pause after the first try; each next is twice as long.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 500 });

/// How often the same trouble is told.
const SAID: Duration = Duration::from_secs(60);

/// What became of what was pushed of one signal.
#[derive(Clone, Debug)]
pub struct ExportFigures {
    /// The signal.
    pub signal: &'static str,
    /// What the collector took.
    pub exported: u64,
    /// What was lost, by cause.
    pub dropped: [(&'static str, u64); 4],
    /// What waits.
    pub queued: u64,
}

/// Counts what becomes of one signal.
#[derive(Default)]
pub(super) struct Counts {
    exported: AtomicU64,
    full: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    shutdown: AtomicU64,
    said: Mutex<Option<Instant>>,
}

/// What waits.
pub(super) struct Queue<T> {
    items: ArrayQueue<T>,
    wake: Notify,
    most: usize,
    pub(super) counts: Counts,
}

/// Where it goes.
pub(super) trait Deliver<T> {
    /// Sends these once, and says how many the collector rejected.
    async fn deliver(&mut self, items: &[T]) -> Result<u64, Status>;
}

impl<T> Queue<T> {
    pub(super) fn new(batch: &Batch) -> Self {
        let most = batch.most.clamp(1, batch.queue.max(1));
        let items = ArrayQueue::new(batch.queue.max(1));
        Self { items, wake: Notify::new(), most, counts: Counts::default() }
    }

    /// Puts something in, or drops it, and counts that. Waits for nothing.
    pub(super) fn push(&self, item: T) {
        if self.items.push(item).is_err() {
            self.counts.full.fetch_add(1, Relaxed);
        }
        if self.items.len() >= self.most {
            self.wake.notify_one();
        }
    }

    pub(super) fn figures(&self, signal: &'static str) -> ExportFigures {
        self.counts.figures(signal, self.items.len() as u64)
    }

    fn take(&self) -> Vec<T> {
        std::iter::from_fn(|| self.items.pop()).take(self.most).collect()
    }
}

impl Counts {
    pub(super) fn figures(&self, signal: &'static str, queued: u64) -> ExportFigures {
        let Self { exported, full, failed, rejected, shutdown, said: _ } = self;
        let dropped = [("queue_full", full), ("failed", failed), ("rejected", rejected), ("shutdown", shutdown)];
        ExportFigures {
            signal,
            exported: exported.load(Relaxed),
            dropped: dropped.map(|(cause, count)| (cause, count.load(Relaxed))),
            queued,
        }
    }

    /// What became of so many.
    pub(super) fn count(&self, items: u64, outcome: &Result<u64, Status>) {
        match outcome {
            Ok(rejected) => {
                self.rejected.fetch_add((*rejected).min(items), Relaxed);
                self.exported.fetch_add(items.saturating_sub(*rejected), Relaxed);
            }
            Err(_) => {
                self.failed.fetch_add(items, Relaxed);
            }
        }
    }

    /// Tells of trouble, unless it was told a while ago.
    pub(super) fn complain(&self, status: &Status) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() > SAID) {
            *said = Some(Instant::now());
            tracing::warn!("telemetry is not taken: {}", otlp::cause(status));
        }
    }
}

/// Sends what comes, until it is to stop; then what is left, as far as the collector takes it at once.
pub(super) async fn drain<T>(queue: &Queue<T>, batch: &Batch, mut sink: impl Deliver<T>, stop: &CancellationToken) {
    loop {
        tokio::select! {
            () = queue.wake.notified() => {}
            () = tokio::time::sleep(batch.delay) => {}
            () = stop.cancelled() => {}
        }
        loop {
            let items = queue.take();
            if items.is_empty() {
                break;
            }
            let outcome = persist(&mut sink, &items, &queue.counts, stop).await;
            let count = items.len() as u64;
            if outcome.is_err() && stop.is_cancelled() {
                queue.counts.shutdown.fetch_add(count, Relaxed);
                while queue.items.pop().is_some() {
                    queue.counts.shutdown.fetch_add(1, Relaxed);
                }
                return;
            }
            queue.counts.count(count, &outcome);
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Sends, and tries again where that may help.
async fn persist<T>(
    sink: &mut impl Deliver<T>,
    items: &[T],
    counts: &Counts,
    stop: &CancellationToken,
) -> Result<u64, Status> {
    let mut pause = PAUSE;
    let mut tries = 1;
    loop {
        let status = match sink.deliver(items).await {
            Ok(rejected) => return Ok(rejected),
            Err(status) => status,
        };
        counts.complain(&status);
        if tries == TRIES || stop.is_cancelled() || Failure::of(&status) != Failure::Again {
            return Err(status);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => {}
        }
        tries += 1;
        pause *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails so often before it takes everything but one.
    struct Fails(u32, Vec<usize>);

    impl Deliver<u32> for Fails {
        async fn deliver(&mut self, items: &[u32]) -> Result<u64, Status> {
            self.1.push(items.len());
            if self.0 == 0 {
                return Ok(1);
            }
            self.0 -= 1;
            Err(Status::unavailable("down"))
        }
    }

    fn figures(queue: &Queue<u32>) -> (u64, [u64; 4], u64) {
        let ExportFigures { exported, dropped, queued, .. } = queue.figures("x");
        (exported, dropped.map(|(_, count)| count), queued)
    }

    #[tokio::test]
    async fn counts_every_item_to_its_end() {
        let batch = Batch { queue: 10, most: 4, delay: Duration::from_millis(10) };
        let stop = CancellationToken::new();
        let queue = Queue::new(&batch);
        (0..15).for_each(|item| queue.push(item));
        assert_eq!(figures(&queue), (0, [5, 0, 0, 0], 10), "what is over the bound is dropped, and counted");
        let work = drain(&queue, &batch, Fails(5, Vec::new()), &stop);
        let watch = async {
            while figures(&queue).2 > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.cancel();
        };
        tokio::join!(work, watch);
        // The first four fail as often as is tried; the next once, and one of them is rejected, as of the last two.
        assert_eq!(figures(&queue), (4, [5, 4, 2, 0], 0));
    }

    #[tokio::test]
    async fn gives_up_at_once_when_it_is_to_stop() {
        let batch = Batch { queue: 10, most: 4, delay: Duration::from_millis(10) };
        let stop = CancellationToken::new();
        stop.cancel();
        let queue = Queue::new(&batch);
        (0..10).for_each(|item| queue.push(item));
        drain(&queue, &batch, Fails(u32::MAX, Vec::new()), &stop).await;
        assert_eq!(figures(&queue), (0, [0, 0, 0, 10], 0));
    }
}
