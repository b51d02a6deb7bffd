//! What an instrumented evaluation reports: which conditions were met, in which order, with which values.
//!
//! The reports are calls of functions that are added to the engine of explanations only. Each gives back what it is
//! given, so that the instrumented text means what its author wrote.

mod step;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Error, anyhow};
use regorus::Value as Rego;

use self::step::whole;
use super::redact::{Gathered, Redaction};

/// A body of a definition, or of an `every`.
pub(super) type BodyId = usize;

/// A condition of a body.
pub(super) type ConditionId = usize;

/// `enter(body, arguments)`: a body begins. True.
pub(super) const ENTER: &str = "verdict__enter";
/// `near(condition, locals)`: the condition is next, unless what it looks through is empty. True.
pub(super) const NEAR: &str = "verdict__near";
/// `met(condition, locals)`: the condition is being evaluated. Gives the condition's number.
pub(super) const MET: &str = "verdict__met";
/// `seen(condition, operand, value)`: gives the value.
/// `held(body, value)`: every condition of the body held. Gives the value.
pub(super) use crate::policy::rego::lower::{HELD, SEEN};

/// In place of a condition: the value is a secret, or something that may have one in it.
pub(super) const SECRET: ConditionId = 0xffff_fffe;
pub(super) const LOOK: ConditionId = 0xffff_ffff;

/// What all those names begin with; an author's text that has it is not instrumented.
pub(super) const PREFIX: &str = "verdict__";

/// The most reports of one evaluation that are looked at.
const MAX_REPORTS: u32 = 50_000;

/// The most times that one body is followed, and that all are.
const MAX_RUNS: usize = 256;
const MAX_ALL_RUNS: usize = 8_192;

/// The body of each condition, and which bodies belong to an `every`.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) body_of: Vec<BodyId>,
    pub(super) nested: Vec<bool>,
    /// Of what is asked before a condition, apart from it: the condition.
    pub(super) part_of: Vec<Option<ConditionId>>,
    /// Of each condition, and of each body, which of its local variables or arguments have hidden names.
    pub(super) hidden_locals: Vec<Vec<usize>>,
    pub(super) hidden_arguments: Vec<Vec<usize>>,
    /// The bodies whose values are hidden, as their rules' names are.
    pub(super) hidden_values: Vec<bool>,
}

/// Takes the reports of one engine.
#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<Mutex<Recording>>);

/// What was reported.
#[derive(Debug, Default)]
pub(super) struct Record {
    runs: BTreeMap<BodyId, Vec<Run>>,
    /// What is not to be shown.
    pub(super) gathered: Gathered,
    /// Whether there was more than is kept.
    pub(super) cut: bool,
}

/// One evaluation of a body.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// When it began, in reports.
    pub(super) entered: u64,
    /// What a function was called with.
    pub(super) arguments: Vec<Rego>,
    /// The first attempt in which all conditions held, and the value that it gave.
    pub(super) held: Option<(Vec<Step>, Rego)>,
    /// The attempt that came furthest without; its last condition did not hold.
    pub(super) missed: Option<Vec<Step>>,
    /// How many attempts came as far.
    pub(super) misses: u32,
    steps: Vec<Step>,
    near: Vec<Step>,
    complete: bool,
}

/// A condition that was met.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) condition: ConditionId,
    /// The values of its local variables.
    pub(super) locals: Vec<Rego>,
    /// The values of its operands; `None` for what is undefined, or was not evaluated.
    pub(super) values: Vec<Option<Rego>>,
    /// The part that was being asked when the attempt ended; the condition itself never was.
    pub(super) part: Option<ConditionId>,
    /// From when to when it was evaluated, in reports.
    pub(super) at: u64,
    pub(super) until: u64,
}

#[derive(Debug, Default)]
struct Recording {
    on: bool,
    layout: Arc<Layout>,
    clock: u64,
    reports: u32,
    all_runs: usize,
    // The conditions of a body in the order in which the engine evaluates them: the order of their first reports.
    order: BTreeMap<BodyId, Vec<ConditionId>>,
    record: Record,
}

