//! What became of records, counted: every record that a sink was offered is delivered, dropped, filtered, or waits.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// For how long a message is not said again, and how many kinds are told apart.
const SILENCE: Duration = Duration::from_secs(60);
const KINDS: usize = 64;

/// Why a record was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The queue in memory was full.
    QueueFull,
    /// The spool was full, and it was the oldest, or came last.
    SpoolFull,
    /// It waited in the spool for too long.
    SpoolExpired,
    /// The spool was damaged where it stood.
    SpoolCorrupt,
    /// The spool could not be written.
    SpoolFailed,
    /// The file of a sink without a spool could not be written.
    FileFailed,
    /// It alone is larger than the sink takes.
    TooLarge,
    /// The sink refused it.
    Rejected,
    /// The process ended before it was delivered.
    Shutdown,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::QueueFull,
        Self::SpoolFull,
        Self::SpoolExpired,
        Self::SpoolCorrupt,
        Self::SpoolFailed,
        Self::FileFailed,
        Self::TooLarge,
        Self::Rejected,
        Self::Shutdown,
    ];

    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::SpoolFull => "spool_full",
            Self::SpoolExpired => "spool_expired",
            Self::SpoolCorrupt => "spool_corrupt",
            Self::SpoolFailed => "spool_failed",
            Self::FileFailed => "file_failed",
            Self::TooLarge => "too_large",
            Self::Rejected => "rejected",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A sink's figures at one moment.
#[derive(Clone, Debug, Default)]
pub struct SinkFigures {
    /// The sink.
    pub sink: String,
    /// Decisions that it was offered.
    pub offered: u64,
    /// Records that it delivered; more than once counts as often.
    pub delivered: u64,
    /// Records that were lost, by [`Cause::ALL`].
    pub dropped: [u64; 9],
    /// Records that its filter, its sampling or a policy did not want.
    pub filtered: u64,
    /// Records without payload, because a mask rule failed.
    pub withheld: u64,
    /// Deliveries, writes and rotations that failed. What a durable file without a spool could not write is not tried again.
    pub errors: u64,
    /// Decisions that became denies, or were not answered, because it could not keep their records.
    pub refused: u64,
    /// Records that wait in memory.
    pub queued: u64,
    /// Records that wait on disk.
    pub spooled: u64,
    /// Their bytes.
    pub spooled_bytes: u64,
}

/// What a sink's threads count.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) offered: AtomicU64,
    pub(super) delivered: AtomicU64,
    dropped: [AtomicU64; 9],
    pub(super) filtered: AtomicU64,
    pub(super) withheld: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) pending: AtomicU64,
    pub(super) spooled: AtomicU64,
    pub(super) spooled_bytes: AtomicU64,
    said: Mutex<Vec<(String, Instant)>>,
}

impl Counts {
    pub(super) fn lose(&self, cause: Cause, records: u64) {
        if let Some(count) = self.dropped.get(cause as usize) {
            count.fetch_add(records, Relaxed);
        }
    }

    pub(super) fn dropped(&self, cause: Cause) -> u64 {
        self.dropped.get(cause as usize).map_or(0, |count| count.load(Relaxed))
    }

    /// Whether a message of that kind was not said in the last while: what fails a thousand times a second is said
    /// once, whatever numbers are in it, and also if two things take turns.
    pub(super) fn worth_saying(&self, message: &str) -> bool {
        let kind: String = message.chars().filter(|one| !one.is_ascii_digit()).collect();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|(_, at)| at.elapsed() < SILENCE);
        // What is said so often in so many ways is no news.
        let news = said.len() < KINDS && said.iter().all(|(known, _)| *known != kind);
        if news {
            said.push((kind, Instant::now()));
        }
        news
    }

    pub(super) fn figures(&self, sink: &str, queued: u64) -> SinkFigures {
        let mut dropped = [0; 9];
        for (figure, count) in dropped.iter_mut().zip(&self.dropped) {
            *figure = count.load(Relaxed);
        }
        SinkFigures {
            sink: sink.to_owned(),
            offered: self.offered.load(Relaxed),
            delivered: self.delivered.load(Relaxed),
            dropped,
            filtered: self.filtered.load(Relaxed),
            withheld: self.withheld.load(Relaxed),
            errors: self.errors.load(Relaxed),
            refused: self.refused.load(Relaxed),
            queued: queued + self.pending.load(Relaxed),
            spooled: self.spooled.load(Relaxed),
            spooled_bytes: self.spooled_bytes.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_again_and_again_is_said_once_whatever_numbers_are_in_it() {
        let counts = Counts::default();
        let said = (0..1000).filter(|number| counts.worth_saying(&format!("it has {number} bytes"))).count();
        assert_eq!(said, 1);
        assert!(counts.worth_saying("the disk is full") && !counts.worth_saying("it has 5 bytes"));
        let many = ('a'..='z').flat_map(|one| ('a'..='z').map(move |other| format!("{one}{other}")));
        assert!(many.filter(|message| counts.worth_saying(message)).count() < KINDS);
    }
}
