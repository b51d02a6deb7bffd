//! The data API.

use std::{fs, io::Read as _};

use flate2::read::GzDecoder;
use serde_json::{Value as Json, json};

use crate::{
    client::{folder, get, gzip, post, send, serve},
    support::{Serve, Server},
};

async fn result(server: &Server, path: &str, input: Json) -> Json {
    post(server, path, json!({ "input": input }).to_string()).await.result()
}

#[tokio::test]
async fn a_path_is_a_reference_by_its_parts() {
    let (_folder, server) = serve(&[]).await;
    for (path, wanted) in [
        ("/v1/data/base/a/2/b", json!(3)),
        ("/v1/data/base/a/2/b/", json!(3)),
        ("/v1/data/base/%61", json!([1, 2, {"b": 3}])),
        ("/v1/data/base/s%2Fl", json!("slash")),
        ("/v1/data/base/s/l", Json::Null),
        ("/v1/data/base/x%20y", json!(1)),
        ("/v1/data/base/x+y", Json::Null),
        ("/v1/data/base/%C3%A9", json!("e")),
        ("/v1/data/base/%2e%2E", json!("dots")),
        ("/v1/data/base/%252e", Json::Null),
        ("/v1/data/base/n", json!(9_007_199_254_740_993_u64)),
        ("/v1/data/shop/orders/items/1/id", json!("b")),
        ("/v1/data/shop/orders/limits", json!({"small": 1, "large": 10})),
        ("/v1/data/shop/orders/half", Json::Null),
        ("/v1/data/nothing/here", Json::Null),
        ("/v1/data/shop/orders/limits%22%5D%3B%20data.base", Json::Null),
        ("/v1/data/shop/orders.limits", Json::Null),
    ] {
        let answer = get(&server, path).await;
        assert_eq!(answer.result(), wanted, "{path}");
        assert_eq!(answer.ok().get("result").is_some(), wanted != Json::Null, "{path}");
        assert_eq!(answer.ok()["decision_id"], answer.headers["verdict-decision-id"], "{path}");
        assert!(answer.headers["verdict-revision"].contains("sha256:"), "{path}");
    }
    let whole = get(&server, "/v1/data").await.result();
    assert_eq!(whole["base"]["s/l"], "slash");
    assert_eq!(whole["always"]["decision"], true);
    for path in ["/v1/data//base", "/v1/data/base//a", "/v1/data/../base", "/v1/data/base/./a", "/v1/data//"] {
        get(&server, path).await.refused(400, "invalid_parameter");
    }
    for path in ["/v1/data/%zz", "/v1/data/%", "/v1/data/%ff", "/v1/data/base/%C3"] {
        get(&server, path).await.refused(400, "invalid_parameter");
    }
    get(&server, &format!("/v1/data/{}", "a/".repeat(3_000))).await.refused(400, "invalid_parameter");
}

