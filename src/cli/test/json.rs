//! Results for programs.

use serde_json::{Map, Value, json};
use verdict::policy::testing::{Coverage, Outcome, Run, Test};

use super::Results;

/// One object: `tests` in OPA's names, `summary`, and `coverage` where it was asked for.
pub(super) fn report(results: &Results) -> String {
    let summary = results.summary();
    let mut report = json!({
        "tests": results.runs.iter().map(|(test, run)| one(test, run)).collect::<Vec<_>>(),
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

fn one(test: &Test, run: &Run) -> Value {
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
        let case = |case: &verdict::policy::testing::Case| json!({"name": case.name, "fail": !case.passed});
        add("cases", run.cases.iter().map(case).collect());
    }
    if !run.prints.is_empty() {
        add("prints", run.prints.iter().map(String::as_str).collect());
    }
    Value::Object(members)
}

fn covered(coverage: &Coverage) -> Value {
    let files: Map<String, Value> = coverage
        .files
        .iter()
        .map(|(path, file)| {
            let lines = json!({
                "covered": file.covered,
                "not_covered": file.not_covered,
                "coverage": file.percent(),
            });
            (path.clone(), lines)
        })
        .collect();
    json!({"files": files, "coverage": coverage.percent()})
}
