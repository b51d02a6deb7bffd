//! The evaluators of one snapshot, one for each thread that evaluates, without a lock.
//!
//! An evaluator is built from source and shares no memory with the others: on many cores, the reference counts of
//! shared policies alone would cost more than half of the throughput.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crossbeam_utils::{CachePadded, atomic::AtomicCell};

/// A fixed set of `T`s, each in use by at most one thread.
pub(super) struct Pool<T> {
    slots: Box<[CachePadded<Slot<T>>]>,
}

type Slot<T> = AtomicCell<Option<Box<T>>>;

/// A `T` on loan; goes back when dropped, also when its thread panics.
pub(super) struct Loan<'a, T> {
    slot: &'a Slot<T>,
    // `Some` until dropped.
    item: Option<Box<T>>,
}

thread_local! {
    /// The thread's number, which says where it looks first.
    static HOME: Cell<Option<usize>> = const { Cell::new(None) };
}

impl<T: Send> Pool<T> {
    /// A pool of these.
    pub(super) fn new(items: impl IntoIterator<Item = T>) -> Self {
        let slot = |item| CachePadded::new(AtomicCell::new(Some(Box::new(item))));
        Self { slots: items.into_iter().map(slot).collect() }
    }

    /// Whether there is nothing to take, ever.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes one; the calling thread's own, if no other thread has it. With as many as there are threads, one is
    /// always free; otherwise this waits, for at most `patience`.
    pub(super) fn take(&self, patience: Duration) -> Option<Loan<'_, T>> {
        let home = home();
        let mut since = None;
        loop {
            let (before, from_home) = self.slots.split_at(home % self.slots.len().max(1));
            for slot in from_home.iter().chain(before) {
                if let Some(item) = slot.take() {
                    return Some(Loan { slot, item: Some(item) });
                }
            }
            if since.get_or_insert_with(Instant::now).elapsed() >= patience {
                return None;
            }
            thread::yield_now();
        }
    }
}

impl<T> Loan<'_, T> {
    /// The item.
    pub(super) fn get(&mut self) -> Option<&mut T> {
        self.item.as_deref_mut()
    }
}

impl<T> Drop for Loan<'_, T> {
    fn drop(&mut self) {
        self.slot.store(self.item.take());
    }
}

fn home() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    HOME.with(|home| {
        home.get().unwrap_or_else(|| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            home.set(Some(number));
            number
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn one_item_is_never_with_two_threads() {
        let pool = Arc::new(Pool::new([0_u64, 0]));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let pool = Arc::clone(&pool);
                thread::spawn(move || {
                    for _ in 0..10_000 {
                        *pool.take(Duration::from_secs(10)).unwrap().get().unwrap() += 1;
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let mut one = pool.take(Duration::ZERO).unwrap();
        let mut other = pool.take(Duration::ZERO).unwrap();
        assert_eq!(*one.get().unwrap() + *other.get().unwrap(), 40_000);
        assert!(pool.take(Duration::ZERO).is_none());
    }

    #[test]
    fn an_item_comes_back_from_a_panic() {
        let pool = Pool::new([()]);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _loan = pool.take(Duration::ZERO);
            panic!("in use");
        }));
        assert!(pool.take(Duration::ZERO).is_some());
    }
}
