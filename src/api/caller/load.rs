//! How much is answered at once: a limit that follows how long answers take, a queue that knows deadlines, and rates of
//! callers. What is over is refused at once, so that what is answered is answered in time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Settings of load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The most calls that are answered at once; the limit adapts below it.
    pub max_in_flight: usize,
    /// The most calls that wait for others to end.
    pub max_queued: usize,
    /// Calls a second of one caller; 0 for no bound.
    pub caller_rate: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_in_flight: 1_024, max_queued: 1_024, caller_rate: 0 }
    }
}

/// The least that the limit falls to.
const LEAST: usize = 16;
/// How many answers are looked at before the limit changes.
const WINDOW: u64 = 64;
/// Slower than this times what is usual is too slow.
const SLOWER: u64 = 3;
/// A call waits at most this part of its client's patience, so that what begins can also end in time.
const WAITS: u32 = 4;
/// The shortest time that counts as slow: below it, calls are fast enough, whatever the ratio.
const SLOW: Duration = Duration::from_millis(20);
/// Callers whose rate is remembered.
const CALLERS: usize = 10_000;

/// What one server may do at once.
pub struct Load {
    config: Config,
    permits: Arc<Semaphore>,
    limit: AtomicUsize,
    /// Permits that are out and over the limit: who has one takes it away.
    over: AtomicUsize,
    queued: AtomicUsize,
    /// Whether a call had to wait since the limit last changed.
    pressed: AtomicBool,
    /// Nanoseconds of the answers of this window, and how many.
    window: (AtomicU64, AtomicU64),
    /// The fastest window, in nanoseconds. It follows slower answers only where load can't be why they are slow.
    usual: AtomicU64,
    rates: Mutex<HashMap<String, Bucket>>,
    shed: [AtomicU64; Cause::ALL.len()],
}

/// How the load fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many calls are answered at once, at most, as of now.
    pub limit: usize,
    /// How many wait.
    pub queued: usize,
    /// How many were refused, by why.
    pub shed: Vec<(&'static str, u64)>,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// As many wait as may.
    QueueFull,
    /// It could not be answered before its deadline.
    TooLate,
    /// Its deadline came while it waited.
    Waited,
    /// Its caller's rate.
    Rate,
    /// More callers than rates are kept of.
    Callers,
}

impl Cause {
    const ALL: [Self; 5] = [Self::QueueFull, Self::TooLate, Self::Waited, Self::Rate, Self::Callers];

    fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLate => "too_late",
            Self::Waited => "waited",
            Self::Rate => "caller_rate",
            Self::Callers => "too_many_callers",
        }
    }
}

/// What a caller may still do: filled again as time goes by.
struct Bucket {
    left: f64,
    at: Instant,
}

/// A call that is answered, until this is dropped.
pub(super) struct Answering {
    load: Arc<Load>,
    began: Instant,
    permit: Option<OwnedSemaphorePermit>,
}

/// Why a call is not answered now, and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shed {
    Overloaded(Duration),
    TooMany(Duration),
}

