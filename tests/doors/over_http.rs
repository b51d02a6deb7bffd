//! AuthZEN, and OPA's REST API with AuthZEN's question as input.

use serde_json::{Value as Json, json};

use crate::{
    Question, Told, contract,
    http_client::{Answer, post},
    support::Server,
};

fn digest(answer: &Answer) -> &str {
    answer.headers["verdict-revision"].split(' ').nth(1).unwrap()
}

fn evaluated(answer: &Json, digest: &str) -> Told {
    let reasons = answer["context"]["reason_admin"].as_object();
    let codes = reasons.into_iter().flatten().map(|(code, _)| code.clone());
    Told::new(answer["decision"].as_bool().unwrap(), codes, digest)
}

pub(crate) async fn evaluation(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let mut answers = Vec::new();
    for question in questions {
        let answer = post(server, "/access/v1/evaluation", question.query.get()).await;
        answers.push(Some(evaluated(&answer.ok(), digest(&answer))));
    }
    answers
}

pub(crate) async fn evaluations(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let items: Vec<&str> = questions.iter().map(|question| question.query.get()).collect();
    let body = format!("{{\"evaluations\":[{}]}}", items.join(","));
    let answer = post(server, "/access/v1/evaluations", body).await;
    let told = answer.ok()["evaluations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| evaluated(one, digest(&answer)))
        .collect::<Vec<_>>();
    told.into_iter().map(Some).collect()
}

/// What the client asks: the package's `decision` where it has one, as the contract says, or else the package.
fn path(policy: &str) -> String {
    let path = policy.strip_prefix("data.").unwrap().replace('.', "/");
    let has_decision = ["data.docs", "data.numbers", "data.odd", "data.tools", "data.web"].contains(&policy);
    if has_decision { format!("{path}/decision") } else { path }
}

pub(crate) async fn data(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let mut answers = Vec::new();
    for question in questions {
        let body = format!("{{\"input\":{}}}", question.query.get());
        let answer = post(server, &format!("/v1/data/{}", path(&question.policy)), body).await;
        let document = answer.json().get("result").cloned();
        answers.push(Some(interpreted(&answer, document.as_ref())));
    }
    answers
}

pub(crate) async fn v0(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let mut answers = Vec::new();
    for question in questions {
        let answer = post(server, &format!("/v0/data/{}", path(&question.policy)), question.query.get()).await;
        let document = (answer.status == 200).then(|| answer.json());
        answers.push(Some(interpreted(&answer, document.as_ref())));
    }
    answers
}

/// `POST /`: the default policy's document; of a package that has a `decision`, that is what counts.
pub(crate) async fn default_decision(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let mut answers = Vec::new();
    for question in questions {
        let answer = post(server, "/", question.query.get()).await;
        let document = (answer.status == 200).then(|| answer.json());
        let inner = path(&question.policy).ends_with("/decision");
        let document = match document {
            Some(Json::Object(members)) if inner => members.get("decision").cloned(),
            other => other,
        };
        answers.push(Some(interpreted(&answer, document.as_ref())));
    }
    answers
}

fn interpreted(answer: &Answer, document: Option<&Json>) -> Told {
    assert!([200, 404, 500].contains(&answer.status), "{}", answer.text());
    if answer.status == 404 {
        assert_eq!(answer.json()["code"], json!("undefined_document"));
    }
    let (allowed, codes) = contract::decision(answer, document);
    Told::new(allowed, codes, digest(answer))
}
