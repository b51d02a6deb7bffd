//! How much is answered at once: a limit that follows how long answers take, a queue that knows deadlines, and rates of
//! callers. What is over is refused at once, so that what is answered is answered in time.

mod answering;
mod queue;
mod rates;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) use self::answering::Answering;
use self::{
    answering::Place,
    queue::{Queue, Waiting},
    rates::{Over, Rates},
};
use super::ahead::{Held, Room};

/// Settings of load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The most calls that are answered at once; the limit adapts below it.
    pub max_in_flight: usize,
    /// The most calls that wait for others to end.
    pub max_queued: usize,
    /// Calls a second of one caller; 0 for no bound.
    pub caller_rate: u32,
    /// The most bytes of messages that have come in part, of all calls together.
    pub max_unfinished_bytes: usize,
    /// The most bytes of answers that are still to be sent, of all calls together; small ones are sent beyond it.
    pub max_unsent_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_in_flight: 1_024,
            max_queued: 1_024,
            caller_rate: 0,
            max_unfinished_bytes: 64 << 20,
            max_unsent_bytes: 64 << 20,
        }
    }
}

/// The limit at the start, which rises once calls find no place.
const START: usize = 256;
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

/// What one server may do at once.
pub struct Load {
    config: Config,
    permits: Arc<Semaphore>,
    limit: AtomicUsize,
    /// Permits that are out and over the limit: who has one takes it away.
    over: AtomicUsize,
    queue: Arc<Queue>,
    /// Whether a call had to wait since the limit last changed.
    pressed: AtomicBool,
    /// The most calls that were answered at once in this window.
    peak: AtomicUsize,
    /// Nanoseconds of the answers of this window, and how many.
    window: (AtomicU64, AtomicU64),
    /// The fastest window, in nanoseconds. It follows slower answers only where load can't be why they are slow.
    usual: AtomicU64,
    rates: Rates,
    /// Those that wait for something else, without a place.
    outside: Arc<Semaphore>,
    /// Of their messages.
    outside_room: Arc<Room>,
    room: Arc<Room>,
    /// Of answers that are to be sent.
    unsent: Arc<Room>,
    /// Of calls that everyone may make; each of them takes little.
    free: Arc<Room>,
    shed: [AtomicU64; Cause::ALL.len()],
}

/// How the load fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many calls are answered at once, at most, as of now.
    pub limit: usize,
    /// How many wait.
    pub queued: usize,
    /// The bytes of messages that have come in part.
    pub unfinished: usize,
    /// The bytes of answers that are to be sent.
    pub unsent: usize,
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
    /// A part of its message came, and too many parts of others wait for their rest.
    Unfinished,
    /// Its answer is large, and too many are to be sent.
    Unsent,
    /// It would wait for something else, as too many others do.
    Waiting,
}

impl Cause {
    const ALL: [Self; 8] = [
        Self::QueueFull,
        Self::TooLate,
        Self::Waited,
        Self::Rate,
        Self::Callers,
        Self::Unfinished,
        Self::Unsent,
        Self::Waiting,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLate => "too_late",
            Self::Waited => "waited",
            Self::Rate => "caller_rate",
            Self::Callers => "too_many_callers",
            Self::Unfinished => "unfinished",
            Self::Unsent => "unsent",
            Self::Waiting => "waiting",
        }
    }
}

/// A call that came, and has a place or waits for one, until this is dropped.
pub(super) struct Came {
    load: Arc<Load>,
    at: Instant,
    /// How long its client waits.
    patience: Duration,
    stands: Stands,
}

/// What a call takes that waits for something else, until this is dropped.
pub(super) struct Outside {
    _one: OwnedSemaphorePermit,
    _room: Held,
}

/// Where a call stands that came.
enum Stands {
    Placed(Place),
    /// For so long at most.
    Queued(Waiting, Duration),
}

/// Why a call is not answered now, and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shed {
    Overloaded(Duration),
    TooMany(Duration),
    /// Its deadline has passed.
    Late,
}

