//! When a server is asked: long polling, what it asks for itself, and what is forgotten.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use crate::support::{asked, failure, next, report, silent, source};

const BUNDLES: &str = "application/vnd.openpolicyagent.bundles";

#[tokio::test]
async fn a_server_that_holds_questions_is_asked_again_at_once() {
    let server = MockServer::start().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let holds = move |request: &Request| {
        assert_eq!(request.headers["prefer"], "modes=snapshot,delta;wait=2");
        match counted.fetch_add(1, Ordering::SeqCst) {
            0 => ResponseTemplate::new(200).set_body_raw("one", BUNDLES).insert_header("etag", "1"),
            1 => ResponseTemplate::new(304).set_delay(Duration::from_millis(2_050)),
            2 => ResponseTemplate::new(200).set_body_raw("two", BUNDLES).insert_header("etag", "2"),
            _ => ResponseTemplate::new(304).set_delay(Duration::from_secs(30)),
        }
    };
    Mock::given(any()).respond_with(holds).mount(&server).await;
    // Polling would take an hour, and the server sends nothing for longer than it may without being asked to hold.
    let slow = "long_poll = '2s'\nlimits = { idle_timeout = '1500ms' }\n";
    let spec = format!("url = '{}'\npolling = {{ min = '1h', max = '1h' }}\n{slow}", server.uri());
    let mut source = toml::from_str::<verdict::source::Spec>(&spec).unwrap().open().unwrap();
    let start = Instant::now();
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    assert_eq!(next(&mut source).await.unwrap(), b"two");
    assert!(start.elapsed() < Duration::from_secs(25));
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_server_that_only_says_that_it_holds_questions_is_not_hammered() {
    let server = MockServer::start().await;
    let answers = |request: &Request| {
        if request.headers.contains_key("if-none-match") {
            return ResponseTemplate::new(304);
        }
        ResponseTemplate::new(200).set_body_raw("one", BUNDLES).insert_header("etag", "1")
    };
    Mock::given(any()).respond_with(answers).mount(&server).await;
    let spec = format!("url = '{}'\nlong_poll = '30s'\npolling = {{ min = '10s', max = '10s' }}", server.uri());
    let mut source = toml::from_str::<verdict::source::Spec>(&spec).unwrap().open().unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    asked(&mut source, 2).await;
    silent(&mut source, Duration::from_millis(200)).await;
    assert_eq!(report(&*source).attempts, 2);
}

#[tokio::test]
async fn a_server_that_does_not_hold_questions_is_polled_without_a_wait() {
    let server = MockServer::start().await;
    let plain = ResponseTemplate::new(200).set_body_raw("one", "application/gzip");
    Mock::given(any()).respond_with(plain).mount(&server).await;
    let mut source = source(&server.uri(), "long_poll = '30s'");
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    asked(&mut source, 3).await;
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].headers["prefer"], "modes=snapshot,delta;wait=30");
    assert_eq!(requests[1].headers["prefer"], "modes=snapshot,delta");
}

#[tokio::test]
async fn waits_as_long_as_the_server_asks_for() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503).insert_header("retry-after", "60");
    Mock::given(any()).respond_with(busy).mount(&server).await;
    let mut source = source(&server.uri(), "");
    failure(&mut source).await;
    silent(&mut source, Duration::from_millis(100)).await;
    let told = report(&*source);
    assert_eq!(told.attempts, 1);
    assert!(told.next_attempt.unwrap() > tokio::time::Instant::now() + Duration::from_secs(50));
}

#[tokio::test]
async fn what_is_forgotten_is_asked_for_whole_and_given_again() {
    let server = MockServer::start().await;
    let answers = |request: &Request| {
        if request.headers.contains_key("if-none-match") {
            return ResponseTemplate::new(304);
        }
        ResponseTemplate::new(200).set_body_raw("one", "application/gzip").insert_header("etag", "1")
    };
    Mock::given(any()).respond_with(answers).mount(&server).await;
    let mut source = source(&server.uri(), "");
    for _ in 0..4 {
        assert_eq!(next(&mut source).await.unwrap(), b"one");
        silent(&mut source, Duration::from_millis(60)).await;
        source.forget();
    }
}

#[tokio::test]
async fn a_dropped_wait_goes_on_with_the_same_attempt() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(200).set_body_raw("one", "application/gzip").set_delay(Duration::from_secs(3));
    Mock::given(any()).respond_with(slow).mount(&server).await;
    let mut source = source(&server.uri(), "");
    for _ in 0..5 {
        silent(&mut source, Duration::from_millis(20)).await;
    }
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    assert_eq!(report(&*source).attempts, 1);
}
