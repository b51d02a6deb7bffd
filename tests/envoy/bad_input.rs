//! The table of `docs/envoy.md`: what no well-behaved client sends, and what it gets. Nothing becomes an allow.

use std::fmt::Write as _;

use envoy_types::{
    ext_authz::v3::pb::CheckRequest,
    pb::{
        envoy::{config::core::v3::Metadata, service::auth::v3::attribute_context::HttpRequest},
        google::protobuf::Timestamp,
    },
};
use prost::Message as _;
use serde_json::{Value as Json, json};
use tonic::Code;

use crate::{
    client::{ECHO, check, get, http, metadata, of, policy, policy_with, post},
    raw::{self, call_at, field, frame},
    support::Server,
};

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// What the policy saw as `parsed_path`, or null where it was not asked and the client got 400.
async fn path(server: &Server, path: &str) -> Json {
    let answer = check(server, get(path)).await;
    if answer.allowed {
        return answer.input()["parsed_path"].clone();
    }
    answer.denied(400, &["INVALID_QUERY"]);
    assert!(answer.metadata["verdict"]["fault"].as_str().unwrap().contains("`path`"), "{answer:?}");
    assert_eq!(answer.body, "");
    Json::Null
}

#[tokio::test]
async fn a_path_is_taken_apart_by_its_slashes_and_never_as_a_uri() {
    let (_folder, server) = policy(ECHO).await;
    for (sent, wanted) in [
        ("/a/b", json!(["a", "b"])),
        ("//admin/x", json!(["admin", "x"])),
        ("///admin//x/", json!(["admin", "", "x", ""])),
        ("//user:pass@admin:80/x", json!(["user:pass@admin:80", "x"])),
        ("http://admin/x", json!(["http:", "", "admin", "x"])),
        ("admin/x", json!(["admin", "x"])),
        ("*", json!(["*"])),
        ("", json!([""])),
        ("/", json!([""])),
        ("/a%2Fb", json!(["a/b"])),
        ("%2Fa%2Fb", json!(["/a/b"])),
        ("/%61%64%6d%69%6e", json!(["admin"])),
        ("/a%252e%252e", json!(["a%2e%2e"])),
        ("/a;b=c", json!(["a;b=c"])),
        ("/a\\b", json!(["a\\b"])),
        ("/grüße", json!(["grüße"])),
        ("/a/../admin", Json::Null),
        ("/a/./b", Json::Null),
        ("/..", Json::Null),
        ("/%2e%2e/admin", Json::Null),
        ("/a/..%2fadmin", Json::Null),
        ("/a/..;x/admin", Json::Null),
        ("/a\\..\\admin", Json::Null),
        ("/a#b", Json::Null),
        ("/a%", Json::Null),
        ("/a%zz", Json::Null),
        ("/a%ff", Json::Null),
        ("/a%00", Json::Null),
    ] {
        assert_eq!(path(&server, sent).await, wanted, "{sent}");
    }
}

#[tokio::test]
async fn a_path_is_read_otherwise_where_that_is_configured() {
    let settings = [("VERDICT_ENVOY_DECODE_SLASHES", "true"), ("VERDICT_ENVOY_DOT_SEGMENTS", "true")];
    let (_folder, server) = policy_with(ECHO, &settings).await;
    assert_eq!(path(&server, "/a%2Fb/../c").await, json!(["a", "b", "..", "c"]));
    assert_eq!(path(&server, "%2Fmy%2Ftest").await, json!(["my", "test"]));
}

