//! Calls that wait for what is to come.

use std::time::Duration;

use tokio::time::timeout;
use tonic::{Code, Request as Call};
use tonic_types::StatusExt as _;
use verdict::api::grpc::proto::{
    self, BatchCheckItem, BatchCheckRequest, CheckRequest, CheckStreamRequest, Effect, Freshness,
    check_stream_response::Answer,
};

use crate::{
    callers::{self, GRANTS, KEY},
    support::{ALWAYS, Ask as _, Folder, PATIENCE, Serve, Server, assert_refused, eventually, to},
};

/// A revision that does not come.
fn never() -> Freshness {
    Freshness { sequence: 1_000_000, ..Freshness::default() }
}

/// Who waits for a revision that never comes has no place meanwhile.
#[tokio::test]
async fn who_waits_for_a_revision_holds_up_nobody() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_IN_FLIGHT", "4")
        // For the moment in which all four have their places; who waits for longer than a second is refused.
        .env("VERDICT_SERVER_MAX_QUEUED", "8")
        .env("VERDICT_GRPC_REQUEST_TIMEOUT", "5s")
        .ready()
        .await;
    let at_least_as_fresh = Some(never());
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let (address, question) =
                (server.uri(), proto::CheckRequest { at_least_as_fresh: at_least_as_fresh.clone(), ..to(ALWAYS) });
            tokio::spawn(async move {
                use verdict::api::grpc::proto::decision_service_client::DecisionServiceClient;
                DecisionServiceClient::connect(address).await.unwrap().check(Call::new(question)).await
            })
        })
        .collect();
    let mut client = server.client().await;
    let (mut asked, mut together) = (0, 0);
    while waiting.iter().any(|waiting| !waiting.is_finished()) {
        assert_eq!(client.ask(to(ALWAYS)).await.effect(), Effect::Allow);
        asked += 1;
        if server.metric("verdict_in_flight").await.is_some_and(|in_flight| in_flight > 3.5) {
            together += 1;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(asked > 10 && together > 0, "{asked} questions while four waited {together} times");
    for waiting in waiting {
        let status = waiting.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
        assert_eq!(status.get_details_error_info().unwrap().reason, "NOT_FRESH_ENOUGH");
    }
    let limit = server.metric("verdict_concurrency_limit").await;
    assert_eq!(limit, Some(4.0), "how long they waited says nothing of how long answers take");
}

/// And has none of its own afterwards, if others took it: it is refused as they would be.
#[tokio::test]
async fn who_finds_no_place_after_its_wait_is_refused() {
    let slow = "package slow\n\ndecision if count([1 | some a in thousand; some b in thousand; some c in thousand; \
                a + b + c == 0]) == 0\n\nthousand := numbers.range(1, 1000)\n";
    let folder = Folder::always(&[("slow.rego", slow)]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_IN_FLIGHT", "1")
        .env("VERDICT_SERVER_MAX_QUEUED", "0")
        .env("VERDICT_GRPC_REQUEST_TIMEOUT", "60s")
        .env("VERDICT_POLICIES_EVALUATION_BUDGET", "10s")
        .ready()
        .await;
    let next = server.client().await.ask(to(ALWAYS)).await.revision.unwrap().sequence + 1;
    let at_least_as_fresh = Some(Freshness { sequence: next, ..Freshness::default() });
    let mut client = server.client().await;
    let waits =
        tokio::spawn(async move { client.check(proto::CheckRequest { at_least_as_fresh, ..to(ALWAYS) }).await });
    eventually("it has come", async || (server.metric("verdict_in_flight").await == Some(1.0)).then_some(())).await;
    // As soon as it waits, another call gets the place.
    let busy = eventually("two calls are answered at once", async || {
        let mut client = server.client().await;
        let busy = tokio::spawn(async move { client.check(to("data.slow")).await });
        while !busy.is_finished() && server.metric("verdict_in_flight").await != Some(2.0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (!busy.is_finished()).then_some(busy)
    })
    .await;
    folder.write("other.rego", "package other\n\ndecision := false\n");
    let answer = timeout(PATIENCE, waits).await.expect("it waits for the revision alone").unwrap();
    // Where the machine is so slow that the place was free again by then, nothing is shown.
    if !busy.is_finished() {
        assert_refused(&answer.unwrap_err(), Code::ResourceExhausted, "OVERLOADED");
    }
    busy.abort();
}

/// Of a stream's questions no more wait than calls may, and each has a place of its own while it is answered.
#[tokio::test]
async fn questions_of_a_stream_are_bounded_as_calls_are() {
    let folder = Folder::always(&[("slow.rego", crate::load::SLOW)]);
    let serve = |queued: &'static str| {
        let serve = Serve::folder(&folder).env("VERDICT_SERVER_MAX_IN_FLIGHT", "2");
        let serve = serve.env("VERDICT_GRPC_REQUEST_TIMEOUT", "4s");
        serve.env("VERDICT_SERVER_MAX_QUEUED", queued).env("VERDICT_POLICIES_EVALUATION_BUDGET", "10s")
    };
    let server = serve("8").ready().await;
    let waits = |id: u32| CheckRequest { request_id: id.to_string(), at_least_as_fresh: Some(never()), ..to(ALWAYS) };
    let answers = stream(&server, (0..10).map(waits)).await;
    assert_eq!((waited(&answers), count(&answers, "OVERLOADED")), (2, 8), "{answers:?}");
    assert!(server.metric("verdict_calls_shed_total{cause=\"waiting\"}").await.unwrap() > 0.5);
    let calls = server.metric("verdict_in_flight").await;
    assert_eq!(calls, Some(0.0), "nothing is left of them");

    let server = serve("0").ready().await;
    let slow = |id: u32| CheckRequest { request_id: id.to_string(), ..to("data.slow") };
    let answers = stream(&server, (0..10).map(slow)).await;
    assert!(count(&answers, "OVERLOADED") >= 6, "two are answered at once: {answers:?}");
    server.unharmed().await;
}

/// What waits keeps its message, and there is room for so much.
#[tokio::test]
async fn large_questions_that_wait_take_no_more_than_they_may() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_UNFINISHED_BYTES", "4MiB")
        .env("VERDICT_GRPC_REQUEST_TIMEOUT", "4s")
        .ready()
        .await;
    let large = |id: u32| {
        CheckRequest {
        request_id: id.to_string(),
        at_least_as_fresh: Some(never()),
        query_json: format!(
            r#"{{"subject":{{"type":"a","id":"b"}},"action":{{"name":"c"}},"resource":{{"type":"d","id":"e"}},"context":{{"x":"{}"}}}}"#,
            "x".repeat(100 << 10)
        )
        .into(),
        policy: ALWAYS.to_owned(),
        ..CheckRequest::default()
    }
    };
    let answers = stream(&server, (0..10).map(large)).await;
    // Sixteen times as large as it came, by what a message of small values takes.
    assert_eq!((waited(&answers), count(&answers, "OVERLOADED")), (2, 8), "{answers:?}");
    assert_eq!(server.metric("verdict_unfinished_message_bytes").await, Some(0.0));
}

/// Who may not ask is told so at once, at every door: they don't wait for what is to come.
#[tokio::test]
async fn who_may_not_ask_does_not_wait() {
    let folder = callers::rig(GRANTS);
    let server = callers::serve(&folder).await;
    let key = format!("Bearer {KEY}");
    let CheckRequest { subject, action, resource, .. } = to("data.other");
    let item =
        BatchCheckItem { subject, action, resource, policy: "data.other".to_owned(), ..BatchCheckItem::default() };
    let batch =
        BatchCheckRequest { items: vec![item], at_least_as_fresh: Some(never()), ..BatchCheckRequest::default() };
    let status = server.client().await.batch_check(callers::shown(batch, &key)).await.unwrap_err();
    assert_refused(&status, Code::PermissionDenied, "PERMISSION_DENIED");
    let question = r#"{"subject":{"type":"a","id":"b"},"action":{"name":"c"},"resource":{"type":"d","id":"e"}}"#;
    let gate = r#"{"subject":{"type":"a","id":"b"},"action":{"name":"issue:access_token"},"resource":{"type":"audience","id":"e"}}"#;
    let several = |item: &str| format!("{{\"evaluations\":[{item}]}}");
    for (path, body) in [
        ("evaluation", question.to_owned()),
        ("evaluation", gate.to_owned()),
        ("evaluations", several(question)),
        ("evaluations", several(gate)),
        ("search/resource", question.replace(",\"id\":\"e\"", "")),
    ] {
        let headers =
            format!("authorization: {key}\r\ncontent-type: application/json\r\nverdict-at-least-as-fresh: 1000000\r\n");
        let request = format!("POST /access/v1/{path}");
        let (status, _, answer) = callers::http(&server, &request, &headers, &body).await;
        assert_eq!(status, 403, "{path}: {answer}");
    }
}

/// How many waited; of which a busy machine may tell some too late.
fn waited(answers: &[(String, String)]) -> usize {
    count(answers, "NOT_FRESH_ENOUGH") + count(answers, "DEADLINE_EXCEEDED")
}

fn count(answers: &[(String, String)], said: &str) -> usize {
    answers.iter().filter(|(_, it)| it == said).count()
}

/// A search whose client does not read its results has no place while it waits for that.
#[tokio::test]
async fn who_does_not_read_what_a_search_finds_holds_up_nobody() {
    let many =
        "package many\n\ndecision := true\n\nresources := [sprintf(\"%d\", [i]) | some i in numbers.range(1, 3000)]\n";
    let folder = Folder::always(&[("many.rego", many)]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_IN_FLIGHT", "1")
        .env("VERDICT_GRPC_REQUEST_TIMEOUT", "30s")
        .env("VERDICT_POLICIES_EVALUATION_BUDGET", "10s")
        .ready()
        .await;
    let CheckRequest { subject, action, resource, .. } = to("data.many");
    let resource = resource.map(|resource| proto::Resource { id: String::new(), ..resource });
    let policy = "data.many".to_owned();
    let search = proto::SearchResourcesRequest { subject, action, resource, policy, ..Default::default() };
    let message = prost::Message::encode_to_vec(&search);
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let stream = tokio::net::TcpStream::connect(&server.grpc).await.unwrap();
    let mut builder = h2::client::Builder::new();
    let (mut calls, connection) = builder.initial_window_size(0).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut held = Vec::new();
    for _ in 0..5 {
        calls = calls.ready().await.unwrap();
        let call = axum::http::Request::post("http://x/verdict.v1.SearchService/SearchResources");
        let call = call.header("content-type", "application/grpc").body(()).unwrap();
        let (answer, mut upload) = calls.send_request(call, false).unwrap();
        upload.send_data(bytes::Bytes::from([&[0], &length[..], &message].concat()), true).unwrap();
        held.push(timeout(PATIENCE, answer).await.expect("its head").unwrap());
    }
    assert_eq!(server.metric("verdict_in_flight").await, Some(5.0), "none of them has ended");
    let mut client = server.client().await;
    for _ in 0..20 {
        assert_eq!(client.ask(to(ALWAYS)).await.effect(), Effect::Allow);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(held);
}

/// What each question of a stream came to, by its id: an effect, or the reason of an error.
async fn stream(server: &Server, questions: impl Iterator<Item = CheckRequest>) -> Vec<(String, String)> {
    let questions: Vec<_> = questions.map(|question| CheckStreamRequest { question: Some(question) }).collect();
    let mut client = server.client().await;
    let mut answers = client.check_stream(tokio_stream::iter(questions)).await.unwrap().into_inner();
    let mut came = Vec::new();
    while let Some(answer) = timeout(PATIENCE, answers.message()).await.expect("an answer").unwrap() {
        let said = match answer.answer.unwrap() {
            Answer::Verdict(verdict) => verdict.effect().as_str_name().to_owned(),
            Answer::Error(error) => error.reason,
        };
        came.push((answer.request_id, said));
    }
    came
}
