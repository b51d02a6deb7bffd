//! What the answers of a connection wait for: they are made at once, and go out once what was said of them before is kept.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
};

/// Something that is kept before answers go out which were made already, or is lost.
pub trait Commit: Send + Sync {
    /// Whether they may go out, as far as that is known by now.
    fn known(&self) -> Option<bool>;

    /// Whether they may, as soon as that is known. It ends by a time of its own, whatever happens.
    fn outcome(self: Arc<Self>) -> Outcome;

    /// That many of them never go out, because it is lost.
    fn refused(&self, answers: u64);
}

/// What becomes of a commit.
pub type Outcome = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A commit, and how many answers wait for it.
pub type Awaited = (Arc<dyn Commit>, u64);

/// What the answers of one connection wait for that were made since somebody last looked.
#[derive(Default)]
pub struct Withheld {
    any: AtomicBool,
    awaited: Mutex<Vec<Awaited>>,
}

/// After so many commits that nobody looked at, those that are kept are forgotten.
const MANY: usize = 32;

impl Withheld {
    /// Has the answer that is being made wait for `commit`. Must be said before the answer is given to who writes it.
    pub fn until(&self, commit: Arc<dyn Commit>) {
        let mut awaited = self.lock();
        if let Some((_, answers)) = awaited.last_mut().filter(|(last, _)| is_same(last, &commit)) {
            *answers += 1;
        } else {
            if awaited.len() >= MANY {
                awaited.retain(|(commit, _)| commit.known() != Some(true));
            }
            awaited.push((commit, 1));
        }
        self.any.store(true, Release);
    }

    /// Takes what there is: whoever writes looks here before each write. An answer is handed on to them by a lock of their
    /// own, so that they see what was said before.
    #[must_use]
    pub fn take(&self) -> Vec<Awaited> {
        if !self.any.load(Acquire) {
            return Vec::new();
        }
        let mut awaited = self.lock();
        self.any.store(false, Release);
        std::mem::take(&mut awaited)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Awaited>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Withheld {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Withheld").finish_non_exhaustive()
    }
}

/// Whether both are one commit.
#[must_use]
pub fn is_same(one: &Arc<dyn Commit>, other: &Arc<dyn Commit>) -> bool {
    // By where they are alone: one type may have several tables of functions.
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known(Option<bool>);

    impl Commit for Known {
        fn known(&self) -> Option<bool> {
            self.0
        }

        fn outcome(self: Arc<Self>) -> Outcome {
            Box::pin(std::future::pending())
        }

        fn refused(&self, _: u64) {}
    }

    #[test]
    fn answers_of_one_commit_are_counted_together() {
        let withheld = Withheld::default();
        assert!(withheld.take().is_empty());
        let (one, other) = (Arc::new(Known(None)), Arc::new(Known(None)));
        for commit in [&one, &one, &other, &one] {
            withheld.until(Arc::clone(commit) as Arc<dyn Commit>);
        }
        let answers: Vec<u64> = withheld.take().into_iter().map(|(_, answers)| answers).collect();
        assert_eq!(answers, [2, 1, 1]);
        assert!(withheld.take().is_empty());
    }

    #[test]
    fn where_nobody_writes_only_what_is_not_kept_is_remembered() {
        let withheld = Withheld::default();
        for number in 0..1_000 {
            withheld.until(Arc::new(Known((number != 7 && number != 500).then_some(number != 3))));
        }
        let left: Vec<_> = withheld.take().into_iter().map(|(commit, _)| commit.known()).collect();
        assert!(left.len() <= MANY + 1, "{}", left.len());
        let of = |known| left.iter().filter(|left| **left == known).count();
        assert_eq!((of(None), of(Some(false))), (2, 1), "what is lost, and what nobody knows yet");
    }
}
