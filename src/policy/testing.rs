//! Unit tests written in Rego, with OPA's conventions.
//!
//! A test is a rule with a name that starts with `test_`, in any module. As in OPA (measured with 1.20): it passes if
//! its value is `true`; undefined, `false` and any other value fail; a rule with a variable in its head (`test_x[note]
//! if …`) is a table of cases, which passes if each is `true`; `todo_test_…` is skipped; each definition of a name is a
//! test of its own, `test_x`, `test_x#01` and so on.

mod ask;
mod bench;
mod coverage;
mod find;
mod isolated;
mod run;
mod values;

use std::{sync::Arc, time::Duration};

pub use bench::{Bench, Sample};
pub use coverage::{Coverage, FileCoverage, RuleCoverage, Share};
pub use values::{Value, Why};

use self::find::{Found, Table};
use super::{
    Capabilities,
    compile::{self, Options as CompileOptions},
    documents::Documents,
    engine::Engine,
    fault::Faults,
    text::Texts,
};
use crate::{
    bundle::{Bundle, Module},
    decision::{EntryPoint, SourcePosition},
};

/// The most evaluators of one suite: each has a copy of the policies and the data.
const MOST_PARALLEL: usize = 256;

/// How tests are read and run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether files without `import rego.v1` are read as Rego v0.
    pub rego_v0: bool,
    /// Which built-ins policies and tests may call.
    pub capabilities: Capabilities,
    /// The most wall-clock time that one test may take.
    pub timeout: Duration,
    /// Whether the lines that tests reach are noted.
    pub coverage: bool,
    /// How many tests may run at once; each has an evaluator of its own.
    pub parallel: usize,
}

/// The tests of a policy set, ready to run.
pub struct Suite {
    options: Options,
    /// What it was compiled from, as it is written.
    bundle: Bundle,
    /// At least one.
    engines: Vec<Engine>,
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
    /// The keys of the rule's head, outermost first; at least one.
    pub keys: Vec<String>,
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

impl Suite {
    /// Compiles policies and tests, and finds the tests.
    pub fn compile(bundle: &Bundle, options: Options) -> Result<Self, Faults> {
        // First as it is written, so that faults show what is written.
        let (mut engines, texts) = engines_of(bundle, Options { parallel: 1, ..options }, compile::compile)?;
        let Some(first) = engines.first_mut() else {
            return Err(Faults(vec![super::Fault::new("internal_error", "the compiler gave no evaluator")]));
        };
        // What is found and edited is what regorus reads.
        let lowered = texts.of(bundle);
        let mut found = find::tests(first.working().get_modules());
        let coverage = Coverage::of(first.working().get_modules(), bundle);
        // An evaluator without a test to run is only memory.
        let parallel = options.parallel.clamp(1, found.len().clamp(1, MOST_PARALLEL));
        let options = Options { parallel, ..options };
        let edited = edited(&lowered, &mut found);
        if edited != lowered || options.parallel > 1 {
            engines = if let Ok((engines, _)) = engines_of(&edited, options, compile::compile_lowered) {
                engines
            } else {
                keep_lists_that_compile(&lowered, &mut found, options);
                engines_of(&self::edited(&lowered, &mut found), options, compile::compile_lowered)?.0
            };
        }
        let tests = found.into_iter().map(|found| {
            let test = Test::from(found);
            Test { position: texts.position(test.position.clone()), ..test }
        });
        let tests = tests.collect();
        Ok(Self { options, bundle: bundle.clone(), engines, tests, coverage, texts })
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
}

impl Run {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, cases: Vec::new(), duration: Duration::ZERO, prints: Vec::new() }
    }
}

impl Case {
    /// Its keys, joined by `/`.
    #[must_use]
    pub fn name(&self) -> String {
        self.keys.join("/")
    }
}

impl From<Found> for Test {
    fn from(found: Found) -> Self {
        let name = found.prefix.iter().cloned().chain([found.rule.clone()]).collect::<Vec<_>>().join(".");
        let name = match found.number {
            0 => name,
            number => format!("{name}#{number:02}"),
        };
        let asked = found.alias.unwrap_or_else(|| found.rule.clone());
        let parts = found.package.iter().cloned().chain(found.prefix).chain([asked]);
        let reference = EntryPoint::from_parts(parts);
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
        Self { package: EntryPoint::from_parts(found.package).to_string(), name, position: found.position, target }
    }
}

impl std::fmt::Display for Test {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.package, self.name)
    }
}

fn engines_of(
    bundle: &Bundle,
    options: Options,
    compile: fn(&Bundle, CompileOptions, &[Documents]) -> Result<compile::Compiled, Faults>,
) -> Result<(Vec<Engine>, Arc<Texts>), Faults> {
    let options = CompileOptions {
        rego_v0: options.rego_v0,
        capabilities: options.capabilities,
        tests: true,
        evaluators: options.parallel,
        ..CompileOptions::default()
    };
    let compiled = compile(bundle, options, &[])?;
    Ok((compiled.engines.into_iter().map(|(engine, _)| engine).collect(), compiled.texts))
}

/// The bundle in which each definition of a test has a name of its own, and each table lists its cases.
fn edited(bundle: &Bundle, found: &mut [Found]) -> Bundle {
    let mut edited = bundle.clone();
    let texts: Vec<String> = bundle.modules.iter().chain(&bundle.tests).map(|module| module.text.clone()).collect();
    let mut names = find::Names::new(texts);
    for module in edited.modules.iter_mut().chain(&mut edited.tests) {
        let own = found.iter_mut().filter(|found| *found.position.file == *module.path);
        let Module { text, .. } = module;
        find::edit(text, own, &mut names);
    }
    edited
}

/// Forgets the lists of cases that don't compile alone.
fn keep_lists_that_compile(bundle: &Bundle, found: &mut [Found], options: Options) {
    let lists: Vec<_> = found.iter_mut().map(|found| std::mem::take(&mut found.lists)).collect();
    let mut kept = Vec::new();
    for (at, list) in lists.into_iter().enumerate() {
        let Some(one) = found.get_mut(at).filter(|_| !list.is_empty()) else { continue };
        one.lists.clone_from(&list);
        let compiles =
            engines_of(&edited(bundle, found), Options { parallel: 1, ..options }, compile::compile_lowered).is_ok();
        if let Some(one) = found.get_mut(at) {
            one.lists.clear();
        }
        if compiles {
            kept.push((at, list));
        }
    }
    for (at, list) in kept {
        if let Some(one) = found.get_mut(at) {
            one.lists = list;
        }
    }
}

#[cfg(test)]
mod tests;
