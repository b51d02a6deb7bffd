//! Why an answer is what it is.
//!
//! The verdict itself always comes from the ordinary evaluators. What is told of it comes from one more engine, which
//! has the same policies with reports in them, is made when the first question asks, and serves one question at a time.
//! Whatever goes wrong here leaves the verdict as it is, and the explanation with a note.

mod insert;
mod instrument;
mod operands;
pub(super) mod paths;
mod program;
mod record;
mod redact;
mod scope;
mod secrets;
mod story;
mod trace;
mod words;

#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError},
    thread,
    time::{Duration, Instant},
};

use regorus::Value as Rego;

pub(super) use redact::{Gathered, Secrets, Shower};
pub use redact::{InvalidRedaction, Redaction};

use self::{
    program::Program,
    record::{Layout, Record, Recorder},
    story::Story,
};
use super::{
    budget::{self, Budget},
    compile::{Options, STACK},
    engine::{Engine, Failure},
    index::{Entry, Index},
    lowering, rejection,
    text::Texts,
};
use crate::{
    bundle::Module,
    decision::{Effect, EntryPoint, Explanation, Query, RuleOutcome, RuleTrace, code},
};

/// The most bytes of a rule's value that are told.
const MAX_VALUE: usize = 4_096;

/// How long a question waits for others that are being explained.
const MOST_PATIENCE: Duration = Duration::from_millis(200);

/// Explains the answers of one snapshot.
pub(super) struct Explainer {
    texts: Arc<Texts>,
    options: Options,
    redaction: OnceLock<Redaction>,
    // `None` before the first explanation. Never on the way of a question that asks for none.
    prepared: Mutex<Option<Ready>>,
}

/// The engine, or why there is none.
type Ready = Result<Box<Prepared>, String>;

/// The engine of explanations.
struct Prepared {
    engine: Engine,
    index: Index,
    recorder: Recorder,
    program: Program,
    layout: Arc<Layout>,
    /// What is hidden: as configured, and what the policies put under hidden names.
    redaction: Redaction,
    /// What hidden places of the data hold.
    secrets: Secrets,
    /// Files that can't be instrumented.
    left_out: Vec<Arc<str>>,
}

/// What is explained.
pub(super) struct Asked<'a> {
    pub(super) query: &'a Query,
    pub(super) entry: &'a EntryPoint,
    pub(super) effect: Effect,
}

impl Explainer {
    /// Explains the answers of a snapshot of these policies; nothing is made yet.
    pub(super) fn new(texts: Arc<Texts>, options: Options) -> Self {
        Self { texts, options, redaction: OnceLock::new(), prepared: Mutex::new(None) }
    }

    /// Hides these values instead of the default's. Only the first call counts.
    pub(super) fn redact(&self, redaction: Redaction) {
        let _ = self.redaction.set(redaction);
    }

    /// Explains an answer within `budget`. `ordinary` is the evaluator that gave it, and is still asked the question.
    pub(super) fn explain(
        &self,
        ordinary: &mut Engine,
        index: &Index,
        asked: &Asked<'_>,
        budget: Budget,
    ) -> Explanation {
        catch_unwind(AssertUnwindSafe(|| self.told(ordinary, index, asked, budget))).unwrap_or_else(|_| {
            ordinary.reset();
            note("the explanation panicked; the log names the place")
        })
    }

