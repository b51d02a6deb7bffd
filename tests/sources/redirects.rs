//! Redirections: bounded, and nothing secret goes along to another host.

use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header, path},
};

use crate::{
    support::{failure, next, server, source, whole},
    tls::Authority,
};

#[tokio::test]
async fn a_loop_ends() {
    let server = MockServer::start().await;
    let round = ResponseTemplate::new(302).insert_header("location", "/again");
    Mock::given(any()).respond_with(round).mount(&server).await;
    let words = failure(&mut source(&server.uri(), "")).await;
    assert!(words.contains("redirects more than 5 times"), "{words}");
    assert_eq!(server.received_requests().await.unwrap().len(), 6);
}

#[tokio::test]
async fn another_host_gets_no_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "hush\n").unwrap();
    let (home, other) = (MockServer::start().await, MockServer::start().await);
    let away = ResponseTemplate::new(307).insert_header("location", format!("{}/stored?signature=x", other.uri()));
    Mock::given(path("/b")).and(header("authorization", "Bearer hush")).respond_with(away).mount(&home).await;
    let archive = ResponseTemplate::new(200).set_body_raw("one", "application/gzip");
    Mock::given(path("/stored")).respond_with(archive).mount(&other).await;
    let more = format!(
        "token_file = '{0}'\nheaders = {{ x-team = 'a' }}\nheader_files = {{ x-api-key = '{0}' }}",
        token.display()
    );
    assert_eq!(next(&mut source(&format!("{}/b", home.uri()), &more)).await.unwrap(), b"one");
    let asked = &home.received_requests().await.unwrap()[0];
    assert_eq!((asked.headers["x-team"].as_bytes(), asked.headers["x-api-key"].as_bytes()), (&b"a"[..], &b"hush"[..]));
    let asked = &other.received_requests().await.unwrap()[0];
    for name in ["authorization", "x-team", "x-api-key"] {
        assert!(!asked.headers.contains_key(name), "{name}");
    }
    assert!(asked.headers.contains_key("prefer"));
}

#[tokio::test]
async fn the_same_host_gets_the_credentials_again() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "hush").unwrap();
    let home = MockServer::start().await;
    let on = ResponseTemplate::new(301).insert_header("location", "c");
    Mock::given(path("/a/b")).respond_with(on).mount(&home).await;
    let archive = ResponseTemplate::new(200).set_body_raw("one", "application/gzip");
    Mock::given(path("/a/c")).and(header("authorization", "Bearer hush")).respond_with(archive).mount(&home).await;
    let more = format!("token_file = '{}'", token.display());
    assert_eq!(next(&mut source(&format!("{}/a/b", home.uri()), &more)).await.unwrap(), b"one");
}

#[tokio::test]
async fn nothing_leads_from_https_to_http_or_elsewhere() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let more = authority.trusted(folder.path());
    for (target, word) in [
        ("http://127.0.0.1:9/b", "not encrypted"),
        ("ftp://127.0.0.1/b", "not HTTP"),
        ("file:///etc/passwd", "not HTTP"),
        ("https://u:hush@127.0.0.1/b", "a user in the URL"),
    ] {
        let location = format!("location: {target}\r\n");
        let address = server(Some(authority.server(false)), move |_, _| whole("302 Found", &location, "")).await;
        let words = failure(&mut source(&format!("https://localhost:{}/", address.port()), &more)).await;
        assert!(words.contains(word) && !words.contains("hush"), "{words}");
    }
    let address = server(None, |_, _| whole("302 Found", "location: http://192.0.2.1/b\r\n", "")).await;
    let words = failure(&mut source(&format!("http://{address}/"), "")).await;
    assert!(words.contains("not encrypted"), "{words}");
    let address = server(None, |_, _| whole("302 Found", "", "")).await;
    assert!(failure(&mut source(&format!("http://{address}/"), "")).await.contains("without saying where to"));
}
