//! The rules that ask for the beginnings of a test's body.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    time::{Duration, Instant},
};

use regorus::Value as Rego;

use super::{
    File, Value,
    operands::{self, Mentioned, Operand},
    text,
};
use crate::{
    decision::EntryPoint,
    policy::{
        builtins,
        engine::Engine,
        explain::{Gathered, Redaction, Secrets, Shower},
        rego::ast::{Expr, RefPartKind, Rule, Span, Term, TermKind},
        testing::{Test, ask, find::Names},
    },
};

/// The most values of one operand that are told.
const MOST_VALUES: usize = 3;

/// What is asked about one test.
#[derive(Clone)]
pub(super) struct Probe {
    file: String,
    package: Vec<String>,
    steps: Vec<Step>,
}

/// The solutions of all conditions before one, each with the values of its operands.
#[derive(Clone)]
struct Step {
    name: String,
    /// The condition, or the value of the rule's head.
    span: Span,
    is_value: bool,
    /// Whether there is anything to say about it: a rule without a value has nothing.
    written: bool,
    /// Whether the solutions begin with the keys of their case.
    keyed: bool,
    prefix: String,
    keys: String,
    /// The operands: where each is, and the comprehension of its values.
    operands: Vec<(Span, String)>,
    /// Which of them have a hidden name in their text.
    hidden: Vec<bool>,
}

/// One solution.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    keys: Vec<String>,
    /// Of each operand the values.
    values: Vec<Vec<String>>,
}

/// The step that has no solution after it.
pub(super) struct Failed<'a> {
    pub(super) span: Span,
    pub(super) is_value: bool,
    step: &'a Step,
    seen: &'a [Seen],
}

impl Probe {
    /// The probe of a test; `None` where its rule has nothing that can be asked.
    pub(super) fn of(
        test: &Test,
        files: &std::collections::BTreeMap<&str, File<'_>>,
        names: &mut Names,
    ) -> Option<Self> {
        let path = &*test.position.file;
        let file = files.get(path)?;
        let here = |rule: &&Rule| super::place(path, file.text, rule.head.span) == test.position;
        let rule = file.module.rules.iter().find(|rule| !rule.chained && here(rule))?;
        let package: Vec<String> = file.module.package.path.iter().map(|name| name.text.clone()).collect();
        let known = globals(&package, files);
        let keys = keys(rule, file.text)?;
        let mut probe = Self { file: path.to_owned(), package, steps: Vec::new() };
        let conditions: &[Expr] = rule.body.as_ref().map_or(&[], |body| &body.expressions);
        let mut bound = Mentioned::default();
        let slice = |span: Span| file.text.get(span.range());
        for at in 0..=conditions.len() {
            let condition = conditions.get(at);
            let (span, operands) = match (condition, &rule.head.value) {
                (Some(condition), _) => (condition.span, operands::of(condition)),
                (None, Some(value)) => (value.span, operands::of_value(value)),
                // Its value is `true`, then; the step is only to see whether the last condition holds.
                (None, None) => (rule.head.span, Vec::new()),
            };
            let with =
                condition.and_then(|one| Some(slice(one.with.first()?.span.to(one.with.last()?.span))?.to_owned()));
            let own = names.of_length(24)?;
            let told = |operand: Operand| {
                if let Some(every) = operand.every {
                    let (name, elements) = (slice(operand.span)?, slice(every.elements)?);
                    let conditions = slice(every.conditions)?;
                    let ask = format!("[{name} | some {elements}; count([1 | {conditions}\n]) == 0\n]");
                    return Some((operand.span, ask));
                }
                let text = slice(operand.span)?;
                let defined = |name: &String| bound.names.contains(name) || known.contains(name);
                let with = with.as_deref().filter(|_| operand.with).unwrap_or_default();
                let ask = || format!("[{own} | {own} := {text} {with}\n]");
                operand.variable.as_ref().is_none_or(defined).then(|| (operand.span, ask()))
            };
            let mut operands: Vec<(Span, String)> = operands.into_iter().filter_map(told).collect();
            let mut texts = BTreeSet::new();
            operands.retain(|(_, text)| texts.insert(text.clone()));
            let named = |word: &str| Redaction::default().hides(word);
            let words = |text: &str| text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).any(named);
            let hidden = operands.iter().map(|(span, _)| slice(*span).is_some_and(words)).collect();
            let before =
                at.checked_sub(1).and_then(|last| Some(conditions.first()?.span.to(conditions.get(last)?.span)));
            let keyed = !keys.text.is_empty()
                && keys.names.iter().all(|name| bound.names.contains(name) || known.contains(name));
            probe.steps.push(Step {
                name: names.of_length(24)?,
                span,
                is_value: condition.is_none(),
                written: condition.is_some() || rule.head.value.is_some(),
                keyed,
                prefix: before.map_or(Some("true"), slice)?.to_owned(),
                keys: if keyed { keys.text.clone() } else { String::new() },
                operands,
                hidden,
            });
            if let Some(condition) = condition.filter(|condition| !condition.negated) {
                bound.expr(condition);
            }
        }
        Some(probe)
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Gives up the values: then only the condition is told.
    pub(super) fn forget_operands(&mut self) {
        self.steps.iter_mut().for_each(|step| step.operands.clear());
    }

