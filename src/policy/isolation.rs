//! Where evaluations go that do not end at once, so that they hold up nobody: a few threads of the lowest priority,
//! with deep stacks, behind a bounded queue.
//!
//! Two lanes. Each evaluation first gets a few milliseconds in the first, so that one that is only a bit slow does not
//! wait behind those that never end; what is left then goes to the second. A watch answers, at its deadline, for each
//! evaluation that has no answer yet: also for one that is stuck in a built-in, which nothing can interrupt. Its thread
//! is given up and replaced, up to a bound.
//!
//! A thread that serves never waits for one of these: it puts its question into a queue without a lock, and the watch,
//! of ordinary priority, hands it on. A lock would not do, as a thread of low priority that holds it can be kept from
//! going on for as long as others want the processor.

mod priority;
mod ticket;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crossbeam_queue::ArrayQueue;
use futures::channel::oneshot;

pub(super) use self::priority::{ThreadId, processor_time, this_thread, yield_to_others};
use self::ticket::Ticket;
use super::budget::Spent;
use crate::decision::{Verdict, code};

/// The most that an evaluation takes in the first lane.
pub(super) const FIRST: Duration = Duration::from_millis(5);

/// How much later than its deadline an evaluation may notice that it is over, before its thread is given up.
const GRACE: Duration = Duration::from_millis(20);

/// The most evaluations that wait, in each lane.
const MAX_WAITING: usize = 256;

/// The most threads that are given up at a time.
const MAX_STUCK: usize = 16;

/// The stack of each thread. Reserved, not used, unless something nests deep.
pub(super) const STACK: usize = 256 << 20;

/// One evaluation: called with its lane and what is left of its time; `None` asks for the next lane.
pub(super) type Work = Box<dyn FnMut(Lane, Duration) -> Option<Verdict> + Send>;

/// What is evaluated, so that one that is stuck is not tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct What {
    /// The entry point.
    pub(super) name: Arc<str>,
    /// Where it belongs to, by a number that is its own while it is evaluated.
    pub(super) owner: usize,
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(out)
    }
}

/// How far an evaluation has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// [`FIRST`] at most.
    First,
    /// The whole budget.
    Last,
}

/// What became of the evaluations that were isolated in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Evaluations that did not end at once.
    pub isolated: u64,
    /// Those whose deadline passed before they ended.
    pub expired: u64,
    /// Those that were turned away, as too many waited or no thread was left.
    pub refused: u64,
    /// Evaluations that wait or run now.
    pub waiting: usize,
    /// Threads that are held by what can't be interrupted.
    pub stuck: usize,
}

/// The threads and the queue.
pub(super) struct Isolation {
    // What the watch has not seen yet.
    inbox: ArrayQueue<Job>,
    watch: OnceLock<Thread>,
    // Not for threads that serve.
    state: Mutex<State>,
    // One for each lane.
    work: [Condvar; 2],
    most: [usize; 2],
    next: AtomicU64,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    isolated: AtomicU64,
    expired: AtomicU64,
    refused: AtomicU64,
    waiting: AtomicUsize,
    stuck: AtomicUsize,
}

#[derive(Default)]
struct State {
    lanes: [Queue; 2],
    // Without an answer yet, by deadline.
    open: BTreeMap<(Instant, u64), Arc<Ticket>>,
    // What runs, by thread: until when it may.
    running: BTreeMap<u64, (Lane, Instant, What)>,
    // What holds threads that were given up, by thread.
    stuck: BTreeMap<u64, What>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

struct Job {
    ticket: Arc<Ticket>,
    work: Work,
}

/// The one of this process.
pub(super) fn shared() -> &'static Arc<Isolation> {
    static SHARED: OnceLock<Arc<Isolation>> = OnceLock::new();
    SHARED.get_or_init(|| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Isolation::new([(cores / 4).max(1), (cores / 2).max(1)]))
    })
}

/// What became of the evaluations that were isolated in this process.
#[must_use]
pub fn figures() -> Figures {
    shared().figures()
}

impl Isolation {
    /// Starts no thread before there is something to do; then up to `most` in each lane.
    fn new(most: [usize; 2]) -> Self {
        Self {
            inbox: ArrayQueue::new(MAX_WAITING),
            watch: OnceLock::new(),
            state: Mutex::default(),
            work: Default::default(),
            most,
            next: AtomicU64::new(0),
            counters: Counters::default(),
        }
    }

