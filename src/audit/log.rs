//! The log as the rest of the process sees it: something that takes decisions, and workers to be run.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    config::{Config, Filter, Mode, Place},
    event::{Decision, Event},
    figures::{Cause, Counts, SinkFigures},
    group::{Group, Member, Terms},
    plain::Plain,
    queue::{Full, Item, Queue},
    rules::Rules,
    sink,
    spool::{self, Spool},
    traces::Traces,
    work::{Deliverer, Recorder, Shared, Writer},
};
use crate::{
    call::withheld::Withheld,
    decision::{SensitiveNames, Verdict},
};

/// Who writes: OPA's labels `id` and `version`.
#[derive(Clone, Debug)]
pub struct Identity {
    /// This process.
    pub id: String,
    /// The program's version.
    pub version: &'static str,
}

/// The decision log.
pub struct Log {
    channels: Vec<Arc<Channel>>,
    max_record_bytes: usize,
}

/// What the doors' threads know of a sink.
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) queue: Queue,
    filter: Filter,
    plain: Plain,
    pub(super) counts: Arc<Counts>,
    terms: Arc<Terms>,
    pub(super) fails_closed: bool,
    pub(super) spool: Option<Spool>,
    /// No decision comes any more, and what waits has been given up on.
    pub(super) hurry: AtomicBool,
}

/// What became of a decision.
pub enum Recorded {
    /// It may be answered.
    Now,
    /// It may be answered when it is kept.
    Later(Waiting),
    /// It could not be kept where it must be: it may not be answered.
    Refused,
}

/// A decision whose record is on its way to disk.
pub struct Waiting {
    on: Vec<(Arc<Channel>, Arc<Group>)>,
}