#[tokio::test]
async fn what_lowering_adds_is_no_document() {
    let folder = folder();
    fs::create_dir(folder.join("held")).unwrap();
    fs::write(folder.join("held/data.json"), r#"{"outer": {"inner": {"old": 1}}}"#).unwrap();
    let policy = "package withs

read := data.held.outer

whole := x if x := read with data.held.outer.inner as {\"new\": 1} with data.held as {\"outer\": 2}

part := x if x := read with data.held.outer.inner as {\"new\": 1}

mocked := x if x := io.jwt.decode(\"\") with io.jwt.decode as 3
";
    fs::write(folder.join("withs.rego"), policy).unwrap();
    let server = Serve::folder(&folder).ready().await;
    let whole = get(&server, "/v1/data").await.result();
    let names: Vec<&String> = whole.as_object().unwrap().keys().collect();
    assert_eq!(names, ["always", "base", "held", "shop", "withs"]);
    let part = json!({"inner": {"new": 1, "old": 1}});
    assert_eq!(whole["withs"], json!({"read": {"inner": {"old": 1}}, "whole": 2, "part": part, "mocked": 3}));
    for path in ["/v1/data/__verdict_withs__", "/v1/data/__verdict_built_ins__"] {
        assert!(get(&server, path).await.ok().get("result").is_none(), "{path}");
    }
}

#[tokio::test]
async fn the_input_comes_in_a_body_or_a_parameter() {
    let (_folder, server) = serve(&[]).await;
    let allow = "/v1/data/shop/orders/allow";
    assert_eq!(result(&server, allow, json!({"user": "alice"})).await, true);
    assert_eq!(result(&server, allow, json!({"user": "bob"})).await, Json::Null);
    let echo = "/v1/data/shop/orders/echo";
    for input in [json!(false), json!(0), json!(""), json!([]), json!({"a": [1, {"b": "é"}]})] {
        let answer = post(&server, echo, json!({ "input": input }).to_string()).await;
        assert_eq!(answer.ok().get("result"), Some(&input));
        assert!(answer.ok().get("warning").is_none());
        let encoded: String = input.to_string().bytes().flat_map(|byte| [format!("%{byte:02X}")]).collect();
        assert_eq!(get(&server, &format!("{echo}?input={encoded}")).await.ok().get("result"), Some(&input));
    }
    for body in ["", "{}", "null", "{\"unknown\": 1}", "{\"input\": null}"] {
        let answer = post(&server, echo, body).await.ok();
        assert!(answer.get("result").is_none(), "{answer}");
        assert_eq!(answer["warning"]["code"], "api_usage_warning");
    }
    assert!(get(&server, echo).await.ok().get("warning").is_none());
    assert_eq!(get(&server, &format!("{echo}?input=null")).await.ok().get("result"), Some(&Json::Null));
    let yaml = [("content-type", "application/x-yaml")];
    let answer = send(server.http, "POST", allow, &yaml, b"input:\n  user: alice\n").await;
    assert_eq!(answer.result(), true);
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let answer =
            send(server.http, "POST", allow, &[("content-type", kind)], br#"{"input":{"user":"alice"}}"#).await;
        assert_eq!(answer.result(), true, "{kind}");
    }
}

#[tokio::test]
async fn v0_and_the_default_decision_take_and_give_documents_alone() {
    let (_folder, server) = serve(&[]).await;
    for path in ["/v0/data/shop/orders/allow", "/"] {
        let answer = post(&server, path, r#"{"user": "alice"}"#).await;
        assert_eq!(answer.ok(), json!(true), "{path}");
        assert!(answer.headers.contains_key("verdict-decision-id"));
        for body in ["", "{}", r#"{"user": "bob"}"#] {
            let message = post(&server, path, body).await.refused(404, "undefined_document");
            assert_eq!(message, "document undefined: data.shop.orders.allow");
        }
    }
    assert_eq!(post(&server, "/v0/data/shop/orders/echo", "").await.ok(), Json::Null);
    assert_eq!(post(&server, "/v0/data/shop/orders/echo", "[1]").await.ok(), json!([1]));
    post(&server, "/v0/data/shop/orders/either", r#"{"user": "bob"}"#).await.refused(500, "internal_error");
    assert!(get(&server, "/").await.text().contains("/v1/data/{path}"));
}

#[tokio::test]
async fn an_evaluation_that_fails_is_an_error_and_never_a_result() {
    let folder = crate::client::folder();
    folder.write(
        "slow.rego",
        "package slow\n\nallow if {\n\tcount([1 | some i in numbers.range(1, 2000); some j in numbers.range(1, 2000); i < j]) > 0\n}\n",
    );
    let server = crate::support::Serve::folder(&folder)
        .env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s")
        .env("VERDICT_POLICIES_EVALUATION_BUDGET", "100ms")
        .ready()
        .await;
    let told = async |path: &str, input: Json| {
        let answer = post(&server, path, json!({ "input": input }).to_string()).await;
        answer.refused(500, "internal_error");
        assert!(answer.headers.contains_key("verdict-decision-id"));
        answer.json()["errors"][0].clone()
    };
    let conflict = told("/v1/data/shop/orders/either", json!({"user": "bob"})).await;
    assert_eq!(conflict["code"], "eval_conflict_error");
    assert_eq!(conflict["location"], json!({"file": "shop.rego", "row": 17, "col": 1}));
    assert_eq!(told("/v1/data/shop", json!({"user": "bob"})).await["code"], "eval_conflict_error");
    let strict = "/v1/data/shop/orders/quotient?strict-builtin-errors";
    let division = told(strict, json!({"zero": 0})).await;
    assert_eq!(
        (&division["code"], &division["message"]),
        (&json!("eval_builtin_error"), &json!("div: divide by zero"))
    );
    assert_eq!(result(&server, "/v1/data/shop/orders/quotient", json!({"zero": 0})).await, Json::Null);
    assert_eq!(result(&server, strict, json!({"zero": 2})).await, 0.5);
    assert_eq!(told("/v1/data/slow/allow", json!({})).await["code"], "eval_cancel_error");
    server.unharmed().await;
}

#[tokio::test]
async fn parameters_say_what_an_answer_has() {
    let (_folder, server) = serve(&[]).await;
    let allow = "/v1/data/shop/orders/allow";
    let pretty = get(&server, &format!("{allow}?pretty")).await.text();
    assert!(pretty.starts_with("{\n  \"decision_id\": "), "{pretty}");
    assert!(!get(&server, &format!("{allow}?pretty=false")).await.text().contains("\n "));
    let answer = get(&server, &format!("{allow}?provenance=true&metrics&explain=full")).await.ok();
    let (_, ready) = server.readiness().await;
    assert_eq!(answer["provenance"]["revision"], ready["revision"]["digest"]);
    assert!(answer["metrics"]["timer_server_handler_ns"].as_u64().unwrap() > 0);
    let events = answer["explanation"].as_array().unwrap();
    let failed = events.iter().find(|event| event["op"] == "fail").unwrap();
    assert_eq!(failed["rule"], "data.shop.orders.allow");
    assert_eq!(failed["location"]["file"], "shop.rego");
    let lines = get(&server, &format!("{allow}?explain=fails&pretty=true")).await.ok();
    assert!(lines["explanation"][0].as_str().unwrap().contains("Fail data.shop.orders.allow"), "{lines}");
    assert_eq!(get(&server, &format!("{allow}?explain=notes")).await.ok()["explanation"], json!([]));
    let plain = get(&server, &format!("{allow}?explain=other&unknown=1")).await.ok();
    for absent in ["provenance", "metrics", "explanation", "warning", "result"] {
        assert!(plain.get(absent).is_none(), "{plain}");
    }
    for wrong in ["?input=%7B", "?input=", "?input=1&input=2", "?input=%ff", "?pretty=%zz"] {
        get(&server, &format!("{allow}{wrong}")).await.refused(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn gzip_goes_both_ways() {
    let (_folder, server) = serve(&[]).await;
    let echo = "/v1/data/shop/orders/echo";
    let text = "long ".repeat(2_000);
    let body = gzip(json!({ "input": text }).to_string().as_bytes());
    let headers = [("content-encoding", "gzip"), ("accept-encoding", "br, gzip")];
    let answer = send(server.http, "POST", echo, &headers, &body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-encoding"], "gzip");
    let mut plain = String::new();
    GzDecoder::new(answer.body.as_slice()).read_to_string(&mut plain).unwrap();
    assert_eq!(serde_json::from_str::<Json>(&plain).unwrap()["result"], text);
    assert!(answer.body.len() < 1_000);
    for accepted in ["", "identity", "gzip;q=0"] {
        let headers = [("content-encoding", "gzip"), ("accept-encoding", accepted)];
        let answer = send(server.http, "POST", echo, &headers, &body).await;
        assert!(!answer.headers.contains_key("content-encoding"), "{accepted}");
        assert_eq!(answer.result(), text);
    }
    let short = send(server.http, "GET", "/v1/data/base/n", &[("accept-encoding", "gzip")], b"").await;
    assert!(!short.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn before_the_first_policies_every_question_is_refused() {
    let folder = crate::support::Folder::with(&[("p.rego", "package p\nallow if {")]);
    let server = crate::support::Serve::folder(&folder).env("VERDICT_OPA_QUERY", "true").listening().await;
    server.logged("no policies are active:").await;
    for path in ["/v1/data/p/allow", "/v0/data/p/allow", "/", "/v1/query"] {
        let body = r#"{"input": {}, "query": "true"}"#;
        let answer = post(&server, path, body).await;
        answer.refused(503, "internal_error");
        assert_eq!(answer.headers["retry-after"], "1");
    }
    get(&server, "/v1/policies").await.refused(503, "internal_error");
    for path in ["/health", "/health?bundles", "/health?plugins"] {
        assert_eq!(get(&server, path).await.status, 500);
    }
}

#[tokio::test]
async fn a_door_that_is_off_is_not_there() {
    let (_folder, server) = serve(&[("VERDICT_OPA_ENABLED", "false")]).await;
    for path in ["/v1/data", "/v1/data/base", "/v1/policies", "/v1/config", "/health"] {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
    assert_eq!(post(&server, "/", "{}").await.status, 405);
}
