//! Decisions, how long they and their phases took: counted by every thread for itself.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{
    family::{Families, Kind, Value},
    histogram::{self, BOUNDS, BUCKETS, Times},
    labels::{ByLabel, OTHER},
    shards::Shards,
};

/// Counts questions to an entry point that there is none of.
const UNKNOWN: &str = "unknown";

pub(super) struct Decisions(ByLabel<Entry>);

/// What is counted of one entry point.
#[derive(Default)]
struct Entry {
    cells: Shards<Cells>,
    decode: Shards<Times>,
    record: Shards<Times>,
}

/// A part of what a decision takes, beside evaluating it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// From the head of the call to the question as it is asked: reading, decoding, and waiting for the rest of it.
    Decode,
    /// Until its record is where it must be.
    Record,
}

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
        self.0.with(entry_point.unwrap_or(UNKNOWN), |entry| {
            let Some(cells) = entry.cells.mine() else { return };
            let (bucket, nanos) = histogram::bucket(took);
            let buckets = if allowed { &cells.allowed } else { &cells.denied };
            if let Some(bucket) = buckets.get(bucket) {
                bucket.fetch_add(1, Relaxed);
            }
            cells.nanos.fetch_add(nanos, Relaxed);
        });
    }

    pub(super) fn phase(&self, entry_point: Option<&str>, phase: Phase, took: Duration) {
        self.0.with(entry_point.unwrap_or(UNKNOWN), |entry| match phase {
            Phase::Decode => entry.decode.record(took),
            Phase::Record => entry.record.record(took),
        });
    }

    pub(super) fn measure(&self, out: &mut Families) {
        let entries = self.0.sorted();
        let sums: Vec<_> = entries.iter().map(|(name, entry)| (name, entry, Sum::of(&entry.cells))).collect();
        out.family("verdict_decisions_total", Kind::Counter, "Decisions, by the entry point asked and the effect.");
        for (name, _, sum) in &sums {
            out.sample(&[("entry_point", name), ("effect", "allow")], sum.allowed.iter().sum::<u64>());
            out.sample(&[("entry_point", name), ("effect", "deny")], sum.denied.iter().sum::<u64>());
        }
        let name = "verdict_decision_duration_seconds";
        out.family(name, Kind::Histogram, "How long deciding took, by the entry point asked.");
        for (name, _, sum) in &sums {
            let counts = sum.allowed.iter().zip(sum.denied).map(|(allowed, denied)| allowed + denied).collect();
            out.sample(&[("entry_point", name)], Value::Histogram { bounds: &BOUNDS, counts, sum: sum.took });
        }
        let name = "verdict_decision_phase_duration_seconds";
        out.family(name, Kind::Histogram, "How long the other phases of decisions took, by the entry point asked.");
        for (name, entry, _) in &sums {
            for (phase, times) in [("decode", &entry.decode), ("record", &entry.record)] {
                if times.any() {
                    out.sample(&[("entry_point", name), ("phase", phase)], times.value());
                }
            }
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
}

fn add(sums: &mut [u64; BUCKETS], counts: &[AtomicU64; BUCKETS]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count.load(Relaxed);
    }
}
