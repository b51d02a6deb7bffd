//! Unit tests written in Rego, with OPA's conventions.
//!
//! A test is a rule whose name starts with `test_`, in any module. As in OPA (measured with 1.20): it passes if its
//! value is `true`; undefined, `false` and any other value fail; a rule with a variable in its head (`test_x[note] if
//! …`) is a table of cases, which passes if each is `true`; `todo_test_…` is skipped; each definition of a name is a
//! test of its own, `test_x`, `test_x#01` and so on.

mod coverage;
mod find;
mod isolated;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use regorus::Value as Rego;

pub use coverage::{Coverage, FileCoverage};

use self::{
    find::{Found, Table},
    isolated::Stopped,
};
use super::{
    compile::{self, Options as CompileOptions},
    engine::{Engine, Failure},
    fault::Faults,
    rejection,
    text::Texts,
};
use crate::{
    bundle::{Bundle, Module},
    decision::{EntryPoint, SourcePosition},
};

/// How tests are read and run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether files without `import rego.v1` are read as Rego v0.
    pub rego_v0: bool,
    /// The most wall-clock time that one test may take.
    pub timeout: Duration,
    /// Whether the lines that tests reach are noted.
    pub coverage: bool,
}

/// The tests of a policy set, ready to run.
pub struct Suite {
    options: Options,
    engine: Engine,
    tests: Vec<Test>,
    coverage: Coverage,
    texts: Arc<Texts>,
}

/// One test.
#[derive(Clone, Debug)]
pub struct Test {
    /// The package's reference, e.g. `data.authz_test`.
    pub package: String,
    /// The rule's name; of a later definition of that name with `#01`, `#02` and so on.
    pub name: String,
    /// Where the rule stands.
    pub position: SourcePosition,
    target: Target,
}

/// How a test ended.
#[derive(Clone, Debug)]
pub struct Run {
    /// Whether it passed.
    pub outcome: Outcome,
    /// The cases of a table, in order; empty for other tests.
    pub cases: Vec<Case>,
    /// How long it took.
    pub duration: Duration,
    /// What it printed, a line an entry: `file:line: text`.
    pub prints: Vec<String>,
}

/// One case of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its keys, joined by `/`.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
}

/// Whether a test passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its value is `true`.
    Pass,
    /// Its value is anything else.
    Fail,
    /// It is still to do.
    Skip,
    /// It has no value because something went wrong: what.
    Error(String),
}

#[derive(Clone, Debug)]
enum Target {
    /// What has one value: the rule's reference.
    Rule(EntryPoint),
    /// What is a value of many rules or a table: the reference, and where its cases are.
    Object(EntryPoint, Option<Table>),
    Todo,
    /// Why it can't be asked.
    Refused(&'static str),
}

/// What came of asking.
struct Answer {
    value: Result<(Rego, Vec<Vec<Rego>>), Failure>,
    prints: Vec<String>,
    coverage: Option<regorus::coverage::Report>,
}

impl Suite {
    /// Compiles policies and tests, and finds the tests.
    pub fn compile(bundle: &Bundle, options: Options) -> Result<Self, Faults> {
        // First as it is written, so that faults show what is written.
        let Compiled { mut engine, texts } = compile(bundle, options)?;
        // What is found and edited is what regorus reads.
        let lowered = texts.of(bundle);
        let mut found = find::tests(engine.working().get_modules());
        let coverage = Coverage::of(engine.working().get_modules(), bundle);
        let edited = edited(&lowered, &mut found, true);
        if edited != lowered {
            engine = match compile(&edited, options) {
                Ok(compiled) => compiled.engine,
                Err(_) => compile(&self::edited(&lowered, &mut found, false), options)?.engine,
            };
        }
        let tests = found.into_iter().map(|found| {
            let test = Test::from(found);
            Test { position: texts.position(test.position.clone()), ..test }
        });
        Ok(Self { options, engine, tests: tests.collect(), coverage, texts })
    }

    /// The tests, in the order of files and lines.
    #[must_use]
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// What the tests that ran so far reached; empty unless [`Options::coverage`].
    #[must_use]
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Runs one test, alone: what it does to its engine, and a panic or a runaway in it, ends with it.
    pub fn run(&mut self, test: &Test) -> Run {
        let (reference, table) = match &test.target {
            Target::Todo => return Run::of(Outcome::Skip),
            Target::Refused(why) => return Run::of(Outcome::Error((*why).to_owned())),
            Target::Rule(reference) => (reference.clone(), None),
            Target::Object(reference, table) => (reference.clone(), Some(table.clone().unwrap_or_default())),
        };
        let engine = self.engine.trial();
        let options = self.options;
        let started = Instant::now();
        let answer = isolated::run(options.timeout, move || ask(engine, &reference, table.as_ref(), options));
        let duration = started.elapsed();
        let answer = match answer {
            Ok(answer) => answer,
            Err(stopped) => return Run { duration, ..Run::of(Outcome::Error(self.stopped(&stopped))) },
        };
        if let Some(report) = &answer.coverage {
            self.coverage.add(report);
        }
        let (outcome, cases) = match (answer.value, &test.target) {
            (Err(Failure::Budget), _) => (Outcome::Error(self.stopped(&Stopped::Runaway)), Vec::new()),
            (Err(Failure::Error(error)), _) => {
                let fault = rejection::fault_of(&error, "rego_error", &self.texts);
                (Outcome::Error(self.texts.relocated(fault).to_string()), Vec::new())
            }
            (Ok((value, tuples)), Target::Object(_, Some(_))) => {
                let cases = cases(&value, tuples);
                let passed = cases.iter().all(|case| case.passed);
                (if passed { Outcome::Pass } else { Outcome::Fail }, cases)
            }
            (Ok((value, _)), _) => (if value == Rego::Bool(true) { Outcome::Pass } else { Outcome::Fail }, Vec::new()),
        };
        Run { outcome, cases, duration, prints: answer.prints }
    }