impl Recorder {
    /// Adds the reports to an engine.
    pub(super) fn install(&self, engine: &mut regorus::Engine) -> Result<(), Error> {
        self.add(engine, ENTER, 2, |recording, arguments| {
            let [body, given] = arguments else { return None };
            recording.enter(number(body)?, given);
            Some(Rego::Bool(true))
        })?;
        self.add(engine, NEAR, 2, |recording, arguments| {
            let [condition, locals] = arguments else { return None };
            recording.near(number(condition)?, locals);
            Some(Rego::Bool(true))
        })?;
        self.add(engine, MET, 2, |recording, arguments| {
            let [condition, locals] = arguments else { return None };
            recording.met(number(condition)?, locals);
            Some(condition.clone())
        })?;
        self.add(engine, SEEN, 3, |recording, arguments| {
            let [condition, operand, value] = arguments else { return None };
            recording.seen(number(condition)?, number(operand)?, value);
            Some(value.clone())
        })?;
        self.add(engine, HELD, 2, |recording, arguments| {
            let [body, value] = arguments else { return None };
            recording.held(number(body)?, value);
            Some(value.clone())
        })
    }

    /// Begins anew.
    pub(super) fn start(&self, layout: &Arc<Layout>, redaction: &Redaction) {
        self.with(|recording| {
            let record = Record { gathered: Gathered::new(redaction.clone()), ..Record::default() };
            *recording = Recording { on: true, layout: Arc::clone(layout), record, ..Recording::default() };
        });
    }

    /// Ends, and gives what was reported.
    pub(super) fn stop(&self) -> Record {
        let mut recording = self.with(std::mem::take);
        recording.clock += 1;
        let end = recording.clock;
        let layout = Arc::clone(&recording.layout);
        for run in recording.record.runs.values_mut().flatten() {
            run.touch(end);
            run.settle(&layout);
        }
        recording.record
    }