    /// Runs `work` off the calling thread, and does not hold it up. There is an answer shortly after `time` at the latest.
    pub(super) fn run(self: &Arc<Self>, what: What, time: Duration, work: Work) -> oneshot::Receiver<Verdict> {
        let (sender, answer) = oneshot::channel();
        let now = Instant::now();
        // A time beyond what the clock can say is a day.
        let deadline = now.checked_add(time).unwrap_or(now + Duration::from_secs(86_400));
        let ticket = Ticket::new((deadline, self.number()), what, sender);
        self.counters.isolated.fetch_add(1, Relaxed);
        match self.inbox.push(Job { ticket: Arc::new(ticket), work }) {
            Ok(()) => self.wake(),
            Err(job) => self.refuse(&job.ticket, too_many(&job.ticket.what)),
        }
        answer
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    fn refuse(&self, ticket: &Ticket, refusal: Verdict) {
        self.counters.refused.fetch_add(1, Relaxed);
        ticket.settle(refusal);
    }

    fn figures(&self) -> Figures {
        let Counters { isolated, expired, refused, waiting, stuck } = &self.counters;
        Figures {
            isolated: isolated.load(Relaxed),
            expired: expired.load(Relaxed),
            refused: refused.load(Relaxed),
            waiting: waiting.load(Relaxed),
            stuck: stuck.load(Relaxed),
        }
    }

    /// Has the watch look, and starts it if there is none.
    fn wake(self: &Arc<Self>) {
        if let Some(watch) = self.watch.get() {
            return watch.unpark();
        }
        let watched = Arc::clone(self);
        let started = thread::Builder::new().name("watch".to_owned()).spawn(move || watched.watch());
        if let Err(error) = started {
            while let Some(job) = self.inbox.pop() {
                self.refuse(&job.ticket, internal(&format!("no thread to evaluate on: {error}")));
            }
        }
    }

    fn count(&self, state: &State) {
        self.counters.waiting.store(state.open.len(), Relaxed);
        self.counters.stuck.store(state.stuck.len(), Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(self: &Arc<Self>, state: &mut State, lane: Lane, job: Job) -> Result<(), Box<Verdict>> {
        let stuck = state.stuck.len();
        if state.stuck.values().any(|what| *what == job.ticket.what) {
            let cause =
                format!("`{}`: an earlier evaluation of it can't be interrupted and still runs", job.ticket.what);
            return Err(Box::new(Spent::Queue.deny(cause, None)));
        }
        let Some(queue) = state.lanes.get_mut(lane as usize) else { return Err(Box::new(internal("no such lane"))) };
        let most = self.most.get(lane as usize).copied().unwrap_or(1);
        if queue.waiting.len() >= MAX_WAITING {
            // Those that gave up, or were answered by the watch, are no longer in the way.
            queue.waiting.retain(|job| job.ticket.is_open());
        }
        if queue.waiting.len() >= MAX_WAITING {
            return Err(Box::new(too_many(&job.ticket.what)));
        }
        if queue.idle == 0
            && queue.threads < most
            && stuck < MAX_STUCK
            && let Err(error) = self.spawn(state, lane)
        {
            return Err(Box::new(internal(&format!("no thread to evaluate on: {error}"))));
        }
        let Some(queue) = state.lanes.get_mut(lane as usize) else { return Err(Box::new(internal("no such lane"))) };
        if queue.threads == 0 {
            let cause = format!("`{}`: every thread for evaluations that take long is stuck in one", job.ticket.what);
            return Err(Box::new(Spent::Queue.deny(cause, None)));
        }
        queue.waiting.push_back(job);
        if let Some(work) = self.work.get(lane as usize) {
            work.notify_one();
        }
        Ok(())
    }

    fn spawn(self: &Arc<Self>, state: &mut State, lane: Lane) -> std::io::Result<()> {
        let (own, number) = (Arc::clone(self), self.number());
        let builder = thread::Builder::new().name("isolated".to_owned()).stack_size(STACK);
        builder.spawn(move || own.serve(lane, number))?;
        if let Some(queue) = state.lanes.get_mut(lane as usize) {
            queue.threads += 1;
        }
        Ok(())
    }

    /// What each thread does, until it is given up.
    fn serve(self: Arc<Self>, lane: Lane, number: u64) {
        yield_to_others(this_thread());
        let mut state = self.lock();
        loop {
            let Some(queue) = state.lanes.get_mut(lane as usize) else { return };
            let Some(mut job) = queue.waiting.pop_front() else {
                queue.idle += 1;
                let Some(work) = self.work.get(lane as usize) else { return };
                state = work.wait(state).unwrap_or_else(PoisonError::into_inner);
                if let Some(queue) = state.lanes.get_mut(lane as usize) {
                    queue.idle -= 1;
                }
                continue;
            };
            let deadline = job.ticket.key.0;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !job.ticket.is_open() {
                state.open.remove(&job.ticket.key);
                job.ticket.expire();
                continue;
            }
            state.running.insert(number, (lane, deadline + GRACE, job.ticket.what.clone()));
            drop(state);
            job.ticket.begin();
            let answer = catch_unwind(AssertUnwindSafe(|| (job.work)(lane, left)));
            let answer = answer.unwrap_or_else(|_| {
                Some(internal(&format!("evaluation of `{}` panicked; the log names the place", job.ticket.what)))
            });
            let ticket = Arc::clone(&job.ticket);
            if let Some(verdict) = answer {
                ticket.settle(verdict);
                // Before the lock is taken: a question can be large.
                drop(job);
                state = self.lock();
                state.open.remove(&ticket.key);
            } else {
                state = self.lock();
                if let Err(refusal) = self.enqueue(&mut state, Lane::Last, job) {
                    state.open.remove(&ticket.key);
                    self.refuse(&ticket, *refusal);
                }
            }
            let given_up = state.running.remove(&number).is_none();
            if given_up {
                state.stuck.remove(&number);
            }
            self.count(&state);
            if given_up {
                return;
            }
        }
    }

    /// Takes questions in, answers for those whose time is over, and gives up threads that do not end.
    fn watch(self: Arc<Self>) {
        if self.watch.set(thread::current()).is_err() {
            return;
        }
        loop {
            let next = self.look();
            match next {
                Some(next) => thread::park_timeout(next.saturating_duration_since(Instant::now())),
                None => thread::park(),
            }
        }
    }

    /// One look, and when the next must be.
    fn look(self: &Arc<Self>) -> Option<Instant> {
        let mut state = self.lock();
        while let Some(job) = self.inbox.pop() {
            let ticket = Arc::clone(&job.ticket);
            match self.enqueue(&mut state, Lane::First, job) {
                Ok(()) => _ = state.open.insert(ticket.key, ticket),
                Err(refusal) => self.refuse(&ticket, *refusal),
            }
        }
        let now = Instant::now();
        while let Some(entry) = state.open.first_entry().filter(|entry| entry.key().0 <= now) {
            let ticket = entry.remove();
            if ticket.expire() {
                self.counters.expired.fetch_add(1, Relaxed);
            }
        }
        let over: Vec<u64> =
            state.running.iter().filter(|(_, (_, end, _))| *end <= now).map(|(number, _)| *number).collect();
        for number in over {
            let Some((lane, _, what)) = state.running.remove(&number) else { continue };
            tracing::warn!(entry_point = %what, "an evaluation can't be interrupted; its thread is given up until it ends");
            state.stuck.insert(number, what);
            let stuck = state.stuck.len();
            if let Some(queue) = state.lanes.get_mut(lane as usize) {
                queue.threads -= 1;
                if stuck < MAX_STUCK && !queue.waiting.is_empty() {
                    // What waits is answered by the watch if there is no thread.
                    let _ = self.spawn(&mut state, lane);
                }
            }
        }
        self.count(&state);
        let first = state.open.first_key_value().map(|((deadline, _), _)| *deadline);
        state.running.values().map(|(_, end, _)| *end).chain(first).min()
    }
}

fn too_many(what: &What) -> Verdict {
    let cause = format!("`{what}`: {MAX_WAITING} evaluations that take long wait already");
    Spent::Queue.deny(cause, None)
}

fn internal(message: &str) -> Verdict {
    Verdict::deny_for(code::INTERNAL_ERROR, message, None)
}

#[cfg(test)]
mod tests;
