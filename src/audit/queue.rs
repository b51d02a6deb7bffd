//! The queue of one sink in memory: bounded by records and bytes, never waited for by who puts something in.
//!
//! A mutex that is held for a copy of a line or a swap, and no ring without locks: what takes from it takes all there is
//! at once, so that under load a decision in hundreds meets the other side.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    config::QueueLimits,
    event::Event,
    group::{Group, Terms},
    lines::Lines,
};

pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    // For pauses: one of its own, as a wake-up that is for who takes must not end at who only waits.
    ending: Condvar,
    limits: QueueLimits,
    /// How long who puts something in waits for it to be kept; `None` if nobody does.
    terms: Option<Arc<Terms>>,
}

#[derive(Default)]
struct State {
    batch: Batch,
    closed: bool,
    sleeping: bool,
    /// Buffers to be filled again.
    spare: Vec<Lines>,
}

/// Records on their way, in their order.
#[derive(Default)]
pub(super) struct Batch {
    /// Several, so that no buffer that grows is copied while a decision waits for the lock.
    pub(super) parts: Vec<Part>,
    /// Who waits for them to be kept.
    pub(super) groups: Vec<Arc<Group>>,
    records: usize,
    bytes: usize,
}

#[derive(Default)]
pub(super) struct Part {
    /// Records that are made.
    pub(super) lines: Lines,
    /// Decisions of which they are to be made, each with the number of lines that came before it.
    pub(super) events: Vec<(usize, Arc<Event>)>,
}

/// What is put in.
pub(super) enum Item<'a> {
    /// A record, without its end.
    Line(&'a [u8]),
    /// A decision.
    Event(&'a Arc<Event>),
}

/// There is no room.
pub(super) struct Full;

/// What a look into the queue found.
pub(super) enum Taken {
    /// This; nothing if nothing came in time.
    Batch(Batch),
    /// Nothing will come any more.
    Closed,
}

/// About how many bytes of lines a part has.
const PART: usize = 256 << 10;

/// How many buffers are kept to be filled again, and the most bytes of each.
const SPARE: usize = 8;
const SPARE_BYTES: usize = 4 * PART;

/// What a line costs beyond its bytes.
const LINE: usize = 16;

impl Part {
    pub(super) fn len(&self) -> usize {
        self.lines.len() + self.events.len()
    }
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.records
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    fn is_half_of(&self, limits: &QueueLimits) -> bool {
        self.records >= limits.records / 2 || self.bytes >= limits.bytes / 2
    }
}

impl Queue {
    pub(super) fn new(limits: QueueLimits, terms: Option<Arc<Terms>>) -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), ending: Condvar::new(), limits, terms }
    }

    /// How long who puts something in waits for it at most.
    pub(super) fn patience(&self) -> Duration {
        self.terms.as_ref().map(|terms| terms.patience).unwrap_or_default()
    }

    /// Puts a record in, and says by what its commit is known, if somebody waits for that.
    pub(super) fn push(&self, item: &Item<'_>) -> Result<Option<Arc<Group>>, Full> {
        let size = match item {
            Item::Line(line) => line.len() + LINE,
            Item::Event(event) => event.size(),
        };
        let mut state = self.lock();
        let State { batch, closed, sleeping, spare } = &mut *state;
        if *closed || batch.records >= self.limits.records || batch.bytes + size > self.limits.bytes {
            return Err(Full);
        }
        let half = batch.is_half_of(&self.limits);
        batch.records += 1;
        batch.bytes += size;
        let much = !half && batch.is_half_of(&self.limits);
        let part = match batch.parts.last_mut() {
            Some(part) if part.lines.size() < PART => part,
            _ => {
                batch.parts.push(Part { lines: spare.pop().unwrap_or_default(), events: Vec::new() });
                batch.parts.last_mut().ok_or(Full)?
            }
        };
        match item {
            Item::Line(line) => part.lines.push(0, line),
            Item::Event(event) => part.events.push((part.lines.len(), Arc::clone(event))),
        }
        let group = self.terms.as_ref().map(|terms| batch.join(terms));
        let wake = std::mem::take(sleeping);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        if much {
            self.ending.notify_all();
        }
        Ok(group)
    }

    /// Takes all there is; waits for at most `patience` for the first.
    pub(super) fn take(&self, patience: Duration) -> Taken {
        let mut state = self.lock();
        if state.batch.is_empty() && !state.closed {
            state.sleeping = true;
            let waited = self.filled.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.sleeping = false;
        }
        if state.batch.is_empty() && state.closed {
            return Taken::Closed;
        }
        Taken::Batch(std::mem::take(&mut state.batch))
    }

    /// Gives a buffer back that is no longer needed.
    pub(super) fn give_back(&self, mut lines: Lines) {
        if lines.room() == 0 || lines.room() > SPARE_BYTES {
            return;
        }
        lines.clear();
        let mut state = self.lock();
        if state.spare.len() < SPARE {
            state.spare.push(lines);
        }
    }

    /// Nothing more is taken in; what is in it can still be taken out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.ending.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits, until then, or until it is closed or half full.
    pub(super) fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        let mut state = self.lock();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() || state.batch.is_half_of(&self.limits) {
                return;
            }
            state = self.ending.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().batch.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    /// The group of what was just put in.
    fn join(&mut self, terms: &Arc<Terms>) -> Arc<Group> {
        let now = Instant::now();
        if let Some(group) = self.groups.last().filter(|group| group.takes(now)) {
            return Arc::clone(group);
        }
        let group = Arc::new(Group::new(now, Arc::clone(terms)));
        self.groups.push(Arc::clone(&group));
        group
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    #[test]
    fn a_pause_ends_once_it_is_half_full_or_closed() {
        for closes in [false, true] {
            let queue = Arc::new(Queue::new(QueueLimits { records: 8, bytes: 1 << 20 }, None));
            let (tell, told) = mpsc::channel();
            let pausing = Arc::clone(&queue);
            let pause = thread::spawn(move || {
                pausing.pause(Duration::from_secs(3600));
                tell.send(())
            });
            for _ in 0..3 {
                assert!(queue.push(&Item::Line(b"{}")).is_ok_and(|group| group.is_none()));
            }
            assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "it goes on");
            if closes {
                queue.close();
            } else {
                assert!(queue.push(&Item::Line(b"{}")).is_ok());
            }
            told.recv_timeout(Duration::from_secs(60)).unwrap();
            pause.join().unwrap().unwrap();
        }
    }
}
