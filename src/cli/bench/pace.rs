//! An open loop: requests are due at a steady rate, whether or not the earlier ones are answered.
//!
//! Latency counts from the moment at which a request was due. Counted from when it was sent, a server that stalls would
//! delay the requests that would have shown it (coordinated omission).

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

/// Gives each request its turn.
pub(super) struct Pacer {
    begin: Instant,
    interval: Duration,
    // A permit is a request that is due and not yet sent.
    due: Semaphore,
    sent: AtomicU32,
}

impl Pacer {
    /// `rate` requests a second from `begin` on.
    pub(super) fn new(begin: Instant, rate: u32) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        Self { begin, interval, due: Semaphore::new(0), sent: AtomicU32::new(0) }
    }

    /// Says when requests are due, until `until`; blocks its thread.
    pub(super) fn run(&self, until: Instant) {
        let mut given: u32 = 0;
        loop {
            let now = Instant::now();
            while self.when(given) <= now && self.when(given) < until {
                self.due.add_permits(1);
                given += 1;
            }
            if now >= until {
                self.due.close();
                return;
            }
            thread::sleep(self.when(given).min(until).saturating_duration_since(now));
        }
    }

    /// Waits until a request is due, and says since when; `None` at the end.
    pub(super) async fn turn(&self) -> Option<Instant> {
        self.due.acquire().await.ok()?.forget();
        Some(self.when(self.sent.fetch_add(1, Ordering::Relaxed)))
    }

    /// Requests that were due and never sent: the server, or this client, could not keep up.
    pub(super) fn unsent(&self) -> u64 {
        self.due.available_permits() as u64
    }

    fn when(&self, number: u32) -> Instant {
        self.begin + self.interval * number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_at_the_rate_and_count_from_when_they_were_due() {
        let begin = Instant::now();
        let pacer = std::sync::Arc::new(Pacer::new(begin, 1_000));
        let running = tokio::task::spawn_blocking({
            let pacer = std::sync::Arc::clone(&pacer);
            move || pacer.run(begin + Duration::from_millis(50))
        });
        for number in 0..10 {
            assert_eq!(pacer.turn().await, Some(begin + Duration::from_millis(number)));
        }
        running.await.unwrap();
        // At its end, what nobody took is counted, not handed out.
        assert_eq!(pacer.turn().await, None);
        assert_eq!(pacer.unsent(), 40);
    }
}
