//! Tokens, passwords and OAuth2: from files, read again, and in no message.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, body_string, header, method, path},
};

use crate::support::{asked, failure, next, report, source};

fn archive(text: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text, "application/gzip")
}

#[tokio::test]
async fn a_token_that_is_exchanged_in_its_file_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "first\n").unwrap();
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer first")).respond_with(archive("one")).mount(&server).await;
    Mock::given(header("authorization", "Bearer second")).respond_with(archive("two")).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let mut source = source(&server.uri(), &format!("token_file = '{}'", token.display()));
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    std::fs::write(&token, "second").unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"two");
    std::fs::write(&token, "hush").unwrap();
    let words = failure(&mut source).await;
    assert!(words.contains("401 (unauthorized)") && !words.contains("hush"), "{words}");
    std::fs::remove_file(&token).unwrap();
    let words = failure(&mut source).await;
    assert!(words.contains(token.to_str().unwrap()) && words.contains("cannot be read"), "{words}");
    for (bad, word) in [(" \n", "is empty"), ("hush\nhush", "more than one line")] {
        std::fs::write(&token, bad).unwrap();
        let words = failure(&mut source).await;
        assert!(words.contains(word) && !words.contains("hush"), "{words}");
    }
    std::fs::write(&token, "second").unwrap();
    assert_eq!(next(&mut source).await.unwrap(), b"two");
}

#[tokio::test]
async fn a_user_and_a_password_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "pass").unwrap();
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Basic dXNlcjpwYXNz")).respond_with(archive("one")).mount(&server).await;
    let basic = format!("basic = {{ user = 'user', password_file = '{}' }}", password.display());
    assert_eq!(next(&mut source(&server.uri(), &basic)).await.unwrap(), b"one");
}

fn oauth2(token_url: &str, folder: &Path) -> String {
    let secret = folder.join("secret");
    std::fs::write(&secret, "s3cr%t").unwrap();
    format!(
        "oauth2 = {{ token_url = '{token_url}/token', client_id = 'verdict', client_secret_file = '{}', \
         scopes = ['read', 'bundles'], parameters = {{ audience = 'a b' }} }}",
        secret.display()
    )
}

#[tokio::test]
async fn a_token_of_oauth2_is_kept_until_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (server, issuer) = (MockServer::start().await, MockServer::start().await);
    let count = AtomicUsize::new(0);
    let tokens = move |_: &Request| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let token = serde_json::json!({ "access_token": format!("t{n}"), "token_type": "Bearer", "expires_in": 3600 });
        ResponseTemplate::new(200).set_body_json(token)
    };
    Mock::given(method("POST"))
        .and(path("/token"))
        // RFC 6749 §2.3.1: the secret is form-encoded first.
        .and(header("authorization", "Basic dmVyZGljdDpzM2NyJTI1dA=="))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string("grant_type=client_credentials&scope=read+bundles&audience=a+b"))
        .respond_with(tokens)
        .mount(&issuer)
        .await;
    let first = Mock::given(header("authorization", "Bearer t0")).respond_with(archive("one")).up_to_n_times(5);
    first.mount(&server).await;
    Mock::given(header("authorization", "Bearer t0")).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    Mock::given(header("authorization", "Bearer t1")).respond_with(archive("two")).mount(&server).await;
    let mut source = source(&server.uri(), &oauth2(&issuer.uri(), folder.path()));
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    assert!(failure(&mut source).await.contains("401"));
    assert_eq!(next(&mut source).await.unwrap(), b"two");
    let attempts = report(&*source).attempts;
    asked(&mut source, attempts + 3).await;
    assert_eq!(issuer.received_requests().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (server, issuer) = (MockServer::start().await, MockServer::start().await);
    let short = serde_json::json!({ "access_token": "t", "token_type": "bearer", "expires_in": 10 });
    Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_json(short)).mount(&issuer).await;
    Mock::given(any()).respond_with(archive("one")).mount(&server).await;
    let mut source = source(&server.uri(), &oauth2(&issuer.uri(), folder.path()));
    assert_eq!(next(&mut source).await.unwrap(), b"one");
    asked(&mut source, 4).await;
    let attempts = report(&*source).attempts;
    assert!(issuer.received_requests().await.unwrap().len() as u64 + 1 >= attempts);
}

#[tokio::test]
async fn a_token_endpoint_that_fails_is_named_without_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let large = "x".repeat(100_000);
    for (answer, word) in [
        (
            ResponseTemplate::new(400).set_body_string(r#"{"error":"invalid_client","error_description":"hush"}"#),
            "status 400 (`invalid_client`)",
        ),
        (ResponseTemplate::new(500).set_body_string("hush"), "status 500"),
        (ResponseTemplate::new(302).insert_header("location", "/hush"), "status 302"),
        (ResponseTemplate::new(200).set_body_string("hush"), "no token that can be read"),
        (
            ResponseTemplate::new(200).set_body_string(r#"{"access_token":"hush","token_type":"mac"}"#),
            "another type than `bearer`",
        ),
        (ResponseTemplate::new(200).set_body_string(large), "larger than 65536 bytes"),
    ] {
        let (server, issuer) = (MockServer::start().await, MockServer::start().await);
        Mock::given(any()).respond_with(archive("one")).mount(&server).await;
        Mock::given(any()).respond_with(answer).mount(&issuer).await;
        let words = failure(&mut source(&server.uri(), &oauth2(&issuer.uri(), folder.path()))).await;
        assert!(words.contains(word) && words.contains("/token") && !words.contains("hush"), "{words}");
        assert!(server.received_requests().await.unwrap().is_empty());
    }
}