    /// The text to be added to the file.
    pub(super) fn rules(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            let operands: Vec<&str> = step.operands.iter().map(|(_, ask)| ask.as_str()).collect();
            let _ =
                write!(out, "\n{} := [[[{}], [{}]] | {}\n]\n", step.name, step.keys, operands.join(", "), step.prefix);
        }
        out
    }

    /// What each step saw; ends with the first that has no solution or can't be asked. Values that are hidden in
    /// explanations are hidden here, too.
    pub(super) fn ask(&self, engine: &mut regorus::Engine, limit: Duration) -> Vec<Vec<Seen>> {
        let started = Instant::now();
        let mut all: Vec<Vec<Rego>> = Vec::new();
        for step in &self.steps {
            let rule = EntryPoint::from_parts(self.package.iter().cloned().chain([step.name.clone()]));
            Engine::grant(engine, limit.saturating_sub(started.elapsed()).max(Duration::from_millis(1)));
            let _evaluation = builtins::Query::begin();
            let Ok(value) = engine.eval_rule(rule.as_str().to_owned()) else { break };
            let _ = engine.take_prints();
            let solutions = list(Some(&value));
            let none = solutions.is_empty();
            all.push(solutions);
            if none {
                break;
            }
        }
        let redaction = Redaction::default();
        let mut gathered = Gathered::new(redaction.clone());
        for (step, solutions) in self.steps.iter().zip(&all) {
            for values in solutions.iter().map(values_of) {
                for (number, value) in values
                    .iter()
                    .enumerate()
                    .flat_map(|(number, values)| values.iter().map(move |value| (number, value)))
                {
                    if step.hides(number) { gathered.named(value) } else { gathered.whole(value) }
                }
            }
        }
        let (found, data) = (gathered.secrets(), Secrets::of(&redaction, "data", &engine.get_data()));
        let shower = Shower { redaction: &redaction, secrets: [&found, &data, &Secrets::default()] };
        let seen = |(step, solutions): (&Step, &Vec<Rego>)| {
            solutions.iter().map(|solution| step.seen(solution, &shower)).collect()
        };
        self.steps.iter().zip(&all).map(seen).collect()
    }

    /// The first step after which nothing is left of the case with these keys.
    pub(super) fn first_failed<'a>(&'a self, seen: &'a [Vec<Seen>], keys: &[String]) -> Option<Failed<'a>> {
        let left = |at: usize| {
            let (step, seen) = (self.steps.get(at)?, seen.get(at)?);
            Some(seen.iter().any(|one| step.is_of(one, keys)))
        };
        let failed = (0..self.steps.len()).find(|at| match left(at + 1) {
            Some(left) => !left,
            // The last step is the value; what was not asked is not known.
            None => at + 1 == self.steps.len(),
        })?;
        let (step, seen) = (self.steps.get(failed)?, seen.get(failed)?);
        step.written.then_some(Failed { span: step.span, is_value: step.is_value, step, seen })
    }
}

impl Step {
    fn hides(&self, operand: usize) -> bool {
        self.hidden.get(operand).copied().unwrap_or(false)
    }

