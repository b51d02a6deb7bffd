//! Queries in Rego: off, and where they are on, gated, bounded and without the network.

use serde_json::{Value as Json, json};

use crate::{
    client::{Answer, get, post, send, serve},
    support::{Folder, Serve, Server},
};

async fn ask(server: &Server, query: &str, input: Json) -> Answer {
    post(server, "/v1/query", json!({ "query": query, "input": input }).to_string()).await
}

#[tokio::test]
async fn is_off_unless_configured() {
    let (_folder, server) = serve(&[]).await;
    for answer in [get(&server, "/v1/query?q=true").await, ask(&server, "true", json!({})).await] {
        assert!(answer.refused(403, "invalid_operation").contains("`opa.query`"));
    }
}

#[tokio::test]
async fn gives_bindings() {
    let (_folder, server) = serve(&[("VERDICT_OPA_QUERY", "true")]).await;
    for (query, wanted) in [
        ("data.shop.orders.limits.small = x", json!([{"x": 1}])),
        ("data.shop.orders.allow", json!([{}])),
        ("x = [1, 2][_]; y = 3", json!([{"x": 1, "y": 3}, {"x": 2, "y": 3}])),
        ("data.base.a[i] = v", json!([{"i": 0, "v": 1}, {"i": 1, "v": 2}, {"i": 2, "v": {"b": 3}}])),
        ("x := {input.user, \"z\"}", json!([{"x": ["alice", "z"]}])),
        ("data.shop.orders.half(4) = x", json!([{"x": 2}])),
        ("data.shop.orders.nothing", Json::Null),
        ("1 > 2; x := 1", Json::Null),
        ("not data.shop.orders.nothing", json!([{}])),
        ("not data.shop.orders.limits", Json::Null),
        ("x := 1; not x == 1", Json::Null),
        ("every v in [1, 2] { v == 1 }", Json::Null),
    ] {
        assert_eq!(ask(&server, query, json!({"user": "alice"})).await.result(), wanted, "{query}");
    }
    assert_eq!(
        get(&server, "/v1/query?q=data.base.n%20%3D%20x&pretty").await.result(),
        json!([{"x": 9_007_199_254_740_993_u64}])
    );
    let yaml = send(server.http, "POST", "/v1/query", &[("content-type", "application/yaml")], b"query: x = 1\n").await;
    assert_eq!(yaml.result(), json!([{"x": 1}]));
}

