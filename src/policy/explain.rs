//! What each rule answered to a question.

use std::sync::Arc;

use regorus::Value as Rego;

use super::{
    budget::Budget,
    engine::{Engine, Failure},
    index::{Entry, Index},
};
use crate::decision::{EntryPoint, Explanation, RuleOutcome};

/// The most bytes of a value that are told.
const MAX_VALUE: usize = 4_096;

/// Asks every rule that the answer reached, in the entry point's package and those that it refers to, within `budget`.
pub(super) fn explain(engine: &mut Engine, index: &Index, entry: &EntryPoint, mut budget: Budget) -> Explanation {
    let involved = index.involved(entry);
    let asked: Vec<&str> = match index.entry(entry) {
        Some(Entry::Rule(rule)) => vec![&rule.name],
        Some(Entry::Package(package)) => package.members().map(|rule| rule.name.as_ref()).collect(),
        None => Vec::new(),
    };
    let reached = engine.reached(&asked, &mut budget);
    let rules = involved
        .into_iter()
        // After an error, nobody knows what was reached: then all is told.
        .filter(|rule| reached.is_empty() || rule.is_on(&reached))
        .map(|rule| {
            let value = match engine.rule(&rule.name, &mut budget) {
                Ok(Rego::Undefined) => Ok(None),
                Ok(value) => match serde_json::to_string(&value) {
                    Ok(json) => Ok(Some(shortened(json))),
                    Err(error) => Err(error.to_string()),
                },
                Err(Failure::Budget) => Err("no time left to ask it".to_owned()),
                Err(Failure::Error(error)) => Err(error.to_string().trim().to_owned()),
            };
            RuleOutcome { rule: Arc::clone(&rule.name), position: Some(rule.position.clone()), value }
        })
        .collect();
    Explanation { rules, ..Explanation::default() }
}

fn shortened(mut json: String) -> String {
    if json.len() > MAX_VALUE {
        let end = (0..=MAX_VALUE).rev().find(|at| json.is_char_boundary(*at)).unwrap_or(0);
        json.truncate(end);
        json.push('…');
    }
    json
}