    fn seen(&self, solution: &Rego, shower: &Shower<'_>) -> Seen {
        let shown = |(number, values): (usize, &Vec<Rego>)| {
            let hidden = |value: &Rego| {
                text::of(&if self.hides(number) { Shower::mask_of(value) } else { shower.masked(value) })
            };
            values.iter().map(hidden).collect()
        };
        let keys = list(list(Some(solution)).first());
        let keys = keys.iter().map(ask::key).collect();
        Seen { keys, values: values_of(solution).iter().enumerate().map(shown).collect() }
    }

    /// Whether a solution belongs to the case with these keys, as far as can be told by then.
    fn is_of(&self, seen: &Seen, keys: &[String]) -> bool {
        !self.keyed || keys.is_empty() || seen.keys == keys
    }
}

impl Failed<'_> {
    /// What its operands came to, in the solutions of the case with these keys.
    pub(super) fn values(&self, text: &str, keys: &[String]) -> Vec<Value> {
        let own = || self.seen.iter().filter(|seen| self.step.is_of(seen, keys));
        let value = |(at, (span, _)): (usize, &(Span, String))| {
            let mut values: Vec<String> = Vec::new();
            for value in own().filter_map(|seen| seen.values.get(at)).flatten() {
                if !values.contains(value) {
                    values.push(value.clone());
                }
                // How many more there are is not worth comparing each with each.
                if values.len() > 100 {
                    break;
                }
            }
            let more = values.len().saturating_sub(MOST_VALUES);
            values.truncate(MOST_VALUES);
            let text = text.get(span.range()).unwrap_or_default().to_owned();
            Value { text, values, more }
        };
        self.step.operands.iter().enumerate().map(value).collect()
    }
}

/// The keys of a test's head.
struct Keys {
    text: String,
    names: BTreeSet<String>,
}

fn keys(rule: &Rule, text: &str) -> Option<Keys> {
    let reference = &rule.head.reference;
    let TermKind::Var(first) = &reference.head.kind else { return None };
    let is_test = |name: &str| name.starts_with("test_");
    let mut found = is_test(first);
    let (mut texts, mut mentioned) = (Vec::new(), Mentioned::default());
    for part in &reference.parts {
        let constant = match &part.kind {
            RefPartKind::Dot(name) => Some(name.as_str()),
            RefPartKind::Bracket(Term { kind: TermKind::String { value, .. }, .. }) => Some(value.as_str()),
            RefPartKind::Bracket(_) => None,
        };
        if !found {
            found = constant.is_some_and(is_test);
            continue;
        }
        texts.push(match (constant, &part.kind) {
            (Some(name), _) => serde_json::Value::from(name).to_string(),
            (None, RefPartKind::Bracket(term)) => {
                mentioned.term(term);
                text.get(term.span.range())?.to_owned()
            }
            (None, RefPartKind::Dot(_)) => return None,
        });
    }
    found.then(|| Keys { text: texts.join(", "), names: mentioned.names })
}

/// Names that need no binding: rules of the package, and imports of the file are names in references.
fn globals(package: &[String], files: &std::collections::BTreeMap<&str, File<'_>>) -> BTreeSet<String> {
    let own = |file: &&File<'_>| file.module.package.path.iter().map(|name| &name.text).eq(package);
    let mut known = BTreeSet::from(["input".to_owned(), "data".to_owned()]);
    for file in files.values().filter(own) {
        let rules = file.module.rules.iter().filter_map(|rule| match &rule.head.reference.head.kind {
            TermKind::Var(name) => Some(name.clone()),
            _ => None,
        });
        known.extend(rules);
        known.extend(file.module.imports.iter().filter_map(|import| import.name().map(str::to_owned)));
    }
    known
}

/// Of each operand the values, in a solution.
fn values_of(solution: &Rego) -> Vec<Vec<Rego>> {
    list(list(Some(solution)).get(1)).iter().map(|values| list(Some(values))).collect()
}

fn list(value: Option<&Rego>) -> Vec<Rego> {
    value.and_then(|value| Some(value.as_array().ok()?.to_vec())).unwrap_or_default()
}
