use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request},
};
use futures::stream;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    time::timeout,
};
use tower::ServiceExt;

use super::*;

struct Fixed(Readiness);

impl Status for Fixed {
    fn readiness(&self) -> Readiness {
        self.0.clone()
    }

    fn metrics(&self) -> String {
        "verdict_ready 1\n".to_owned()
    }
}

fn door(readiness: Readiness) -> Router {
    router(Arc::new(Fixed(readiness)))
}

fn readiness() -> Readiness {
    Readiness { ready: true, revision: Some((7, "sha256:aa".to_owned())), ..Readiness::default() }
}

async fn ask(readiness: Readiness, method: Method, path: &str, body: Body) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().method(method).uri(path).body(body).unwrap();
    let (head, body) = door(readiness).oneshot(request).await.unwrap().into_parts();
    assert_eq!(head.headers[CACHE_CONTROL], "no-store", "{path}");
    let body = to_bytes(body, 100_000).await.unwrap();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn get_json(readiness: Readiness, method: Method, path: &str) -> (StatusCode, HeaderMap, Value) {
    let (code, headers, body) = ask(readiness, method, path, Body::empty()).await;
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    (code, headers, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn is_ready_with_a_revision() {
    let (code, _, body) = get_json(readiness(), Method::GET, "/health/ready").await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(body, json!({"status": "ready", "revision": {"sequence": 7, "digest": "sha256:aa"}}));
}

#[tokio::test]
async fn stays_ready_on_the_last_good_policies_and_shows_the_faults() {
    let faults = "authz.rego:3:1: error: no `x`\nallow if x\n^".to_owned();
    let readiness = Readiness { last_reload_error: Some(faults), ..readiness() };
    let (code, _, body) = get_json(readiness, Method::GET, "/health/ready").await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(body["status"], "ready");
    assert_eq!(body["last_reload_error"], json!(["authz.rego:3:1: error: no `x`", "allow if x", "^"]));
}

#[tokio::test]
async fn says_why_it_is_not_ready() {
    for reason in ["no policies yet", "draining"] {
        let readiness = Readiness { reason: Some(reason.to_owned()), ..Readiness::default() };
        let (code, _, body) = get_json(readiness, Method::GET, "/health/ready").await;
        assert_eq!(code, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body, json!({"status": "not_ready", "reason": reason}));
    }
}

#[tokio::test]
async fn lives_whether_ready_or_not() {
    for readiness in [readiness(), Readiness::default()] {
        let (code, _, body) = get_json(readiness, Method::GET, "/health/live").await;
        assert_eq!((code, body), (StatusCode::OK, json!({"status": "live"})));
    }
}

#[tokio::test]
async fn gives_the_metrics_as_prometheus_wants_them() {
    let (code, headers, body) = ask(readiness(), Method::GET, "/metrics", Body::empty()).await;
    assert_eq!(code, StatusCode::OK);
    assert_eq!(headers[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(body, "verdict_ready 1\n");
}

#[tokio::test]
async fn lists_what_there_is() {
    let (code, _, listing) = ask(readiness(), Method::GET, "/", Body::empty()).await;
    assert_eq!(code, StatusCode::OK);
    let paths: Vec<_> = listing.lines().filter_map(|line| line.strip_prefix("GET ")?.split(' ').next()).collect();
    assert_eq!(paths.len(), 5);
    // The others are of doors that are merged in.
    for path in paths.into_iter().take(3) {
        assert_eq!(ask(readiness(), Method::GET, path, Body::empty()).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn answers_head_without_a_body() {
    for path in ["/", "/health/live", "/health/ready", "/metrics"] {
        let (code, headers, body) = ask(readiness(), Method::HEAD, path, Body::empty()).await;
        assert_eq!((code, body.as_str()), (StatusCode::OK, ""), "{path}");
        assert_ne!(headers["content-length"], "0");
    }
    assert_eq!(ask(Readiness::default(), Method::HEAD, "/health/ready", Body::empty()).await.0, 503);
}

#[tokio::test]
async fn answers_what_is_not_there_and_what_is_not_done_in_json() {
    for path in ["/nothing", "/health", "/metrics/", "/%3Cscript%3E?x=%00"] {
        let (code, _, body) = get_json(readiness(), Method::GET, path).await;
        assert_eq!((code, &body["code"]), (StatusCode::NOT_FOUND, &json!("NOT_FOUND")), "{path}");
    }
    for path in ["/", "/health/live", "/health/ready", "/metrics"] {
        let (code, headers, body) = get_json(readiness(), Method::POST, path).await;
        assert_eq!((code, &body["code"]), (StatusCode::METHOD_NOT_ALLOWED, &json!("METHOD_NOT_ALLOWED")), "{path}");
        assert_eq!(headers["allow"], "GET,HEAD");
    }
}

#[tokio::test]
async fn does_not_wait_for_a_body() {
    for (method, code) in [(Method::GET, StatusCode::OK), (Method::POST, StatusCode::METHOD_NOT_ALLOWED)] {
        let endless = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
        assert_eq!(ask(readiness(), method, "/metrics", endless).await.0, code);
    }
}

/// Sends the head of a request whose body never comes, and reads until the door closes the connection.
async fn talk<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut stream: S) -> String {
    let head = "GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000000000\r\n\r\nx";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn serves_over_tcp_and_unix_sockets() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ops.sock");
    let unix = UnixListener::bind(&path).unwrap();
    let talks = async {
        let (tcp, unix) = (TcpStream::connect(address).await.unwrap(), UnixStream::connect(&path).await.unwrap());
        for answer in [talk(tcp).await, talk(unix).await] {
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.ends_with("{\"status\":\"live\"}\n"), "{answer}");
        }
    };
    tokio::select! {
        _ = axum::serve(tcp, door(readiness())).into_future() => panic!("the door closed"),
        _ = axum::serve(unix, door(readiness())).into_future() => panic!("the door closed"),
        () = talks => {}
    }
}
