//! Answers that wait for their client to read.

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
use tonic::codegen::http::Request;

use crate::support::{Folder, PATIENCE, Serve, eventually};

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
