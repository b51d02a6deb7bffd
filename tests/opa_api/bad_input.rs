//! Every row of the table "Bad input" in `docs/opa.md`. Nothing of it becomes a result.

use serde_json::json;

use crate::client::{get, gzip, post, raw, send, serve};

const ECHO: &str = "/v1/data/shop/orders/echo";

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let (_folder, server) = serve(&[("VERDICT_OPA_QUERY", "true"), ("VERDICT_OPA_WRITE", "true")]).await;
    for (body, said) in [
        (&b"{"[..], "JSON"),
        (b"[]", "not an object"),
        (b"true", "not an object"),
        (b"\"text\"", "not an object"),
        (b"7", "not an object"),
        (b"{}{}", "JSON"),
        (b"{\"input\":1} trailing", "JSON"),
        (b"{\"input\":{},}", "JSON"),
        (b"\xef\xbb\xbf{}", "JSON"),
        (b"\xff\xfe{\0}\0", "JSON"),
        (b"{\"input\":\"\xc3\x28\"}", "JSON"),
        (br#"{"input":"\ud800"}"#, "JSON"),
        (br#"{"input":1,"input":2}"#, "stands twice"),
        (br#"{"input":{"a":{"b":1,"b":1}}}"#, "stands twice"),
        (br#"{"input":{"a":1,"\u0061":2}}"#, "stands twice"),
        (br#"{"input":{"$serde_json::private::Number":"1"}}"#, "must not have"),
    ] {
        for path in [ECHO, "/v1/query"] {
            let message = post(&server, path, body).await.refused(400, "invalid_parameter");
            assert!(message.contains(said), "{}: {message}", String::from_utf8_lossy(body));
        }
    }
    for body in [&b"input: {a: 1, a: 2}"[..], b"input: !t 1", b"1: 2", b"input: .nan", b"input: [", b"input: \xff"] {
        let yaml = [("content-type", "application/x-yaml")];
        send(server.http, "POST", ECHO, &yaml, body).await.refused(400, "invalid_parameter");
    }
    server.unharmed().await;
}

#[tokio::test]
async fn nesting_is_bounded() {
    let (_folder, server) = serve(&[]).await;
    let nested = |depth: usize| format!("{{\"input\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(post(&server, ECHO, nested(64)).await.ok().get("result").is_some());
    for depth in [65, 100, 127, 1_000, 100_000] {
        post(&server, ECHO, nested(depth)).await.refused(400, "invalid_parameter");
    }
    let yaml = [("content-type", "application/yaml")];
    send(server.http, "POST", ECHO, &yaml, nested(100).as_bytes()).await.refused(400, "invalid_parameter");
    server.unharmed().await;
}

#[tokio::test]
async fn a_number_comes_back_exact_or_is_refused() {
    let (_folder, server) = serve(&[]).await;
    for (sent, seen) in [
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("0.5", "0.5"),
        ("1e2", "100"),
    ] {
        let answer = post(&server, ECHO, format!("{{\"input\":{sent}}}")).await;
        assert!(answer.text().contains(&format!("\"result\":{seen}")), "{sent}: {}", answer.text());
    }
    let long = "9".repeat(401);
    for number in ["1e999999999999", "1e401", "0.1000000000000000000000001", "NaN", "01", "+1", ".5", &long] {
        post(&server, ECHO, format!("{{\"input\":{number}}}")).await.refused(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_compressed_or_not() {
    let (_folder, server) = serve(&[("VERDICT_OPA_QUERY", "true"), ("VERDICT_OPA_WRITE", "true")]).await;
    let large = json!({ "input": "x".repeat(10 << 20) }).to_string();
    for (method, path) in [
        ("POST", ECHO),
        ("POST", "/v0/data/shop/orders/echo"),
        ("POST", "/"),
        ("POST", "/v1/query"),
        ("PUT", "/v1/data/free"),
        ("PATCH", "/v1/data/free"),
    ] {
        let answer = send(server.http, method, path, &[], large.as_bytes()).await;
        assert!(answer.refused(413, "invalid_parameter").contains("1048576 bytes"), "{method} {path}");
    }
    let before = server.resident();
    let bomb = gzip(&vec![b' '; 512 << 20]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    for bomb in [bomb.clone(), gzip(large.as_bytes())] {
        let answer = send(server.http, "POST", ECHO, &[("content-encoding", "gzip")], &bomb).await;
        answer.refused(413, "invalid_parameter");
    }
    assert!(server.resident() < before + (64 << 20), "{} to {}", before, server.resident());
    let whole = gzip(br#"{"input":1}"#);
    for broken in [&b"{}"[..], &whole[..whole.len() - 3], b"\x1f\x8b", &[&whole[..], b"more"].concat()] {
        let answer = send(server.http, "POST", ECHO, &[("content-encoding", "gzip")], broken).await;
        answer.refused(400, "invalid_parameter");
    }
    for coding in ["br", "zstd", "gzip, gzip", "deflate"] {
        let answer = send(server.http, "POST", ECHO, &[("content-encoding", coding)], &whole).await;
        answer.refused(415, "invalid_parameter");
    }
    server.unharmed().await;
}

#[tokio::test]
async fn much_is_answered_and_too_many_headers_are_refused() {
    let (_folder, server) = serve(&[]).await;
    let members: serde_json::Map<String, serde_json::Value> =
        (0..1_000).map(|number| (format!("x-{number}"), number.into())).collect();
    let answer = post(&server, ECHO, json!({ "input": members }).to_string()).await;
    assert_eq!(answer.result(), json!(members));
    let headers: Vec<(String, String)> = (0..1_000).map(|n| (format!("x-{n}"), n.to_string())).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = send(server.http, "POST", ECHO, &headers, b"{}").await;
    assert_eq!((answer.status, answer.body.as_slice()), (431, &b""[..]));
    server.unharmed().await;
}

#[tokio::test]
async fn a_missing_text_is_told_from_an_empty_one_and_from_null() {
    let (_folder, server) = serve(&[]).await;
    for (body, seen) in [
        (r#"{"input": {}}"#, json!({})),
        (r#"{"input": {"user": ""}}"#, json!({"user": ""})),
        (r#"{"input": {"user": null}}"#, json!({"user": null})),
        (r#"{"input": ""}"#, json!("")),
    ] {
        assert_eq!(post(&server, ECHO, body).await.result(), seen, "{body}");
    }
    for user in [json!(null), json!(""), json!("Alice"), json!(["alice"])] {
        let answer = post(&server, "/v1/data/shop/orders/allow", json!({"input": {"user": user}}).to_string()).await;
        assert_eq!(answer.ok().get("result"), None, "{user}");
    }
}

#[tokio::test]
async fn what_is_no_request_of_this_api_is_answered() {
    let (_folder, server) = serve(&[]).await;
    for (method, path) in
        [("OPTIONS", "/v1/data"), ("DELETE", "/v1/query"), ("GET", "/v0/data/x"), ("PUT", "/v1/status")]
    {
        let answer = send(server.http, method, path, &[], b"").await;
        answer.refused(405, "invalid_operation");
        assert!(answer.headers.contains_key("allow"), "{method} {path}");
    }
    assert_eq!(get(&server, "/v1/nosuch").await.status, 404);
    let long = format!("/v1/data/base?input={}", "1".repeat(60_000));
    assert!(get(&server, &long).await.status >= 400);
    // A body that stops half-way.
    let broken =
        b"POST /v1/data/base HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(raw(server.http, broken).await.status, 400);
    server.unharmed().await;
}
