//! Keeps one issuer's keys: fetches them at the start, again when they may have changed, and at once when a token names a
//! key that is not among them; one fetch at a time, however many wait for it, and never soon after another.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

use super::{
    config::{KeysFrom, Times, Transport},
    fault::Fault,
    origin::Origin,
};
use crate::identity::{Identity, Issuer, KeySet};

/// The keeper of one issuer's keys.
#[derive(Debug)]
pub(super) struct Keeper {
    name: String,
    is_bundle: bool,
    origin: Origin,
    times: Times,
    state: Mutex<State>,
    wanted: Notify,
    /// How many fetches have ended.
    ended: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    /// Whether a fetch is under way, or about to begin.
    fetching: bool,
    /// When the last one began.
    began: Option<Instant>,
    /// When the last one began that brought keys.
    good: Option<Instant>,
}

impl Keeper {
    pub(super) fn new(issuer: &Issuer, keys: KeysFrom, times: Times, transport: Transport) -> Self {
        let is_bundle = matches!(issuer.identity, Identity::TrustDomain(_));
        Self::of(issuer.name.clone(), is_bundle, Origin::new(keys, issuer.identity.as_str(), transport), times)
    }

    /// The keeper of the keys that are there, of whoever is called so.
    pub(super) fn of(name: String, is_bundle: bool, origin: Origin, times: Times) -> Self {
        Self {
            name,
            is_bundle,
            origin,
            times,
            // The first is about to begin: who asks before it has ended waits for it.
            state: Mutex::new(State { fetching: true, began: None, good: None }),
            wanted: Notify::new(),
            ended: watch::Sender::new(0),
        }
    }

    /// How old the keys are that were fetched last; `None` if none ever were.
    pub(super) fn age(&self) -> Option<Duration> {
        self.state().good.map(|good| good.elapsed())
    }

    /// What is ready once a fetch has ended that is under way, or that this makes begin. `None` where the last one is too
    /// short a time ago.
    pub(super) fn refreshed(&self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let mut state = self.state();
        if !state.fetching {
            if state.began.is_some_and(|began| began.elapsed() < self.times.apart) {
                return None;
            }
            state.fetching = true;
            self.wanted.notify_one();
        }
        let mut ended = self.ended.subscribe();
        let so_far = *ended.borrow();
        Some(async move {
            let _ = ended.wait_for(|now| *now > so_far).await;
        })
    }

    /// Tells of this issuer's keys, whatever becomes of them, without end.
    pub(super) async fn run(self: Arc<Self>, publish: impl Fn(Option<KeySet>) + Send + 'static) {
        let mut good: Option<Instant> = None;
        let mut failures: u32 = 0;
        loop {
            let began = Instant::now();
            {
                let mut state = self.state();
                (state.fetching, state.began) = (true, Some(began));
            }
            let next = match self.fetch().await {
                Ok((keys, max_age)) => {
                    if failures > 0 || good.is_none() {
                        tracing::info!(issuer = self.name, "the issuer's keys were fetched");
                    }
                    (good, failures) = (Some(began), 0);
                    self.state().good = good;
                    publish(Some(keys));
                    // A time of the issuer's own, within what is configured.
                    let refresh = max_age.unwrap_or(self.times.refresh).max(self.times.apart);
                    began + refresh.min(self.times.refresh.max(self.times.apart))
                }
                Err(fault) => {
                    tracing::warn!(issuer = self.name, %fault, "the issuer's keys can't be fetched");
                    failures = failures.saturating_add(1);
                    // 1 s, 2 s, 4 s … at first, so that an issuer that starts beside us is not waited for long.
                    let wait = Duration::from_secs(1 << failures.min(6).saturating_sub(1)).min(self.times.apart);
                    Instant::now() + wait.max(Duration::from_secs(1))
                }
            };
            self.expire(&publish, &mut good);
            {
                self.state().fetching = false;
                self.ended.send_modify(|ended| *ended += 1);
            }
            let stale = good.map(|good| good + self.times.refresh + self.times.stale);
            loop {
                let until = stale.filter(|_| good.is_some()).map_or(next, |stale| stale.min(next));
                tokio::select! {
                    () = self.wanted.notified() => break,
                    () = sleep_until(until) => {
                        self.expire(&publish, &mut good);
                        if until == next {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Takes away keys that are older than they may be.
    fn expire(&self, publish: &impl Fn(Option<KeySet>), good: &mut Option<Instant>) {
        if good.is_some_and(|good| good.elapsed() >= self.times.refresh + self.times.stale) {
            tracing::error!(issuer = self.name, "the issuer's keys are too old to be used; its tokens are refused");
            publish(None);
            *good = None;
        }
    }

    async fn fetch(&self) -> Result<(KeySet, Option<Duration>), Fault> {
        let (text, max_age) = self.origin.fetch().await?;
        let read = if self.is_bundle { KeySet::parse_bundle(&text) } else { KeySet::parse(&text) };
        read.map(|keys| (keys, max_age)).map_err(|_| Fault::NoKeys)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
