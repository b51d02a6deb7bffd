//! A stream of messages of gRPC, whose parts take room as those of single messages do, and have as long to come.

use std::{
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::Held;
use crate::api::{
    caller::{Load, PREFIX, Reading},
    status::CallError,
};

/// Follows where messages begin and end ("PROTOCOL-HTTP2.md": a flag, four bytes of length, so many bytes).
pub(super) struct Parts {
    load: Arc<Load>,
    longest: Duration,
    most: u64,
    /// What came of the next one's prefix.
    prefix: Vec<u8>,
    /// How long the one is that has begun, and what is missing of it, in bytes.
    length: u64,
    missing: u64,
    /// Of one that is not all there.
    open: Option<Open>,
    /// There was no room for it.
    refused: Option<CallError>,
}

/// A message that is not all there: its room, and when it has to be.
struct Open {
    held: Held,
    late: Pin<Box<Sleep>>,
}

impl Parts {
    pub(super) fn new(reading: Reading, load: &Arc<Load>) -> Self {
        let Reading { longest, most } = reading;
        Self {
            load: Arc::clone(load),
            longest,
            most,
            prefix: Vec::new(),
            length: 0,
            missing: 0,
            open: None,
            refused: None,
        }
    }

    /// Some of them came.
    pub(super) fn come(&mut self, mut data: &[u8]) {
        let mut ended = false;
        while !data.is_empty() {
            if self.missing > 0 {
                let now = data.len().min(usize::try_from(self.missing).unwrap_or(usize::MAX));
                self.missing -= now as u64;
                ended |= self.missing == 0;
                data = data.get(now..).unwrap_or_default();
                continue;
            }
            let (now, rest) = data.split_at(data.len().min(PREFIX - self.prefix.len()));
            self.prefix.extend_from_slice(now);
            data = rest;
            if let [_, a, b, c, d] = *self.prefix.as_slice() {
                self.prefix.clear();
                self.length = u32::from_be_bytes([a, b, c, d]).into();
                self.missing = self.length;
                ended |= self.missing == 0;
            }
        }
        if ended {
            self.open = None;
        }
        if self.missing == 0 && self.prefix.is_empty() {
            return;
        }
        let (longest, room) = (self.longest, self.load.room());
        let begun = || Open { held: Held::none(room), late: Box::pin(sleep(longest)) };
        let Open { held, late } = self.open.get_or_insert_with(begun);
        if late.is_elapsed() || late.deadline() <= Instant::now() {
            // What came lay there while nobody read on, which is no fault of its client's.
            late.as_mut().reset(Instant::now() + longest);
        }
        // Who reads it has room for all of it as soon as it has begun; what is too long, it refuses.
        let needed = if self.missing > 0 { self.length.min(self.most) } else { PREFIX as u64 };
        if !held.grow(usize::try_from(needed).unwrap_or(usize::MAX)) {
            self.refused = Some(self.load.no_room().into());
        }
    }

    /// There was no room for what came.
    pub(super) fn refused(&mut self) -> Option<CallError> {
        self.refused.take()
    }

    /// The message that has begun takes too long. To be asked only while nothing of it is there to be read.
    pub(super) fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<CallError> {
        match &mut self.open {
            Some(Open { late, .. }) => late.as_mut().poll(context).map(|()| CallError::DeadlineExceeded),
            None => Poll::Pending,
        }
    }
}
