//! `CheckStream`: many questions on one stream.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use verdict::api::grpc::proto::{
    CallError, CheckRequest, CheckStreamRequest, CheckStreamResponse, Effect, check_stream_response::Answer,
};

use crate::{
    raw,
    support::{ALWAYS, Folder, Serve, Server, asking, assert_refused, eventually, to},
};

const POLICY: &str = "package authz\n\ndecision := input.subject.id == \"ok\"\n";

fn asked(id: &str, question: CheckRequest) -> CheckStreamRequest {
    CheckStreamRequest { question: Some(CheckRequest { request_id: id.to_owned(), ..question }) }
}

/// Opens a stream: where questions go, and where answers come from.
async fn open(server: &Server) -> (mpsc::Sender<CheckStreamRequest>, Streaming<CheckStreamResponse>) {
    let (questions, received) = mpsc::channel(1);
    let answers = server.client().await.check_stream(ReceiverStream::new(received)).await.unwrap();
    (questions, answers.into_inner())
}

async fn next(answers: &mut Streaming<CheckStreamResponse>) -> (String, Answer) {
    let answer = answers.message().await.unwrap().expect("an answer");
    (answer.request_id, answer.answer.expect("one or the other"))
}

#[track_caller]
fn effect(answer: &Answer) -> Effect {
    let Answer::Verdict(verdict) = answer else { panic!("an error: {answer:?}") };
    verdict.effect()
}

#[track_caller]
fn error(answer: Answer) -> (i32, String, Vec<String>) {
    let Answer::Error(CallError { code, reason, message, field_violations }) = answer else { panic!("{answer:?}") };
    assert!(!message.is_empty());
    (code, reason, field_violations.into_iter().map(|violation| violation.field).collect())
}

#[tokio::test]
async fn a_thousand_questions_are_answered_each_by_its_id() {
    let folder = Folder::with(&[("authz.rego", POLICY)]);
    let server = Serve::folder(&folder).ready().await;
    let (questions, mut answers) = open(&server).await;
    tokio::spawn(async move {
        for n in 0..1_000 {
            let subject = if n % 3 == 0 { "user:ok" } else { "user:no" };
            questions.send(asked(&n.to_string(), asking(subject, "read", "document:1"))).await.unwrap();
        }
    });
    let mut effects = HashMap::new();
    let mut decisions = HashSet::new();
    while let Some(CheckStreamResponse { request_id, answer }) = answers.message().await.unwrap() {
        let Some(Answer::Verdict(verdict)) = answer else { panic!("{answer:?}") };
        assert_eq!(verdict.request_id, request_id);
        assert!(decisions.insert(verdict.decision_id.clone()));
        assert!(effects.insert(request_id.parse::<usize>().unwrap(), verdict.effect()).is_none());
    }
    assert_eq!(effects.len(), 1_000);
    for (n, effect) in effects {
        assert_eq!(effect == Effect::Allow, n % 3 == 0, "{n}");
    }
    assert_eq!(server.metric("verdict_in_flight").await, Some(0.0));
}

#[tokio::test]
async fn a_bad_question_is_answered_with_its_error_and_the_stream_goes_on() {
    let folder = Folder::with(&[("authz.rego", POLICY)]);
    let server = Serve::folder(&folder).ready().await;
    let (questions, mut answers) = open(&server).await;
    let invalid = |fields: &[&str]| {
        (Code::InvalidArgument.into(), "INVALID_QUERY".to_owned(), fields.iter().map(ToString::to_string).collect())
    };
    for (question, id, fields) in [
        (asked("", asking("user:ok", "read", "document:1")), "", vec!["request_id"]),
        (CheckStreamRequest { question: None }, "", vec!["subject", "action", "resource", "request_id"]),
        (asked("1", CheckRequest::default()), "1", vec!["subject", "action", "resource"]),
        (asked("2", to("nonsense")), "2", vec!["policy"]),
        (asked("3", CheckRequest { query_json: b"{".to_vec(), ..CheckRequest::default() }), "3", vec!["query_json"]),
    ] {
        questions.send(question).await.unwrap();
        let (request_id, answer) = next(&mut answers).await;
        assert_eq!((request_id.as_str(), error(answer)), (id, invalid(&fields)));
    }
    questions.send(asked("4", asking("user:ok", "read", "document:1"))).await.unwrap();
    let (id, answer) = next(&mut answers).await;
    assert_eq!((id.as_str(), effect(&answer)), ("4", Effect::Allow));
    // Closed by the client, it ends well.
    drop(questions);
    assert!(answers.message().await.unwrap().is_none());
}

#[tokio::test]
async fn before_the_first_policies_each_question_is_told_so() {
    let folder = Folder::empty();
    let server = Serve::folder(&folder).listening().await;
    let (questions, mut answers) = open(&server).await;
    let ask = async |answers: &mut Streaming<CheckStreamResponse>| {
        questions.send(asked("1", to(ALWAYS))).await.unwrap();
        next(answers).await.1
    };
    let not_ready = (Code::Unavailable.into(), "POLICIES_NOT_READY".to_owned(), Vec::new());
    assert_eq!(error(ask(&mut answers).await), not_ready);
    folder.write("always.rego", "package always\n\ndecision := true\n");
    server.until_serving().await;
    // The same stream.
    assert_eq!(effect(&ask(&mut answers).await), Effect::Allow);
}

