//! One case: what is asked, and what is expected.

use std::{sync::OnceLock, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use verdict::{
    bundle::Bundle,
    policy::{Network, NetworkSettings, Options, adhoc},
};

/// Far beyond what any case takes; one that takes longer is wrong.
const BUDGET: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

/// Where nothing leaves this machine.
fn network() -> Network {
    static NETWORK: OnceLock<Network> = OnceLock::new();
    *NETWORK.get_or_init(|| {
        let allow = "localhost, 10.0.0.0".parse().expect("hosts");
        Network::new(NetworkSettings { allow, ..NetworkSettings::default() })
    })
}

/// A case as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) note: String,
    query: String,
    modules: Vec<String>,
    data: Option<Value>,
    input: Option<Value>,
    input_term: Option<String>,
    want_result: Option<Vec<Value>>,
    want_error_code: Option<String>,
    want_error: Option<String>,
    #[serde(default)]
    strict_error: bool,
    #[serde(default)]
    sort_bindings: bool,
    #[serde(default)]
    ignore_generated_vars: bool,
}

/// The cases of a file.
pub(crate) fn read(text: &str) -> Result<Vec<Case>, serde_json::Error> {
    serde_json::from_str::<File>(text).map(|file| file.cases)
}

impl Case {
    /// What is wrong with the answer to it; `None` if nothing.
    pub(crate) fn fault(&self) -> Option<String> {
        let answer = self.answer();
        if self.want_error_code.is_some() || self.want_error.is_some() {
            return match answer {
                Err(error) => self.fault_of_error(&error),
                Ok(answer) => Some(format!("wanted an error ({:?}), got {answer}", self.want_error_code)),
            };
        }
        let wanted = self.want_result.clone().unwrap_or_default();
        match answer {
            Err(error) => Some(format!("wanted {}, got the error: {error}", Value::from(wanted))),
            Ok(answer) => {
                let (wanted, answer) = (self.bindings(wanted), self.bindings(answer.as_array().cloned()?));
                (wanted != answer).then(|| format!("wanted {wanted:?}\n    got    {answer:?}"))
            }
        }
    }

    /// A refusal at load is no evaluation error: where OPA evaluates and fails, we must, too. Codes are compared where
    /// the message tells one.
    fn fault_of_error(&self, error: &str) -> Option<String> {
        let refused = error.starts_with("rego_") && !error.starts_with("rego_error");
        let wanted = self.want_error_code.as_deref().unwrap_or_default();
        let told = ["eval_conflict_error", "eval_builtin_error", "eval_type_error"]
            .into_iter()
            .find(|code| error.contains(code));
        let other = !wanted.is_empty() && told.is_some_and(|told| told != wanted);
        (refused || other).then(|| format!("wanted {wanted}, got the error: {error}"))
    }

    /// OPA's `result`: an array of bindings.
    fn answer(&self) -> Result<Value, String> {
        let mut files: Vec<(String, Vec<u8>)> = self
            .modules
            .iter()
            .enumerate()
            .map(|(number, text)| (format!("test-{number}.rego"), text.clone().into_bytes()))
            .collect();
        if let Some(data) = self.data.as_ref().filter(|data| !data.is_null()) {
            files.push(("data.json".to_owned(), data.to_string().into_bytes()));
        }
        let bundle = Bundle::from_files(files).map_err(|error| error.to_string())?;
        let json = self.input.as_ref().map(Value::to_string);
        let input = match (&self.input_term, &json) {
            (Some(term), _) => adhoc::Input::Term(term),
            (None, Some(json)) => adhoc::Input::Json(json),
            (None, None) => adhoc::Input::Undefined,
        };
        let options = Options { strict: self.strict_error, network: network(), ..Options::default() };
        let answer = adhoc::query(&bundle, options, &self.query, input, BUDGET);
        let answer = answer.map_err(|faults| {
            faults.0.iter().map(|fault| format!("{}: {fault}", fault.code)).collect::<Vec<_>>().join("; ")
        })?;
        let json: Value = serde_json::from_str(&answer.json).map_err(|error| error.to_string())?;
        let results = json["result"].as_array().cloned().unwrap_or_default();
        let bindings = results.into_iter().map(|mut result| result["bindings"].take());
        Ok(bindings
            .map(|bindings| if bindings.is_null() { Value::Object(serde_json::Map::new()) } else { bindings })
            .collect())
    }

    fn bindings(&self, results: Vec<Value>) -> Vec<String> {
        let mut results: Vec<Value> = results.into_iter().map(canonical).collect();
        for result in &mut results {
            if let (true, Value::Object(members)) = (self.ignore_generated_vars, &mut *result) {
                members.retain(|name, _| !name.starts_with("__"));
            }
            if let (true, Value::Object(members)) = (self.sort_bindings, &mut *result) {
                members.values_mut().for_each(sort);
            }
        }
        let mut texts: Vec<String> = results.iter().map(Value::to_string).collect();
        texts.sort();
        texts
    }
}

/// Sorts an array, as the answers of a set may come in any order.
fn sort(value: &mut Value) {
    if let Value::Array(items) = value {
        items.sort_by_key(Value::to_string);
    }
}

/// Numbers in one form: `1.0` and `1e0` are `1`.
fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let whole = text.parse::<i128>().is_ok() || !text.contains(['.', 'e', 'E']);
            match text.parse::<f64>() {
                Ok(double) if !whole && double.fract() == 0.0 && double.abs() < 1e15 =>
                {
                    #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
                    Value::from(double as i64)
                }
                Ok(double) if !whole => Value::from(double),
                _ => Value::Number(number),
            }
        }
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        Value::Object(members) => members.into_iter().map(|(name, item)| (name, canonical(item))).collect(),
        other => other,
    }
}
