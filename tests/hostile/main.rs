//! Hostile policies and inputs, put to the built server: whatever they are, the answer is a deny that says why or an
//! honest answer, it comes in time, and the process lives.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod policies;
#[path = "../server/support.rs"]
#[allow(dead_code, reason = "each test target uses a part of it")]
mod support;

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};
use support::{Folder, Serve, codes, object, question};
use verdict::{
    api::grpc::proto::{CheckRequest, Effect, Verdict},
    decision,
};

/// What `policies.evaluation_budget` is by default, and what an answer may take beyond it.
const BUDGET: Duration = Duration::from_millis(50);

/// Generous, as a busy machine must not fail a test; `docs/budgets.md` has what was measured.
const SLACK: Duration = Duration::from_secs(2);

/// A file of `cases`: a policy under a head of `# expect:` (the budgets or codes one of which the deny names, or
/// `answer`), and perhaps `# context:` (the question's, by name).
struct Case {
    name: String,
    text: String,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut cases: Vec<Self> = fs::read_dir("tests/hostile/cases")
            .unwrap()
            .map(|file| {
                let path = file.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                Self { name, text: fs::read_to_string(path).unwrap() }
            })
            .collect();
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        cases
    }

    /// Whether it ends early without any limit of time.
    fn ends(&self) -> bool {
        !self.head("expect").unwrap().contains("wall_clock")
    }

    fn head(&self, name: &str) -> Option<&str> {
        let prefix = format!("# {name}: ");
        self.text.lines().find_map(|line| line.strip_prefix(prefix.as_str()))
    }

    fn question(&self) -> CheckRequest {
        let context = match self.head("context") {
            None => json!({"a": 1}),
            Some("wide") => json!({"wide": (0..60_000).rev().collect::<Vec<u32>>()}),
            Some("deep") => json!({"deep": (0..50).fold(json!({}), |inner, _| json!({"a": inner}))}),
            Some(other) => panic!("{}: no context `{other}`", self.name),
        };
        let policy = format!("data.hostile.{}.decision", self.name);
        CheckRequest { policy, context: Some(object(context)), ..question() }
    }

    /// What is wrong with an answer.
    fn fault(&self, verdict: &Verdict) -> Option<String> {
        let expected: Vec<&str> = self.head("expect").unwrap().split(' ').collect();
        let was = budget(verdict).unwrap_or_else(|| match codes(verdict).first() {
            Some(code) if *code == "evaluation_error" => "evaluation_error".to_owned(),
            _ if verdict.effect() == Effect::Deny => "deny".to_owned(),
            _ => "answer".to_owned(),
        });
        let honest = expected.contains(&"answer") && was == "deny";
        // On a busy machine, anything can take too long.
        let late = ["wall_clock", "queue"].contains(&was.as_str());
        let right = honest || late || expected.contains(&was.as_str());
        (!right).then(|| format!("{}: {was}, not {expected:?}: {:?}", self.name, verdict.reasons))
    }
}

/// The budget that a deny names.
fn budget(verdict: &Verdict) -> Option<String> {
    let reason = verdict.reasons.iter().find(|reason| reason.code == "budget_exceeded")?;
    match reason.properties.as_ref()?.members.get("budget")? {
        decision::Value::String(name) => Some(name.clone()),
        other => panic!("{other:?}"),
    }
}

fn folder() -> (Folder, Vec<Case>) {
    let cases = Case::all();
    let folder = Folder::always(&[]);
    for case in &cases {
        folder.write(&format!("{}.rego", case.name), &case.text);
    }
    (folder, cases)
}

fn serve(folder: &Folder) -> Serve {
    Serve::folder(folder).env("VERDICT_POLICIES_EVALUATION_BUDGET", "50ms")
}

#[tokio::test]
async fn every_case_is_answered_in_time_and_harms_nobody() {
    let (folder, cases) = folder();
    assert!(cases.len() >= 30, "{}", cases.len());
    let server = serve(&folder).ready().await;
    let mut faults = Vec::new();
    for case in &cases {
        let started = Instant::now();
        let verdict = server.ask(case.question()).await;
        let took = started.elapsed();
        println!("{:24} {took:>10.1?} {:?}", case.name, verdict.reasons.first().map(|reason| &reason.message));
        faults.extend(case.fault(&verdict));
        assert!(took < BUDGET + SLACK, "{}: {took:?}", case.name);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    server.unharmed().await;
}

#[tokio::test]
async fn what_ends_early_says_which_budget_is_spent() {
    let (folder, cases) = folder();
    let server = Serve::folder(&folder).ready().await;
    for case in cases.iter().filter(|case| case.ends()) {
        let verdict = server.ask(case.question()).await;
        assert_eq!(case.fault(&verdict), None);
        assert!(!matches!(budget(&verdict).as_deref(), Some("wall_clock" | "queue")), "{}: {verdict:?}", case.name);
    }
}

#[tokio::test]
async fn all_cases_at_once_leave_room_for_others() {
    let (folder, cases) = folder();
    let server = serve(&folder).ready().await;
    let client = server.client().await;
    let runaways: Vec<_> = cases
        .iter()
        .cycle()
        .take(cases.len() * 3)
        .map(|case| {
            let (mut client, question) = (client.clone(), case.question());
            tokio::spawn(async move { client.check(question).await.unwrap().into_inner().verdict.unwrap() })
        })
        .collect();
    for _ in 0..50 {
        // On a busy machine and without optimization, even this can take too long; never may it fail otherwise.
        let verdict = server.ask(support::to(support::ALWAYS)).await;
        assert!(verdict.effect() == Effect::Allow || budget(&verdict).is_some(), "{verdict:?}");
    }
    for runaway in runaways {
        // None of the cases allows anything but what it is said to.
        let verdict = runaway.await.unwrap();
        assert!(verdict.effect() == Effect::Deny || verdict.context.is_none(), "{verdict:?}");
    }
    server.unharmed().await;
}

#[tokio::test]
async fn a_question_that_nests_200_000_deep_is_refused_at_each_door() {
    let (folder, _) = folder();
    let server = serve(&folder).ready().await;
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let json = format!(
        r#"{{"subject":{{"type":"user","id":"a"}},"action":{{"name":"r"}},"resource":{{"type":"d","id":"1"}},"context":{{"x":{deep}}}}}"#
    );
    let asked = CheckRequest { query_json: json.clone().into(), ..CheckRequest::default() };
    assert_eq!(support::assert_invalid(&server.refusal(asked).await), ["query_json"]);
    server.unharmed().await;
    // The command line reads the same JSON, and an `input` of any shape.
    let (query, input) = (folder.join("query.json"), folder.join("input.json"));
    fs::write(&query, json).unwrap();
    fs::write(&input, deep).unwrap();
    let policies = folder.path().to_str().unwrap();
    for arguments in [
        ["eval", "--policies", policies, "--query", query.to_str().unwrap()].as_slice(),
        ["eval", "--policies", policies, "--query-rego", "input", "--input", input.to_str().unwrap()].as_slice(),
    ] {
        let ended = support::run(support::verdict().args(arguments));
        assert!(matches!(ended.code, Some(1 | 2)), "{arguments:?}: {:?} {}", ended.code, ended.stderr);
    }
}

/// Also what the tests of one case look like from outside: its text as JSON.
#[test]
fn the_cases_say_what_they_expect() {
    for case in Case::all() {
        assert!(case.head("expect").is_some(), "{}", case.name);
        assert!(case.text.contains(&format!("package hostile.{}\n", case.name)), "{}", case.name);
        let _: Json = json!(case.text);
    }
}
