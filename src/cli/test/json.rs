//! Results for programs.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use verdict::policy::testing::{Coverage, FileCoverage, Outcome, RuleCoverage, Run, Test};

use super::{Results, pretty, values};

/// One object: `tests` in OPA's names, `summary`, and `coverage` where it was asked for.
pub(super) fn report(results: &Results) -> String {
    let summary = results.summary();
    let mut report = json!({
        "tests": results.runs.iter().map(|(test, run)| one(test, run, &results.values)).collect::<Vec<_>>(),
        "summary": {
            "total": results.runs.len(),
            "passed": summary.passed,
            "failed": summary.failed,
            "skipped": summary.skipped,
            "errors": summary.errors,
        },
    });
    if let (Some(coverage), Some(members)) = (&results.coverage, report.as_object_mut()) {
        members.insert("coverage".to_owned(), covered(coverage));
    }
    format!("{report:#}")
}

pub(super) fn one(test: &Test, run: &Run, values: &values::Values) -> Value {
    let position = &test.position;
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("location", json!({"file": &*position.file, "row": position.line, "col": position.column}));
    add("package", test.package.as_str().into());
    add("name", test.name.as_str().into());
    match &run.outcome {
        Outcome::Pass => None,
        Outcome::Fail => add("fail", true.into()),
        Outcome::Skip => add("skip", true.into()),
        Outcome::Error(message) => add("error", message.as_str().into()),
    };
    // Nanoseconds, as in OPA.
    add("duration", u64::try_from(run.duration.as_nanos()).unwrap_or(u64::MAX).into());
    if !run.cases.is_empty() {
        add("sub_results", sub_results(run));
    }
    if !run.prints.is_empty() {
        add("prints", run.prints.iter().map(String::as_str).collect());
    }
    if let Some(values) = values.json(test) {
        add("failures", values);
    }
    Value::Object(members)
}

/// The cases of a table as OPA has them: for each key its name, whether it failed, and the keys below it.
fn sub_results(run: &Run) -> Value {
    let mut all = Map::new();
    for case in &run.cases {
        let mut below = &mut all;
        let mut keys = case.keys.iter().peekable();
        while let Some(key) = keys.next() {
            let entry = below.entry(key).or_insert_with(|| json!({"name": key}));
            let Value::Object(members) = entry else { break };
            if !case.passed {
                members.insert("fail".to_owned(), true.into());
            }
            if keys.peek().is_none() {
                break;
            }
            let entry = members.entry("sub_results").or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(next) = entry else { break };
            below = next;
        }
    }
    Value::Object(all)
}

/// OPA's shape, with hits of lines and rules.
pub(super) fn covered(coverage: &Coverage) -> Value {
    let file = |file: &FileCoverage| {
        let rule = |rule: &RuleCoverage| {
            json!({
                "name": rule.name,
                "start": {"row": rule.first},
                "end": {"row": rule.last},
                "hits": rule.hits,
                "covered_lines": rule.covered,
                "not_covered_lines": rule.all - rule.covered.min(rule.all),
                "coverage": rule.share().percent(),
            })
        };
        let hits: Map<String, Value> =
            file.lines.iter().map(|(line, hits)| (line.to_string(), Value::from(*hits))).collect();
        let share = file.share();
        json!({
            "covered": ranges(&file.covered()),
            "not_covered": ranges(&file.not_covered()),
            "covered_lines": share.covered,
            "not_covered_lines": share.all - share.covered,
            "coverage": share.percent(),
            "hits": hits,
            "rules": file.rules.iter().map(rule).collect::<Vec<_>>(),
        })
    };
    let files: Map<String, Value> = coverage.files.iter().map(|(path, one)| (path.clone(), file(one))).collect();
    let (lines, rules) = (coverage.lines(), coverage.rules());
    json!({
        "files": files,
        "covered_lines": lines.covered,
        "not_covered_lines": lines.all - lines.covered,
        "coverage": lines.percent(),
        "covered_rules": rules.covered,
        "not_covered_rules": rules.all - rules.covered,
    })
}

fn ranges(lines: &BTreeSet<u32>) -> Vec<Value> {
    let range = |(first, last): (u32, u32)| json!({"start": {"row": first}, "end": {"row": last}});
    pretty::ranges(lines).into_iter().map(range).collect()
}
