//! A call that has its place, and what its time tells of how long answers take.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use tokio::sync::OwnedSemaphorePermit;

use super::Load;

/// One of as many as are answered at once.
pub(super) struct Place {
    load: Arc<Load>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// The place of that permit.
    pub(super) fn new(load: &Arc<Load>, permit: OwnedSemaphorePermit) -> Self {
        Self { load: Arc::clone(load), permit: Some(permit) }
    }
}

/// A call that is answered, until this is dropped.
pub(in super::super) struct Answering {
    /// When it had its place, by what is known: who waits for one has it before its task gets its turn.
    began: Instant,
    place: Place,
    counts: Counts,
}

/// Whether the time of an answer tells how long answers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    Yes,
    /// Nothing was decided yet: what is refused soon says nothing, and what was given up late says that it took longer.
    IfSlow,
    No,
}

impl Drop for Place {
    fn drop(&mut self) {
        let is_over = |over: usize| over.checked_sub(1);
        if self.load.over.fetch_update(Relaxed, Relaxed, is_over).is_ok()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
    }
}

impl Answering {
    /// It began then, in that place.
    pub(super) fn new(began: Instant, place: Place) -> Self {
        Self { began, place, counts: Counts::IfSlow }
    }

    /// It ends, and its time counts for nothing.
    pub(in super::super) fn forget(mut self) {
        self.counts = Counts::No;
    }

    /// It ends with a decision.
    pub(in super::super) fn end(mut self) {
        if self.counts == Counts::IfSlow {
            self.counts = Counts::Yes;
        }
    }

    /// It waits for something else from here on: its time ends now, if something was decided.
    pub(in super::super) fn pause(&mut self, decided: bool) {
        if decided && self.counts != Counts::No {
            self.place.load.ended(self.began.elapsed());
        }
        self.counts = Counts::No;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let (load, took) = (&self.place.load, self.began.elapsed());
        let is_slow = || took.as_nanos() > load.usual.load(Relaxed).into();
        if self.counts == Counts::Yes || self.counts == Counts::IfSlow && is_slow() {
            load.ended(took);
        }
    }
}
