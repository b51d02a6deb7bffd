//! What the asker of an isolated evaluation holds: one answer, whoever gives it first.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use futures::channel::oneshot;

use super::What;
use crate::{decision::Verdict, policy::budget::Spent};

/// The right to one answer.
pub(super) struct Ticket {
    /// Its deadline, and its number.
    pub(super) key: (Instant, u64),
    /// The entry point that was asked.
    pub(super) what: What,
    answer: Mutex<Option<oneshot::Sender<Verdict>>>,
    begun: AtomicBool,
}

impl Ticket {
    pub(super) fn new(key: (Instant, u64), what: What, answer: oneshot::Sender<Verdict>) -> Self {
        Self { key, what, answer: Mutex::new(Some(answer)), begun: AtomicBool::new(false) }
    }

    /// Whether somebody still waits for the answer.
    pub(super) fn is_open(&self) -> bool {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.as_ref().is_some_and(|answer| !answer.is_canceled())
    }

    /// Its evaluation runs.
    pub(super) fn begin(&self) {
        self.begun.store(true, Relaxed);
    }

    /// Gives the answer, unless there is one; whether this was it.
    pub(super) fn settle(&self, verdict: Verdict) -> bool {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.is_some_and(|answer| answer.send(verdict).is_ok())
    }

    /// Gives the answer that time is over.
    pub(super) fn expire(&self) -> bool {
        let what = &self.what;
        self.settle(if self.begun.load(Relaxed) {
            Spent::WallClock.deny(format!("`{what}` took longer than it may"), None)
        } else {
            Spent::Queue.deny(format!("`{what}` waited for all of its time behind others that take long"), None)
        })
    }
}
