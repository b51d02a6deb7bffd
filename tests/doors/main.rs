//! The same questions through every door, single and batched: 0 differences in effect, reason codes and revision.
//!
//! The questions, and what they must get, are `questions.json`; the policies are beside it. A door that can't put a question
//! (Envoy asks about requests, the MCP door about messages) is asked those that it can. Each group of questions has a server of its own, whose default
//! policy is the group's, as AuthZEN and Envoy name none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it should be"
)]

mod command;
mod contract;
#[path = "../envoy/client.rs"]
#[allow(dead_code, reason = "the tests of Envoy use the rest")]
mod envoy_client;
mod grpc;
#[path = "../opa_api/client.rs"]
#[allow(dead_code, reason = "the tests of OPA's API use the rest")]
mod http_client;
mod over_envoy;
mod over_http;
mod over_mcp;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "the tests of the server use the rest")]
mod support;

use std::{collections::BTreeMap, fs};

use serde::Deserialize;
use serde_json::value::RawValue;

use support::{Folder, Serve, Server};

/// The most of the processor's time that a question may take.
const BUDGET_MS: &str = "100";

/// A question, and what it must get.
#[derive(Clone, Debug, Deserialize)]
struct Question {
    policy: String,
    name: String,
    /// Exact to the last digit.
    query: Box<RawValue>,
    effect: String,
    codes: Vec<String>,
}

/// What a door answered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    effect: String,
    codes: Vec<String>,
    digest: String,
}

impl Told {
    fn new(allowed: bool, codes: impl IntoIterator<Item = String>, digest: &str) -> Self {
        let effect = if allowed { "allow" } else { "deny" };
        let mut codes: Vec<String> = codes.into_iter().collect();
        codes.sort();
        codes.dedup();
        Self { effect: effect.to_owned(), codes, digest: digest.to_owned() }
    }
}

/// By door, what each question got; nothing where it can't be put.
type Answers = Vec<(&'static str, Vec<Option<Told>>)>;

fn folder() -> Folder {
    let folder = Folder::empty();
    for entry in fs::read_dir("tests/doors/policies").unwrap() {
        let path = entry.unwrap().path();
        folder.write(path.file_name().unwrap().to_str().unwrap(), &fs::read_to_string(&path).unwrap());
    }
    folder
}

async fn ask(folder: &Folder, policy: &str, questions: &[Question]) -> (Server, Answers) {
    let server = Serve::folder(folder)
        .env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s")
        .env("VERDICT_POLICIES_EVALUATION_BUDGET", &format!("{BUDGET_MS}ms"))
        .env("VERDICT_ENVOY_INPUT", "question")
        .env("VERDICT_ENVOY_SUBJECT", "header:x-user")
        .arg("--default-policy")
        .arg(policy)
        .ready()
        .await;
    let asked = [
        ("Check", grpc::check(&server, questions).await),
        ("Check, by default", grpc::by_default(&server, questions).await),
        ("BatchCheck", grpc::batch(&server, questions).await),
        ("CheckStream", grpc::stream(&server, questions).await),
        ("AuthZEN evaluation", over_http::evaluation(&server, questions).await),
        ("AuthZEN evaluations", over_http::evaluations(&server, questions).await),
        ("OPA data v1", over_http::data(&server, questions).await),
        ("OPA data v0", over_http::v0(&server, questions).await),
        ("OPA default", over_http::default_decision(&server, questions).await),
        ("Envoy", over_envoy::check(&server, questions).await),
        ("MCP", over_mcp::http(&server, questions).await),
        ("MCP over gRPC", over_mcp::grpc(&server, questions).await),
    ];
    let mut answers: Answers = asked.into_iter().collect();
    answers.push(("verdict eval", command::eval(folder, questions).await));
    (server, answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door_gives_the_same_answer() {
    let questions: Vec<Question> =
        serde_json::from_str(&fs::read_to_string("tests/doors/questions.json").unwrap()).unwrap();
    assert!(questions.len() >= 200, "{} questions", questions.len());
    let mut groups: BTreeMap<String, Vec<Question>> = BTreeMap::new();
    for question in questions {
        groups.entry(question.policy.clone()).or_default().push(question);
    }
    let folder = folder();
    let (mut differ, mut counts, mut asked): (Vec<String>, BTreeMap<&str, usize>, usize) = Default::default();
    for (policy, questions) in &groups {
        let (server, answers) = ask(&folder, policy, questions).await;
        let (_, ready) = server.readiness().await;
        let digest = ready["revision"]["digest"].as_str().unwrap();
        asked += questions.len();
        for (door, told) in &answers {
            assert_eq!(told.len(), questions.len(), "{door}");
            for (question, told) in questions.iter().zip(told) {
                let Some(told) = told else { continue };
                *counts.entry(door).or_default() += 1;
                let Question { effect, codes, .. } = question;
                let wanted = Told { effect: effect.clone(), codes: codes.clone(), digest: digest.to_owned() };
                if *told != wanted {
                    differ.push(format!("{door}: {} ({policy})\n  {told:?}\n  {wanted:?}", question.name));
                }
            }
        }
    }
    println!("{asked} questions; answers by door: {counts:?}; {} differences", differ.len());
    assert!(differ.is_empty(), "{} answers differ:\n{}", differ.len(), differ.join("\n"));
    for (door, count) in counts {
        let least = match door {
            "Envoy" => 100,
            "MCP" | "MCP over gRPC" => 60,
            _ => asked,
        };
        assert!(count >= least, "{door} was asked {count} of {asked}");
    }
}
