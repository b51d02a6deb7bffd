//! `verdict::client::layer` around real services, over gRPC and HTTP: nobody gets in without a permit.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Extension, Router,
    http::{StatusCode, request::Parts},
    routing::get,
};
use serde_json::{Value as Json, json};
use tonic::{Code, Request, Status, transport::Endpoint};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};
use tower::Layer as _;
use verdict::client::{
    Client, Permit, Question, Settings,
    layer::{Guard, NoQuestion},
};

use crate::{
    client_library::{PATIENT, client, made, may},
    support::{Serve, Server},
};

/// The question that the headers ask; `x-panic` panics.
fn mapping(parts: &Parts) -> Result<Question, NoQuestion> {
    assert!(!parts.headers.contains_key("x-panic"), "as told");
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let user = header("x-user").ok_or_else(|| NoQuestion("there is no user".into()))?;
    Ok(may(user, header("x-action").unwrap_or("read")))
}

/// An HTTP service behind the layer, and how often it was called.
async fn web(client: Client) -> (String, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = move |Extension(permit): Extension<Permit>| async move {
        counted.fetch_add(1, Ordering::SeqCst);
        permit.decision_id().to_owned()
    };
    let router = Router::new().route("/", get(inner)).layer(Guard::new(client, mapping));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/"), calls)
}

/// What a request with these headers gets: status, decision id, body.
async fn fetch(url: &str, headers: &[(&'static str, &str)]) -> (u16, Option<String>, String) {
    let mut request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let answer = reqwest::Client::builder().no_proxy().build().unwrap().execute(request).await.unwrap();
    let id = answer.headers().get("verdict-decision-id").map(|id| id.to_str().unwrap().to_owned());
    (answer.status().as_u16(), id, answer.text().await.unwrap())
}

#[tokio::test]
async fn over_http_only_the_permitted_get_in() {
    let mut server = Serve::embedded().ready().await;
    let (url, calls) = web(client(&server, PATIENT)).await;
    let (status, _, id) = fetch(&url, &[("x-user", "alice")]).await;
    assert_eq!((status, id.len()), (200, 36), "the decision's id: {id}");
    let (status, id, body) = fetch(&url, &[("x-user", "bob"), ("x-action", "delete")]).await;
    assert_eq!((status, id.unwrap().len()), (403, 36));
    let told: Json = serde_json::from_str(&body).unwrap();
    assert_eq!(told, json!({"title": "Forbidden", "status": 403, "detail": "Your role does not allow this."}));
    let (status, _, body) = fetch(&url, &[]).await;
    assert_eq!(status, 403);
    assert!(!body.contains("no user"), "that is for the log: {body}");
    // The question itself is refused.
    let (status, ..) = fetch(&url, &[("x-user", "")]).await;
    assert_eq!(status, 503);
    server.signal("KILL");
    server.ended().await;
    let (status, id, body) = fetch(&url, &[("x-user", "alice")]).await;
    assert_eq!((status, id), (503, None));
    assert!(body.contains("can't be decided now"), "{body}");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_mapping_that_panics_lets_nobody_in() {
    let server = Serve::embedded().ready().await;
    let (url, calls) = web(client(&server, PATIENT)).await;
    let (status, _, body) = fetch(&url, &[("x-user", "alice"), ("x-panic", "yes")]).await;
    assert_eq!(status, 503);
    assert!(!body.contains("as told"), "{body}");
    let (url, _) = web(client(&server, PATIENT).meeting(|_| panic!("as told"))).await;
    assert_eq!(fetch(&url, &[("x-user", "alice")]).await.0, 200, "there is no obligation");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let policies = made(&[("read", json!({"allow": true, "obligations": [{"id": "log-access"}]}))]);
    let server = Serve::folder(&policies).ready().await;
    let (url, calls) = web(client(&server, PATIENT).meeting(|_| panic!("as told"))).await;
    assert_eq!(fetch(&url, &[("x-user", "alice")]).await.0, 503);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let (url, calls) = web(client(&server, PATIENT)).await;
    assert_eq!(fetch(&url, &[("x-user", "alice")]).await.0, 403, "nobody meets it");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_hangs_lets_nobody_in() {
    let server = Serve::embedded().ready().await;
    let short = Settings { deadline: std::time::Duration::from_millis(100), ..PATIENT };
    let (url, calls) = web(client(&server, short)).await;
    server.hang().await;
    assert_eq!(fetch(&url, &[("x-user", "alice")]).await.0, 503);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

/// A gRPC service behind the layer.
async fn grpc(client: Client) -> SocketAddr {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("notes", tonic_health::ServingStatus::Serving).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let served = tonic::transport::Server::builder().add_service(Guard::new(client, mapping).layer(health));
    tokio::spawn(served.serve_with_incoming(incoming));
    address
}

async fn call(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<HealthCheckResponse, Status> {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut request = Request::new(HealthCheckRequest { service: "notes".into() });
    for (name, value) in headers {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    HealthClient::new(channel).check(request).await.map(tonic::Response::into_inner)
}

async fn killed(mut server: Server) {
    server.signal("KILL");
    server.ended().await;
}

#[tokio::test]
async fn over_grpc_only_the_permitted_get_in() {
    let server = Serve::embedded().ready().await;
    let address = grpc(client(&server, PATIENT)).await;
    assert_eq!(call(address, &[("x-user", "alice")]).await.unwrap().status, 1);
    let denied = call(address, &[("x-user", "bob"), ("x-action", "delete")]).await.unwrap_err();
    assert_eq!((denied.code(), denied.message()), (Code::PermissionDenied, "Your role does not allow this."));
    assert_eq!(denied.metadata().get("verdict-decision-id").unwrap().len(), 36);
    let unasked = call(address, &[]).await.unwrap_err();
    assert_eq!((unasked.code(), unasked.message()), (Code::PermissionDenied, "this is not allowed"));
    let panicked = call(address, &[("x-user", "alice"), ("x-panic", "yes")]).await.unwrap_err();
    assert_eq!(panicked.code(), Code::Unavailable);
    killed(server).await;
    let fault = call(address, &[("x-user", "alice")]).await.unwrap_err();
    assert_eq!(fault.code(), Code::Unavailable);
    assert_eq!(fault.message(), "this can't be decided now; try again later");
}

#[tokio::test]
async fn what_a_person_is_told_fits_a_header() {
    let long = json!({"allow": false, "reasons": [{"code": "no", "user_message": "ä".repeat(20_000)}]});
    let server = Serve::folder(&made(&[("read", long)])).ready().await;
    let address = grpc(client(&server, PATIENT)).await;
    let denied = call(address, &[("x-user", "alice")]).await.unwrap_err();
    assert_eq!((denied.code(), denied.message()), (Code::PermissionDenied, "ä".repeat(500).as_str()));
    let (url, _) = web(client(&server, PATIENT)).await;
    assert_eq!(fetch(&url, &[("x-user", "alice")]).await.0, StatusCode::FORBIDDEN.as_u16());
}