    fn stopped(&self, stopped: &Stopped) -> String {
        match stopped {
            Stopped::Runaway => format!("it took longer than {:?}", self.options.timeout),
            Stopped::Panic(message) => format!("the evaluator panicked: {message}"),
            Stopped::NoThread(error) => format!("no thread to run it on: {error}"),
        }
    }
}

impl Run {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, cases: Vec::new(), duration: Duration::ZERO, prints: Vec::new() }
    }
}

impl From<Found> for Test {
    fn from(found: Found) -> Self {
        let rule = found.package.iter().cloned().chain([found.alias.unwrap_or_else(|| found.rule.clone())]);
        let reference = EntryPoint::from_parts(rule);
        let target = if found.rule.starts_with("todo_") {
            Target::Todo
        } else if found.function {
            Target::Refused("it is a function; a test is a rule without arguments")
        } else if !found.indexed {
            Target::Rule(reference)
        } else if found.variable && found.table.is_none() {
            Target::Refused("its cases can't be told apart; bind the head's variables first: `some note, case in …`")
        } else {
            Target::Object(reference, found.table)
        };
        let name = match found.number {
            0 => found.rule,
            number => format!("{}#{number:02}", found.rule),
        };
        Self { package: EntryPoint::from_parts(found.package).to_string(), name, position: found.position, target }
    }
}

impl std::fmt::Display for Test {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.package, self.name)
    }
}

struct Compiled {
    engine: Engine,
    texts: Arc<Texts>,
}

fn compile(bundle: &Bundle, options: Options) -> Result<Compiled, Faults> {
    let options = CompileOptions { rego_v0: options.rego_v0, tests: true, ..CompileOptions::default() };
    let compiled = compile::compile(bundle, options)?;
    let Some((engine, _)) = compiled.engines.into_iter().next() else {
        return Err(Faults(vec![super::Fault::new("internal_error", "the compiler gave no evaluator")]));
    };
    Ok(Compiled { engine, texts: compiled.texts })
}

/// The bundle in which each definition of a test has a name of its own and, with `tables`, each table lists its cases.
fn edited(bundle: &Bundle, found: &mut [Found], tables: bool) -> Bundle {
    let mut edited = bundle.clone();
    let texts: Vec<String> = bundle.modules.iter().chain(&bundle.tests).map(|module| module.text.clone()).collect();
    let mut names = find::Names::new(texts);
    for module in edited.modules.iter_mut().chain(&mut edited.tests) {
        let own = found.iter_mut().filter(|found| *found.position.file == *module.path);
        let Module { text, .. } = module;
        find::edit(text, own, &mut names, tables);
    }
    edited
}

fn ask(mut engine: regorus::Engine, reference: &EntryPoint, table: Option<&Table>, options: Options) -> Answer {
    engine.set_enable_coverage(options.coverage);
    Engine::grant(&mut engine, options.timeout);
    let value = match table {
        None => engine.eval_rule(reference.as_str().to_owned()).map(|value| (value, Vec::new())),
        Some(table) => ask_table(&mut engine, reference, table),
    };
    Answer {
        value: value.map_err(Engine::failure),
        prints: engine.take_prints().unwrap_or_default(),
        coverage: options.coverage.then(|| engine.get_coverage_report().ok()).flatten(),
    }
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
        let package = reference.parts().split_last().map_or(&[][..], |(_, package)| package);
        let list = EntryPoint::from_parts(package.iter().cloned().chain([list.clone()]));
        if let Rego::Set(items) = value(list.as_str())? {
            tuples.extend(items.iter_sorted().filter_map(|item| Some(item.as_array().ok()?.to_vec())));
        }
    }
    Ok((whole, tuples))
}

/// The cases of a table's value, and those that the table lists but has no value for.
fn cases(value: &Rego, tuples: Vec<Vec<Rego>>) -> Vec<Case> {
    let mut cases = BTreeMap::new();
    for tuple in tuples {
        let at = tuple.iter().try_fold(value, |at, key| at.as_object().ok()?.get(key));
        let name = tuple.iter().map(key).collect::<Vec<_>>().join("/");
        let passed = cases.entry(name).or_insert(true);
        *passed &= at.is_some_and(all_true);
    }
    cases.into_iter().map(|(name, passed)| Case { name, passed }).collect()
}

fn all_true(value: &Rego) -> bool {
    match value {
        Rego::Object(members) => members.iter().all(|(_, member)| all_true(member)),
        other => *other == Rego::Bool(true),
    }
}

fn key(value: &Rego) -> String {
    match value {
        Rego::String(text) => text.to_string(),
        other => other.to_json_str().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
