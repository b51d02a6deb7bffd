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
    bytes: AtomicUsize,
    sent: AtomicUsize,
}

/// Something that is to be sent, until it was.
#[derive(Debug)]
pub struct Pending {
    on: Arc<Unread>,
    bytes: usize,
}

impl Unread {
    /// How many parts of answers are to be sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.unsent.load(Relaxed)
    }

    /// How many bytes these have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
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
    /// So many bytes are to be sent there.
    #[must_use]
    pub fn new(on: &Arc<Unread>, bytes: usize) -> Self {
        on.unsent.fetch_add(1, Relaxed);
        on.bytes.fetch_add(bytes, Relaxed);
        Self { on: Arc::clone(on), bytes }
    }

    /// Of these, no more than so many are left.
    #[must_use]
    pub fn of(mut self, bytes: usize) -> Self {
        let gone = self.bytes.saturating_sub(bytes);
        self.bytes -= gone;
        self.on.bytes.fetch_sub(gone, Relaxed);
        self
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.on.sent.fetch_add(1, Relaxed);
        self.on.unsent.fetch_sub(1, Relaxed);
        self.on.bytes.fetch_sub(self.bytes, Relaxed);
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
        let first = Pending::new(&unread, 10);
        let sending = async {
            for _ in 0..40 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                drop(Pending::new(&unread, 1));
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
