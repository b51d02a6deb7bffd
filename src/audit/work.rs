//! The threads of a sink: making records of decisions, keeping them, delivering them.

mod back_off;
mod writer;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use self::back_off::BackOff;
pub(super) use self::writer::Writer;
use super::{
    config::{Filter, Format, Mask, SinkConfig},
    encode,
    event::{Decision, Event},
    figures::Cause,
    lines::Lines,
    log::{Channel, Identity},
    queue::{Batch, Part, Taken},
    record::{Made, Masking, Record},
    rules::{Rule, Rules},
    sink::{Context, Sink},
    spool::{Spool, SpoolError},
};
use crate::decision::{EntryPoint, SensitiveNames, Verdict};

/// How often a thread without work looks after what else there is.
const IDLE: Duration = Duration::from_millis(200);

/// How long records gather in the spool before they are delivered. Each delivery to a file waits for the disk, as does
/// each decision: the fewer of the one, the sooner the other.
const GATHER: Duration = Duration::from_millis(250);

/// The most bytes that are delivered at once.
const AT_ONCE: u64 = 4 << 20;

/// How long the decisions that come next gather before they are committed, for each that was just committed, and at most:
/// the more there are, the more is saved by a commit for all of them. A lone caller waits for nobody.
const EACH: Duration = Duration::from_micros(30);
const GATHER_COMMIT: Duration = Duration::from_millis(2);

/// What makes a sink's records.
pub(super) struct Shared {
    channel: Arc<Channel>,
    mask: Mask,
    names: SensitiveNames,
    format: Format,
    identity: Identity,
    rules: Arc<dyn Rules>,
}

/// Keeps a durable sink's records.
pub(super) struct Recorder(Shared);

/// Delivers what is kept.
pub(super) struct Deliverer {
    channel: Arc<Channel>,
    sink: Box<dyn Sink>,
}

impl Shared {
    pub(super) fn new(
        channel: Arc<Channel>,
        config: &SinkConfig,
        names: SensitiveNames,
        identity: Identity,
        rules: Arc<dyn Rules>,
    ) -> Self {
        Self { channel, mask: config.mask.clone(), names, format: config.format, identity, rules }
    }

    /// The records of what was taken, in its order.
    fn lines(&self, parts: impl IntoIterator<Item = Part>) -> Lines {
        let mut all = Lines::default();
        for Part { lines: made, events } in parts {
            if events.is_empty() {
                all.append(made);
                continue;
            }
            let mut events = events.into_iter().peekable();
            for (number, record) in made.iter().enumerate() {
                while let Some((_, event)) = events.next_if(|(before, _)| *before <= number) {
                    all.extend(self.line(event));
                }
                all.push(0, record.line);
            }
            events.for_each(|(_, event)| all.extend(self.line(event)));
        }
        all
    }

    /// The record's line; `None` for what is not wanted.
    fn line(&self, event: Arc<Event>) -> Option<Vec<u8>> {
        let counts = &self.channel.counts;
        let event = Arc::try_unwrap(event).unwrap_or_else(|event| (*event).clone());
        let failed = |rule: Rule, cause: &str| {
            let message = format!("{rule:?} {cause}");
            if counts.worth_saying(&message) {
                let (sink, rule) = (&self.channel.name, rule.entry_point());
                tracing::error!(sink, %rule, "a rule of the decision log failed: {cause}");
            }
        };
        let masking = Masking { mask: &self.mask, names: &self.names, rules: &*self.rules, failed: &failed };
        match Record::make(event, &masking) {
            Made::Dropped => {
                counts.filtered.fetch_add(1, Relaxed);
                None
            }
            Made::Record(record) => {
                if record.withheld.is_some() {
                    counts.withheld.fetch_add(1, Relaxed);
                }
                Some(encode::line(&record, self.format, &self.identity))
            }
        }
    }