    fn told(&self, ordinary: &mut Engine, index: &Index, asked: &Asked<'_>, mut budget: Budget) -> Explanation {
        let redaction = self.redaction.get_or_init(Redaction::default);
        let Some(mut guard) = self.turn() else {
            return note("other questions were being explained for too long; ask again");
        };
        let data = ordinary.trial().get_data();
        let prepared = guard.get_or_insert_with(|| self.prepare(data, redaction));
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(cause) => return note(cause),
        };
        prepared.engine.ask(asked.query, usize::MAX);
        let redaction = prepared.redaction.clone();
        let input = Secrets::of(&redaction, "input", prepared.engine.input());
        let (mut explanation, found) = prepared.tell(asked, &input, &mut budget);
        let shower = Shower { redaction: &redaction, secrets: [&input, &prepared.secrets, &found] };
        explanation.rules = outcomes(ordinary, (index, &self.texts), asked.entry, &shower, &mut budget);
        explanation
    }

    fn turn(&self) -> Option<MutexGuard<'_, Option<Ready>>> {
        let since = Instant::now();
        loop {
            match self.prepared.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => {
                    // A panic in the middle of an explanation: the next one begins anew.
                    let mut guard = PoisonError::into_inner(poisoned);
                    *guard = None;
                    self.prepared.clear_poison();
                    return Some(guard);
                }
                Err(TryLockError::WouldBlock) if since.elapsed() < MOST_PATIENCE => {
                    thread::sleep(Duration::from_micros(200));
                }
                Err(TryLockError::WouldBlock) => return None,
            }
        }
    }

    /// Makes the engine, on a thread with the compiler's stack.
    fn prepare(&self, data: Rego, redaction: &Redaction) -> Ready {
        thread::scope(|scope| {
            let worker = thread::Builder::new().name("explain".to_owned()).stack_size(STACK);
            let worker = worker.spawn_scoped(scope, || self.build(data, redaction));
            match worker.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err("the policies can't be explained: instrumenting them panicked".to_owned()),
                Err(error) => Err(format!("no thread to prepare explanations on: {error}")),
            }
        })
    }

    fn build(&self, data: Rego, redaction: &Redaction) -> Ready {
        let refused = |error: anyhow::Error| format!("the policies can't be explained: {}", error.to_string().trim());
        let (program, texts) = instrument::instrument(&self.texts, redaction);
        let redaction = redaction.with(program.secret.iter().cloned());
        let recorder = Recorder::default();
        let mut engine = Engine::blank(self.options);
        recorder.install(&mut engine).map_err(refused)?;
        let (texts, left_out) = self.lowered(texts, &data);
        for (path, text) in self.texts.iter().flat_map(|(path, _)| texts.sources(path)) {
            texts.add(&mut engine, path, text).map_err(refused)?;
        }
        let secrets = Secrets::of(&redaction, "data", &data);
        engine.add_data(data).map_err(refused)?;
        let index = Index::new(engine.get_modules(), &texts);
        let engine = Engine::prepare(engine).map_err(refused)?;
        let layout = Arc::new(program.layout(&redaction));
        Ok(Box::new(Prepared { engine, index, recorder, program, layout, redaction, secrets, left_out }))
    }
}

impl Explainer {
    /// The texts that regorus reads. A file that is none any more with reports in it stays as its author wrote it.
    fn lowered(&self, instrumented: Vec<String>, data: &Rego) -> (Texts, Vec<Arc<str>>) {
        let mut left_out = Vec::new();
        let mut modules: Vec<Module> = self
            .texts
            .iter()
            .zip(instrumented)
            .map(|((path, read), text)| Module {
                path: path.to_string(),
                text,
                version: Some(read.version()),
                roots: None,
            })
            .collect();
        for (module, (path, text)) in modules.iter_mut().zip(self.texts.iter()) {
            if text.module.is_none() || text.written.contains(record::PREFIX) {
                left_out.push(Arc::clone(path));
                continue;
            }
            let mut faults = Vec::new();
            let read = lowering::lower(&[&*module], Some(data), self.options, &mut faults).texts;
            let mut engine = Engine::blank(self.options);
            let refused = |(name, text): (&str, &str)| read.add(&mut engine, name, text).is_err();
            if !faults.is_empty() || read.sources(&module.path).any(refused) {
                tracing::debug!(%path, "not instrumented");
                module.text = text.written.to_string();
                left_out.push(Arc::clone(path));
            }
        }
        (
            lowering::lower(&modules.iter().collect::<Vec<_>>(), Some(data), self.options, &mut Vec::new()).texts,
            left_out,
        )
    }
}

impl Prepared {
    /// Evaluates the entry point once more, and tells what was reported.
    /// With it comes what the evaluation showed to be secret.
    fn tell(&mut self, asked: &Asked<'_>, input: &Secrets, budget: &mut Budget) -> (Explanation, Secrets) {
        let rules: Vec<(Arc<str>, Vec<String>)> = match self.index.entry(asked.entry) {
            Some(Entry::Rule(rule)) => vec![(Arc::clone(&rule.name), rule.parts.clone())],
            Some(Entry::Package(package)) => {
                package.members().map(|rule| (Arc::clone(&rule.name), rule.parts.clone())).collect()
            }
            None => return (note("there is no such entry point"), Secrets::default()),
        };
        // An attempt that is cut short is put again, all of it: what it reported is no part of the story.
        let asked_rules = budget.run(|limit| {
            let since = Instant::now();
            self.recorder.start(&self.layout, &self.redaction);
            rules.iter().try_for_each(|(name, _)| {
                let left = limit.saturating_sub(since.elapsed());
                self.engine.attempt(name, left).map(drop).map_err(|failure| match failure {
                    Failure::Budget => budget::Failure::Time,
                    Failure::Error(error) => budget::Failure::Other((Arc::clone(name), error)),
                })
            })
        });
        let mut record = self.recorder.stop();
        let mut gathered = std::mem::take(&mut record.gathered);
        let known = self.values_of_secrets(&record, &mut gathered, budget);
        let mut found = gathered.secrets();
        // What was not followed to its end may have had secrets that are not known.
        if !known || !self.left_out.is_empty() || matches!(asked_rules, Err(budget::Failure::Time)) {
            found.hide_all();
        }
        let shower = || Shower { redaction: &self.redaction, secrets: [input, &self.secrets, &found] };
        let mut failed = match asked_rules {
            Ok(()) => String::new(),
            Err(budget::Failure::Time) => format!("no time was left to explain `{}`", asked.entry),
            Err(budget::Failure::Other((name, error))) => {
                let cause = error.to_string();
                let cause = cause.lines().last().unwrap_or_default().trim().trim_start_matches("error:").trim();
                shower().text(format!("`{name}` ended in an error: {cause}"))
            }
        };
        self.engine.take_prints();
        let engine = &mut self.engine;
        let mut values = |name: &str| engine.rule(name, budget).ok();
        let paths: Vec<Vec<String>> =
            rules.into_iter().map(|(_, parts)| std::iter::once("data".to_owned()).chain(parts).collect()).collect();
        let story = Story::new(&self.program, &record, shower(), &mut values);
        let (fired, missed): (Vec<RuleTrace>, Vec<RuleTrace>) = story.tell(asked.effect, &paths);
        if failed.is_empty() && record.cut {
            "the evaluation was too long to be followed whole".clone_into(&mut failed);
        }
        if failed.is_empty() && !self.left_out.is_empty() {
            failed = format!("not told of are the rules of {}", self.left_out.join(", "));
        }
        (Explanation { rules: Vec::new(), fired, missed, note: failed }, found)
    }

