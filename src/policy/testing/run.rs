//! Running tests: each alone, several at once, their results in order.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

use super::{
    Options, Outcome, Run, Suite, Test,
    ask::{self, Question},
    isolated::{self, Stopped},
};
use crate::policy::{engine::Engine, text::Texts};

/// What one test reached.
type Reached = Option<regorus::coverage::Report>;

impl Suite {
    /// Runs one test, alone: what it does to its engine, and a panic or a runaway in it, ends with it.
    pub fn run(&mut self, test: &Test) -> Run {
        let mut runs = self.run_all(std::slice::from_ref(test), |_, _| ());
        runs.pop().unwrap_or_else(|| Run::of(Outcome::Error("it was not run".to_owned())))
    }

    /// Runs tests, as many at once as [`Options::parallel`]. Calls `ended` for each in the order of `tests`, as soon as
    /// it and all before it have ended; the answer has the same order.
    pub fn run_all(&mut self, tests: &[Test], mut ended: impl FnMut(&Test, &Run)) -> Vec<Run> {
        let options = self.options;
        let next = AtomicUsize::new(0);
        let (sender, results) = mpsc::channel();
        let (coverage, texts) = (&mut self.coverage, &self.texts);
        let mut runs = Vec::with_capacity(tests.len());
        thread::scope(|scope| {
            for engine in self.engines.iter().take(tests.len()) {
                let (sender, next) = (sender.clone(), &next);
                // A thread that the system doesn't give leaves its work to the others, and at last to this one.
                let _ = thread::Builder::new().name("tests".to_owned()).spawn_scoped(scope, move || {
                    work(engine, tests, next, options, texts, &sender);
                });
            }
            drop(sender);
            let mut early = BTreeMap::new();
            for (at, run, reached) in results {
                if let Some(reached) = reached {
                    coverage.add(&reached);
                }
                early.insert(at, run);
                while let Some(run) = early.remove(&runs.len()) {
                    if let Some(test) = tests.get(runs.len()) {
                        ended(test, &run);
                    }
                    runs.push(run);
                }
            }
        });
        for test in tests.get(runs.len()..).unwrap_or_default() {
            let run = Run::of(Outcome::Error("no thread to run it on".to_owned()));
            ended(test, &run);
            runs.push(run);
        }
        runs
    }
}

/// Runs tests until none is left.
fn work(
    engine: &Engine,
    tests: &[Test],
    next: &AtomicUsize,
    options: Options,
    texts: &Arc<Texts>,
    sender: &mpsc::Sender<(usize, Run, Reached)>,
) {
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(test) = tests.get(at) else { return };
        let (run, reached) = one(engine, test, options, texts);
        if sender.send((at, run, reached)).is_err() {
            return;
        }
    }
}

fn one(engine: &Engine, test: &Test, options: Options, texts: &Arc<Texts>) -> (Run, Reached) {
    let question = match Question::of(test) {
        Ok(question) => question,
        Err(outcome) => return (Run::of(outcome), None),
    };
    let limit = options.timeout;
    let mut engine = engine.trial();
    let (asked, texts) = (test.clone(), Arc::clone(texts));
    let started = Instant::now();
    // The value stays on that thread: what nests deep needs its stack to be looked at and to be dropped.
    let ended = isolated::run(limit, move || {
        let mut answer = question.ask(&mut engine, limit, options.coverage);
        let (prints, reached) = (std::mem::take(&mut answer.prints), answer.coverage.take());
        (answer.outcome(&asked, limit, &texts), prints, reached)
    });
    let duration = started.elapsed();
    match ended {
        Ok(((outcome, cases), prints, reached)) => (Run { outcome, cases, duration, prints }, reached),
        Err(stopped) => (Run { duration, ..Run::of(Outcome::Error(stopped.reason(limit))) }, None),
    }
}

impl Stopped {
    /// In words.
    pub(super) fn reason(&self, limit: std::time::Duration) -> String {
        match self {
            Self::Runaway => ask::too_long(limit),
            Self::Panic(message) => format!("the evaluator panicked: {message}"),
            Self::NoThread(error) => format!("no thread to run it on: {error}"),
        }
    }
}
