//! What the answers of a connection wait for: they are made at once, and go out once all that was said before is kept.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::{Acquire, Release}},
    },
};

/// Something that is to be kept before answers that were made go out, or that is lost.
pub trait Commit: Send + Sync {
    /// Whether answers may go out, as far as that is known by now.
    fn known(&self) -> Option<bool>;

    /// Whether they may, as soon as that is known, which is in bounded time.
    fn outcome(self: Arc<Self>) -> Pin<Box<dyn Future<Output = bool> + Send>>;

    /// That many answers never go out.
    fn refused(&self, answers: u64);
}

/// A commit, and how many answers wait for it.
pub type Awaited = (Arc<dyn Commit>, u64);

/// What answers of one connection wait for that were made since this was last looked at.
#[derive(Default)]
pub struct Withheld {
    any: AtomicBool,
    awaited: Mutex<Vec<Awaited>>,
}

/// So many commits are looked through for those that are kept meanwhile.
const MANY: usize = 32;

impl Withheld {
    /// Has the answer that is being made wait for `commit`, and all that is made after it.
    pub fn until(&self, commit: Arc<dyn Commit>) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, answers)) = awaited.last_mut().filter(|(last, _)| Arc::ptr_eq(last, &commit)) {
            *answers += 1;
        } else {
            if awaited.len() >= MANY {
                awaited.retain(|(commit, _)| commit.known() != Some(true));
            }
            awaited.push((commit, 1));
        }
        self.any.store(true, Release);
    }

    /// Takes what there is.
    pub fn take(&self) -> Vec<Awaited> {
        // What is made is handed on under a lock, so whoever writes it sees this.
        if !self.any.load(Acquire) {
            return Vec::new();
        }
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        self.any.store(false, Release);
        std::mem::take(&mut awaited)
    }
}

impl std::fmt::Debug for Withheld {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Withheld")
    }
}
