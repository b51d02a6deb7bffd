//! `verdict.v1.DecisionService`: single, batched, on a stream.

use tokio_stream::iter;
use verdict::api::grpc::proto::{
    BatchCheckItem, BatchCheckRequest, CheckRequest, CheckStreamRequest, Effect, Verdict, check_stream_response::Answer,
};

use crate::{
    Question, Told,
    support::{Ask as _, Server},
};

fn told(verdict: &Verdict) -> Told {
    let codes = verdict.reasons.iter().map(|reason| reason.code.clone());
    Told::new(verdict.effect() == Effect::Allow, codes, &verdict.revision.as_ref().unwrap().digest)
}

fn asked(question: &Question) -> CheckRequest {
    let query_json = question.query.get().as_bytes().to_vec();
    CheckRequest { query_json, policy: question.policy.clone(), ..CheckRequest::default() }
}

pub(crate) async fn check(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let mut client = server.client().await;
    let mut answers = Vec::new();
    for question in questions {
        answers.push(Some(told(&client.ask(asked(question)).await)));
    }
    answers
}

pub(crate) async fn by_default(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let mut client = server.client().await;
    let mut answers = Vec::new();
    for question in questions {
        let asked = CheckRequest { policy: String::new(), ..asked(question) };
        answers.push(Some(told(&client.ask(asked).await)));
    }
    answers
}

pub(crate) async fn batch(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let item = |question: &Question| BatchCheckItem {
        query_json: question.query.get().as_bytes().to_vec(),
        policy: question.policy.clone(),
        ..BatchCheckItem::default()
    };
    let batch = BatchCheckRequest { items: questions.iter().map(item).collect(), ..BatchCheckRequest::default() };
    let answer = server.client().await.batch_check(batch).await.unwrap().into_inner();
    answer.verdicts.iter().map(|verdict| Some(told(verdict))).collect()
}

pub(crate) async fn stream(server: &Server, questions: &[Question]) -> Vec<Option<Told>> {
    let numbered = questions.iter().enumerate().map(|(number, question)| CheckStreamRequest {
        question: Some(CheckRequest { request_id: number.to_string(), ..asked(question) }),
    });
    let sent: Vec<CheckStreamRequest> = numbered.collect();
    let mut received = server.client().await.check_stream(iter(sent)).await.unwrap().into_inner();
    let mut answers = vec![None; questions.len()];
    while let Some(answer) = received.message().await.unwrap() {
        let Some(Answer::Verdict(verdict)) = answer.answer else { panic!("{answer:?}") };
        answers[answer.request_id.parse::<usize>().unwrap()] = Some(told(&verdict));
    }
    assert!(answers.iter().all(Option::is_some));
    answers
}
