//! Findings as JSON: an array.

use serde_json::{Value, json};
use verdict::policy::{Fault, Severity};

pub(super) fn report(found: &[Fault]) -> String {
    format!("{:#}", found.iter().map(one).collect::<Value>())
}

fn one(fault: &Fault) -> Value {
    let place = fault.position.as_ref();
    json!({
        "severity": if fault.severity == Severity::Fault { "error" } else { "warning" },
        "code": fault.code,
        "message": fault.cause,
        "help": fault.help,
        "file": place.map(|place| place.file.to_string()),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "length": place.map(|_| fault.length()),
    })
}