#[tokio::test]
async fn a_query_is_read_as_servers_read_it() {
    let (_folder, server) = policy(ECHO).await;
    for (query, wanted) in [
        ("a=1&a=2&b", json!({"a": ["1", "2"], "b": [""]})),
        ("a=50%&b=%zz", json!({"a": ["50%"], "b": ["%zz"]})),
        ("a=1;admin=true", json!({"a": ["1;admin=true"]})),
        ("a=%ff", json!({"a": ["\u{fffd}"]})),
        ("%61=%2F+x?y", json!({"a": ["/ x?y"]})),
        ("", json!({})),
    ] {
        let input = check(&server, get(&format!("/x?{query}"))).await.input();
        assert_eq!((&input["parsed_query"], &input["parsed_path"]), (&wanted, &json!(["x"])), "{query}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_refused_and_not_quoted() {
    let (_folder, server) = policy(ECHO).await;
    let deep = "[".repeat(10_000);
    let long = format!("{{\"a\": 1{}}}", "0".repeat(1_000));
    for body in [
        "{",
        "{\"a\": 1, \"a\": 2}",
        "{\"a\": 1} {}",
        "\u{feff}{}",
        "nil",
        "0.1234567890123456789012",
        &deep,
        &long,
        "{\"hunter2\": hunter2}",
    ] {
        let answer = check(&server, post("application/json", body)).await;
        answer.denied(400, &["INVALID_QUERY"]);
        assert!(!format!("{answer:?}").contains("hunter2"));
    }
    let bytes = of(HttpRequest {
        raw_body: b"\"\xff\"".to_vec(),
        ..http("POST", "/", &[("content-type", "application/json")])
    });
    check(&server, bytes).await.denied(400, &["INVALID_QUERY"]);
    for (name, value) in [("content-length", "ten"), ("content-length", "99999999999999999999")] {
        let headers = [("content-type", "application/json"), (name, value)];
        let request = of(HttpRequest { body: "{}".to_owned(), ..http("POST", "/", &headers) });
        check(&server, request).await.denied(400, &["INVALID_QUERY"]);
    }
    let empty = of(http("POST", "/", &[("content-type", "application/json")]));
    assert_eq!(check(&server, empty).await.input()["parsed_body"], json!(null));
}

#[tokio::test]
async fn a_number_of_a_body_reaches_the_policy_exact() {
    let (_folder, server) = policy(
        "package envoy.authz\n\nallow := {\"allowed\": true, \"headers\": {\"x-seen\": json.marshal(input.parsed_body)}}\n",
    )
    .await;
    for number in ["9007199254740993", "18446744073709551615", "-9223372036854775808", "123456789012345678901234567890"]
    {
        let answer = check(&server, post("application/json", number)).await;
        assert!(answer.allowed, "{answer:?}");
        assert_eq!(answer.headers["x-seen"], [number]);
    }
}

#[tokio::test]
async fn a_missing_text_is_as_an_empty_one_and_neither_is_another() {
    let (_folder, server) =
        policy("package envoy.authz\n\nallow if input.attributes.request.http.method == \"GET\"\n").await;
    assert!(check(&server, get("/")).await.allowed);
    for method in ["", "get", " GET", "GET\0"] {
        let answer = check(&server, of(http(method, "/", &[]))).await;
        assert!(!answer.allowed, "{method:?}: {answer:?}");
    }
    // In Envoy's messages an empty text is one that is not there: so it is for the policy, too.
    let (_folder, server) = policy(ECHO).await;
    let input = check(&server, of(http("", "/", &[("x-empty", "")]))).await.input();
    let seen = &input["attributes"]["request"]["http"];
    assert_eq!((seen.get("method"), &seen["headers"]["x-empty"]), (None, &json!("")));
}

#[tokio::test]
async fn attributes_that_can_not_be_are_refused() {
    let (_folder, server) = policy(ECHO).await;
    check(&server, CheckRequest { attributes: None }).await.denied(400, &["INVALID_QUERY"]);
    let mut late = get("/");
    late.attributes.as_mut().unwrap().request.as_mut().unwrap().time = Some(Timestamp { seconds: i64::MAX, nanos: -1 });
    check(&server, late).await.denied(400, &["INVALID_QUERY"]);
    let mut infinite = get("/");
    infinite.attributes.as_mut().unwrap().metadata_context = Some(Metadata {
        filter_metadata: [("x".to_owned(), {
            let mut members = metadata(json!({"n": 1}));
            let number = envoy_types::pb::google::protobuf::value::Kind::NumberValue(f64::INFINITY);
            members.fields.get_mut("n").unwrap().kind = Some(number);
            members
        })]
        .into(),
        ..Metadata::default()
    });
    check(&server, infinite).await.denied(400, &["INVALID_QUERY"]);
}

#[tokio::test]
async fn a_message_that_can_not_be_decoded_is_a_denied_response_and_no_failed_call() {
    let (_folder, server) = policy(ECHO).await;
    let nested = field(1, &field(11, &field(1, &[field(1, b"x"), field(2, &raw::nested(200))].concat())));
    let latin = field(1, &field(4, &field(2, &field(4, b"/\xff"))));
    for message in [&b"\xff\xff\xff"[..], &field(1, &[0x0a])[..], &latin, &nested] {
        let answer = call_at(&server, CHECK, frame(message), &[]).await;
        assert_eq!(answer.status().code(), Code::Ok, "{:?}", answer.status());
        let message = &answer.split()[0];
        let response = envoy_types::ext_authz::v3::pb::CheckResponse::decode(&message[..]).unwrap();
        assert_eq!(response.status.unwrap().code, 7);
        assert!(format!("{:?}", response.dynamic_metadata).contains("MALFORMED_MESSAGE"));
    }
    let other = call_at(&server, "/envoy.service.auth.v3.Authorization/Other", frame(b""), &[]).await;
    assert_eq!(other.status().code(), Code::Unimplemented);
    server.unharmed().await;
}

#[tokio::test]
async fn much_is_answered_and_too_much_is_refused() {
    let (_folder, server) =
        policy("package envoy.authz\n\nallow if count(input.attributes.request.http.headers) == 1001\n").await;
    let mut http_request = http("GET", "/", &[("x", "y")]);
    for number in 0..1_000 {
        http_request.headers.insert(format!("x-{number}"), number.to_string());
    }
    assert!(check(&server, of(http_request)).await.allowed);
    let mut large = String::from("[0");
    for number in 0..80_000 {
        let _ = write!(large, ",{number}");
    }
    large.push(']');
    check(&server, post("application/json", &large)).await.denied(403, &["no_decision"]);
    check(&server, post("application/json", &"x".repeat(10 << 20))).await.denied(413, &["MESSAGE_TOO_LARGE"]);
    server.unharmed().await;
}
