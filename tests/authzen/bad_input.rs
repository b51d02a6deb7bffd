//! Every row of the table "Bad input" in `docs/authzen.md`. Nothing of it becomes an allow.

use serde_json::{Value as Json, json};

use crate::{
    client::{EVALUATION, EVALUATIONS, policy, post, post_bytes, send},
    support::Server,
};

/// Allows everything, and says what it saw: what is refused is refused by the door.
const ECHO: &str = "package p\n\ndecision := {\"allow\": true, \"context\": {\"input\": input}}\n";

fn with_context(n: &str) -> String {
    format!(
        r#"{{"subject":{{"type":"user","id":"a"}},"action":{{"name":"r"}},"resource":{{"type":"d","id":"1"}},"context":{{"n":{n}}}}}"#
    )
}

async fn refused(server: &Server, body: &[u8]) -> String {
    for path in [EVALUATION, EVALUATIONS, "/access/v1/search/subject", "/access/v1/search/action"] {
        let answer = post_bytes(server, path, body).await;
        answer.refused(400);
    }
    post_bytes(server, EVALUATION, body).await.refused(400).to_owned()
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let (_folder, server) = policy(ECHO).await;
    for (body, said) in [
        (&b""[..], "empty"),
        (b" ", "JSON"),
        (b"{", "JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"true", "not a JSON object"),
        (b"\"text\"", "not a JSON object"),
        (b"7", "not a JSON object"),
        (b"{}{}", "JSON"),
        (b"{\"subject\":{},}", "JSON"),
        (b"{'subject':{}}", "JSON"),
        (b"\xff\xfe{\0}\0", "JSON"),
        (b"\xef\xbb\xbf{}", "JSON"),
        (b"{\"context\":{\"s\":\"\xc3\x28\"}}", "JSON"),
        (br#"{"context":{"s":"\ud800"}}"#, "JSON"),
        (br#"{"subject":{"type":"a","id":"1"},"subject":{"type":"a","id":"2"}}"#, "stands twice"),
        (br#"{"subject":{"type":"a","id":"1","id":"2"}}"#, "stands twice"),
        (br#"{"subject":{"type":"a","\u0069d":"1","id":"2"}}"#, "stands twice"),
        (br#"{"context":{"a":{"b":1,"b":1}}}"#, "stands twice"),
        (br#"{"context":{"$serde_json::private::Number":"1"}}"#, "must not have"),
    ] {
        let message = refused(&server, body).await;
        assert!(message.contains(said), "{}: {message}", String::from_utf8_lossy(body));
    }
    let (_folder, server) = policy("package p\n\nallow := true\n").await;
    let deep = |depth: usize| with_context(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert!(post_bytes(&server, EVALUATION, deep(63).as_bytes()).await.decision());
    for depth in [64, 127, 1_000, 100_000] {
        post_bytes(&server, EVALUATION, deep(depth).as_bytes()).await.refused(400);
    }
}

#[tokio::test]
async fn a_number_reaches_the_policy_exact_or_not_at_all() {
    let (_folder, server) = policy(ECHO).await;
    for (sent, seen) in [
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("0.5", "0.5"),
        ("1e2", "100"),
    ] {
        let answer = post_bytes(&server, EVALUATION, with_context(sent).as_bytes()).await;
        assert!(answer.decision());
        assert!(answer.body.contains(&format!(r#""n":{seen}"#)), "{sent}: {}", answer.body);
    }
    let long = "9".repeat(401);
    for number in
        ["1e999999999999", "1e400000", "0.1000000000000000000000001", "NaN", "Infinity", "01", "+1", ".5", &long]
    {
        post_bytes(&server, EVALUATION, with_context(number).as_bytes()).await.refused(400);
    }
}

#[tokio::test]
async fn a_missing_string_is_told_from_an_empty_one_and_from_another_type() {
    let (_folder, server) = policy(ECHO).await;
    let whole = json!({
        "subject": {"type": "user", "id": "a"}, "action": {"name": "r"}, "resource": {"type": "d", "id": "1"},
    });
    for (entity, member) in
        [("subject", "type"), ("subject", "id"), ("action", "name"), ("resource", "type"), ("resource", "id")]
    {
        for (value, said) in [
            (None, "is missing"),
            (Some(json!("")), "is empty"),
            (Some(json!(null)), "is not a string"),
            (Some(json!(7)), "is not a string"),
            (Some(json!({})), "is not a string"),
        ] {
            let mut asked = whole.clone();
            let members = asked[entity].as_object_mut().unwrap();
            members.remove(member);
            members.extend(value.map(|value| (member.to_owned(), value)));
            let answer = post(&server, EVALUATION, &asked).await;
            let wanted = format!("`{entity}.{member}` {said}");
            assert!(answer.refused(400).contains(&wanted), "{wanted}: {answer:?}");
        }
        for value in [json!(null), json!("x"), json!([]), json!(1)] {
            let mut asked = whole.clone();
            asked[entity]["properties"] = value.clone();
            assert!(post(&server, EVALUATION, &asked).await.refused(400).contains("properties"));
            asked[entity] = value;
            assert!(post(&server, EVALUATION, &asked).await.refused(400).contains(entity));
        }
    }
    for context in [json!(null), json!("x"), json!([])] {
        let mut asked = whole.clone();
        asked["context"] = context;
        assert!(post(&server, EVALUATION, &asked).await.refused(400).contains("context"));
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_harms_nobody() {
    let (_folder, server) = policy(ECHO).await;
    let large = with_context(&format!("\"{}\"", "x".repeat(10 << 20)));
    for path in [EVALUATION, EVALUATIONS, "/access/v1/search/resource"] {
        let answer = post_bytes(&server, path, large.as_bytes()).await;
        assert!(answer.refused(413).contains("1048576 bytes"), "{answer:?}");
    }
    let item: Json = json!({"resource": {"type": "d", "id": "1"}});
    let many = json!({"subject": {"type": "u", "id": "a"}, "action": {"name": "r"}, "evaluations": vec![item; 10_000]});
    let answer = post(&server, EVALUATIONS, &many).await;
    assert!(answer.refused(400).contains("10000 items"), "{answer:?}");
    assert_eq!(server.metric(r#"verdict_call_errors_total{reason="MESSAGE_TOO_LARGE"}"#).await, Some(3.0));
    server.unharmed().await;
    assert!(post_bytes(&server, EVALUATION, with_context("1").as_bytes()).await.decision());
}

#[tokio::test]
async fn a_policy_that_fails_denies() {
    let (_folder, server) = policy(
        "package p\n\nallow if startswith(input.context.n, \"a\")\n\nallow if input.context.n == 7 / input.context.m\n",
    )
    .await;
    let answer = post_bytes(&server, EVALUATION, with_context("1").as_bytes()).await;
    assert!(!answer.decision(), "{answer:?}");
    assert!(!answer.ok()["context"]["reason_admin"].as_object().unwrap().is_empty());
}

#[tokio::test]
async fn much_is_answered_and_too_many_headers_are_refused() {
    let (_folder, server) = policy("package p\n\nallow if count(input.context.n) == 1000\n").await;
    let members: serde_json::Map<String, Json> = (0..1_000).map(|n| (format!("x-{n}"), json!(n))).collect();
    assert!(post_bytes(&server, EVALUATION, with_context(&json!(members).to_string()).as_bytes()).await.decision());
    let headers: Vec<(String, String)> = (0..1_000).map(|n| (format!("x-{n}"), n.to_string())).collect();
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers: Vec<_> = headers.chain([("content-type", "application/json")]).collect();
    let answer = send(&server, "POST", EVALUATION, &headers, with_context("{}").as_bytes()).await;
    assert_eq!((answer.status, answer.body.as_str()), (431, ""));
    server.unharmed().await;
}

#[tokio::test]
async fn a_path_is_one_of_the_door_s_or_it_is_none() {
    let (_folder, server) = policy("package p\n\nallow := true\n").await;
    let json = [("content-type", "application/json")];
    for (path, status) in [
        ("/access/v1/%65valuation", 404),
        ("/%61%63%63%65%73%73/v1/evaluation", 404),
        ("/access%2Fv1%2Fevaluation", 404),
        ("//access/v1/evaluation", 404),
        ("/access//v1/evaluation", 404),
        ("/access/v1/x/../evaluation", 404),
        ("/access/v1/evaluation/", 404),
        ("/access/v1/Evaluation", 404),
        ("access/v1/evaluation", 400),
        ("*", 404),
    ] {
        let answer = send(&server, "POST", path, &json, with_context("1").as_bytes()).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(!answer.body.contains("decision"), "{path}: {answer:?}");
    }
    // The server's own name before the path, as a proxy is asked (RFC 9112 §3.2.2), is no other path.
    assert!(
        send(&server, "POST", "http://pdp.test/access/v1/evaluation", &json, with_context("1").as_bytes())
            .await
            .decision()
    );
}

#[tokio::test]
async fn an_id_is_a_text_and_never_decoded() {
    let (_folder, server) = policy(ECHO).await;
    for id in ["//admin", "/a/../admin", "%2e%2e%2fadmin", "%61dmin", "a\u{0}b", "\u{202e}nimda", " admin ", "ADMIN"] {
        let asked = json!({
            "subject": {"type": "user", "id": id}, "action": {"name": id}, "resource": {"type": id, "id": id},
        });
        let seen = post(&server, EVALUATION, &asked).await.ok()["context"]["input"].clone();
        for pointer in ["/subject/id", "/action/name", "/resource/type", "/resource/id"] {
            assert_eq!(seen.pointer(pointer), Some(&json!(id)), "{pointer}");
        }
    }
}
