//! A web server that behaves, and one that does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, header, header_exists, method, path},
};

use crate::support::{Step, asked, failure, next, report, server, source, whole};

fn archive(text: &str, etag: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text, "application/gzip").insert_header("etag", etag)
}

#[tokio::test]
async fn gives_what_is_new_and_asks_by_etag() {
    let server = MockServer::start().await;
    let asks = Mock::given(method("GET")).and(path("/b.tar.gz")).and(header("if-none-match", "\"1\""));
    asks.respond_with(ResponseTemplate::new(304)).up_to_n_times(3).mount(&server).await;
    Mock::given(header("if-none-match", "\"1\"")).respond_with(archive("two", "\"2\"")).mount(&server).await;
    Mock::given(header("if-none-match", "\"2\"")).respond_with(ResponseTemplate::new(304)).mount(&server).await;
    Mock::given(any()).respond_with(archive("one", "\"1\"")).mount(&server).await;
    let mut source = source(&format!("{}/b.tar.gz", server.uri()), "");
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    assert_eq!(report(&*source).etag.as_deref(), Some("\"1\""));
    assert_eq!(next(&mut source).await.unwrap(), b"two");
    asked(&mut source, 8).await;
    let told = report(&*source);
    assert_eq!((told.failures, told.last_error, told.etag.as_deref()), (0, None, Some("\"2\"")));
    assert!(told.last_success > told.last_change);
    let first = &server.received_requests().await.unwrap()[0];
    assert_eq!(first.headers["prefer"], "modes=snapshot,delta");
    assert_eq!(first.headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn believes_the_bytes_and_not_the_etag() {
    let server = MockServer::start().await;
    let count = AtomicUsize::new(0);
    let lies = move |_: &Request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => archive("one", "\"same\""),
        1 => archive("two", "\"same\""),
        n => archive("two", &format!("\"{n}\"")),
    };
    Mock::given(any()).respond_with(lies).mount(&server).await;
    let mut source = source(&server.uri(), "");
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    assert_eq!(next(&mut source).await.unwrap(), b"two");
    asked(&mut source, 6).await;
}

#[tokio::test]
async fn tells_a_failure_once_and_gives_the_same_content_after_it() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(archive("one", "\"1\"")).up_to_n_times(1).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(500)).up_to_n_times(5).mount(&server).await;
    Mock::given(header_exists("if-none-match")).respond_with(ResponseTemplate::new(304)).mount(&server).await;
    Mock::given(any()).respond_with(archive("one", "\"1\"")).mount(&server).await;
    let mut source = source(&server.uri(), "");
    let mut status = source.status().unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    let words = failure(&mut source).await;
    assert!(words.contains("status 500 (a fault of the server)"), "{words}");
    assert!(status.changed().await);
    let told = status.report();
    assert_eq!((told.failures, told.last_error.as_deref()), (1, Some(words.as_str())));
    assert!(told.next_attempt.is_some());
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    assert_eq!((report(&*source).failures, report(&*source).last_error), (0, None));
}

#[tokio::test]
async fn recovers_by_itself_from_a_server_that_is_down() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut source = source(&format!("http://{address}/b"), "");
    let words = failure(&mut source).await;
    assert!(words.contains("cannot be reached") && words.contains("refused"), "{words}");
    asked(&mut source, 4).await;
    assert!(report(&*source).failures > 1);
    let listener = std::net::TcpListener::bind(address).unwrap();
    let server = MockServer::builder().listener(listener).start().await;
    Mock::given(any()).respond_with(archive("one", "\"1\"")).mount(&server).await;
    assert_eq!(next(&mut source).await.unwrap(), b"one");
}

#[tokio::test]
async fn does_not_wait_for_one_byte_a_second() {
    let dribble = |_: usize, _: &str| {
        let mut steps = vec![Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_vec())];
        steps.extend((0..100).flat_map(|_| [Step::Send(b"x".to_vec()), Step::Pause(Duration::from_millis(100))]));
        steps
    };
    let address = server(None, dribble).await;
    let mut slow = source(&format!("http://{address}/"), "limits = { timeout = '450ms', idle_timeout = '300ms' }");
    let words = failure(&mut slow).await;
    assert!(words.contains("did not give everything within 450ms"), "{words}");
    let mut idle = source(&format!("http://{address}/"), "limits = { timeout = '2s', idle_timeout = '50ms' }");
    let words = failure(&mut idle).await;
    assert!(words.contains("sent nothing for 50ms"), "{words}");
}

#[tokio::test]
async fn does_not_wait_for_a_server_that_never_answers() {
    let address = server(None, |_, _| vec![Step::Pause(Duration::from_secs(30))]).await;
    let mut source = source(&format!("http://{address}/"), "limits = { idle_timeout = '50ms' }");
    assert!(failure(&mut source).await.contains("sent nothing for 50ms"));
}

#[tokio::test]
async fn refuses_what_is_cut_short_or_empty() {
    let cut = |n: usize, _: &str| match n {
        0 => vec![Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this".to_vec())],
        1 => whole("200 OK", "", ""),
        2 => whole("304 Not Modified", "", ""),
        _ => whole("200 OK", "", "all"),
    };
    let address = server(None, cut).await;
    let mut source = source(&format!("http://{address}/"), "");
    let words = failure(&mut source).await;
    assert!(words.contains("cannot be reached"), "{words}");
    assert!(failure(&mut source).await.contains("is empty"));
    assert!(failure(&mut source).await.contains("status 304"));
    assert_eq!(next(&mut source).await.unwrap(), b"all");
}

#[tokio::test]
async fn refuses_pages_for_people() {
    for kind in ["text/html; charset=utf-8", "TEXT/HTML", "application/json"] {
        let server = MockServer::start().await;
        let page = ResponseTemplate::new(200).set_body_raw("<html>log in</html>", kind);
        Mock::given(any()).respond_with(page).mount(&server).await;
        let words = failure(&mut source(&server.uri(), "")).await;
        assert!(words.contains("not an archive") && words.contains("login"), "{words}");
    }
}

#[tokio::test]
async fn refuses_what_is_too_large_with_and_without_its_length() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let large = move |_: usize, head: &str| {
        counted.fetch_add(1, Ordering::SeqCst);
        if head.starts_with("GET /announced") {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n".to_vec();
            return vec![Step::Send(head), Step::Pause(Duration::from_secs(30))];
        }
        let mut steps = vec![Step::Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec())];
        steps.extend(
            (0..1000).map(|_| Step::Send(b"400\r\n".iter().copied().chain([b'x'; 1024]).chain(*b"\r\n").collect())),
        );
        steps
    };
    let address = server(None, large).await;
    for path in ["announced", "chunked"] {
        let mut source = source(&format!("http://{address}/{path}"), "limits = { size = '64KiB' }");
        let words = failure(&mut source).await;
        assert!(words.contains("is larger than 65536 bytes"), "{words}");
    }
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(archive("12345678", "\"1\"")).mount(&server).await;
    assert_eq!(next(&mut source(&server.uri(), "limits = { size = 8 }")).await.unwrap(), b"12345678");
    assert!(failure(&mut source(&server.uri(), "limits = { size = 7 }")).await.contains("larger than 7 bytes"));
}

#[tokio::test]
async fn says_nothing_of_a_query() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(403)).mount(&server).await;
    let mut source = source(&format!("{}/b?X-Amz-Signature=hush", server.uri()), "");
    let words = failure(&mut source).await;
    assert!(words.contains("/b?…") && !words.contains("hush"), "{words}");
    assert!(!source.name().contains("hush") && !format!("{:?}", report(&*source)).contains("hush"));
}