    fn add(
        &self,
        engine: &mut regorus::Engine,
        name: &str,
        arity: u8,
        report: fn(&mut Recording, &[Rego]) -> Option<Rego>,
    ) -> Result<(), Error> {
        let recorder = self.clone();
        let name_of = name.to_owned();
        let call = move |arguments: Vec<Rego>| {
            recorder.with(|recording| report(recording, &arguments)).ok_or_else(|| anyhow!("`{name_of}` is not yours"))
        };
        engine.add_extension(name.to_owned(), arity, Box::new(call))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Recording) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Record {
    /// The evaluations of a body, in their order.
    pub(super) fn runs(&self, body: BodyId) -> &[Run] {
        self.runs.get(&body).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Recording {
    /// Counts a report; whether it is still looked at.
    fn tick(&mut self) -> bool {
        self.clock += 1;
        self.reports += u32::from(self.on);
        let goes_on = self.on && self.reports < MAX_REPORTS;
        self.record.cut |= self.on && !goes_on;
        goes_on
    }

    /// Looks for secrets in values that are reported: also in those that no story is told of.
    fn gather(&mut self, values: &Rego, hidden: Option<&Vec<usize>>) {
        for (number, value) in values.as_array().into_iter().flat_map(|values| values.iter().enumerate()) {
            if hidden.is_some_and(|hidden| hidden.contains(&number)) {
                self.record.gathered.named(value);
            } else {
                self.record.gathered.whole(value);
            }
        }
    }

    fn enter(&mut self, body: BodyId, arguments: &Rego) {
        let layout = Arc::clone(&self.layout);
        self.gather(arguments, layout.hidden_arguments.get(body));
        if self.tick() {
            let arguments = items(arguments);
            self.begin(body, arguments);
        }
    }

    fn near(&mut self, condition: ConditionId, locals: &Rego) {
        let layout = Arc::clone(&self.layout);
        self.gather(locals, layout.hidden_locals.get(condition));
        if self.tick()
            && let Some(body) = self.layout.body_of.get(condition).copied()
        {
            let step = Step::new(condition, items(locals), self.clock);
            if let Some(run) = self.run(body) {
                run.near.push(step);
            }
        }
    }

    fn met(&mut self, condition: ConditionId, locals: &Rego) {
        let layout = Arc::clone(&self.layout);
        self.gather(locals, layout.hidden_locals.get(condition));
        if !self.tick() {
            return;
        }
        let Some(body) = self.layout.body_of.get(condition).copied() else { return };
        let order = self.order.entry(body).or_default();
        let place = order.iter().position(|known| *known == condition).unwrap_or_else(|| {
            order.push(condition);
            order.len() - 1
        });
        let before: Vec<ConditionId> = order.iter().take(place).copied().collect();
        let nested = self.layout.nested.get(body).copied().unwrap_or(false);
        if nested && place == 0 {
            self.begin(body, Vec::new());
        }
        let now = self.clock;
        let layout = Arc::clone(&self.layout);
        if let Some(run) = self.run(body) {
            run.back_to(&before, now, &layout);
            run.steps.push(Step::new(condition, items(locals), now));
        }
    }

    fn seen(&mut self, condition: ConditionId, operand: usize, value: &Rego) {
        if condition == SECRET {
            return self.record.gathered.named(value);
        }
        self.record.gathered.whole(value);
        if !self.tick() || operand >= super::instrument::MAX_OPERANDS {
            return;
        }
        let Some(body) = self.layout.body_of.get(condition).copied() else { return };
        let step = self.run(body).and_then(|run| run.steps.iter_mut().rfind(|step| step.condition == condition));
        if let Some(step) = step {
            if step.values.len() <= operand {
                step.values.resize(operand + 1, None);
            }
            if let Some(place) = step.values.get_mut(operand) {
                *place = Some(value.clone());
            }
        }
    }

    fn held(&mut self, body: BodyId, value: &Rego) {
        if self.layout.hidden_values.get(body).copied().unwrap_or(false) {
            self.record.gathered.named(value);
        } else {
            self.record.gathered.whole(value);
        }
        if !self.tick() {
            return;
        }
        let now = self.clock;
        let layout = Arc::clone(&self.layout);
        if let Some(run) = self.run(body) {
            run.touch(now);
            run.complete = true;
            if run.held.is_none() {
                run.held = Some((whole(&run.steps, &layout), value.clone()));
            }
        }
    }

    fn begin(&mut self, body: BodyId, arguments: Vec<Rego>) {
        let now = self.clock;
        let runs = self.record.runs.entry(body).or_default();
        if let Some(last) = runs.last_mut() {
            last.touch(now);
            last.settle(&self.layout);
        }
        if runs.len() < MAX_RUNS && self.all_runs < MAX_ALL_RUNS {
            self.all_runs += 1;
            runs.push(Run { entered: now, arguments, ..Run::default() });
        } else {
            // What follows is lost, rather than told of the wrong run: the last one is settled, and begins again.
            self.record.cut = true;
            if let Some(last) = runs.last_mut() {
                *last = Run { entered: now, arguments, ..Run::default() };
            }
        }
    }

    fn run(&mut self, body: BodyId) -> Option<&mut Run> {
        if self.record.runs.get(&body).is_none_or(Vec::is_empty) {
            self.begin(body, Vec::new());
        }
        self.record.runs.get_mut(&body)?.last_mut()
    }
}

impl Run {
    /// The conditions that the engine evaluates next are others: what was being evaluated has ended.
    fn touch(&mut self, now: u64) {
        if let Some(last) = self.steps.last_mut() {
            last.until = last.until.min(now);
        }
    }

    /// Goes back to where only these conditions, or some of them, were met: the attempt beyond has ended.
    fn back_to(&mut self, before: &[ConditionId], now: u64, layout: &Layout) {
        self.touch(now);
        let keep = self.steps.iter().take_while(|step| before.contains(&step.condition)).count();
        if keep < self.steps.len() {
            self.settle(layout);
            let since = self.steps.get(keep).map_or(now, |step| step.at);
            self.steps.truncate(keep);
            self.near.retain(|near| near.at < since);
            self.complete = false;
        }
    }

    /// Takes the attempt that has ended into account.
    fn settle(&mut self, layout: &Layout) {
        if self.complete || self.steps.is_empty() && self.near.is_empty() {
            return;
        }
        let last = self.steps.last().map_or(0, |step| step.at);
        let met = |near: &&Step| near.at > last && self.steps.iter().all(|step| step.condition != near.condition);
        let near = self.near.iter().rfind(met).cloned();
        let steps = whole(&self.steps, layout);
        let length = steps.len() + usize::from(near.is_some());
        match &self.missed {
            Some(missed) if missed.len() > length => {}
            Some(missed) if missed.len() == length => self.misses += 1,
            _ => {
                self.missed = Some(steps.into_iter().chain(near).collect());
                self.misses = 1;
            }
        }
    }
}

fn number(value: &Rego) -> Option<usize> {
    value.as_u64().ok().and_then(|number| usize::try_from(number).ok())
}

fn items(value: &Rego) -> Vec<Rego> {
    value.as_array().map(|items| items.iter().cloned().collect()).unwrap_or_default()
}