    /// The whole work of a sink that keeps nothing on disk.
    pub(super) fn run(self, mut sink: Box<dyn Sink>) {
        let channel = &self.channel;
        let mut lost = 0;
        loop {
            let batch = match channel.queue.take(IDLE) {
                Taken::Closed => break,
                Taken::Batch(batch) => batch,
            };
            if batch.is_empty() {
                sink.idle(false);
                continue;
            }
            lost += self.deliver(batch, &mut *sink);
            channel.counts.pending.store(0, Relaxed);
            if lost > 0 {
                break;
            }
            channel.queue.pause(sink.linger());
        }
        while let Taken::Batch(batch) = channel.queue.take(Duration::ZERO)
            && !batch.is_empty()
        {
            lost += batch.len() as u64;
        }
        channel.counts.pending.store(0, Relaxed);
        if lost > 0 {
            channel.counts.lose(Cause::Shutdown, lost);
            tracing::warn!(sink = channel.name, records = lost, "records are not delivered, and lost");
        }
        sink.idle(true);
    }
}

impl Shared {
    /// Delivers part by part, so that none is copied to the end of another, where the sink can do with that; how many records
    /// were given up on.
    fn deliver(&self, batch: Batch, sink: &mut dyn Sink) -> u64 {
        let channel = &self.channel;
        let mut behind = batch.len() as u64;
        let at_once = if sink.makes_chunks() { usize::MAX } else { 1 };
        let mut parts = batch.parts.into_iter().peekable();
        while parts.peek().is_some() {
            channel.counts.pending.store(behind, Relaxed);
            let mut lines = self.lines(parts.by_ref().take(at_once).inspect(|part| behind -= part.len() as u64));
            if !deliver(channel, sink, &mut lines, Source::Memory { behind }) {
                return lines.len() as u64 + behind;
            }
            channel.queue.give_back(lines);
        }
        0
    }
}

impl Recorder {
    pub(super) fn new(shared: Shared) -> Self {
        Self(shared)
    }

    pub(super) fn run(self) {
        let channel = &self.0.channel;
        let Some(spool) = &channel.spool else { return };
        loop {
            match channel.queue.take(IDLE) {
                Taken::Closed => break,
                Taken::Batch(batch) if batch.is_empty() => spool.tidy(&channel.counts),
                Taken::Batch(batch) => {
                    let (begun, many) = (Instant::now(), batch.len());
                    self.keep(spool, batch);
                    gather(channel, begun, many);
                }
            }
        }
        spool.tidy(&channel.counts);
        spool.finish();
    }

    fn keep(&self, spool: &Spool, batch: Batch) {
        let counts = &self.0.channel.counts;
        counts.pending.store(batch.len() as u64, Relaxed);
        let Batch { parts, groups, .. } = batch;
        let lines = self.0.lines(parts);
        let count = lines.len() as u64;
        let kept = lines.is_empty() || {
            let appended = spool.append(lines, counts);
            if let Err(error) = &appended {
                let cause = if matches!(error, SpoolError::Full) { Cause::SpoolFull } else { Cause::SpoolFailed };
                counts.lose(cause, count);
                if counts.worth_saying(cause.name()) {
                    tracing::error!(sink = self.0.channel.name, "records can't be kept: {error}");
                }
            }
            appended.is_ok()
        };
        counts.pending.store(0, Relaxed);
        // Who no longer waits has been answered already.
        for group in groups {
            group.settle(kept);
        }
    }
}

/// Has the decisions that come next gather, after so many were committed since then.
fn gather(channel: &Channel, begun: Instant, committed: usize) {
    let many = u32::try_from(committed).unwrap_or(u32::MAX);
    let longest = GATHER_COMMIT.min(channel.queue.patience() / 4);
    channel.queue.pause(EACH.saturating_mul(many).min(longest).saturating_sub(begun.elapsed()));
}

impl Deliverer {
    pub(super) fn new(channel: Arc<Channel>, sink: Box<dyn Sink>) -> Self {
        Self { channel, sink }
    }

