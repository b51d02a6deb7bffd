//! The worked examples in `policies/` answer what `policies/questions.json` says.

mod common;

use common::{code, out, verdict};
use serde_json::Value;

#[test]
fn every_question_gets_its_effect_and_codes() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let questions = std::fs::read_to_string(root.join("policies/questions.json")).unwrap();
    let questions: Vec<Value> = serde_json::from_str(&questions).unwrap();
    assert!(questions.len() > 10);
    for question in questions {
        let name = question["name"].as_str().unwrap();
        let arguments = ["eval", "--policies", "policies", "--policy", "data.authz", "--query", "-", "--json"];
        let ran = verdict(root, &arguments, &question["query"].to_string());
        let answer: Value =
            serde_json::from_str(&out(&ran)).unwrap_or_else(|_| panic!("{name}: {}", common::err(&ran)));
        let effect = question["effect"].as_str().unwrap();
        assert_eq!(answer["effect"], effect.to_uppercase(), "{name}");
        assert_eq!(code(&ran), i32::from(effect == "deny"), "{name}");
        let sorted = |codes: Vec<&Value>| {
            let mut codes: Vec<String> = codes.into_iter().map(|code| code.as_str().unwrap().to_owned()).collect();
            codes.sort();
            codes
        };
        let given = answer["reasons"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
        let wanted = question["codes"].as_array().unwrap().iter().collect();
        assert_eq!(sorted(given), sorted(wanted), "{name}");
        assert!(answer["diagnostics"].as_array().unwrap().is_empty(), "{name}: {answer}");
    }
}

#[test]
fn every_unit_test_passes_and_nothing_is_left_uncovered() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = verdict(root, &["test", "policies", "--threshold", "100"], "");
    assert_eq!(code(&ran), 0, "{}", out(&ran));
    assert_eq!(code(&verdict(root, &["lint", "policies"], "")), 0);
}
