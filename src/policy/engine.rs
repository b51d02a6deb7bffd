//! One regorus engine: built, warmed, asked, and thrown away once it has erred.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    num::NonZeroU32,
    time::Duration,
};

use anyhow::Error;
use regorus::{LimitError, PolicyLengthConfig, Value as Rego, utils::limits::ExecutionTimerConfig};

use super::{
    budget::{self, Budget},
    builtins,
    compile::Options,
    meter::{self, Place, Stop},
    value::Names,
};
use crate::decision::{Query, Searched};

/// Work units between two looks at the clock.
const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::new(128).unwrap();

/// Why an evaluation gave no value.
#[derive(Debug)]
pub(super) enum Failure {
    /// It took more than it may; [`Engine::stop`] says of what, where it was not time.
    Budget,
    /// regorus' error.
    Error(Error),
}

/// An engine that is ready to answer.
pub(super) struct Engine {
    working: regorus::Engine,
    // INVARIANT: prepared, and never asked. An error may leave an engine in the middle of a `with`, so `working` is
    // then replaced by a copy of this one.
    pristine: regorus::Engine,
    // What `working` is asked about, so that its replacement is asked about the same.
    input: Rego,
    names: Names,
    place: Place,
    strict: bool,
    stop: Option<Stop>,
    // What `working` was last granted.
    granted: Option<Duration>,
}

impl Engine {
    /// An engine without policies, set up the way OPA behaves.
    pub(super) fn blank(options: Options) -> regorus::Engine {
        let mut engine = regorus::Engine::new();
        engine.set_rego_v0(options.rego_v0);
        // Without it, regorus drops the errors of a function's definition where another definition has a value. That a
        // built-in that fails is undefined, as in OPA, is decided where built-ins are installed.
        engine.set_strict_builtin_errors(true);
        // Without this, `print` writes to the process' standard error.
        engine.set_gather_prints(true);
        engine.set_policy_length_config(PolicyLengthConfig {
            max_col: NonZeroU32::new(1 << 20).unwrap_or(NonZeroU32::MIN),
            ..PolicyLengthConfig::default()
        });
        builtins::install(&mut engine, options.strict, options.network);
        engine
    }

    /// Takes an engine with its policies and data, and makes its preparations, so that no question pays for them.
    pub(super) fn prepare(mut engine: regorus::Engine) -> Result<Self, Error> {
        builtins::install_of_data(&mut engine);
        engine.eval_query("true".to_owned(), false)?;
        Ok(Self::of(engine, Place::default()))
    }

    /// Another one that was never asked, for evaluations that hold up nobody. It shares memory with this one.
    pub(super) fn fork(&self) -> Self {
        Self::of(self.pristine.clone(), Place::Alone)
    }

    /// Says where it evaluates.
    pub(super) fn put(&mut self, place: Place) {
        self.place = place;
    }

