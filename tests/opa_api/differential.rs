//! The same requests to OPA itself. `VERDICT_TEST_OPA` names its program (1.20); without it the test is skipped, unless
//! `VERDICT_TEST_REQUIRE` has `opa` in it.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
};

use serde_json::{Value as Json, json};

use crate::{
    client::{Answer, DATA, POLICY, gzip, send},
    support::{Folder, Serve, eventually},
};

struct Opa(Child, SocketAddr);

impl Drop for Opa {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A request: method, path, headers, body.
type Asked = (&'static str, String, Vec<(&'static str, &'static str)>, Vec<u8>);

fn asking(method: &'static str, path: &str, headers: &[(&'static str, &'static str)], body: &[u8]) -> Asked {
    (method, path.to_owned(), headers.to_vec(), body.to_vec())
}

/// Every path with every input.
fn documents() -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    let mut add = |method, path: &str, headers: &[_], body: &[u8]| asked.push(asking(method, path, headers, body));
    let paths = [
        "",
        "/base",
        "/base/a",
        "/base/a/2/b",
        "/base/a/9",
        "/base/s%2Fl",
        "/base/s/l",
        "/base/x%20y",
        "/base/x+y",
        "/base/%C3%A9",
        "/base/%2e%2e",
        "/base/%61",
        "/shop",
        "/shop/orders",
        "/shop/orders/allow",
        "/shop/orders/names",
        "/shop/orders/limits",
        "/shop/orders/limits/small",
        "/shop/orders/items/0/id",
        "/shop/orders/echo",
        "/shop/orders/either",
        "/shop/orders/quotient",
        "/nothing",
        "/nothing/at/all",
        "/system/main",
    ];
    let inputs = [
        r#"{"user":"alice","names":["y","x","y"]}"#,
        r#"{"user":"bob"}"#,
        r#"{"zero":0}"#,
        r#"{"zero":4}"#,
        "{}",
        "null",
        "true",
        "[]",
        "\"\"",
        "12345678901234567890",
    ];
    for path in paths {
        add("GET", &format!("/v1/data{path}"), &[], b"");
        for input in inputs {
            let body = format!("{{\"input\":{input}}}");
            add("POST", &format!("/v1/data{path}"), &[("content-type", "application/json")], body.as_bytes());
            add("POST", &format!("/v0/data{path}"), &[("content-type", "application/json")], input.as_bytes());
        }
    }
    asked
}

/// Bodies, parameters, and the other endpoints.
fn requests() -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    let mut add = |method, path: &str, headers: &[_], body: &[u8]| asked.push(asking(method, path, headers, body));
    let allow = "/v1/data/shop/orders/allow";
    for body in ["", "{}", "null", "[]", "1", "\"x\"", "{", "{\"input\":", "{\"other\":1}", "nul"] {
        add("POST", allow, &[], body.as_bytes());
        add("POST", "/v0/data/shop/orders/echo", &[], body.as_bytes());
        add("POST", "/", &[], body.as_bytes());
    }
    for parameters in [
        "pretty",
        "pretty=true",
        "pretty=false",
        "pretty=1",
        "provenance=true",
        "metrics=true",
        "metrics",
        "explain=bogus",
        "input=%7B%22user%22%3A%22alice%22%7D",
        "input=%7B",
        "input=",
        "input=1",
        "strict-builtin-errors",
        "unknown=1",
    ] {
        add("GET", &format!("{allow}?{parameters}"), &[], b"");
    }
    for parameters in ["strict-builtin-errors", "strict-builtin-errors=true", "strict-builtin-errors=false"] {
        for input in ["{\"zero\":0}", "{\"zero\":2}", "{\"zero\":\"x\"}", "{}"] {
            let path = format!("/v1/data/shop/orders/quotient?{parameters}");
            add("POST", &path, &[], format!("{{\"input\":{input}}}").as_bytes());
        }
    }
    add("POST", allow, &[("content-type", "application/x-yaml")], b"input: {user: alice}");
    add("POST", allow, &[("content-type", "application/yaml")], b"input:\n  user: alice\n");
    add("POST", allow, &[("content-type", "application/x-yaml")], b"input: [");
    add("POST", allow, &[("content-type", "application/json")], b"input: {user: alice}");
    add("POST", allow, &[("content-encoding", "gzip")], &gzip(br#"{"input":{"user":"alice"}}"#));
    for query in [
        "data.shop.orders.limits.small = x",
        "data.shop.orders.limits.small == 1",
        "data.shop.orders.limits.small == 2",
        "data.nothing",
        "data.base.a[i] = v",
        "x = [1, 2][_]; y = 3",
        "x := 1; x > 2",
        "input.user = x",
        "false",
        "x ==",
        "x",
        "not nosuch(1)",
        "data.shop.orders.half(3) = x",
        "data.shop.orders.half(1, 2, 3)",
        "x := {3, 1, 2}",
        "data.shop.orders.either",
        "x := [y | some y in [1, 2]]",
        "true } a if {",
        "x := {\"a\": 1}.a",
        "1 > 2; x := 1",
        "x := 1; 1 > 2; y := 3",
        "x := 2; false",
        "x := 2; true",
        "data.base.a[_] > 1",
        "1 == 2",
    ] {
        let body = json!({ "query": query, "input": {"user": "bob"} }).to_string();
        add("POST", "/v1/query", &[], body.as_bytes());
    }
    add("GET", "/v1/query?q=data.shop.orders.limits.small%20%3D%20x", &[], b"");
    add("GET", "/v1/query", &[], b"");
    for path in ["/health", "/health?bundles", "/health?plugins", "/health?bundles=true&plugins=true"] {
        add("GET", path, &[], b"");
    }
    add("GET", "/v1/policies/nosuch", &[], b"");
    asked
}

/// What of an answer must be the same: the status, and the body apart from what names the process, the moment or the words.
fn comparable(answer: &Answer) -> Json {
    let mut body: Json = serde_json::from_slice(&answer.body).unwrap_or(Json::Null);
    if let Some(members) = body.as_object_mut() {
        members.remove("decision_id");
        for name in ["metrics", "provenance"] {
            if let Some(member) = members.get_mut(name) {
                *member = "there".into();
            }
        }
        if members.contains_key("code") {
            members.remove("message");
        }
        // As many as each parser goes on to find.
        if let Some(Json::Array(errors)) = members.get_mut("errors") {
            errors.truncate(1);
            for error in errors {
                let row = error["location"]["row"].clone();
                *error = json!({ "code": error["code"], "row": row });
            }
        }
    }
    json!({ "status": answer.status, "body": body })
}

#[tokio::test]
async fn answers_as_opa_does() {
    let skipped = |why: &str| {
        let required = std::env::var("VERDICT_TEST_REQUIRE").is_ok_and(|list| list.split(',').any(|one| one == "opa"));
        assert!(!required, "VERDICT_TEST_REQUIRE asks for opa: {why}");
        println!("skipped: {why}");
    };
    let Ok(program) = std::env::var("VERDICT_TEST_OPA") else { return skipped("`VERDICT_TEST_OPA` is not set") };
    let folder = Folder::with(&[("shop.rego", POLICY), ("data.json", DATA)]);
    folder.write("main.rego", "package system\n\nmain := {\"got\": input}\n");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(program);
    command.args(["run", "--server", "--log-level", "error", "--addr", &port.to_string()]).arg(folder.path());
    let opa = Opa(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), port);
    let connects = async || tokio::net::TcpStream::connect(opa.1).await.ok().map(drop);
    eventually("OPA listens", connects).await;
    let server = Serve::folder(&folder)
        .env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s")
        .env("VERDICT_OPA_QUERY", "true")
        .arg("--default-policy")
        .arg("data.system.main")
        .ready()
        .await;
    let requests = [documents(), requests()].concat();
    let (all, mut differ) = (requests.len(), Vec::new());
    for (method, path, headers, body) in requests {
        let theirs = comparable(&send(opa.1, method, &path, &headers, &body).await);
        let ours = comparable(&send(server.http, method, &path, &headers, &body).await);
        if ours != theirs {
            differ.push(format!(
                "{method} {path} {}\n  opa:     {theirs}\n  verdict: {ours}",
                String::from_utf8_lossy(&body)
            ));
        }
    }
    assert!(differ.is_empty(), "{} of {all} differ:\n{}", differ.len(), differ.join("\n"));
    println!("{all} requests, 0 differences");
}
