//! Verdict's side.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use serde_json::Value;
use verdict::{
    bundle::Bundle,
    policy::{
        Options,
        adhoc::{Input, Prepared},
    },
};

use super::{inputs, oracle::Said};

/// Far beyond what any of these policies takes.
const BUDGET: Duration = Duration::from_secs(10);

/// A policy that is loaded.
pub(crate) struct Ours {
    bundle: Bundle,
    package: Prepared,
}

impl Ours {
    /// A refusal has its code and its cause.
    pub(crate) fn load(policy: &str) -> Result<Self, (String, String)> {
        let files = [("g.rego".to_owned(), policy.as_bytes().to_vec()), ("data.json".to_owned(), inputs::BASE.into())];
        let bundle = Bundle::from_files(files).map_err(|error| ("bundle".to_owned(), error.to_string()))?;
        let package = prepare(&bundle, "data.g")?;
        Ok(Self { bundle, package })
    }

    /// The value of the package.
    pub(crate) fn package(&mut self, input: Option<&str>) -> Said {
        ask(&mut self.package, input)
    }

    /// The value of one rule.
    pub(crate) fn rule(&self, name: &str, input: Option<&str>) -> Said {
        match prepare(&self.bundle, &format!("data.g.{name}")) {
            Ok(mut rule) => ask(&mut rule, input),
            Err((code, _)) => Said::Error(code),
        }
    }
}

fn prepare(bundle: &Bundle, query: &str) -> Result<Prepared, (String, String)> {
    catch_unwind(|| Prepared::new(bundle, Options::default(), query))
        .map_err(|_| ("panic".to_owned(), "the compiler panicked".to_owned()))?
        .map_err(|faults| {
            let first = faults.0.first().expect("a fault");
            (first.code.to_string(), first.cause.clone())
        })
}

fn ask(prepared: &mut Prepared, input: Option<&str>) -> Said {
    let input = input.map_or(Input::Undefined, Input::Json);
    let answer = catch_unwind(AssertUnwindSafe(|| prepared.answer(input, BUDGET)));
    match answer {
        Err(_) => Said::Error("panic".to_owned()),
        Ok(Err(faults)) => Said::Error(faults.0.first().map_or_else(String::new, ToString::to_string)),
        Ok(Ok(answer)) => {
            let mut json: Value = serde_json::from_str(&answer.json).expect("JSON");
            Said::Value(json.pointer_mut("/result/0/expressions/0/value").map(Value::take))
        }
    }
}
