//! From what was recorded to why: the definitions that held, and what kept the others from holding.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use regorus::Value as Rego;

use super::{
    program::{DefinitionId, Kind, Program, Shape},
    record::{Record, Run, Step},
    redact::Shower,
};
use crate::{
    decision::{Effect, Need, RuleTrace},
    policy::rego::ast::Span,
};

/// The most definitions of each kind that are told.
const MAX_TOLD: usize = 64;

/// How many rules deep causes are followed.
const MAX_DEPTH: usize = 16;

/// The most runs of one function that are looked at for one condition.
const MAX_RUNS: usize = 8;

/// When something was evaluated, in reports.
pub(super) type Window = (u64, u64);

/// Asks for a rule's value.
pub(super) type Values<'a> = &'a mut dyn FnMut(&str) -> Option<Rego>;

/// What is being told.
pub(super) struct Story<'a> {
    pub(super) program: &'a Program,
    pub(super) record: &'a Record,
    pub(super) shower: Shower<'a>,
    pub(super) values: Values<'a>,
    pub(super) hidden: BTreeMap<Vec<String>, bool>,
    fired: Vec<RuleTrace>,
    missed: Vec<RuleTrace>,
    told: BTreeSet<(DefinitionId, u64, bool)>,
    /// Definitions that did not hold, of decisions that another definition handed to another rule.
    elsewhere: Vec<(DefinitionId, &'a Run, Vec<Link>)>,
}

/// A condition through which a rule is asked for.
#[derive(Clone)]
struct Link {
    definition: DefinitionId,
    span: Span,
    held: u32,
    total: u32,
}

/// What was found of a rule that was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing that explains anything.
    Nothing,
    /// Why some of it did not hold, while other parts did.
    Part,
    /// Why none of it held.
    All,
}

impl<'a> Story<'a> {
    pub(super) fn new(program: &'a Program, record: &'a Record, shower: Shower<'a>, values: Values<'a>) -> Self {
        Self {
            program,
            record,
            shower,
            values,
            hidden: BTreeMap::new(),
            fired: Vec::new(),
            missed: Vec::new(),
            told: BTreeSet::new(),
            elsewhere: Vec::new(),
        }
    }

    /// Tells of the rules at `paths`, which were asked: what fired and what was missed.
    pub(super) fn tell(mut self, effect: Effect, paths: &[Vec<String>]) -> (Vec<RuleTrace>, Vec<RuleTrace>) {
        match effect {
            Effect::Allow => self.fired_for_allow(paths),
            Effect::Deny => {
                for (number, path) in paths.iter().enumerate() {
                    self.fired_for_deny(path, 0);
                    // Of a package, `allow` is the first; the others add to a deny, and are not missed.
                    if number == 0 {
                        self.denied(path, &mut Vec::new(), 0);
                    }
                }
            }
        }
        sort(&mut self.missed);
        if effect == Effect::Deny {
            // What a deny complains about beyond that did not keep the allow from holding alone: it comes after.
            let mut nearest = std::mem::take(&mut self.missed);
            for path in paths {
                self.complaints(path, 0);
            }
            sort(&mut self.missed);
            nearest.append(&mut self.missed);
            for (definition, run, mut chain) in std::mem::take(&mut self.elsewhere) {
                if let Some(missed) = &run.missed {
                    self.miss(definition, run, missed, &mut chain, 0);
                }
            }
            sort(&mut self.missed);
            nearest.append(&mut self.missed);
            self.missed = nearest;
        }
        (self.fired, self.missed)
    }

    /// The rules that an allow rests on, from its own to those that their conditions and values name.
    fn fired_for_allow(&mut self, paths: &[Vec<String>]) {
        let always = (0, u64::MAX);
        let mut open: VecDeque<(Vec<String>, Window)> = paths.iter().map(|path| (path.clone(), always)).collect();
        while let Some((path, window)) = open.pop_front() {
            for (definition, run) in self.runs(&path, window) {
                let Some((steps, _)) = run.held.as_ref() else { continue };
                if !self.fire(definition, run) {
                    continue;
                }
                for step in steps {
                    if let Some(condition) = self.program.condition(step.condition).filter(|one| !one.negated) {
                        open.extend(condition.paths.iter().map(|path| (path.clone(), (step.at, step.until))));
                    }
                }
                let info = self.program.definitions.get(definition);
                open.extend(info.into_iter().flat_map(|info| &info.value_paths).map(|path| (path.clone(), always)));
            }
        }
    }

