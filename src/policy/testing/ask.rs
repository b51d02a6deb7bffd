//! Asking an evaluator for the value of one test, and reading what it means.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use regorus::Value as Rego;

use super::{Case, Outcome, Target, Test, find::Table};
use crate::{
    decision::EntryPoint,
    policy::{
        builtins,
        engine::{Engine, Failure},
        rejection,
        text::Texts,
    },
};

/// What came of asking.
pub(super) struct Answer {
    value: Result<(Rego, Vec<Vec<Rego>>), Failure>,
    pub(super) prints: Vec<String>,
    pub(super) coverage: Option<regorus::coverage::Report>,
}

/// What is asked for a test.
pub(super) struct Question {
    reference: EntryPoint,
    table: Option<Table>,
}

impl Question {
    /// The question of a test; otherwise how it ends without being asked.
    pub(super) fn of(test: &Test) -> Result<Self, Outcome> {
        match &test.target {
            Target::Todo => Err(Outcome::Skip),
            Target::Refused(why) => Err(Outcome::Error((*why).to_owned())),
            Target::Rule(reference) => Ok(Self { reference: reference.clone(), table: None }),
            Target::Object(reference, table) => {
                Ok(Self { reference: reference.clone(), table: Some(table.clone().unwrap_or_default()) })
            }
        }
    }

    /// Its answer, within `limit`.
    pub(super) fn ask(&self, engine: &mut regorus::Engine, limit: Duration, coverage: bool) -> Answer {
        engine.set_enable_coverage(coverage);
        Engine::grant(engine, limit);
        let started = Instant::now();
        let _evaluation = builtins::Query::begin();
        let value = match &self.table {
            None => engine.eval_rule(self.reference.as_str().to_owned()).map(|value| (value, Vec::new())),
            Some(table) => ask_table(engine, &self.reference, table),
        };
        let value = value.map_err(Engine::failure);
        // regorus drops the error of a function's definition where another definition has a value, also the error of a
        // spent budget: an answer that took longer than it may is none.
        let value = if started.elapsed() >= limit { value.and(Err(Failure::Budget)) } else { value };
        Answer {
            value,
            prints: engine.take_prints().unwrap_or_default(),
            coverage: coverage.then(|| engine.get_coverage_report().ok()).flatten(),
        }
    }
}

impl Answer {
    /// How the test ended, with the cases of a table; `limit` is what it was granted.
    pub(super) fn outcome(self, test: &Test, limit: Duration, texts: &Texts) -> (Outcome, Vec<Case>) {
        match (self.value, &test.target) {
            (Err(Failure::Budget), _) => (Outcome::Error(too_long(limit)), Vec::new()),
            (Err(Failure::Error(error)), _) => {
                let fault = texts.relocated(rejection::fault_of(&error, "rego_error", texts));
                (Outcome::Error(fault.to_string()), Vec::new())
            }
            (Ok((value, tuples)), Target::Object(_, Some(_))) => {
                let cases = cases(&value, tuples);
                (passed(cases.iter().all(|case| case.passed)), cases)
            }
            (Ok((value, _)), _) => (passed(value == Rego::Bool(true)), Vec::new()),
        }
    }
}

pub(super) fn too_long(limit: Duration) -> String {
    format!("it took longer than {limit:?}")
}

fn passed(passed: bool) -> Outcome {
    if passed { Outcome::Pass } else { Outcome::Fail }
}

fn ask_table(
    engine: &mut regorus::Engine,
    reference: &EntryPoint,
    table: &Table,
) -> Result<(Rego, Vec<Vec<Rego>>), anyhow::Error> {
    let mut value = |reference: &str| -> Result<Rego, anyhow::Error> {
        let results = engine.eval_query(reference.to_owned(), false)?;
        let first = results.result.into_iter().next().and_then(|result| result.expressions.into_iter().next());
        Ok(first.map_or(Rego::Undefined, |expression| expression.value))
    };
    let whole = value(reference.as_str())?;
    let mut tuples = Vec::new();
    for list in &table.lists {
        let list = EntryPoint::from_parts(table.package.iter().cloned().chain([list.clone()]));
        if let Rego::Set(items) = value(list.as_str())? {
            tuples.extend(items.iter_sorted().filter_map(|item| Some(item.as_array().ok()?.to_vec())));
        }
    }
    Ok((whole, tuples))
}

/// The cases that a table lists: those for which it has no value, too.
fn cases(value: &Rego, tuples: Vec<Vec<Rego>>) -> Vec<Case> {
    let mut cases = BTreeMap::new();
    for tuple in tuples {
        let at = tuple.iter().try_fold(value, |at, key| at.as_object().ok()?.get(key));
        let passed = cases.entry(tuple.iter().map(key).collect()).or_insert(true);
        *passed &= at.is_some_and(all_true);
    }
    cases.into_iter().map(|(keys, passed)| Case { keys, passed }).collect()
}

fn all_true(value: &Rego) -> bool {
    match value {
        Rego::Object(members) => members.iter().all(|(_, member)| all_true(member)),
        other => *other == Rego::Bool(true),
    }
}

/// A key of a table as people read it: text without quotes, anything else as JSON.
pub(super) fn key(value: &Rego) -> String {
    match value {
        Rego::String(text) => text.to_string(),
        other => other.to_json_str().unwrap_or_default(),
    }
}
