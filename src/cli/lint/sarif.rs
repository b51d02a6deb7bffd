//! Findings as SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use serde_json::{Value, json};
use verdict::policy::{Fault, Severity};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The log of one run.
pub(super) fn report(found: &[Fault]) -> String {
    let codes: BTreeSet<(&str, Severity)> = found.iter().map(|fault| (fault.code, fault.severity)).collect();
    let mut rules: Vec<Value> = Vec::new();
    let mut ids: Vec<&str> = Vec::new();
    for (code, severity) in codes {
        if ids.last() != Some(&code) {
            ids.push(code);
            rules.push(json!({
                "id": code,
                "shortDescription": {"text": code.replace('_', " ")},
                "help": {"text": format!("docs/lint.md has `{code}` with an example and the remedy")},
                "defaultConfiguration": {"level": level(severity)},
            }));
        }
    }
    let results: Vec<Value> = found.iter().map(|fault| result(fault, &ids)).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "verdict",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}")
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Fault => "error",
        Severity::Warning => "warning",
    }
}

fn result(fault: &Fault, ids: &[&str]) -> Value {
    let text = match &fault.help {
        Some(help) => format!("{}\n{help}", fault.cause),
        None => fault.cause.clone(),
    };
    let locations: Vec<Value> = fault.position.iter().map(|place| {
        let end = usize::try_from(place.column).unwrap_or(0) + fault.length();
        json!({"physicalLocation": {
            "artifactLocation": {"uri": uri(&place.file)},
            "region": {"startLine": place.line, "startColumn": place.column, "endLine": place.line, "endColumn": end},
        }})
    }).collect();
    json!({
        "ruleId": fault.code,
        "ruleIndex": ids.iter().position(|id| *id == fault.code),
        "level": level(fault.severity),
        "message": {"text": text},
        "locations": locations,
    })
}

/// A path as a relative reference where it is below the working folder, as code scanning wants it.
fn uri(file: &str) -> String {
    let path = Path::new(file);
    let here = std::env::current_dir().unwrap_or_default();
    let relative = path.strip_prefix(&here).unwrap_or(path);
    let relative = relative.to_string_lossy().replace('\\', "/");
    let mut reference = String::new();
    if path.is_absolute() && relative.starts_with('/') {
        reference.push_str("file://");
    }
    for byte in relative.strip_prefix("./").unwrap_or(&relative).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => reference.push(byte.into()),
            _ => {
                // Writing to a string does not fail.
                let _ = write!(reference, "%{byte:02X}");
            }
        }
    }
    reference
}
