//! `verdict explain` on the worked examples: the right rule, the right line, the right values.
//!
//! `cases.json` names a question of `policies/questions.json` and says, written by hand, which condition kept it from an
//! allow, or which conditions an allow rests on. `golden/` has what people are shown, whole: `VERDICT_TEST_BLESS=1`
//! writes it anew, for a reader of the difference.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test says what is wrong by failing")]

#[path = "../common.rs"]
mod common;

use std::{fs, path::Path};

use common::{code, err, out, verdict};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> Vec<Value> {
    serde_json::from_str(&fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

fn explain(question: &Value, json: bool) -> String {
    let arguments = ["explain", "--policies", "policies", "--query", "-", "--json"];
    let arguments = if json { &arguments[..] } else { &arguments[..5] };
    let ran = verdict(root(), arguments, &question["query"].to_string());
    let name = &question["name"];
    assert_eq!(code(&ran), i32::from(question["effect"] == "deny"), "{name}: {}", err(&ran));
    out(&ran)
}

/// The condition of `trace` that has that text, if its place is where the file has that text, and the values are those.
fn fits(trace: &Value, wanted: &Value) -> bool {
    let condition = trace["conditions"].as_array().unwrap().iter().find(|one| one["text"] == wanted["condition"]);
    let Some(condition) = condition.filter(|_| trace["rule"] == wanted["rule"]) else { return false };
    let place = &condition["position"];
    let file = fs::read_to_string(root().join("policies").join(place["file"].as_str().unwrap())).unwrap();
    let number = |name: &str| usize::try_from(place[name].as_u64().unwrap()).unwrap();
    let line = file.lines().nth(number("line") - 1).unwrap();
    let at: String = line.chars().skip(number("column") - 1).collect();
    let values = condition["values"].as_array().unwrap();
    at.starts_with(wanted["condition"].as_str().unwrap())
        && condition["line"] == line
        && wanted["values"].as_object().unwrap().iter().all(|(expression, value)| {
            values.iter().any(|seen| {
                seen["expression"] == *expression
                    && seen["defined"] == !value.is_null()
                    && (value.is_null() || seen["value_json"] == *value)
            })
        })
}

#[test]
fn every_case_names_the_rule_the_line_and_the_values() {
    let questions = read("policies/questions.json");
    let cases = read("tests/explain/cases.json");
    assert!(cases.len() >= 20);
    let mut wrong = Vec::new();
    for case in &cases {
        let question = questions.iter().find(|question| question["name"] == case["question"]).unwrap();
        let answer: Value = serde_json::from_str(&explain(question, true)).unwrap();
        let explanation = &answer["explanation"];
        assert_eq!(explanation["note"], "", "{}", case["question"]);
        if let Some(nearest) = case.get("nearest") {
            let first = &explanation["missed"][0];
            let last = first["conditions"].as_array().and_then(|conditions| conditions.last()).cloned();
            let last = last.unwrap_or_default();
            if !fits(first, nearest) || last["text"] != nearest["condition"] || last["message"] != nearest["message"] {
                wrong.push(format!("{}\n  wanted {nearest}\n  got    {} {last}", case["question"], first["rule"]));
            }
        }
        for wanted in case["fired"].as_array().into_iter().flatten() {
            let fired = explanation["fired"].as_array().unwrap();
            if !fired.iter().any(|trace| fits(trace, wanted)) {
                let of_rule: Vec<&Value> = fired.iter().filter(|trace| trace["rule"] == wanted["rule"]).collect();
                wrong.push(format!("{}\n  wanted {wanted}\n  got    {of_rule:?}", case["question"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn people_are_shown_what_is_in_the_golden_files() {
    let bless = std::env::var_os("VERDICT_TEST_BLESS").is_some();
    let questions = read("policies/questions.json");
    for case in read("tests/explain/cases.json") {
        let question = questions.iter().find(|question| question["name"] == case["question"]).unwrap();
        let name: String = case["question"]
            .as_str()
            .unwrap()
            .chars()
            .filter(|one| one.is_alphanumeric() || *one == ' ')
            .map(|one| if one == ' ' { '-' } else { one })
            .collect();
        let shown = explain(question, false);
        // The digest of the policies is no part of it.
        let lines = shown.lines().filter(|line| !line.starts_with("  revision"));
        let shown = lines.collect::<Vec<_>>().join("\n") + "\n";
        let path = root().join("tests/explain/golden").join(format!("{name}.txt"));
        if bless {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &shown).unwrap();
        }
        // The author's words only, none of what lowering and instrumenting make of them.
        assert!(!shown.contains("verdict__") && !shown.contains("__verdict"), "{name}: {shown}");
        assert_eq!(fs::read_to_string(&path).unwrap_or_default(), shown, "{name}");
    }
    let golden = fs::read_dir(root().join("tests/explain/golden")).unwrap();
    let golden: Vec<String> = golden.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    assert!(golden.iter().all(|text| !text.contains("verdict__") && !text.contains("__verdict")));
    for effect in ["ALLOW", "DENY"] {
        assert!(golden.iter().filter(|text| text.starts_with(effect)).count() >= 5, "{effect}");
    }
    assert!(golden.len() >= 20);
}
