//! Denies without reasons, and what METADATA gives them.

use std::time::Duration;

use crate::{
    bundle::Bundle,
    decision::{EntryPoint, Evaluator as _, Reason, Time},
    policy::{Options, Snapshot},
};

fn reasons(rego: &str, context: &str) -> Vec<Reason> {
    let bundle = Bundle::from_files([("p.rego".to_owned(), format!("package p\n{rego}").into_bytes())]).unwrap();
    let snapshot = Snapshot::compile(&bundle, 1, Options::default()).unwrap();
    let question = format!(
        r#"{{"subject": {{"type": "user", "id": "bob"}}, "action": {{"name": "read"}},
            "resource": {{"type": "doc", "id": "1"}}, "context": {context}}}"#
    );
    let query = crate::api::json::query(question.as_bytes()).unwrap();
    let entry: EntryPoint = "data.p".parse().unwrap();
    let time = Time { budget: Duration::from_secs(5), patience: Duration::from_secs(5) };
    let verdict = snapshot.evaluate(&query, &entry, time);
    assert!(!verdict.is_allow());
    verdict.reasons
}

fn codes(rego: &str, context: &str) -> Vec<String> {
    reasons(rego, context).into_iter().map(|reason| reason.code).collect()
}

#[test]
fn a_rule_that_does_not_hold_gives_the_reason_of_its_metadata() {
    let rego = "default allow := false\nallow if {\nowner\nnot locked\n}\n\
                # METADATA\n# custom:\n#   reason: {code: not_owner, message: only owners, user_message: Ask the owner.}\n\
                owner if input.context.owner == input.subject.id\n\
                # METADATA\n# custom:\n#   reason: is_locked\nlocked if input.context.locked";
    let given = reasons(rego, "{}");
    assert_eq!(given.len(), 1);
    let Reason { code, message, user_message, rule, position, .. } = &given[0];
    assert_eq!(
        (code.as_str(), message.as_str(), user_message.as_str()),
        ("not_owner", "only owners", "Ask the owner.")
    );
    assert_eq!(rule.as_deref(), Some("data.p.owner"));
    assert_eq!(position.as_ref().map(|place| place.line), Some(10));
    assert_eq!(codes(rego, r#"{"owner": "bob", "locked": true}"#), ["is_locked"]);
    assert_eq!(codes(rego, r#"{"locked": true}"#), ["not_owner", "is_locked"]);
}

/// What takes longer than an answer may on its caller's thread, and not as long as it may at all.
const SLOW: &str = "count([n | some n in numbers.range(1, 20000); n % 7 == 3]) > 0";

#[test]
fn reasons_that_take_long_to_find_are_waited_for() {
    let rego = format!(
        "default allow := false\nallow if {{\nowner\nnot locked\n}}\n\
         # METADATA\n# custom:\n#   reason: not_owner\nowner if input.context.owner == input.subject.id\n\
         # METADATA\n# custom:\n#   reason: is_locked\nlocked if {SLOW}"
    );
    assert_eq!(codes(&rego, "{}"), ["not_owner", "is_locked"], "`locked` is only looked at for its reason");
}

#[test]
fn a_rule_of_its_own_gives_its_reason_where_nothing_it_asks_for_does() {
    let metadata = "# METADATA\n# custom:\n#   reason: not_three\n";
    assert_eq!(codes(&format!("{metadata}allow if input.context.n == 3"), "{}"), ["not_three"]);
    assert_eq!(codes(&format!("default allow := false\n{metadata}allow if input.context.n == 3"), "{}"), ["not_three"]);
    let decision = format!("default decision := false\n{metadata}decision if input.context.n == 3");
    assert_eq!(codes(&decision, "{}"), ["not_three"]);
    // Through `not`, as a decision with its own reasons would be written.
    let decision = format!(
        "decision := {{\"allow\": true}} if ok\ndecision := {{\"allow\": false}} if not ok\n{metadata}ok if input.context.n == 3"
    );
    assert_eq!(codes(&decision, "{}"), ["not_three"]);
}

#[test]
fn a_deny_without_a_code_gets_the_one_of_its_metadata() {
    let metadata =
        "default allow := true\n# METADATA\n# custom:\n#   reason: {code: too_late, user_message: Come tomorrow.}\n";
    let given =
        reasons(&format!("{metadata}deny contains \"it is late\" if input.context.hour > 18"), r#"{"hour": 20}"#);
    let [Reason { code, message, user_message, .. }] = given.as_slice() else { panic!("{given:?}") };
    assert_eq!((code.as_str(), message.as_str(), user_message.as_str()), ("too_late", "it is late", "Come tomorrow."));
    assert_eq!(codes(&format!("{metadata}deny if input.context.hour > 18"), r#"{"hour": 20}"#), ["too_late"]);
}

#[test]
fn what_the_policy_says_itself_stays() {
    let metadata = "# METADATA\n# custom:\n#   reason: unused\n";
    let own = format!("{metadata}allow if input.context.n == 3\ndeny contains {{\"code\": \"own\"}} if true");
    assert_eq!(codes(&own, "{}"), ["own"]);
    for wrong in ["7", "[a]", "{message: x}", "\"\""] {
        let rego = format!(
            "default allow := false\n# METADATA\n# custom:\n#   reason: {wrong}\nallow if input.context.n == 3"
        );
        assert_eq!(codes(&rego, "{}"), ["policy_denied"], "{wrong}");
    }
}