    /// Where it evaluates.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// Why the last evaluation had to stop, where that was not for its time.
    pub(super) fn stop(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    fn of(engine: regorus::Engine, place: Place) -> Self {
        let (working, input, names) = (engine.clone(), Rego::Undefined, Names::new());
        Self { working, pristine: engine, input, names, place, strict: false, stop: None, granted: None }
    }

    /// Sets the question, unless its attributes weigh more than `most`. Whether it is set.
    pub(super) fn ask(&mut self, query: &Query, most: usize) -> bool {
        self.strict = query.strict;
        // Nobody else holds the last one any more, so that it can be written over.
        self.working.set_input(Rego::Undefined);
        let before = mem::replace(&mut self.input, Rego::Undefined);
        let input = self.names.input(query, most, before);
        self.set_if(input)
    }

    /// Sets the question that a search for one of its parts asks, in the same way.
    pub(super) fn search(&mut self, query: &Query, searched: Searched, most: usize) -> bool {
        self.strict = false;
        let input = self.names.search(query, searched, most);
        self.set_if(input)
    }

    fn set_if(&mut self, input: Option<Rego>) -> bool {
        let Some(input) = input else { return false };
        self.set_input(input);
        true
    }

    /// What is asked about.
    pub(super) fn input(&self) -> &Rego {
        &self.input
    }

    /// Sets any input.
    pub(super) fn set_input(&mut self, input: Rego) {
        self.input = input.clone();
        self.working.set_input(input);
    }

    /// The value of the rule at `path`, which must exist, within `budget`, which it uses up.
    pub(super) fn rule(&mut self, path: &str, budget: &mut Budget) -> Result<Rego, Failure> {
        let _query = builtins::Query::begin();
        let value = budget.run(|limit| {
            self.attempt(path, limit).map_err(|failure| match failure {
                // Time may have been lost to others; what was stopped would be stopped again.
                Failure::Budget if self.stop.is_none() => budget::Failure::Time,
                other => budget::Failure::Other(other),
            })
        });
        value.map_err(|failure| match failure {
            budget::Failure::Time => Failure::Budget,
            budget::Failure::Other(failure) => failure,
        })
    }

    /// The value of the rule at `path`, in one attempt of at most `limit`.
    pub(super) fn attempt(&mut self, path: &str, limit: Duration) -> Result<Rego, Failure> {
        self.within(limit, |engine| engine.eval_rule(path.to_owned()))
    }

    /// What the last evaluation took too much of, in words, where that was no time.
    pub(super) fn spent(&self) -> Option<&str> {
        match &self.stop {
            Some(Stop::Spent(_, cause)) => Some(cause),
            _ => None,
        }
    }

    /// The lines, by file, that asking these rules reaches.
    pub(super) fn reached(&mut self, paths: &[&str], budget: &mut Budget) -> BTreeMap<String, BTreeSet<u32>> {
        self.working.set_enable_coverage(true);
        self.working.clear_coverage_data();
        for path in paths {
            if self.rule(path, budget).is_err() {
                // The engine with the report is gone; what was reached is not known.
                return BTreeMap::new();
            }
        }
        let report = self.working.get_coverage_report();
        self.working.set_enable_coverage(false);
        self.working.clear_coverage_data();
        report
            .map(|report| report.files.into_iter().map(|file| (file.path, file.covered)).collect())
            .unwrap_or_default()
    }

    /// The results of any query, as OPA's `result` array.
    pub(super) fn query(&mut self, query: &str, budget: Duration) -> Result<regorus::QueryResults, Failure> {
        let _query = builtins::Query::begin();
        self.within(budget, |engine| engine.eval_query(query.to_owned(), false))
    }

    /// What `print` printed since this was last asked, a line an entry: `file:line: text`.
    pub(super) fn take_prints(&mut self) -> Vec<String> {
        self.working.take_prints().unwrap_or_default()
    }

    /// Forgets whatever happened but the question.
    pub(super) fn reset(&mut self) {
        self.working = self.pristine.clone();
        self.granted = None;
        self.working.set_input(self.input.clone());
    }

    /// The base data.
    pub(super) fn data(&self) -> Rego {
        self.pristine.get_data()
    }

    /// A copy that was never asked, for one use.
    pub(super) fn trial(&self) -> regorus::Engine {
        self.pristine.clone()
    }

    /// Grants `engine` that much time for its next evaluation.
    pub(super) fn grant(engine: &mut regorus::Engine, budget: Duration) {
        engine.set_execution_timer_config(ExecutionTimerConfig { limit: budget, check_interval: CHECK_INTERVAL });
    }

    /// What an error of an evaluation means.
    pub(super) fn failure(error: Error) -> Failure {
        let spent = matches!(error.downcast_ref(), Some(LimitError::TimeLimitExceeded { .. }));
        // An error that passed through a function is only text any more.
        if spent || error.to_string().contains("execution exceeded time limit") {
            return Failure::Budget;
        }
        Failure::Error(error)
    }

    /// The engine itself, for what only tests of policies need.
    pub(super) fn working(&mut self) -> &mut regorus::Engine {
        self.granted = None;
        &mut self.working
    }

    fn within<T>(
        &mut self,
        budget: Duration,
        ask: impl FnOnce(&mut regorus::Engine) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        if budget.is_zero() {
            return Err(Failure::Budget);
        }
        // regorus looks at its clock for each grant; it begins each evaluation with the last one.
        if self.granted.replace(budget) != Some(budget) {
            Self::grant(&mut self.working, budget);
        }
        meter::start(self.place);
        builtins::strictly(self.strict);
        let answer = ask(&mut self.working);
        builtins::strictly(false);
        // Whatever the answer: regorus may have dropped the error that a built-in stopped it with.
        self.stop = meter::stopped();
        let failure = match (&self.stop, answer) {
            (None, Ok(value)) => return Ok(value),
            (None, Err(error)) => Self::failure(error),
            // With the place, where regorus kept it.
            (Some(Stop::Forbidden(cause)), Err(error)) if error.to_string().contains(cause) => Failure::Error(error),
            (Some(Stop::Forbidden(cause)), _) => Failure::Error(anyhow::anyhow!(cause.clone())),
            (Some(Stop::Move | Stop::Spent(..)), _) => Failure::Budget,
        };
        self.reset();
        Err(failure)
    }
}
