//! Decisions that are committed together, and wait for it together: one answer for all, and one timer.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU8, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep_until};

use super::figures::Counts;
use crate::call::withheld::{Commit, Outcome};

/// Decisions whose records are kept by the same commit, or are not.
pub(super) struct Group {
    state: AtomicU8,
    /// One of its members waits itself.
    led: AtomicBool,
    opened: Instant,
    terms: Arc<Terms>,
    waiting: Mutex<Waiting>,
}

/// What holds for all groups of a sink.
pub(super) struct Terms {
    /// The longest that a group's first member waits.
    pub(super) patience: Duration,
    /// Whether a decision whose record is lost may not be answered.
    fails_closed: bool,
    counts: Arc<Counts>,
    began: Instant,
    /// When a group was lost last, in milliseconds since it began, and one more; 0 for never.
    lost: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    wakers: Vec<Waker>,
    /// A member looks at the time for all of them.
    timed: bool,
}

/// One of them, waiting.
pub(super) struct Member {
    group: Arc<Group>,
    /// Where its waker is.
    at: Option<usize>,
    /// Of the one that looks at the time.
    timer: Option<Pin<Box<Sleep>>>,
}

const OPEN: u8 = 0;
const KEPT: u8 = 1;
const LOST: u8 = 2;

/// A group takes members for this part of its patience: nobody waits for much less than the first does.
const PART: u32 = 8;

/// For so many milliseconds after a group was lost, nobody knows what becomes of the next.
const DOUBT: u64 = 10_000;

impl Group {
    pub(super) fn new(opened: Instant, terms: Arc<Terms>) -> Self {
        Self { state: AtomicU8::new(OPEN), led: AtomicBool::new(false), opened, terms, waiting: Mutex::default() }
    }

    /// Whether a decision of now may become a member.
    pub(super) fn takes(&self, now: Instant) -> bool {
        now.duration_since(self.opened) <= self.terms.patience / PART && !self.is_settled()
    }

    /// Says what became of the records. What was said first stays.
    pub(super) fn settle(&self, kept: bool) {
        let wakers = {
            let mut waiting = self.lock();
            if self.is_settled() {
                return;
            }
            if !kept {
                self.terms.lose();
            }
            self.state.store(if kept { KEPT } else { LOST }, Release);
            std::mem::take(&mut waiting.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether this is asked for the first time: who asks then waits itself. So who is alone can be told what became of
    /// its record, and it is known how long the others' answers wait.
    pub(super) fn lead(&self) -> bool {
        !self.led.swap(true, Relaxed)
    }

    fn is_settled(&self) -> bool {
        self.state.load(Acquire) != OPEN
    }

    fn kept(&self) -> Poll<bool> {
        match self.state.load(Acquire) {
            OPEN => Poll::Pending,
            state => Poll::Ready(state == KEPT),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Terms {
    pub(super) fn new(patience: Duration, fails_closed: bool, counts: Arc<Counts>) -> Self {
        Self { patience, fails_closed, counts, began: Instant::now(), lost: AtomicU64::new(0) }
    }

    /// Whether records may be lost, by what became of those before. Where that is of no consequence, they are not.
    pub(super) fn are_in_doubt(&self) -> bool {
        let lost = self.lost.load(Relaxed);
        self.fails_closed && lost != 0 && self.now().saturating_sub(lost) < DOUBT
    }

    fn lose(&self) {
        self.lost.store(self.now() + 1, Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }
}

impl Commit for Group {
    fn known(&self) -> Option<bool> {
        match self.kept() {
            Poll::Pending => None,
            Poll::Ready(kept) => Some(kept || !self.terms.fails_closed),
        }
    }

    fn outcome(self: Arc<Self>) -> Outcome {
        let lost = !self.terms.fails_closed;
        Box::pin(async move { Member::of(self).await || lost })
    }

    fn refused(&self, answers: u64) {
        self.terms.counts.refused.fetch_add(answers, Relaxed);
    }
}

impl Member {
    pub(super) fn of(group: Arc<Group>) -> Self {
        Self { group, at: None, timer: None }
    }
}

impl Future for Member {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let Self { group, at, timer } = &mut *self;
        if let Poll::Ready(kept) = group.kept() {
            return Poll::Ready(kept);
        }
        {
            let mut waiting = group.lock();
            // It may have been settled while this waited for the lock.
            if let Poll::Ready(kept) = group.kept() {
                return Poll::Ready(kept);
            }
            if let Some(waker) = at.and_then(|at| waiting.wakers.get_mut(at)) {
                waker.clone_from(context.waker());
            } else {
                *at = Some(waiting.wakers.len());
                waiting.wakers.push(context.waker().clone());
            }
            if !waiting.timed {
                waiting.timed = true;
                *timer = Some(Box::pin(sleep_until((group.opened + group.terms.patience).into())));
            }
        }
        if timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready()) {
            group.settle(false);
            return group.kept();
        }
        Poll::Pending
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Who looked at the time leaves: another one has to.
        if self.timer.is_some() && !self.group.is_settled() {
            let mut waiting = self.group.lock();
            waiting.timed = false;
            waiting.wakers.iter().for_each(Waker::wake_by_ref);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn opened(patience: Duration, fails_closed: bool) -> Arc<Group> {
        let terms = Arc::new(Terms::new(patience, fails_closed, Arc::default()));
        Arc::new(Group::new(Instant::now(), terms))
    }

    #[tokio::test]
    async fn all_members_hear_what_was_said_first() {
        let group = opened(LONG, true);
        let waiting: Vec<_> = (0..3).map(|_| tokio::spawn(Member::of(Arc::clone(&group)))).collect();
        tokio::task::yield_now().await;
        group.settle(true);
        group.settle(false);
        for member in waiting {
            assert!(member.await.unwrap());
        }
        assert!(Member::of(Arc::clone(&group)).await && group.is_settled(), "also who comes late");
        let lost = opened(LONG, true);
        lost.settle(false);
        assert!(!Member::of(lost).await);
    }

    #[tokio::test]
    async fn patience_ends_also_if_who_looked_at_the_time_is_gone() {
        let group = opened(Duration::from_millis(30), true);
        let first = tokio::spawn(Member::of(Arc::clone(&group)));
        tokio::task::yield_now().await;
        let others: Vec<_> = (0..2).map(|_| tokio::spawn(Member::of(Arc::clone(&group)))).collect();
        tokio::task::yield_now().await;
        first.abort();
        for other in others {
            assert!(!other.await.unwrap());
        }
        assert!(group.opened.elapsed() >= Duration::from_millis(30));
    }

    #[tokio::test]
    async fn what_is_lost_holds_back_answers_only_where_it_must_not_be() {
        for fails_closed in [true, false] {
            let lost = opened(LONG, fails_closed);
            assert_eq!((lost.known(), lost.terms.are_in_doubt()), (None, false));
            assert!(lost.lead() && !lost.lead(), "one waits itself");
            let early = tokio::spawn(Arc::clone(&lost).outcome());
            tokio::task::yield_now().await;
            lost.settle(false);
            let late = Arc::clone(&lost).outcome();
            assert_eq!(
                (lost.known(), early.await.unwrap(), late.await),
                (Some(!fails_closed), !fails_closed, !fails_closed)
            );
            assert_eq!(lost.terms.are_in_doubt(), fails_closed);
            lost.refused(3);
            assert_eq!(lost.terms.counts.refused.load(Relaxed), 3);
        }
        let silent = opened(Duration::from_millis(30), true);
        assert!(!Arc::clone(&silent).outcome().await && silent.terms.are_in_doubt(), "patience has ended");
    }
}
