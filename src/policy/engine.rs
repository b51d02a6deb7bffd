//! One regorus engine: built, warmed, asked, and thrown away once it has erred.

use std::{num::NonZeroU32, time::Duration};

use anyhow::Error;
use regorus::{LimitError, PolicyLengthConfig, Value as Rego, utils::limits::ExecutionTimerConfig};

/// Work units between two looks at the clock.
const CHECK_INTERVAL: NonZeroU32 = NonZeroU32::new(128).unwrap();

/// Why an evaluation gave no value.
#[derive(Debug)]
pub(super) enum Failure {
    /// It took more than it may.
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
}

impl Engine {
    /// An engine without policies, set up the way OPA behaves.
    pub(super) fn blank(rego_v0: bool) -> regorus::Engine {
        let mut engine = regorus::Engine::new();
        engine.set_rego_v0(rego_v0);
        // As in OPA, a built-in that fails is undefined, not an error.
        engine.set_strict_builtin_errors(false);
        // Without this, `print` writes to the process' standard error.
        engine.set_gather_prints(true);
        engine.set_policy_length_config(PolicyLengthConfig {
            max_col: NonZeroU32::new(1 << 20).unwrap_or(NonZeroU32::MIN),
            ..PolicyLengthConfig::default()
        });
        engine
    }

    /// Takes an engine with its policies and data, and makes its preparations, so that no question pays for them.
    pub(super) fn prepare(mut engine: regorus::Engine) -> Result<Self, Error> {
        engine.eval_query("true".to_owned(), false)?;
        Ok(Self { working: engine.clone(), pristine: engine })
    }

    /// Sets the question.
    pub(super) fn set_input(&mut self, input: Rego) {
        self.working.set_input(input);
    }

    /// The value of the rule at `path`, which must exist, within `budget`.
    pub(super) fn rule(&mut self, path: &str, budget: Duration) -> Result<Rego, Failure> {
        self.within(budget, |engine| engine.eval_rule(path.to_owned()))
    }

    /// The results of any query, as OPA's `result` array.
    pub(super) fn query(&mut self, query: &str, budget: Duration) -> Result<regorus::QueryResults, Failure> {
        self.within(budget, |engine| engine.eval_query(query.to_owned(), false))
    }

    /// What `print` printed since this was last asked, a line an entry: `file:line: text`.
    pub(super) fn take_prints(&mut self) -> Vec<String> {
        self.working.take_prints().unwrap_or_default()
    }

    /// Forgets whatever happened.
    pub(super) fn reset(&mut self) {
        self.working = self.pristine.clone();
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
        match error.downcast_ref::<LimitError>() {
            Some(LimitError::TimeLimitExceeded { .. }) => Failure::Budget,
            _ => Failure::Error(error),
        }
    }

    /// The engine itself, for what only tests of policies need.
    pub(super) fn working(&mut self) -> &mut regorus::Engine {
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
        Self::grant(&mut self.working, budget);
        ask(&mut self.working).map_err(|error| {
            self.reset();
            Self::failure(error)
        })
    }
}