struct Queued<'a>(&'a AtomicUsize);

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Load {
    /// A server that does nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let limit = config.max_in_flight;
        Self {
            config,
            permits: Arc::new(Semaphore::new(limit)),
            limit: limit.into(),
            over: 0.into(),
            queued: 0.into(),
            pressed: false.into(),
            window: (0.into(), 0.into()),
            usual: u64::MAX.into(),
            rates: Mutex::default(),
            shed: Default::default(),
        }
    }

    /// How it fares.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let counts = Cause::ALL.iter().zip(&self.shed);
        Figures {
            limit: self.limit.load(Relaxed),
            queued: self.queued.load(Relaxed),
            shed: counts.map(|(why, count)| (why.name(), count.load(Relaxed))).collect(),
        }
    }

    fn count(&self, why: Cause) {
        if let Some((_, count)) = Cause::ALL.iter().zip(&self.shed).find(|(known, _)| **known == why) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Lets a call begin at once, or as soon as others have ended, if that can be within `patience`.
    pub(super) async fn begin(self: &Arc<Self>, patience: Duration) -> Result<Answering, Shed> {
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait(patience).await?,
        };
        Ok(Answering { load: Arc::clone(self), began: Instant::now(), permit: Some(permit) })
    }

    async fn wait(&self, patience: Duration) -> Result<OwnedSemaphorePermit, Shed> {
        let patience = patience / WAITS;
        self.pressed.store(true, Relaxed);
        let before = self.queued.fetch_add(1, Relaxed);
        let _queued = Queued(&self.queued);
        let expected = self.expected(before);
        // Who could not be answered in time would only hold up others.
        if before >= self.config.max_queued || expected > patience {
            self.count(if before >= self.config.max_queued { Cause::QueueFull } else { Cause::TooLate });
            return Err(Shed::Overloaded(again(expected)));
        }
        let free = tokio::time::timeout(patience, Arc::clone(&self.permits).acquire_owned());
        if let Ok(Ok(permit)) = free.await {
            return Ok(permit);
        }
        self.count(Cause::Waited);
        Err(Shed::Overloaded(again(expected)))
    }

    /// How long who comes behind `before` others may have to wait, by how long answers take now.
    fn expected(&self, before: usize) -> Duration {
        let usual = self.usual.load(Relaxed);
        if usual == u64::MAX {
            return Duration::ZERO;
        }
        let (sum, count) = (self.window.0.load(Relaxed), self.window.1.load(Relaxed));
        let each = sum.checked_div(count).unwrap_or(usual).max(usual);
        let rounds = before / self.limit.load(Relaxed).max(1) + 1;
        Duration::from_nanos(each.saturating_mul(rounds as u64))
    }

    /// Whether that caller may ask once more now.
    pub(super) fn rate(&self, caller: &str, now: Instant) -> Result<(), Shed> {
        let rate = f64::from(self.config.caller_rate);
        if self.config.caller_rate == 0 {
            return Ok(());
        }
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.len() >= CALLERS && !rates.contains_key(caller) {
            // Whose bucket is full again is as one who never came.
            rates.retain(|_, bucket| bucket.filled(rate, now) < rate);
            if rates.len() >= CALLERS {
                self.count(Cause::Callers);
                return Err(Shed::TooMany(Duration::from_secs(1)));
            }
        }
        let bucket = rates.entry(caller.to_owned()).or_insert(Bucket { left: rate, at: now });
        let left = bucket.filled(rate, now);
        *bucket = Bucket { left, at: now };
        if left < 1.0 {
            self.count(Cause::Rate);
            return Err(Shed::TooMany(again(Duration::from_secs_f64((1.0 - left) / rate))));
        }
        bucket.left -= 1.0;
        Ok(())
    }

    fn ended(&self, took: Duration) {
        let (sum, count) = &self.window;
        sum.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX / WINDOW), Relaxed);
        if count.fetch_add(1, Relaxed) + 1 < WINDOW {
            return;
        }
        // One of several that end at once takes the window; that others are lost to it does no harm.
        let (sum, count) = (sum.swap(0, Relaxed), count.swap(0, Relaxed));
        let Some(mean) = sum.checked_div(count) else { return };
        let limit = self.limit.load(Relaxed);
        let (least, most) = (LEAST.min(self.config.max_in_flight), self.config.max_in_flight);
        let usual = match self.usual.load(Relaxed) {
            u64::MAX => mean,
            // Nobody waits, or as few are answered at once as can be: it is the policies that became slower. A server
            // that is full takes its own queue for the policies otherwise, lets in more, and becomes slower yet.
            usual if !self.pressed.swap(false, Relaxed) || limit <= least => mean.min(usual.saturating_add(usual / 64)),
            usual => mean.min(usual),
        };
        self.usual.store(usual, Relaxed);
        let allowed = usual.saturating_mul(SLOWER);
        let is_slow = u128::from(mean) > SLOW.as_nanos() && mean > allowed;
        let next = if is_slow { (fallen(limit, allowed, mean)).max(least) } else { (limit + limit / 16 + 1).min(most) };
        if self.limit.compare_exchange(limit, next, Relaxed, Relaxed).is_ok() {
            self.permit(limit, next);
        }
    }

    /// As many permits as `next`, after as many as `limit`.
    fn permit(&self, limit: usize, next: usize) {
        if next > limit {
            let more = next - limit;
            let owed = self.over.fetch_update(Relaxed, Relaxed, |over| Some(over.saturating_sub(more))).unwrap_or(0);
            self.permits.add_permits(more.saturating_sub(owed));
        } else {
            // Those that are out go as they come back: where calls wait, none is ever there to be taken.
            let gone = self.permits.forget_permits(limit - next);
            self.over.fetch_add(limit - next - gone, Relaxed);
        }
    }
}

/// A limit where answers take `mean` instead of `allowed`: less by as much as they are slower, and never below half at
/// once.
fn fallen(limit: usize, allowed: u64, mean: u64) -> usize {
    let part = u128::from(allowed).saturating_mul(limit as u128).checked_div(u128::from(mean)).unwrap_or_default();
    usize::try_from(part).unwrap_or(limit).clamp(limit / 2, limit * 9 / 10)
}

