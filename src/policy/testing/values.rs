//! Why a test failed: the first condition of its body that did not hold, and the values of what it names.
//!
//! Each beginning of the body is asked for its solutions by a rule of its own, added to the test's file. Such a rule
//! also gives the values of the operands of the condition that comes next.

mod operands;
mod probe;
mod text;

use std::collections::BTreeMap;

use self::probe::{Probe, Seen};
use super::{Case, Outcome, Run, Suite, Test, engines_of, find::Names, isolated};
use crate::{
    decision::SourcePosition,
    policy::{rego::ast, text::line_and_column},
};

/// The most tests that are looked into.
const MOST: usize = 200;

/// What kept a test, or one case of it, from passing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The keys of the case; empty for a test that is no table.
    pub case: Vec<String>,
    /// Whether it is the rule's value, which is not `true`, and not a condition.
    pub is_value: bool,
    /// Where the condition begins.
    pub position: SourcePosition,
    /// The condition as it is written.
    pub text: String,
    /// The whole line on which it begins.
    pub line: String,
    /// What it names, in the order of the text.
    pub values: Vec<Value>,
}

/// What a part of a condition came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The part as it is written.
    pub text: String,
    /// Its values, as Rego terms; several where the condition was tried several times, none where it is undefined.
    pub values: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

/// A file as its author wrote it.
struct File<'a> {
    text: &'a str,
    module: &'a ast::Module,
}

impl Suite {
    /// Why each of these failed, in their order; empty for what did not fail, or where it can't be told.
    #[must_use]
    pub fn why<'a>(&self, runs: impl IntoIterator<Item = (&'a Test, &'a Run)>) -> Vec<Vec<Why>> {
        let files = self.files();
        let mut names = Names::new(files.values().map(|file| file.text.to_owned()).collect());
        let mut whys = Vec::new();
        let mut probes = Vec::new();
        for (at, (test, run)) in runs.into_iter().enumerate() {
            whys.push(Vec::new());
            if run.outcome == Outcome::Fail && probes.len() < MOST {
                let probe = Probe::of(test, &files, &mut names);
                probes.extend(probe.map(|probe| (at, &run.cases, probe)));
            }
        }
        let together = self.engine_with(probes.iter().map(|(_, _, probe)| probe));
        for (at, cases, mut probe) in probes {
            // What doesn't compile together may do so alone, at last without the values.
            let engine = together.clone().or_else(|| self.engine_with([&probe])).or_else(|| {
                probe.forget_operands();
                self.engine_with([&probe])
            });
            let Some(file) = engine.as_ref().and(files.get(probe.file())) else { continue };
            let own = probe.clone();
            let limit = self.options.timeout;
            let ask = move || engine.map(|mut engine| own.ask(&mut engine, limit)).unwrap_or_default();
            let Ok(seen) = isolated::run(limit, ask) else { continue };
            if let Some(why) = whys.get_mut(at) {
                *why = whys_of(&probe, &seen, cases, file);
            }
        }
        whys
    }

    fn files(&self) -> BTreeMap<&str, File<'_>> {
        let read = self.texts.iter().filter_map(|(path, text)| {
            let module = text.module.as_deref()?;
            Some((&**path, File { text: &text.written, module }))
        });
        read.collect()
    }

    fn engine_with<'a>(&self, probes: impl IntoIterator<Item = &'a Probe>) -> Option<regorus::Engine> {
        let mut bundle = self.bundle.clone();
        for probe in probes {
            let mut modules = bundle.modules.iter_mut().chain(&mut bundle.tests);
            if let Some(module) = modules.find(|module| module.path == probe.file()) {
                module.text.push_str(&probe.rules());
            }
        }
        let (engines, _) =
            engines_of(&bundle, super::Options { parallel: 1, ..self.options }, crate::policy::compile::compile)
                .ok()?;
        engines.first().map(crate::policy::engine::Engine::trial)
    }
}

fn whys_of(probe: &Probe, seen: &[Vec<Seen>], cases: &[Case], file: &File<'_>) -> Vec<Why> {
    let whole = [Vec::new()];
    let failed: Vec<&Vec<String>> = cases.iter().filter(|case| !case.passed).map(|case| &case.keys).collect();
    let failed = if cases.is_empty() { whole.iter().collect() } else { failed };
    let why = |keys: &Vec<String>| {
        let step = probe.first_failed(seen, keys)?;
        let span = step.span;
        let position = place(probe.file(), file.text, span);
        let line = file.text.lines().nth(usize::try_from(position.line).ok()?.checked_sub(1)?)?.to_owned();
        let text = file.text.get(span.range())?.to_owned();
        let values = step.values(file.text, keys);
        Some(Why { case: keys.clone(), is_value: step.is_value, position, text, line, values })
    };
    failed.into_iter().filter_map(why).collect()
}

/// Where a span begins.
fn place(file: &str, text: &str, span: ast::Span) -> SourcePosition {
    let (line, column) = line_and_column(text, span.range().start);
    SourcePosition { file: file.into(), line, column }
}

#[cfg(test)]
mod tests;
