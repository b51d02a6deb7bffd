//! Decisions and how long they took: counted by every thread for itself.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{
    labels::{ByLabel, OTHER},
    shards::Shards,
    text::{Kind, Text},
};

/// Counts questions to an entry point that there is none of.
const UNKNOWN: &str = "unknown";

/// The buckets' upper bounds in nanoseconds, inclusive: 5 µs to 1 s. One more bucket has the rest.
const BOUNDS: [u64; 17] = [
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

const BUCKETS: usize = BOUNDS.len() + 1;

pub(super) struct Decisions(ByLabel<Shards<Cells>>);

/// One thread's figures of one entry point. A decision adds to two of them: the counts by effect and the histogram's
/// count are both sums over buckets, so they agree.
#[derive(Default)]
struct Cells {
    allowed: [AtomicU64; BUCKETS],
    denied: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

/// All threads' figures of one entry point.
struct Sum {
    allowed: [u64; BUCKETS],
    denied: [u64; BUCKETS],
    took: Duration,
}

impl Decisions {
    pub(super) fn new(max_entry_points: usize) -> Self {
        Self(ByLabel::new(&[UNKNOWN, OTHER], max_entry_points))
    }

    pub(super) fn record(&self, entry_point: Option<&str>, allowed: bool, took: Duration) {
        self.0.with(entry_point.unwrap_or(UNKNOWN), |shards| {
            let Some(cells) = shards.mine() else { return };
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            let buckets = if allowed { &cells.allowed } else { &cells.denied };
            if let Some(bucket) = buckets.get(BOUNDS.partition_point(|bound| *bound < nanos)) {
                bucket.fetch_add(1, Relaxed);
            }
            cells.nanos.fetch_add(nanos, Relaxed);
        });
    }

    pub(super) fn render(&self, text: &mut Text) {
        let sums: Vec<_> = self.0.sorted().into_iter().map(|(entry, shards)| (entry, Sum::of(&shards))).collect();
        text.family("verdict_decisions_total", Kind::Counter, "Decisions, by the entry point asked and the effect.");
        for (entry, sum) in &sums {
            text.sample("", &[("entry_point", entry), ("effect", "allow")], sum.allowed.iter().sum::<u64>());
            text.sample("", &[("entry_point", entry), ("effect", "deny")], sum.denied.iter().sum::<u64>());
        }
        text.family(
            "verdict_decision_duration_seconds",
            Kind::Histogram,
            "How long decisions took, by the entry point asked.",
        );
        for (entry, sum) in &sums {
            sum.render(entry, text);
        }
    }
}

impl Sum {
    fn of(shards: &Shards<Cells>) -> Self {
        let mut sum = Self { allowed: [0; BUCKETS], denied: [0; BUCKETS], took: Duration::ZERO };
        for cells in shards.iter() {
            add(&mut sum.allowed, &cells.allowed);
            add(&mut sum.denied, &cells.denied);
            sum.took += Duration::from_nanos(cells.nanos.load(Relaxed));
        }
        sum
    }

    fn render(&self, entry: &str, text: &mut Text) {
        let bounds = array::from_fn::<_, BUCKETS, _>(|bucket| {
            BOUNDS.get(bucket).map_or("+Inf".to_owned(), |bound| Duration::from_nanos(*bound).as_secs_f64().to_string())
        });
        let mut count = 0;
        for ((bound, allowed), denied) in bounds.iter().zip(self.allowed).zip(self.denied) {
            count += allowed + denied;
            text.sample("_bucket", &[("entry_point", entry), ("le", bound)], count);
        }
        text.sample("_sum", &[("entry_point", entry)], self.took.as_secs_f64());
        text.sample("_count", &[("entry_point", entry)], count);
    }
}

fn add(sums: &mut [u64; BUCKETS], counts: &[AtomicU64; BUCKETS]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count.load(Relaxed);
    }
}
