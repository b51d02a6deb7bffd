//! Calls whose answers wait: for what is to come, or for their client to read.

use std::time::Duration;

use bytes::Bytes;
use envoy_types::{
    ext_authz::v3::pb::{CheckRequest, CheckResponse, HttpResponse},
    pb::envoy::service::auth::v3::{
        AttributeContext,
        attribute_context::{self, HttpRequest},
    },
};
use prost::Message as _;
use tokio::{net::TcpStream, time::timeout};
use tonic::{Code, Request as Call, codegen::http::Request};
use tonic_types::StatusExt as _;
use verdict::api::grpc::proto::{self, Effect, Freshness};

use crate::support::{ALWAYS, Ask as _, Folder, PATIENCE, Serve, assert_refused, eventually, to};

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
    let at_least_as_fresh = Some(Freshness { sequence: 1_000_000, ..Freshness::default() });
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

/// A connection of HTTP/2 whose client never reads, with calls for a large document.
async fn unread(
    address: std::net::SocketAddr,
    calls: usize,
) -> (Vec<h2::client::ResponseFuture>, tokio::task::JoinHandle<()>) {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = builder.handshake::<_, Bytes>(stream).await.unwrap();
    let connection = tokio::spawn(async move { drop(connection.await) });
    let mut answers = Vec::new();
    for _ in 0..calls {
        client = client.ready().await.unwrap();
        let request = Request::get("http://x/v1/data/big").body(()).unwrap();
        answers.push(client.send_request(request, true).unwrap().0);
    }
    (answers, connection)
}

/// What Envoy gets for a request.
async fn told_envoy(server: &str) -> CheckResponse {
    let http = HttpRequest { method: "GET".to_owned(), path: "/".to_owned(), ..HttpRequest::default() };
    let request = attribute_context::Request { http: Some(http), ..attribute_context::Request::default() };
    let attributes = Some(AttributeContext { request: Some(request), ..AttributeContext::default() });
    let message = CheckRequest::encode_to_vec(&CheckRequest { attributes });
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let stream = TcpStream::connect(server).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let call = Request::post("http://x/envoy.service.auth.v3.Authorization/Check");
    let call = call.header("content-type", "application/grpc").body(()).unwrap();
    let (answer, mut upload) = client.send_request(call, false).unwrap();
    upload.send_data([&[0], &length[..], &message].concat().into(), true).unwrap();
    let answer = timeout(PATIENCE, answer).await.expect("an answer").unwrap();
    let mut body = answer.into_body();
    let mut told = Vec::new();
    while let Some(data) = timeout(PATIENCE, body.data()).await.expect("its end") {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        told.extend_from_slice(&data);
    }
    CheckResponse::decode(&told[5..]).unwrap()
}

/// Large answers that nobody reads take as much as they may in all; their connections are closed.
#[tokio::test]
async fn answers_that_nobody_reads_take_no_more_than_they_may() {
    let big = format!("package big\n\ntext := \"{}\"\n", "x".repeat(100_000));
    // A deny for Envoy that is no small answer.
    let envoy = "package envoy.authz\n\nallow := {\"allowed\": false, \"body\": substring(data.big.text, 0, 20000)}\n";
    let folder = Folder::always(&[("big.rego", &big), ("envoy.rego", envoy)]);
    let server = Serve::folder(&folder)
        .env("VERDICT_GRPC_MAX_RESPONSE_BYTES", "256KiB")
        .env("VERDICT_SERVER_MAX_UNSENT_BYTES", "1MiB")
        .env("VERDICT_SERVER_KEEPALIVE_TIMEOUT", "5s")
        .env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s")
        .ready()
        .await;
    let mut connections = Vec::new();
    for _ in 0..2 {
        let (answers, connection) = unread(server.http, 20).await;
        let mut refused = 0;
        let mut held = Vec::new();
        for answer in answers {
            let answer = timeout(PATIENCE, answer).await.expect("a head").unwrap();
            match answer.status().as_u16() {
                200 => held.push(answer),
                503 => refused += 1,
                other => panic!("{other}"),
            }
        }
        connections.push((connection, held, refused));
    }
    let refused: usize = connections.iter().map(|(_, _, refused)| refused).sum();
    println!("{refused} of 40 were refused");
    assert!((25..40).contains(&refused), "there is room for ten: {refused}");
    let unsent = server.metric("verdict_unsent_answer_bytes").await.unwrap();
    assert!(unsent > 900_000.0 && unsent < 1_200_000.0, "{unsent}");
    assert!(server.metric("verdict_calls_shed_total{cause=\"unsent\"}").await.unwrap() > 24.0);
    // Verdicts go out all the same, and so does what Envoy is told: a failed call could let its request through.
    server.unharmed().await;
    let told = told_envoy(&server.grpc).await;
    let Some(HttpResponse::DeniedResponse(denied)) = told.http_response else { panic!("{told:?}") };
    assert_eq!(denied.body.len(), 20_000);
    for (connection, held, _) in connections {
        timeout(PATIENCE, connection).await.expect("the server closes it").unwrap();
        drop(held);
    }
    eventually("nothing is kept for them", async || {
        (server.metric("verdict_unsent_answer_bytes").await? < 200_000.0).then_some(())
    })
    .await;
    let closed = "verdict_connections_refused_total{door=\"http\",cause=\"unread\"}";
    // The other one has only refusals, and leaves by itself.
    assert!(server.metric(closed).await.unwrap() > 0.5);
    assert_eq!(server.http("GET", "/v1/data/big").await.0, 200);
}
