//! A file that is durable without a spool: records are written to it and synced before their decisions are answered.
//!
//! Nothing is tried again. What could not be written is taken back, so that the file has whole lines, and each decision
//! that waited for it becomes a deny; the next ones may fare better. Of those that are denied together, the first may stay
//! in the file: a checkpoint or a rotation in their midst is not taken back. What was answered as an allow is always there.

use std::{sync::atomic::Ordering::Relaxed, time::Instant};

use super::{Context, IDLE, Shared, Sink, gather};
use crate::audit::{
    figures::Cause,
    queue::{Batch, Taken},
};

/// Writes a sink's records to where they stay.
pub(in crate::audit) struct Writer {
    shared: Shared,
    sink: Box<dyn Sink>,
}

impl Writer {
    /// `sink` has on disk what it says that it has.
    pub(in crate::audit) fn new(shared: Shared, sink: Box<dyn Sink>) -> Self {
        Self { shared, sink }
    }

    pub(in crate::audit) fn run(mut self) {
        loop {
            match self.shared.channel.queue.take(IDLE) {
                Taken::Closed => break,
                Taken::Batch(batch) if batch.is_empty() => self.sink.idle(false),
                Taken::Batch(batch) => {
                    let (begun, many) = (Instant::now(), batch.len());
                    self.keep(batch);
                    gather(&self.shared.channel, begun, many);
                }
            }
        }
        self.sink.idle(true);
    }

    fn keep(&mut self, batch: Batch) {
        let Self { shared, sink } = self;
        let (counts, name) = (&shared.channel.counts, shared.channel.name.as_str());
        counts.pending.store(batch.len() as u64, Relaxed);
        let Batch { parts, groups, .. } = batch;
        let mut lines = shared.lines(parts);
        if !lines.is_empty()
            && let Err(failure) = sink.deliver(&mut lines, &Context { counts, sink: name, spool: None })
        {
            counts.errors.fetch_add(1, Relaxed);
            counts.lose(Cause::FileFailed, lines.len() as u64);
            if counts.worth_saying(&failure.cause) {
                tracing::error!(sink = name, "records can't be kept: {}", failure.cause);
            }
        }
        counts.pending.store(0, Relaxed);
        // A sink takes out what it has.
        let kept = lines.is_empty();
        for group in groups {
            group.settle(kept);
        }
        shared.channel.queue.give_back(lines);
    }
}
