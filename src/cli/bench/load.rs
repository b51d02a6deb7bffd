//! Puts requests to a server for a while: as fast as it answers (closed loop), or at a given rate (open loop).

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::task::JoinSet;

use super::{
    client::{Asker, Connection},
    pace::Pacer,
    questions::Requests,
    tally::Tally,
};

/// How long answers that are outstanding at the end are waited for.
const GRACE: Duration = Duration::from_secs(5);
/// A pause after an error, so that a server that is gone is not asked in a spin.
const PAUSE: Duration = Duration::from_millis(10);

/// How hard, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Requests in flight on each connection.
    pub(super) concurrency: usize,
    /// What is not measured before.
    pub(super) warmup: Duration,
    /// What is measured.
    pub(super) duration: Duration,
    /// Requests a second in all; `None` for as many as are answered.
    pub(super) rate: Option<u32>,
}

/// Runs `plan` over `connections`.
pub(super) async fn run(connections: Vec<Connection>, requests: &Arc<Requests>, plan: Plan) -> anyhow::Result<Tally> {
    let begin = Instant::now();
    let from = begin + plan.warmup;
    let until = from + plan.duration;
    let pacer = plan.rate.map(|rate| Arc::new(Pacer::new(begin, rate)));
    let mut total = Tally::new(from, until)?;
    let mut asking = JoinSet::new();
    let count = connections.len().max(1);
    for (number, connection) in connections.into_iter().enumerate() {
        let load = Load {
            requests: Arc::clone(requests),
            // Each starts at another place of the round.
            next: AtomicUsize::new(number * requests.len() / count),
            pacer: pacer.clone(),
            until,
            tally: Mutex::new(total.clone()),
        };
        asking.spawn(load.run(connection.askers(requests.method, plan.concurrency)));
    }
    if let Some(pacer) = &pacer {
        let pacer = Arc::clone(pacer);
        // A thread of its own: the runtime's timer is no finer than a millisecond.
        let _ = tokio::task::spawn_blocking(move || pacer.run(until)).await;
    }
    while let Some(tally) = asking.join_next().await {
        if let Ok(tally) = tally {
            total.add(&tally);
        }
    }
    total.unsent = pacer.map_or(0, |pacer| pacer.unsent());
    Ok(total)
}

/// What one connection is to do.
struct Load {
    requests: Arc<Requests>,
    next: AtomicUsize,
    pacer: Option<Arc<Pacer>>,
    until: Instant,
    // Never contended: one task runs all of a connection's requests.
    tally: Mutex<Tally>,
}

impl Load {
    async fn run(self, askers: Vec<Asker>) -> Tally {
        let mut asking: FuturesUnordered<_> = askers.into_iter().map(|asker| self.ask_with(asker)).collect();
        let finished = async { while asking.next().await.is_some() {} };
        let in_time = tokio::time::timeout_at((self.until + GRACE).into(), finished).await.is_ok();
        let unanswered = if in_time { 0 } else { asking.len() };
        drop(asking);
        let mut tally = self.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        tally.unanswered = unanswered as u64;
        tally
    }

    /// One request after the other.
    async fn ask_with(&self, mut asker: Asker) {
        loop {
            let intended = match &self.pacer {
                None => Some(Instant::now()).filter(|now| *now < self.until),
                Some(pacer) => pacer.turn().await,
            };
            let Some(intended) = intended else { return };
            let body = self.requests.body(self.next.fetch_add(1, Ordering::Relaxed));
            let answer = asker.ask(body).await;
            let failed = answer.is_err();
            self.tally.lock().unwrap_or_else(PoisonError::into_inner).record(intended, Instant::now(), answer);
            if failed {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
