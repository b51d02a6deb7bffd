//! `verdict eval`.

mod common;

use common::{code, err, folder, out, verdict};
use serde_json::{Value, json};
use tempfile::TempDir;

fn policies() -> TempDir {
    folder(&[(
        "p/authz.rego",
        "package authz\n\ndefault allow := false\n\nallow if input.subject.id == \"alice\"\n\n\
         deny contains {\"code\": \"too_much\", \"message\": \"\\u001b[2Jno\", \"user_message\": \"Ask less.\"} if \
         input.context.n > 12345678901234567890\n",
    )])
}

const ALICE: [&str; 9] =
    ["eval", "--policies", "p", "--subject", "user:alice", "--action", "read", "--resource", "doc:1"];

#[test]
fn allow_is_0_deny_is_1() {
    let folder = policies();
    let ran = verdict(folder.path(), &ALICE, "");
    assert_eq!(code(&ran), 0, "{}", err(&ran));
    assert!(out(&ran).starts_with("ALLOW\n"), "{}", out(&ran));
    let ran = verdict(folder.path(), &[&ALICE[..], &["--context", "{\"n\": 12345678901234567891}"]].concat(), "");
    assert_eq!(code(&ran), 1, "{}", err(&ran));
    for part in ["DENY\n", "too_much", "Ask less.", "data.authz.deny at authz.rego:7:1"] {
        assert!(out(&ran).contains(part), "{part} in {}", out(&ran));
    }
    assert!(!out(&ran).contains('\u{1b}'), "{}", out(&ran));
    // A double would not tell these two apart.
    let ran = verdict(folder.path(), &[&ALICE[..], &["--context", "{\"n\": 12345678901234567890}"]].concat(), "");
    assert_eq!(code(&ran), 0, "{}", out(&ran));
}

#[test]
fn reads_a_question_from_standard_input_and_answers_in_json() {
    let folder = policies();
    let question = json!({
        "subject": {"type": "user", "id": "bob", "properties": {"a": [1, null]}},
        "action": {"name": "read"},
        "resource": {"type": "doc", "id": "1"},
    });
    let arguments = ["eval", "--policies", "p", "--query", "-", "--json", "--explain"];
    let ran = verdict(folder.path(), &arguments, &question.to_string());
    assert_eq!(code(&ran), 1, "{}", err(&ran));
    let answer: Value = serde_json::from_str(&out(&ran)).unwrap();
    assert_eq!(answer["effect"], "DENY");
    assert_eq!(answer["reasons"][0]["code"], "policy_denied");
    assert_eq!(answer["revision"]["sequence"], 1);
    let rules: Vec<_> = answer["explanation"]["rules"].as_array().unwrap().iter().map(|rule| &rule["rule"]).collect();
    assert_eq!(rules, ["data.authz.allow", "data.authz.deny"]);
}

#[test]
fn what_cannot_be_asked_is_2_and_says_everything_that_is_wrong() {
    let folder = policies();
    let ran = verdict(folder.path(), &["eval", "--policies", "p", "--subject", "alice", "--action", ""], "");
    assert_eq!(code(&ran), 2);
    for part in ["--subject: `alice`", "--action is empty", "--resource is missing"] {
        assert!(err(&ran).contains(part), "{part} in {}", err(&ran));
    }
    for question in ["{", "[]", "{}", "{\"subject\": {\"type\": \"user\", \"id\": 7}}"] {
        let ran = verdict(folder.path(), &["eval", "--policies", "p", "--query", "-"], question);
        assert_eq!(code(&ran), 2, "{question}");
        assert!(out(&ran).is_empty());
    }
    assert_eq!(code(&verdict(folder.path(), &[&ALICE[..], &["--policy", "a b"]].concat(), "")), 2);
    assert_eq!(code(&verdict(folder.path(), &["eval", "--subject", "user:alice"], "")), 2);
    assert_eq!(code(&verdict(folder.path(), &[&ALICE[..], &["--query", "-"]].concat(), "")), 2);
}

#[test]
fn asks_the_embedded_policies_where_none_are_named() {
    let folder = folder(&[]);
    let question = ["eval", "--subject", "user:alice", "--action", "read", "--resource", "document:handbook"];
    let ran = verdict(folder.path(), &question, "");
    assert_eq!(code(&ran), 0, "{}", err(&ran));
    assert!(out(&ran).contains("role_grants_action"), "{}", out(&ran));
}

#[test]
fn policies_with_faults_are_2() {
    let folder = folder(&[("p/a.rego", "package authz\nallow if {\n"), ("p/b.rego", "package b\nx := ]\n")]);
    let ran = verdict(folder.path(), &ALICE, "");
    assert_eq!(code(&ran), 2);
    for part in ["a.rego:2:10: expected a term, found the end of the text", "b.rego:2:6: expected a term", "2 faults"] {
        assert!(err(&ran).contains(part), "{part} in {}", err(&ran));
    }
}

#[test]
fn a_query_with_results_is_0_without_is_1_in_error_is_2() {
    let folder = policies();
    let ask = |query: &str| {
        let arguments = ["eval", "--policies", "p", "--query-rego", query, "--input", "-"];
        verdict(folder.path(), &arguments, "{\"subject\": {\"id\": \"alice\"}}")
    };
    let ran = ask("data.authz.allow");
    assert_eq!(code(&ran), 0, "{}", err(&ran));
    let answer: Value = serde_json::from_str(&out(&ran)).unwrap();
    assert_eq!(answer["result"][0]["expressions"][0]["value"], true);
    let ran = ask("data.authz.nothing");
    assert_eq!((code(&ran), out(&ran).as_str()), (1, "{}\n"));
    for query in ["data.authz.", "nosuch(1)", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"] {
        let ran = ask(query);
        assert_eq!(code(&ran), 2, "{query}: {}", out(&ran));
        assert!(err(&ran).contains("query:1:"), "{}", err(&ran));
    }
}
