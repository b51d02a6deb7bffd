//! What is told of an answer.

use std::time::Duration;

use crate::{
    bundle::Bundle,
    decision::{EntryPoint, Evaluator as _, Explanation, Query, Time},
    policy::{Options, Snapshot},
};

/// The explanation of the answer that `package p` gives to that question.
fn explain(rego: &str, properties: &str) -> Explanation {
    let bundle = Bundle::from_files([("p.rego".to_owned(), format!("package p\n{rego}").into_bytes())]).unwrap();
    let snapshot = Snapshot::compile(&bundle, 1, Options::default()).unwrap();
    let question = format!(
        r#"{{"subject": {{"type": "user", "id": "bob"}}, "action": {{"name": "read"}},
            "resource": {{"type": "doc", "id": "1"}}, "context": {properties}}}"#
    );
    let query = crate::api::json::query(question.as_bytes()).unwrap();
    let entry: EntryPoint = "data.p".parse().unwrap();
    let time = Time { budget: Duration::from_secs(5), patience: Duration::from_secs(5) };
    let verdict = snapshot.evaluate(&Query { explain: true, ..query }, &entry, time);
    *verdict.explanation.unwrap()
}

/// `line: message` of each miss.
fn missed(rego: &str, context: &str) -> Vec<String> {
    let explanation = explain(rego, context);
    assert_eq!(explanation.note, "");
    let line = |trace: &crate::decision::RuleTrace| {
        let condition = trace.conditions.last().unwrap();
        format!("{}: {}", condition.position.as_ref().unwrap().line, condition.message)
    };
    explanation.missed.iter().map(line).collect()
}

#[test]
fn names_the_first_condition_that_did_not_hold() {
    for (body, context, expected) in [("input.context.n == 3", r#"{"n": 4}"#, "4 is not 3")] {
        assert_eq!(missed(&format!("allow if {{\n{body}\n}}"), context), [expected], "{body}");
    }
}
