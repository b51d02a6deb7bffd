//! Expressions with what `opa` made of them, for the tests of families.

use serde::Deserialize;
use serde_json::Value;

use crate::policy::{Options, engine::Engine};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    rego: String,
    /// What it is; without it, it is undefined.
    value: Option<Value>,
    /// The code of the error that it is where errors are strict, or `undefined`.
    error: Option<String>,
}

/// Checks each case, twice where it is undefined: that it is, and that it is the right error where errors are strict.
pub(super) fn check(cases: &str) {
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    let wrong: Vec<String> = cases.iter().filter_map(Case::fault).collect();
    assert!(!cases.is_empty() && wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The JSON of an expression's value, `None` if it is undefined.
pub(super) fn value(rego: &str, strict: bool) -> Result<Option<String>, String> {
    let mut engine = Engine::blank(Options { strict, ..Options::default() });
    engine.add_policy("p.rego".to_owned(), format!("package p\nx := v if {{ v := {rego} }}")).unwrap();
    let value = engine.eval_rule("data.p.x".to_owned()).map_err(|error| error.to_string())?;
    Ok((value != regorus::Value::Undefined).then(|| value.to_json_str().unwrap()))
}

impl Case {
    fn fault(&self) -> Option<String> {
        let Self { name, rego, value: wanted, error } = self;
        let shorten = |text: &str| text.chars().take(600).collect::<String>();
        let got = match value(rego, false) {
            Ok(json) => json.map(|json| serde_json::from_str::<Value>(&json).unwrap()),
            Err(error) => return Some(format!("{name}: failed: {}", shorten(&error))),
        };
        // `null` is read as no value.
        let got = got.filter(|value| !value.is_null() || error.is_some());
        if got != *wanted {
            let text =
                |value: &Option<Value>| shorten(&value.as_ref().map_or("undefined".to_owned(), Value::to_string));
            return Some(format!("{name}: wanted {}\n    got {}", text(wanted), text(&got)));
        }
        let code = error.as_deref()?;
        let got = value(rego, true).map_or_else(|error| error, |_| "undefined".to_owned());
        (!got.contains(code)).then(|| format!("{name}: wanted {code}, got {}", shorten(&got)))
    }
}
