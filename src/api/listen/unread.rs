//! What a connection's client leaves unread. Pings don't tell: who answers them may still take nothing of what it asked for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// What is still to be sent on a connection; its requests carry it.
#[derive(Debug, Default)]
pub struct Unread {
    unsent: AtomicUsize,
    sent: AtomicUsize,
}

/// Something that is to be sent, until it was.
#[derive(Debug)]
pub struct Pending(Arc<Unread>);

impl Unread {
    /// How many parts of answers are to be sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.unsent.load(Relaxed)
    }

    /// Waits until something was to be sent for at least so long, and nothing was.
    pub(super) async fn stalls(&self, after: Duration) {
        let (mut seen, mut stood) = (self.sent.load(Relaxed), 0);
        // Something may have come just before the first look.
        while stood < 3 {
            tokio::time::sleep(after / 2).await;
            let sent = self.sent.load(Relaxed);
            stood = if self.unsent() > 0 && sent == seen { stood + 1 } else { 0 };
            seen = sent;
        }
    }
}

impl Pending {
    /// Something is to be sent there.
    #[must_use]
    pub fn new(on: &Arc<Unread>) -> Self {
        on.unsent.fetch_add(1, Relaxed);
        Self(Arc::clone(on))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.sent.fetch_add(1, Relaxed);
        self.0.unsent.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_stands_still_stalls() {
        let unread = Arc::new(Unread::default());
        let after = Duration::from_millis(600);
        let stalls = async |time| tokio::time::timeout(Duration::from_millis(time), unread.stalls(after)).await.is_ok();
        assert!(!stalls(2_000).await, "nothing is to be sent");
        let first = Pending::new(&unread);
        let sending = async {
            for _ in 0..40 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                drop(Pending::new(&unread));
            }
        };
        tokio::select! {
            () = unread.stalls(after) => panic!("something is sent"),
            () = sending => {}
        }
        assert!(!stalls(500).await);
        assert!(stalls(60_000).await);
        drop(first);
        assert!(!stalls(2_000).await);
    }
}