#[tokio::test]
async fn what_it_puts_in_the_place_of_base_data_is_none() {
    let folder = Folder::always(&[
        ("p.rego", "package p\nallow if data.xs[input.at] == 20\nnever if not data.xs[input.at]\n"),
        ("data.json", r#"{"xs": [10, 20]}"#),
    ]);
    let serve = Serve::folder(&folder).env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s").env("VERDICT_OPA_QUERY", "true");
    let server = serve.ready().await;
    for (query, wanted) in [
        ("data.p.allow", json!([{}])),
        // OPA's answers: only in base data a text finds an element.
        ("data.p.allow with data.xs as [10, 20]", Json::Null),
        ("data.p.allow with data.xs as data.xs", Json::Null),
        ("data.p.never with data.xs as [10, 20]", json!([{}])),
        ("data.p.allow with data.xs as {\"1\": 20}", json!([{}])),
        ("data.p.allow with data.other as 1", json!([{}])),
    ] {
        assert_eq!(ask(&server, query, json!({"at": "1"})).await.result(), wanted, "{query}");
    }
    server.unharmed().await;
}

#[tokio::test]
async fn what_policies_can_not_be_read_for_is_refused() {
    let folder = Folder::always(&[
        ("p.rego", "package p\nx := data.a[k][input.n] if some k in [\"q\", \"r\"]\n"),
        ("q.rego", "package a.q\nb[k] := 1 if some k in [1]\n"),
    ]);
    let serve = Serve::folder(&folder).env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s").env("VERDICT_OPA_QUERY", "true");
    let server = serve.ready().await;
    assert_eq!(ask(&server, "data.p.x", json!({"n": 1})).await.result(), Json::Null);
    let answer = ask(&server, "data.p.x with data.a.r as {\"b\": 2}", json!({"n": 1})).await;
    answer.refused(400, "invalid_parameter");
    assert!(answer.text().contains("`p.rego` can't be read where a query replaces this data"), "{}", answer.text());
    server.unharmed().await;
}

#[tokio::test]
async fn refuses_what_a_policy_may_not_say() {
    let (_folder, server) = serve(&[("VERDICT_OPA_QUERY", "true")]).await;
    for (query, code) in [
        ("x ==", "rego_parse_error"),
        ("", "rego_parse_error"),
        ("true } evil if {", "rego_parse_error"),
        ("import data.shop", "rego_parse_error"),
        ("package p", "rego_parse_error"),
        ("not nosuch(1)", "rego_type_error"),
        ("data.shop.orders.half(1, 2, 3)", "rego_type_error"),
        ("x", "rego_unsafe_var_error"),
        ("not data.base.a[i]", "rego_unsafe_var_error"),
        ("some n in [1, 2]; n > 1", "rego_unsupported"),
    ] {
        let answer = ask(&server, query, json!({})).await;
        answer.refused(400, "invalid_parameter");
        assert_eq!(answer.json()["errors"][0]["code"], code, "{query}: {}", answer.text());
    }
    let nested = format!("x := {}1{}", "[".repeat(500), "]".repeat(500));
    ask(&server, &nested, json!({})).await.refused(400, "invalid_parameter");
    let long = format!("x := \"{}\"", "x".repeat(70 << 10));
    ask(&server, &long, json!({})).await.refused(400, "invalid_parameter");
    for body in ["{}", r#"{"query": 1}"#, r#"{"query": null}"#, "[]", "{"] {
        post(&server, "/v1/query", body).await.refused(400, "invalid_parameter");
    }
    get(&server, "/v1/query").await.refused(400, "invalid_parameter");
    get(&server, "/v1/query?q=1&q=2").await.refused(400, "invalid_parameter");
    server.unharmed().await;
}

#[tokio::test]
async fn is_bounded_and_reaches_no_host() {
    let (_folder, server) = serve(&[
        ("VERDICT_OPA_QUERY", "true"),
        ("VERDICT_POLICIES_EVALUATION_BUDGET", "100ms"),
        ("VERDICT_NETWORK_ALLOW", "127.0.0.1"),
    ])
    .await;
    let error = async |query: &str, input: Json| {
        let answer = ask(&server, query, input).await;
        answer.refused(500, "internal_error");
        answer.json()["errors"][0]["code"].as_str().unwrap().to_owned()
    };
    let long = "x := count([1 | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); i < j])";
    assert_eq!(error(long, json!({})).await, "eval_cancel_error");
    assert_eq!(error("x := numbers.range(1, 1000000000)", json!({})).await, "eval_cancel_error");
    assert_eq!(error("x := [y | some y in numbers.range(1, 200000)]", json!({})).await, "eval_cancel_error");
    assert_eq!(error("data.shop.orders.either", json!({"user": "bob"})).await, "eval_conflict_error");
    // Nothing listens there; were it asked, the query would be undefined.
    let url = "http://127.0.0.1:9/";
    let sends = format!("x := http.send({{\"method\": \"get\", \"url\": \"{url}\", \"raise_error\": false}})");
    assert_eq!(error(&sends, json!({})).await, "eval_internal_error");
    let strict = post(&server, "/v1/query?strict-builtin-errors", r#"{"query": "x := 1 / 0"}"#).await;
    strict.refused(500, "internal_error");
    assert_eq!(ask(&server, "x := 1 / 0", json!({})).await.result(), Json::Null);
    server.unharmed().await;
}
