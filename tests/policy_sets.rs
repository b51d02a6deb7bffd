//! Two larger policy sets, as a user would bring them: they load, all their tests pass, and questions get the answers
//! that OPA gave (`tests/sets/answers.py` asked it).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by ending"
)]

mod common;

#[path = "differential/canonical.rs"]
mod canonical;

use std::{collections::HashMap, fs, path::Path, thread, time::Duration};

use canonical::canonical;
use common::{code, out, verdict};
use serde_json::Value;
use verdict::{
    bundle::Bundle,
    policy::{
        Options,
        adhoc::{Input, Prepared},
    },
};

/// Parsers and destructors of nested text recurse.
const STACK: usize = 512 << 20;

#[test]
fn a_saas_api_in_todays_rego() {
    holds("saas", false, 100);
}

#[test]
fn an_admission_controller_in_rego_v0() {
    holds("admission", true, 77);
}

fn holds(name: &'static str, rego_v0: bool, tests: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sets");
    let arguments = if rego_v0 { vec!["test", "--rego-v0", name] } else { vec!["test", name] };
    let ran = verdict(&root, &arguments, "");
    let shown = out(&ran);
    let passed = shown.lines().last().and_then(|line| line.split('/').next_back()?.parse().ok());
    let all_passed = code(&ran) == 0 && passed.is_some_and(|passed: usize| passed >= tests);
    let thread =
        thread::Builder::new().stack_size(STACK).spawn(move || answers(&root, name, rego_v0)).expect("a thread");
    let wrong = thread.join().expect("no panic");
    assert!(
        all_passed && wrong.is_empty(),
        "{shown}{}\n{} answers differ:\n{}",
        common::err(&ran),
        wrong.len(),
        wrong.join("\n")
    );
}

/// What differs from OPA's answers.
fn answers(root: &Path, name: &str, rego_v0: bool) -> Vec<String> {
    let mut files = Vec::new();
    read(&root.join(name), "", &mut files);
    let bundle = Bundle::from_files(files).expect("UTF-8");
    let mut prepared = HashMap::new();
    let questions = fs::read_to_string(root.join(format!("{name}.jsonl"))).expect("the answers are there");
    let mut wrong = Vec::new();
    for line in questions.lines() {
        let question: Value = serde_json::from_str(line).expect("JSON");
        let query = question["query"].as_str().expect("a query").to_owned();
        let asked = prepared.entry(query.clone()).or_insert_with(|| {
            Prepared::new(&bundle, Options { rego_v0, ..Options::default() }, &query).unwrap_or_else(|faults| {
                panic!("{query}: {:?}", faults.0.iter().map(ToString::to_string).collect::<Vec<_>>())
            })
        });
        let input = question["input"].to_string();
        let (wanted, error) = (question.get("value").map(canonical), question.get("error"));
        match asked.answer(Input::Json(&input), Duration::from_secs(10)) {
            Ok(answer) => {
                let answer: Value = serde_json::from_str(&answer.json).expect("JSON");
                let value = answer.pointer("/result/0/expressions/0/value").map(canonical);
                if error.is_some() || value != wanted {
                    let shown = |value: Option<Value>| value.map_or_else(|| "undefined".to_owned(), |v| v.to_string());
                    let opa = error.map_or_else(|| shown(wanted), ToString::to_string);
                    wrong.push(format!("{query} with {input}\n  opa:  {opa}\n  ours: {}", shown(value)));
                }
            }
            Err(faults) if error.is_none() => wrong.push(format!("{query} with {input}: {}", faults.0[0])),
            Err(_) => {}
        }
    }
    wrong
}

fn read(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = format!("{prefix}{}", path.file_name().expect("a name").to_string_lossy());
        if path.is_dir() {
            read(&path, &format!("{name}/"), files);
        } else {
            files.push((name, fs::read(&path).expect("it can be read")));
        }
    }
}