thread_local! {
    /// Where a record is written before it is put into a queue.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The most bytes that stay in it.
const LINE_BYTES: usize = 64 << 10;

/// Something to run on a thread of its own, until the log is closed.
pub struct Worker {
    name: &'static str,
    run: Box<dyn FnOnce() + Send>,
}

/// Why a sink can't be opened.
#[derive(Debug, thiserror::Error)]
#[error("{sink}: {cause}")]
pub struct OpenError {
    sink: String,
    cause: String,
}

impl Log {
    /// Opens every sink. `rules` is asked about records; `time` tells the wall clock's time for checkpoints;
    /// `traces` follows deliveries.
    pub fn open(
        config: Config,
        identity: &Identity,
        rules: &Arc<dyn Rules>,
        time: fn() -> std::time::SystemTime,
        traces: &Arc<dyn Traces>,
    ) -> Result<(Self, Vec<Worker>), OpenError> {
        let Config { max_record_bytes, commit_timeout, sinks } = config;
        let (mut channels, mut workers, mut paths) = (Vec::new(), Vec::new(), Vec::new());
        for (name, sink) in sinks {
            let failed = |cause: String| OpenError { sink: name.clone(), cause };
            if let Place::File { path, .. } = &sink.place {
                if paths.contains(path) {
                    return Err(failed(format!("path: another sink writes to `{}` already", path.display())));
                }
                paths.push(path.clone());
            }
            let fails_closed = sink.fails_closed();
            let spool = match &sink.mode {
                Mode::BestEffort | Mode::DurableFile => None,
                Mode::Durable(config) => Some(Spool::open(config, &name).map_err(|error| failed(error.to_string()))?),
            };
            let durable = !matches!(sink.mode, Mode::BestEffort);
            if durable && spool.is_none() && !matches!(sink.place, Place::File { .. }) {
                return Err(failed("spool: only a file is durable without one".to_owned()));
            }
            let mut names = SensitiveNames::all();
            sink.mask.names.iter().for_each(|name| names.push(name));
            let counts = Arc::default();
            let terms = Arc::new(Terms::new(commit_timeout, fails_closed, Arc::clone(&counts)));
            let channel = Arc::new(Channel {
                queue: Queue::new(sink.queue, durable.then(|| Arc::clone(&terms))),
                filter: sink.filter.clone(),
                plain: Plain::new(sink.format, &sink.mask, names.clone(), rules, max_record_bytes),
                counts,
                terms,
                fails_closed,
                spool,
                hurry: AtomicBool::new(false),
                name: name.clone(),
            });
            if let Some(spool) = &channel.spool {
                spool.show(&channel.counts);
                channel.counts.lose(Cause::SpoolCorrupt, spool.lost());
            }
            let target = sink::open(&sink, durable, time, traces).map_err(failed)?;
            let shared = Shared::new(Arc::clone(&channel), &sink, names, identity.clone(), Arc::clone(rules));
            if channel.spool.is_some() {
                let deliverer = Deliverer::new(Arc::clone(&channel), target);
                workers.push(Worker {
                    name: "decision log's recorder",
                    run: Box::new(move || Recorder::new(shared).run()),
                });
                workers.push(Worker { name: "decision log's deliverer", run: Box::new(move || deliverer.run()) });
            } else if durable {
                let writer = Writer::new(shared, target);
                workers.push(Worker { name: "decision log's writer", run: Box::new(move || writer.run()) });
            } else {
                workers.push(Worker { name: "decision log's sink", run: Box::new(move || shared.run(target)) });
            }
            channels.push(channel);
        }
        Ok((Self { channels, max_record_bytes }, workers))
    }

    /// Takes a decision that is about to be answered. Holds the calling thread for no longer than it takes to write it
    /// down.
    #[must_use]
    pub fn record(&self, decision: &Decision<'_>, verdict: &Verdict) -> Recorded {
        // Made once, for all sinks that need it.
        let mut event = None;
        let mut on = Vec::new();
        let mut refused = false;
        for channel in &self.channels {
            channel.counts.offered.fetch_add(1, Relaxed);
            if !channel.filter.wants(decision, verdict) {
                channel.counts.filtered.fetch_add(1, Relaxed);
                continue;
            }
            if let Ok(group) = channel.put(decision, verdict, &mut event, self.max_record_bytes) {
                on.extend(group.map(|group| (Arc::clone(channel), group)));
                continue;
            }
            channel.counts.lose(Cause::QueueFull, 1);
            if channel.fails_closed {
                channel.counts.refused.fetch_add(1, Relaxed);
                refused = true;
            }
        }
        match (refused, on.is_empty()) {
            (true, _) => Recorded::Refused,
            (false, true) => Recorded::Now,
            (false, false) => Recorded::Later(Waiting { on }),
        }
    }

    /// How the sinks fare.
    #[must_use]
    pub fn figures(&self) -> Vec<SinkFigures> {
        let figures = |channel: &Arc<Channel>| channel.counts.figures(&channel.name, channel.queue.len() as u64);
        self.channels.iter().map(figures).collect()
    }

    /// No decision comes any more: what is accepted is delivered, or stays in the spool, and the workers end.
    pub fn close(&self) {
        for channel in &self.channels {
            channel.queue.close();
        }
    }

    /// What is not delivered now is given up on: it stays in the spool, or is counted as lost.
    pub fn hurry(&self) {
        for channel in &self.channels {
            channel.hurry.store(true, Relaxed);
        }
    }
}

impl Channel {
    /// Whether records that must be kept may be lost, as far as one can tell.
    fn is_in_doubt(&self) -> bool {
        let filling = |spool: &Spool| spool.is_filling(&self.counts);
        self.terms.are_in_doubt() || self.fails_closed && self.spool.as_ref().is_some_and(filling)
    }

    /// Puts the record into the queue, or what it is to be made of.
    fn put(
        &self,
        decision: &Decision<'_>,
        verdict: &Verdict,
        event: &mut Option<Arc<Event>>,
        limit: usize,
    ) -> Result<Option<Arc<Group>>, Full> {
        LINE.with_borrow_mut(|line| {
            let put = if self.plain.write(decision, verdict, line) {
                self.queue.push(&Item::Line(line))
            } else {
                let event = event.get_or_insert_with(|| Arc::new(Event::new(decision, verdict, limit)));
                self.queue.push(&Item::Event(event))
            };
            if line.capacity() > LINE_BYTES {
                *line = Vec::new();
            }
            put
        })
    }
}

impl Waiting {
    /// Has the answer wait in `withheld`, so that it can be given at once. One of each commit waits here nonetheless, and
    /// all do where records may be lost: what is withheld in vain is no answer at all, and who waits here can give a
    /// better one.
    pub fn withhold(self, withheld: &Withheld) -> Result<(), Self> {
        if self.on.iter().any(|(channel, group)| group.lead() || channel.is_in_doubt()) {
            return Err(self);
        }
        for (_, group) in self.on {
            withheld.until(group);
        }
        Ok(())
    }

    /// Whether it may be answered.
    pub async fn kept(self) -> bool {
        let mut answer = true;
        for (channel, group) in self.on {
            if !Member::of(group).await && channel.fails_closed {
                channel.counts.refused.fetch_add(1, Relaxed);
                answer = false;
            }
        }
        answer
    }
}

impl Worker {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Works until the log is closed, and everything is delivered or given up on.
    pub fn run(self) {
        (self.run)();
    }
}

impl From<spool::SpoolError> for String {
    fn from(error: spool::SpoolError) -> Self {
        error.to_string()
    }
}
