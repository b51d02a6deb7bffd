//! The work of a replay: one thread reads, several decide, and what they found is put in the log's order again.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use verdict::{
    audit::{read, replay},
    decision::{Decider, EntryPoint, json},
};

use super::report::{Found, Outcome, Report, What};
use crate::cli::log::{
    policies::STACK,
    record::{Line, Record},
    select::Selection,
};

/// How many lines go from thread to thread at once.
const BATCH: usize = 64;

/// Everything that deciding again needs.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) decider: &'a Decider,
    pub(super) selection: &'a Selection,
    pub(super) default: Option<&'a EntryPoint>,
    pub(super) budget: Duration,
    pub(super) threads: usize,
}

type Batch = (usize, Vec<Vec<u8>>);

/// How many lines a log has now.
pub(super) fn count(selection: &Selection) -> anyhow::Result<u64> {
    let mut lines = 0;
    read::lines(&selection.file, &mut |_| {
        lines += 1;
        ControlFlow::Continue(())
    })
    .context("the log can't be read")?;
    Ok(lines)
}

impl Work<'_> {
    /// Decides every record that is wanted again, and reports it.
    pub(super) fn run(self, lines: u64, report: &mut Report) -> anyhow::Result<()> {
        let bar = bar(lines);
        let (to_decide, batches) = sync_channel::<Batch>(4 * self.threads);
        let (decided, outcomes) = sync_channel(4 * self.threads);
        let batches = Mutex::new(batches);
        thread::scope(|scope| {
            let reader = scope.spawn(move || self.read(&to_decide));
            for number in 0..self.threads {
                let (decided, batches) = (decided.clone(), &batches);
                let worker = thread::Builder::new().name(format!("replay-{number}")).stack_size(STACK);
                worker.spawn_scoped(scope, move || self.decide(batches, &decided)).context("can't start threads")?;
            }
            drop(decided);
            let mut waiting: BTreeMap<usize, Vec<Outcome>> = BTreeMap::new();
            let mut next = 0;
            for (number, batch) in outcomes {
                waiting.insert(number, batch);
                while let Some(batch) = waiting.remove(&next) {
                    next += 1;
                    bar.inc(batch.len() as u64);
                    for outcome in batch {
                        report.take(outcome);
                    }
                }
            }
            bar.finish_and_clear();
            reader.join().unwrap_or_else(|_| Err(anyhow!("reading panicked; please report it")))
        })
    }

    fn read(self, to_decide: &SyncSender<Batch>) -> anyhow::Result<()> {
        let (mut number, mut batch) = (0, Vec::new());
        let mut send = |batch: &mut Vec<Vec<u8>>| {
            let sent = to_decide.send((number, std::mem::take(batch)));
            number += 1;
            // Nobody is left to decide.
            if sent.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        read::lines(&self.selection.file, &mut |line| {
            batch.push(line.bytes.to_owned());
            if batch.len() < BATCH { ControlFlow::Continue(()) } else { send(&mut batch) }
        })
        .context("the log can't be read")?;
        let _ = send(&mut batch);
        Ok(())
    }

    fn decide(self, batches: &Mutex<Receiver<Batch>>, decided: &SyncSender<(usize, Vec<Outcome>)>) {
        loop {
            let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((number, lines)) = batch else { return };
            let outcomes = lines.iter().map(|line| self.one(line)).collect();
            if decided.send((number, outcomes)).is_err() {
                return;
            }
        }
    }

    fn one(self, line: &[u8]) -> Outcome {
        let record = match Line::read(line) {
            Line::Record(record) if self.selection.wants(&record) => record,
            Line::Record(_) | Line::Checkpoint => return Outcome::NotWanted,
            Line::Other => return Outcome::Unreadable,
        };
        let found = |what| Outcome::Found(Box::new(self::found(&record, what)));
        // Once more, with every digit.
        let Ok(exact) = json::parse(line) else { return Outcome::Unreadable };
        match replay::recorded(&exact, self.default) {
            Err(why) => found(Err(why)),
            Ok(recorded) => match self.decider.decide_blocking(&recorded.query, self.budget) {
                Some(verdict) => found(Ok((recorded.compare(&verdict), verdict.effect))),
                None => Outcome::Unreadable,
            },
        }
    }
}

fn found(record: &Record, what: What) -> Found {
    let part = |name: &str| record.part(name).unwrap_or_else(|| "-".to_owned());
    Found {
        id: record.id().to_owned(),
        time: record.time().to_owned(),
        asked: [part("subject"), part("action"), part("resource")],
        entry_point: record.entry_point(),
        what,
    }
}

/// A progress bar on standard error, if that is a terminal.
fn bar(lines: u64) -> ProgressBar {
    let bar = ProgressBar::new(lines);
    let style =
        ProgressStyle::with_template("deciding again {wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left");
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