    /// The rules that say a deny: those of the entry point that held, and those that their values name.
    fn fired_for_deny(&mut self, path: &[String], depth: usize) {
        let always = (0, u64::MAX);
        for (definition, run) in self.runs(path, always) {
            if depth > MAX_DEPTH || run.held.is_none() || !self.fire(definition, run) {
                continue;
            }
            let Some(info) = self.program.definitions.get(definition) else { continue };
            for path in &info.value_paths {
                if info.answer_paths.contains(path) {
                    self.fired_for_deny(path, depth + 1);
                    continue;
                }
                for (definition, run) in self.runs(path, always) {
                    if run.held.is_some() {
                        self.fire(definition, run);
                    }
                }
            }
        }
    }

    fn fire(&mut self, definition: DefinitionId, run: &'a Run) -> bool {
        let Some((steps, value)) = &run.held else { return false };
        if self.fired.len() >= MAX_TOLD || !self.told.insert((definition, run.entered, true)) {
            return false;
        }
        let trace = self.trace(definition, run, steps, Some(value));
        self.fired.push(trace);
        true
    }

    /// Why a decision is not an allow.
    fn denied(&mut self, path: &[String], chain: &mut Vec<Link>, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let runs = self.runs(path, (0, u64::MAX));
        let hands_on = runs.iter().any(|(definition, run)| {
            let info = self.program.definitions.get(*definition);
            run.held.is_some() && info.is_some_and(|info| !info.answer_paths.is_empty())
        });
        for (definition, run) in runs {
            let Some((steps, value)) = &run.held else {
                if hands_on {
                    self.elsewhere.push((definition, run, chain.clone()));
                } else if let Some(missed) = &run.missed {
                    self.miss(definition, run, missed, chain, depth);
                }
                continue;
            };
            let Some(info) = self.program.definitions.get(definition) else { continue };
            for step in steps {
                let Some(condition) = self.program.condition(step.condition).filter(|one| one.negated) else {
                    continue;
                };
                for path in &condition.paths {
                    self.missing(path, (step.at, step.until), chain, depth + 1);
                }
            }
            if info.answer_paths.is_empty() && *value == Rego::Bool(false) {
                self.miss(definition, run, steps, chain, depth);
            }
            for path in &info.answer_paths {
                self.denied(path, chain, depth + 1);
            }
        }
    }

    /// Why what a deny complains of, by `not`, did not hold.
    fn complaints(&mut self, path: &[String], depth: usize) {
        for (definition, run) in self.runs(path, (0, u64::MAX)) {
            let Some(info) = self.program.definitions.get(definition) else { continue };
            let Some((steps, _)) = run.held.as_ref().filter(|_| depth <= MAX_DEPTH) else { continue };
            for step in steps {
                let Some(condition) = self.program.condition(step.condition).filter(|one| one.negated) else {
                    continue;
                };
                let link = Link { definition, span: condition.span, held: 0, total: 1 };
                for path in &condition.paths {
                    self.missing(path, (step.at, step.until), &mut vec![link.clone()], depth + 1);
                }
            }
            for path in &info.value_paths {
                self.complaints(path, depth + 1);
            }
        }
    }

    /// Why a rule or a function that was asked for did not hold, or gave less than it might.
    fn missing(&mut self, path: &[String], window: Window, chain: &mut Vec<Link>, depth: usize) -> Found {
        if depth > MAX_DEPTH || self.missed.len() >= MAX_TOLD {
            return Found::Nothing;
        }
        let runs = self.runs(path, window);
        let is_true = |run: &&Run| run.held.as_ref().is_some_and(|(_, value)| *value != Rego::Bool(false));
        let some_held = runs.iter().any(|(_, run)| is_true(run));
        let mut found = Found::Nothing;
        for (definition, run) in runs {
            let Some(info) = self.program.definitions.get(definition) else { continue };
            match (&run.held, &run.missed) {
                (Some((steps, _)), _) if info.kind != Kind::Partial => {
                    if is_true(&run) {
                        // It gave a value; perhaps what the value is made of lacks something.
                        let at = (0, u64::MAX);
                        chain.push(self.link_of_value(definition));
                        for path in &info.value_paths {
                            if self.lacks(path) && self.missing(path, at, chain, depth + 1) != Found::Nothing {
                                found = Found::Part;
                            }
                        }
                        chain.pop();
                    } else if self.miss(definition, run, steps, chain, depth) {
                        found = Found::All;
                    }
                }
                // A function that held for other arguments, or another definition that gave the value: no cause.
                (_, Some(_)) if some_held && info.kind != Kind::Partial => {}
                (_, Some(missed)) if self.miss(definition, run, missed, chain, depth) => {
                    found = if some_held { Found::Part } else { Found::All };
                }
                _ => {}
            }
        }
        found
    }