    /// Gathers the values of rules that are hidden, or put under hidden names. Whether all of them are known.
    fn values_of_secrets(&mut self, record: &Record, gathered: &mut Gathered, budget: &mut Budget) -> bool {
        for (name, definitions) in &self.program.rules {
            let mut path = vec!["data".to_owned()];
            path.extend(name.iter().cloned());
            let own = self.redaction.hides_path(&path, path.len());
            let below: Vec<&[String]> =
                self.program.secret.iter().filter_map(|secret| secret.strip_prefix(path.as_slice())).collect();
            let definitions: Vec<_> =
                definitions.iter().filter_map(|number| self.program.definitions.get(*number)).collect();
            // Of what was never asked nothing is told, but what is constant needs no asking.
            let asked = definitions.iter().any(|info| info.body.is_none_or(|body| !record.runs(body).is_empty()));
            let rule = definitions.first().filter(|info| asked && !info.function && (own || !below.is_empty()));
            let Some(rule) = rule else { continue };
            let Ok(value) = self.engine.rule(&rule.rule, budget) else { return false };
            if own {
                gathered.named(&value);
            }
            for rest in below {
                let member = |value: Rego, part: &String| match &value {
                    Rego::Object(_) => value[part.as_str()].clone(),
                    _ => value,
                };
                gathered.named(&rest.iter().fold(value.clone(), member));
            }
        }
        true
    }
}

/// Asks every rule that the answer reached, in the entry point's package and those that it refers to.
fn outcomes(
    engine: &mut Engine,
    (index, texts): (&Index, &Texts),
    entry: &EntryPoint,
    shower: &Shower<'_>,
    budget: &mut Budget,
) -> Vec<RuleOutcome> {
    let involved = index.involved(entry);
    let asked: Vec<&str> = match index.entry(entry) {
        Some(Entry::Rule(rule)) => vec![&rule.name],
        Some(Entry::Package(package)) => package.members().map(|rule| rule.name.as_ref()).collect(),
        None => Vec::new(),
    };
    let reached = engine.reached(&asked, budget);
    involved
        .into_iter()
        // After an error, nobody knows what was reached: then all is told.
        .filter(|rule| reached.is_empty() || rule.is_on(&reached))
        .map(|rule| {
            let mut path = rule.parts.clone();
            path.insert(0, "data".to_owned());
            let value = match engine.rule(&rule.name, budget) {
                Ok(Rego::Undefined) => Ok(None),
                Ok(_) if shower.redaction.hides_path(&path, path.len()) => Ok(Some(Shower::hidden())),
                Ok(value) => Ok(Some(shower.json(&value, MAX_VALUE))),
                Err(Failure::Budget) => Err("no time left to ask it".to_owned()),
                Err(Failure::Error(error)) => {
                    // With its place, but without regorus' excerpt, which is of the lowered text.
                    let fault = texts.relocated(rejection::fault_of(&error, code::EVALUATION_ERROR, texts));
                    let place = fault.position.map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
                    Err(shower.text(place.unwrap_or_default() + &fault.cause))
                }
            };
            RuleOutcome { rule: Arc::clone(&rule.name), position: Some(rule.position.clone()), value }
        })
        .collect()
}

fn note(note: &str) -> Explanation {
    Explanation { note: note.to_owned(), ..Explanation::default() }
}