impl Bucket {
    fn filled(&self, rate: f64, now: Instant) -> f64 {
        (self.left + now.saturating_duration_since(self.at).as_secs_f64() * rate).min(rate)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let is_over = |over: usize| over.checked_sub(1);
        if self.load.over.fetch_update(Relaxed, Relaxed, is_over).is_ok()
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
        }
        self.load.ended(self.began.elapsed());
    }
}

/// When to try again: not before what there is can have ended, and never at once.
fn again(expected: Duration) -> Duration {
    expected.clamp(Duration::from_millis(100), Duration::from_secs(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(max_in_flight: usize, max_queued: usize, caller_rate: u32) -> Arc<Load> {
        Arc::new(Load::new(Config { max_in_flight, max_queued, caller_rate }))
    }

    #[tokio::test]
    async fn what_is_over_waits_and_what_is_over_that_is_refused() {
        let load = load(1, 1, 0);
        let patience = Duration::from_secs(60);
        let first = load.begin(patience).await.ok().unwrap();
        let waiting = tokio::spawn({
            let load = Arc::clone(&load);
            async move { load.begin(patience).await.is_ok() }
        });
        while load.queued.load(Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(load.begin(patience).await, Err(Shed::Overloaded(_))), "the queue is full");
        drop(first);
        assert!(waiting.await.unwrap());
        let Figures { limit, queued, shed } = load.figures();
        assert_eq!((limit, queued, shed[0]), (1, 0, ("queue_full", 1)));
    }

    #[tokio::test]
    async fn who_could_not_be_answered_in_time_is_refused_at_once() {
        let load = load(1, 100, 0);
        load.usual.store(Duration::from_secs(5).as_nanos().try_into().unwrap(), Relaxed);
        let _first = load.begin(Duration::ZERO).await.ok().unwrap();
        let began = Instant::now();
        assert!(matches!(load.begin(Duration::from_secs(4)).await, Err(Shed::Overloaded(_))));
        assert!(began.elapsed() < Duration::from_secs(3), "it did not wait");
    }

    #[test]
    fn the_limit_falls_where_answers_become_slow_and_rises_again() {
        let load = load(1_000, 0, 0);
        let windows = |took: Duration, windows: u64| (0..windows * WINDOW).for_each(|_| load.ended(took));
        windows(Duration::from_millis(10), 2);
        assert_eq!(load.limit.load(Relaxed), 1_000);
        load.pressed.store(true, Relaxed);
        windows(Duration::from_millis(100), 3);
        let low = load.limit.load(Relaxed);
        assert!((LEAST..700).contains(&low), "{low}");
        assert_eq!(load.permits.available_permits(), low);
        windows(Duration::from_millis(10), 40);
        assert_eq!((load.limit.load(Relaxed), load.permits.available_permits()), (1_000, 1_000));
    }

    #[tokio::test]
    async fn the_limit_falls_also_where_all_permits_are_out() {
        let load = load(64, 64, 0);
        let patience = Duration::from_secs(60);
        let mut begun = Vec::new();
        for _ in 0..64 {
            begun.push(load.begin(patience).await.ok().unwrap());
        }
        load.usual.store(1_000_000, Relaxed);
        (0..3 * WINDOW).for_each(|_| load.ended(Duration::from_millis(100)));
        assert_eq!(load.limit.load(Relaxed), LEAST);
        // Not all: that would be another window, of fast ones.
        begun.truncate(4);
        assert_eq!((load.permits.available_permits(), load.over.load(Relaxed)), (LEAST - 4, 0));
    }

    #[test]
    fn a_full_server_does_not_get_used_to_being_slow() {
        let load = load(64, 64, 0);
        load.usual.store(10_000_000, Relaxed);
        for _ in 0..1_000 {
            load.pressed.store(true, Relaxed);
            (0..WINDOW).for_each(|_| load.ended(Duration::from_millis(25)));
        }
        assert_eq!(load.usual.load(Relaxed), 10_000_000);
        // Where nobody waits, it is the policies.
        (0..100 * WINDOW).for_each(|_| load.ended(Duration::from_millis(25)));
        assert_eq!(load.usual.load(Relaxed), 25_000_000);
    }

    #[test]
    fn a_caller_has_a_rate_and_the_next_one_its_own() {
        let load = load(1, 1, 2);
        let now = Instant::now();
        assert!(load.rate("a", now).is_ok() && load.rate("a", now).is_ok());
        assert!(matches!(load.rate("a", now), Err(Shed::TooMany(_))));
        assert!(load.rate("b", now).is_ok());
        assert!(load.rate("a", now + Duration::from_millis(600)).is_ok());
        assert!(load.rate("a", now + Duration::from_millis(700)).is_err());
    }
}