    /// Whether a rule that a value is made of may lack something: it gives many values, or none.
    fn lacks(&self, path: &[String]) -> bool {
        let runs = self.runs(path, (0, u64::MAX));
        let partial = |definition: DefinitionId| {
            self.program.definitions.get(definition).is_some_and(|info| info.kind == Kind::Partial)
        };
        runs.iter().any(|(definition, _)| partial(*definition)) || runs.iter().all(|(_, run)| run.held.is_none())
    }

    /// Tells of an attempt whose last condition did not hold: of what that condition asked for, or of itself.
    fn miss(
        &mut self,
        definition: DefinitionId,
        run: &'a Run,
        steps: &'a [Step],
        chain: &mut Vec<Link>,
        depth: usize,
    ) -> bool {
        let Some((last, before)) = steps.split_last() else { return false };
        let Some(condition) = self.program.condition(last.condition) else { return false };
        let Some(body) = self.program.bodies.get(condition.body) else { return false };
        // A value is no condition, though it may have been asked first.
        let shape = |step: &&Step| self.program.condition(step.condition).map(|condition| condition.shape);
        let held = before.iter().filter(|step| shape(step) != Some(Shape::Value)).count();
        let held = u32::try_from(held).unwrap_or(u32::MAX);
        let total = body.total.max(held.saturating_add(1));
        let window = (last.at, last.until);
        chain.push(Link { definition, span: condition.span, held, total });
        let mut found = Found::Nothing;
        let asked = match last.part.and_then(|part| self.program.condition(part)) {
            Some(part) => Some(part),
            None => (!condition.negated).then_some(condition),
        };
        if let Some(asked) = asked {
            for path in &asked.paths {
                found = match self.missing(path, window, chain, depth + 1) {
                    Found::All => Found::All,
                    Found::Part if found != Found::All => Found::Part,
                    _ => found,
                };
            }
        }
        if let Shape::Every(inner) = condition.shape {
            let within = |run: &&Run| run.entered >= window.0 && run.entered < window.1;
            let nested = self.record.runs(inner).iter().rfind(within);
            if let Some((nested, missed)) = nested.and_then(|run| Some((run, run.missed.as_ref()?)))
                && self.miss(definition, nested, missed, chain, depth + 1)
            {
                found = Found::All;
            }
        }
        chain.pop();
        if found != Found::All && self.missed.len() < MAX_TOLD && self.told.insert((definition, run.entered, false)) {
            let mut trace = self.trace(definition, run, steps, None);
            (trace.held, trace.total, trace.attempts) = (held, total, run.misses.max(1));
            let own = f64::from(held) / f64::from(total.max(1));
            trace.nearness = chain
                .iter()
                .rev()
                .fold(own, |near, link| ((f64::from(link.held) + near) / f64::from(link.total.max(1))).min(1.0));
            trace.needed_by = chain.iter().rev().filter_map(|link| self.need(link)).collect();
            self.missed.push(trace);
        }
        true
    }

    fn need(&self, link: &Link) -> Option<Need> {
        let definition = self.program.definitions.get(link.definition)?;
        let file = self.program.files.get(definition.file)?;
        Some(Need {
            rule: definition.rule.clone(),
            text: file.slice(link.span).to_owned(),
            position: Some(file.position(link.span)),
        })
    }

    fn link_of_value(&self, definition: DefinitionId) -> Link {
        let span = self.program.definitions.get(definition).map(|info| info.span).unwrap_or_default();
        Link { definition, span, held: 0, total: 1 }
    }

    /// The evaluations of a rule's definitions in a window; of a rule that was evaluated before, what it then came to.
    fn runs(&self, path: &[String], window: Window) -> Vec<(DefinitionId, &'a Run)> {
        let Some((_, definitions)) = self.program.rule(path) else { return Vec::new() };
        let mut found = Vec::new();
        for number in definitions {
            let Some(definition) = self.program.definitions.get(*number) else { continue };
            let Some(runs) = definition.body.map(|body| self.record.runs(body)) else { continue };
            let within: Vec<&Run> =
                runs.iter().filter(|run| run.entered >= window.0 && run.entered < window.1).collect();
            if within.is_empty() && !definition.function {
                found.extend(runs.first().map(|run| (*number, run)));
            } else {
                let most = if definition.function { MAX_RUNS } else { 1 };
                found.extend(within.into_iter().take(most).map(|run| (*number, run)));
            }
        }
        found
    }
}

fn sort(missed: &mut [RuleTrace]) {
    missed.sort_by(|one, other| {
        let deeper = other.needed_by.len().cmp(&one.needed_by.len());
        other.nearness.total_cmp(&one.nearness).then(deeper)
    });
}
