//! Times by buckets: one thread's, and all threads' together.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{family::Value, shards::Shards};

/// The buckets' upper bounds in nanoseconds, inclusive: 5 µs to 1 s. One more bucket has the rest.
pub(super) static BOUNDS: [u64; 17] = [
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
];

pub(super) const BUCKETS: usize = BOUNDS.len() + 1;

/// One thread's times.
#[derive(Default)]
pub(super) struct Times {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

/// The bucket that a time belongs to, and its nanoseconds.
pub(super) fn bucket(took: Duration) -> (usize, u64) {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    (BOUNDS.partition_point(|bound| *bound < nanos), nanos)
}

impl Shards<Times> {
    pub(super) fn record(&self, took: Duration) {
        let Some(times) = self.mine() else { return };
        let (bucket, nanos) = bucket(took);
        if let Some(count) = times.counts.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        times.nanos.fetch_add(nanos, Relaxed);
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        self.iter().any(|times| times.counts.iter().any(|count| count.load(Relaxed) > 0))
    }

    /// All threads' times.
    pub(super) fn value(&self) -> Value {
        let counts = array::from_fn::<u64, BUCKETS, _>(|bucket| {
            self.iter().filter_map(|times| times.counts.get(bucket)).map(|count| count.load(Relaxed)).sum()
        });
        let sum = self.iter().map(|times| Duration::from_nanos(times.nanos.load(Relaxed))).sum();
        Value::Histogram { bounds: &BOUNDS, counts: counts.to_vec(), sum }
    }
}