#[tokio::test]
async fn a_stream_sees_new_policies() {
    let folder = Folder::with(&[("authz.rego", "package authz\n\ndecision := false\n")]);
    let server = Serve::folder(&folder).ready().await;
    let (questions, mut answers) = open(&server).await;
    questions.send(asked("1", to("data.authz"))).await.unwrap();
    assert_eq!(effect(&next(&mut answers).await.1), Effect::Deny);
    folder.write("authz.rego", "package authz\n\ndecision := true\n");
    server.logged_where("the second", |line| line["sequence"] == 2).await;
    questions.send(asked("2", to("data.authz"))).await.unwrap();
    assert_eq!(effect(&next(&mut answers).await.1), Effect::Allow);
}

/// What was answered before the frames ended in `broken`.
async fn answered_before(server: &Server, broken: &[u8]) -> (HashSet<String>, Status) {
    let mut body = Vec::new();
    for n in 0..50 {
        body.extend_from_slice(&raw::frame(&asked(&n.to_string(), to(ALWAYS)).encode_to_vec()));
    }
    body.extend_from_slice(broken);
    let answer = raw::call(server, "CheckStream", body.into(), &[]).await;
    let ids = answer.split().into_iter().map(|message| {
        let answer = CheckStreamResponse::decode(message).unwrap();
        assert_eq!(effect(&answer.answer.unwrap()), Effect::Allow);
        answer.request_id
    });
    (ids.collect(), answer.status().clone())
}

#[tokio::test]
async fn what_is_no_message_ends_the_stream_after_what_was_asked_before() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let (answered, status) = answered_before(&server, &raw::frame(&[0xff; 9])).await;
    assert_refused(&status, Code::InvalidArgument, "MALFORMED_MESSAGE");
    assert_eq!(answered.len(), 50);
    let (answered, status) = answered_before(&server, &raw::frame_with(0, 1 << 21, b"")).await;
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    assert_eq!(answered.len(), 50);
    for reason in ["MALFORMED_MESSAGE", "MESSAGE_TOO_LARGE"] {
        let count = server.metric(&format!("verdict_call_errors_total{{reason=\"{reason}\"}}")).await;
        assert_eq!(count, Some(1.0), "{reason}");
    }
    server.unharmed().await;
}

#[tokio::test]
async fn who_does_not_read_is_not_read_from() {
    const MANY: usize = 60_000;
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let before = server.resident();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let questions = tokio_stream::iter(0..MANY).map_ids(count);
    let mut answers = server.client().await.check_stream(questions).await.unwrap().into_inner();
    // It stalls when a while passes in which nothing more is taken.
    let decided = r#"verdict_decisions_total{entry_point="data.always.decision",effect="allow"}"#;
    let mut last = (usize::MAX, None);
    let mut quiet = 0;
    eventually("the sender stalls", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = (taken.load(Ordering::SeqCst), server.metric(decided).await);
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        (quiet == 25).then_some(())
    })
    .await;
    let (sent, decided) = (last.0, last.1.unwrap_or_default());
    println!("stalled at {sent} questions sent, {decided} decided; {} KiB more", (server.resident() - before) / 1_024);
    assert!(sent < MANY / 4 * 3, "{sent} questions were taken from a client that reads no answer");
    assert!(server.resident() - before < 32 << 20);
    server.unharmed().await;
    // Once it reads, all is answered.
    let mut answered = 0;
    while answers.message().await.unwrap().is_some() {
        answered += 1;
    }
    assert_eq!(answered, MANY);
}

trait MapIds {
    fn map_ids(self, taken: Arc<AtomicUsize>) -> impl futures::Stream<Item = CheckStreamRequest> + Send + 'static;
}

impl<S: futures::Stream<Item = usize> + Send + 'static> MapIds for S {
    fn map_ids(self, taken: Arc<AtomicUsize>) -> impl futures::Stream<Item = CheckStreamRequest> + Send + 'static {
        futures::StreamExt::map(self, move |n| {
            taken.fetch_add(1, Ordering::SeqCst);
            asked(&n.to_string(), to(ALWAYS))
        })
    }
}

#[tokio::test]
async fn a_stream_ends_with_draining_after_what_was_accepted() {
    let slow = "package slow\n\ndecision := count([1 | some i in numbers.range(1, 8000); i % 7 == 0]) > 0\n";
    let folder = Folder::with(&[("slow.rego", slow)]);
    let patient = Serve::folder(&folder).env("VERDICT_POLICIES_EVALUATION_BUDGET", "10s");
    let mut server = patient.env("VERDICT_GRPC_REQUEST_TIMEOUT", "30s").ready().await;
    let (questions, mut answers) = open(&server).await;
    // One answer, so that the stream is known to be open.
    questions.send(asked("0", to("data.slow"))).await.unwrap();
    assert_eq!(effect(&next(&mut answers).await.1), Effect::Allow);
    for n in 1..=10 {
        questions.send(asked(&n.to_string(), to("data.slow"))).await.unwrap();
    }
    eventually("a question is accepted", async || {
        (server.metric("verdict_in_flight").await == Some(1.0)).then_some(())
    })
    .await;
    server.signal("TERM");
    let mut answered = 0;
    let status = loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                assert_eq!(effect(&answer.answer.unwrap()), Effect::Allow);
                answered += 1;
            }
            Ok(None) => panic!("it ended without a status"),
            Err(status) => break status,
        }
    };
    assert_refused(&status, Code::Unavailable, "DRAINING");
    println!("{answered} of 10 were accepted and answered");
    assert!(server.ended().await.success());
}