    pub(super) fn run(mut self) {
        let channel = &self.channel;
        let Some(spool) = &channel.spool else { return };
        loop {
            let Some(mut batch) = spool.next(AT_ONCE, IDLE, &channel.counts) else {
                if spool.is_finished() {
                    break;
                }
                self.sink.idle(false);
                continue;
            };
            let mut records = std::mem::take(&mut batch.records);
            if !deliver(channel, &mut *self.sink, &mut records, Source::Spool(spool.id())) {
                break;
            }
            spool.done(&batch, &channel.counts);
            channel.queue.give_back(records);
            // Where as much as is delivered at once has come meanwhile, nothing is saved by gathering more.
            if !spool.is_finished() && channel.counts.spooled_bytes.load(Relaxed) < AT_ONCE {
                channel.queue.pause(GATHER.max(self.sink.linger()));
            }
        }
        // What was delivered is taken out, so that it is not delivered again after the next start.
        while !spool.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        spool.tidy(&channel.counts);
        spool.close();
        self.sink.idle(true);
    }
}

/// Where records come from.
#[derive(Clone, Copy)]
enum Source {
    /// This spool, which counts them.
    Spool(u64),
    /// The queue; so many more wait behind them.
    Memory { behind: u64 },
}

/// Delivers until everything is delivered, or given up on.
fn deliver(channel: &Channel, sink: &mut dyn Sink, records: &mut Lines, source: Source) -> bool {
    let spool = if let Source::Spool(id) = source { Some(id) } else { None };
    let context = Context { counts: &channel.counts, sink: &channel.name, spool };
    let mut back_off = BackOff::default();
    let mut failing = false;
    while !records.is_empty() {
        let before = records.len();
        match sink.deliver(records, &context) {
            Ok(()) => {}
            Err(failure) => {
                failing = true;
                channel.counts.errors.fetch_add(1, Relaxed);
                if channel.counts.worth_saying(&failure.cause) {
                    tracing::warn!(sink = channel.name, "records can't be delivered, and wait: {}", failure.cause);
                }
                if records.len() < before {
                    back_off = BackOff::default();
                }
                if !pause(channel, failure.after.unwrap_or_default().max(back_off.next())) {
                    return false;
                }
            }
        }
        if let Source::Memory { behind } = source
            && channel.counts.dropped(Cause::Shutdown) == 0
            && !records.is_empty()
        {
            channel.counts.pending.store(records.len() as u64 + behind, Relaxed);
        }
    }
    if failing {
        tracing::info!(sink = channel.name, "records are delivered again");
    }
    true
}

/// Waits; whether it is worth to go on.
fn pause(channel: &Channel, time: Duration) -> bool {
    const STEP: Duration = Duration::from_millis(20);
    let end = Instant::now() + time;
    while Instant::now() < end {
        if channel.hurry.load(Relaxed) {
            return false;
        }
        // At the end of the process nobody has the time for long pauses.
        if channel.queue.is_closed() {
            thread::sleep(STEP);
            break;
        }
        thread::sleep(STEP);
    }
    !channel.hurry.load(Relaxed)
}

impl Filter {
    pub(super) fn wants(&self, decision: &Decision<'_>, verdict: &Verdict) -> bool {
        let policy = || decision.query.and_then(|query| query.policy.as_ref()).map(EntryPoint::as_str);
        let named = |entry: &String| {
            let asked = verdict.entry_point.as_deref().or_else(policy);
            asked
                .and_then(|asked| asked.strip_prefix(entry.as_str()))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        // A search is neither an allow nor a deny.
        let sample = match decision.search {
            Some(_) => None,
            None if verdict.is_allow() => self.sample_allows,
            None => self.sample_denies,
        };
        (self.effects.is_empty() || decision.search.is_none() && self.effects.contains(&verdict.effect))
            && (self.doors.is_empty() || self.doors.iter().any(|door| door == decision.door))
            && (self.entry_points.is_empty() || self.entry_points.iter().any(named))
            && sample.is_none_or(|rate| sampled(decision.decision_id, rate))
    }
}

/// Whether a decision is among so many out of 10,000: by its id, so that every sink and every reader says the same.
fn sampled(decision_id: &str, rate: u32) -> bool {
    let digits = decision_id.get(decision_id.len().saturating_sub(8)..);
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    number.is_none_or(|number| u64::from(number) * 10_000 < u64::from(rate) << 32)
}
