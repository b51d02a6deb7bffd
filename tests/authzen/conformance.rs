//! What the AuthZEN working group's interop scenarios expect, by their own cases.
//!
//! `VERDICT_CONFORMANCE_DIR` names their folder, by default `../shared/conformance`; without it there is nothing to do.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value as Json, json};

use crate::client::{EVALUATION, EVALUATIONS, post, serve};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("VERDICT_CONFORMANCE_DIR").map_or("../shared/conformance".into(), PathBuf::from);
    let folder = folder.join("authzen");
    if !folder.is_dir() {
        println!("skipped: no conformance data");
    }
    folder.is_dir().then_some(folder)
}

fn read(path: &Path) -> Json {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn cases<'a>(file: &'a Json, name: &str) -> &'a [Json] {
    file[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

#[tokio::test]
async fn every_question_of_the_todo_scenario_is_decided_as_it_says() {
    let Some(folder) = folder() else { return };
    let users = fs::read_to_string(folder.join("todo/users.json")).unwrap();
    let (_folder, server) = serve("todo", &[("todo/data.json", &users)]).await;
    let decisions = read(&folder.join("todo/decisions.json"));
    let single = cases(&decisions, "evaluation");
    for case in single {
        let answer = post(&server, EVALUATION, &case["request"]).await;
        assert_eq!(answer.decision(), case["expected"], "{case}: {answer:?}");
    }
    let batches = cases(&decisions, "evaluations");
    for case in batches {
        let answer = post(&server, EVALUATIONS, &case["request"]).await.ok();
        let decided = |answers: &Json| -> Vec<bool> {
            answers.as_array().unwrap().iter().map(|one| one["decision"].as_bool().unwrap()).collect()
        };
        assert_eq!(decided(&answer["evaluations"]), decided(&case["expected"]), "{case}: {answer}");
    }
    println!("{} single questions, {} batches", single.len(), batches.len());
    assert!(!single.is_empty() && !batches.is_empty());
}

#[tokio::test]
async fn every_search_of_the_search_scenario_finds_what_it_says() {
    let Some(folder) = folder() else { return };
    let data = json!({
        "users": read(&folder.join("search/data/users.json")),
        "records": read(&folder.join("search/data/records.json")),
    });
    let (_folder, server) = serve("search", &[("company/data.json", &data.to_string())]).await;
    for kind in ["subject", "resource", "action"] {
        let path = folder.join(format!("search/{kind}.json"));
        if !path.exists() {
            continue;
        }
        let searches = read(&path);
        let searches = cases(&searches, "evaluation");
        for case in searches {
            let answer = post(&server, &format!("/access/v1/search/{kind}"), &case["request"]).await.ok();
            let set = |answer: &Json| -> BTreeSet<String> {
                answer["results"].as_array().unwrap().iter().map(ToString::to_string).collect()
            };
            assert_eq!(set(&answer), set(&case["expected"]), "{case}");
            assert_eq!(set(&answer).len(), answer["results"].as_array().unwrap().len(), "each once: {answer}");
        }
        println!("{} searches for a {kind}", searches.len());
        assert!(!searches.is_empty());
    }
}