impl Load {
    /// A server that does nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let limit = config.max_in_flight.min(START);
        Self {
            rates: Rates::new(config.caller_rate),
            room: Arc::new(Room::new(config.max_unfinished_bytes)),
            unsent: Arc::new(Room::new(config.max_unsent_bytes)),
            free: Arc::new(Room::new(usize::MAX)),
            outside: Arc::new(Semaphore::new(config.max_in_flight)),
            outside_room: Arc::new(Room::new(config.max_unfinished_bytes)),
            permits: Arc::new(Semaphore::new(limit)),
            config,
            limit: limit.into(),
            over: 0.into(),
            queue: Arc::new(Queue::new()),
            pressed: false.into(),
            peak: 0.into(),
            window: (0.into(), 0.into()),
            usual: u64::MAX.into(),
            shed: Default::default(),
        }
    }

    /// How it fares.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let counts = Cause::ALL.iter().zip(&self.shed);
        Figures {
            limit: self.limit.load(Relaxed),
            queued: self.queue.len(),
            unfinished: self.room.taken(),
            unsent: self.unsent.taken(),
            shed: counts.map(|(why, count)| (why.name(), count.load(Relaxed))).collect(),
        }
    }

    fn count(&self, why: Cause) {
        if let Some((_, count)) = Cause::ALL.iter().zip(&self.shed).find(|(known, _)| **known == why) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// A call comes, with its message: it gets a place, or one in the queue, if it can be answered in time there. This costs
    /// next to nothing, so that it can be asked before anything else is done for the call. From here on, what the call's task waits for
    /// its turn counts as time that its answer takes: where policies keep every processor busy, that is where calls wait.
    pub(super) fn come(self: &Arc<Self>, patience: Duration) -> Result<Came, Shed> {
        let at = Instant::now();
        let stands = if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            let placed = self.placed();
            // Most calls find it as high, and write nothing.
            if placed > self.peak.load(Relaxed) {
                self.peak.fetch_max(placed, Relaxed);
            }
            Stands::Placed(Place::new(self, permit))
        } else {
            self.pressed.store(true, Relaxed);
            let (before, waiting) = Queue::join(&self.queue, at);
            Stands::Queued(waiting, self.may_wait(before, patience / WAITS)?)
        };
        Ok(Came { load: Arc::clone(self), at, patience, stands })
    }

    /// Whether a call that came now would get a place, or one in the queue. Nothing is taken.
    pub(super) fn look(&self, patience: Duration) -> Result<(), Shed> {
        if self.permits.available_permits() > 0 {
            return Ok(());
        }
        self.pressed.store(true, Relaxed);
        self.may_wait(self.queue.len(), patience / WAITS).map(drop)
    }

    /// Room for one more that waits for something else, without a place, and keeps `bytes` meanwhile. What is larger than all the room
    /// takes all of it.
    pub(super) fn outside(&self, bytes: usize) -> Result<Outside, Shed> {
        let mut room = Held::none(&self.outside_room);
        let one = Arc::clone(&self.outside).try_acquire_owned();
        if let Ok(one) = one
            && room.grow(bytes.min(self.config.max_unfinished_bytes))
        {
            return Ok(Outside { _one: one, _room: room });
        }
        self.count(Cause::Waiting);
        Err(Shed::Overloaded(again(Duration::ZERO)))
    }

    /// The room for messages that have come in part.
    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// The same for calls that everyone may make.
    pub(super) fn free_room(&self) -> &Arc<Room> {
        &self.free
    }

    /// The room for answers that are to be sent.
    pub(super) fn unsent(&self) -> &Arc<Room> {
        &self.unsent
    }

    /// An answer finds no room until it is sent.
    pub(super) fn not_sent(&self) -> Shed {
        self.count(Cause::Unsent);
        Shed::Overloaded(again(Duration::ZERO))
    }

    /// A call finds no room for the part of its message that came.
    pub(super) fn no_room(&self) -> Shed {
        self.count(Cause::Unfinished);
        Shed::Overloaded(again(Duration::ZERO))
    }

    /// How long who comes behind `before` others may wait, if it can be answered by then.
    fn may_wait(&self, before: usize, patience: Duration) -> Result<Duration, Shed> {
        let gap = self.gap();
        let patience = self.queue.patience(patience, gap, Instant::now());
        let expected = gap.saturating_mul(saturated(before));
        // Who could not be answered in time would only hold up others.
        if before >= self.config.max_queued || expected > patience {
            self.count(if before >= self.config.max_queued { Cause::QueueFull } else { Cause::TooLate });
            return Err(Shed::Overloaded(again(expected)));
        }
        Ok(patience)
    }

    /// How long after each other calls end, by how long answers take now; no time at all while nobody knows.
    fn gap(&self) -> Duration {
        let usual = self.usual.load(Relaxed);
        if usual == u64::MAX {
            return Duration::ZERO;
        }
        let (sum, count) = (self.window.0.load(Relaxed), self.window.1.load(Relaxed));
        let each = sum.checked_div(count).unwrap_or(usual).max(usual);
        Duration::from_nanos(each / (self.limit.load(Relaxed).max(1) as u64))
    }

    /// Whether that caller may ask once more now.
    pub(super) fn rate(&self, caller: &str, now: Instant) -> Result<(), Shed> {
        self.rates.take(caller, now).map_err(|over| match over {
            Over::Rate(left) => {
                self.count(Cause::Rate);
                Shed::TooMany(again(left))
            }
            Over::Callers => {
                self.count(Cause::Callers);
                Shed::TooMany(Duration::from_secs(1))
            }
        })
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
        let pressed = self.pressed.swap(false, Relaxed);
        let peak = self.peak.swap(self.placed(), Relaxed);
        // A limit that few calls come near is not why they are slow, and a lower one would not make them faster.
        let binds = pressed || peak >= limit / 2;
        let usual = match self.usual.load(Relaxed) {
            u64::MAX => mean,
            // Nobody waits, or as few are answered at once as can be: it is the policies that became slower. A server
            // that is full takes its own queue for the policies otherwise, lets in more, and becomes slower yet.
            usual if !pressed || limit <= least => mean.min(usual.saturating_add(usual / 64)),
            usual => mean.min(usual),
        };
        self.usual.store(usual, Relaxed);
        let allowed = usual.saturating_mul(SLOWER);
        let is_slow = u128::from(mean) > SLOW.as_nanos() && mean > allowed;
        let next = match (is_slow, pressed) {
            (true, _) if binds => fallen(limit, allowed, mean).max(least),
            (false, true) => (limit + limit / 16 + 1).min(most),
            // Nobody needs more, and who comes in a flood later is better off without.
            _ => return,
        };
        if self.limit.compare_exchange(limit, next, Relaxed, Relaxed).is_ok() {
            self.permit(limit, next);
        }
    }

    /// How many calls have a place.
    fn placed(&self) -> usize {
        (self.limit.load(Relaxed) + self.over.load(Relaxed)).saturating_sub(self.permits.available_permits())
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

impl Came {
    /// Lets it begin, at once or as soon as others have ended.
    pub(super) async fn begin(self) -> Result<Answering, Shed> {
        let Self { load, at, patience, stands } = self;
        let turn = at.elapsed();
        // Nobody waits for this answer any more, and others do.
        if turn > patience {
            return Err(Shed::Late);
        }
        match stands {
            Stands::Placed(place) => Ok(Answering::new(at, place)),
            Stands::Queued(waiting, longest) => {
                let free =
                    tokio::time::timeout(longest.saturating_sub(turn), Arc::clone(&load.permits).acquire_owned());
                let Ok(Ok(permit)) = free.await else {
                    load.count(Cause::Waited);
                    return Err(Shed::Overloaded(again(load.gap())));
                };
                drop(waiting);
                let now = Instant::now();
                let began = now.checked_sub(turn).unwrap_or(now);
                Ok(Answering::new(began, Place::new(&load, permit)))
            }
        }
    }
}

/// One more than so many.
fn saturated(before: usize) -> u32 {
    u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
}

/// When to try again: not before what there is can have ended, and never at once.
fn again(expected: Duration) -> Duration {
    expected.clamp(Duration::from_millis(100), Duration::from_secs(10))
}

#[cfg(test)]
mod tests;
