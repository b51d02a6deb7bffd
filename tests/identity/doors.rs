//! The same tokens through the other doors, where those are told to look for them.

use std::collections::HashMap;

use envoy_types::pb::{
    envoy::service::auth::v3::{
        AttributeContext, CheckRequest, CheckResponse,
        attribute_context::{HttpRequest, Peer, Request},
        authorization_client::AuthorizationClient,
        check_response::HttpResponse,
    },
    google::protobuf::value::Kind,
};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    forge::{encoded, token},
    rig::{MAIN, Rig},
    support::Server,
};

const ON: &str = "http: {credential_at: context.token}
opa: {credential_at: attributes.token}
envoy: {bearer: true}
decision_log: {sinks: {file: {type: file, path: DIR/records.log}}}
";

const ECHO: &str = "package echo

seen := input
";

const ENVOY: &str = "package envoy.authz

allow := {\"allowed\": true, \"dynamic_metadata\": {\"input\": json.marshal(input)}}
";

async fn serving(more: &str) -> (Rig, Server) {
    let rig = Rig::new(MAIN, more);
    rig.0.write("policies/echo.rego", ECHO);
    rig.0.write("policies/envoy.rego", ENVOY);
    let server = rig.with_keys().await;
    (rig, server)
}

pub(crate) async fn post(server: &Server, path: &str, body: &Json) -> (u16, Json) {
    let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(json!(body)))
}

fn question(context: &Json) -> Json {
    json!({"action": {"name": "read"}, "resource": {"type": "document", "id": "1"}, "context": context})
}

fn reasons(decision: &Json) -> Vec<&str> {
    assert_eq!(decision["decision"], false, "{decision:#}");
    let reasons = decision["context"]["reason_admin"].as_object().unwrap_or_else(|| panic!("{decision:#}"));
    reasons.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn authzen_takes_a_token_from_where_it_is_told() {
    let (rig, server) = serving(ON).await;
    let path = "/access/v1/evaluation";
    let good = token(&json!({}));
    let (status, answer) = post(&server, path, &question(&json!({"token": good, "ip": "10.0.0.1"}))).await;
    assert_eq!((status, &answer["decision"]), (200, &json!(true)), "{answer:#}");
    assert_eq!(answer["context"]["subject"]["id"], "alice");
    assert_eq!(answer["context"]["token"]["verified"]["issuer"], "main");
    assert_eq!(answer["context"]["context"], json!({"ip": "10.0.0.1"}));
    let mut other = question(&json!({"token": format!("Bearer {good}")}));
    other["subject"] = json!({"type": "user", "id": "mallory"});
    assert_eq!(reasons(&post(&server, path, &other).await.1), ["subject_mismatch"]);
    let old = token(&json!({"exp": 1}));
    assert_eq!(reasons(&post(&server, path, &question(&json!({"token": old}))).await.1), ["token_expired"]);
    assert_eq!(post(&server, path, &question(&json!({"token": 7}))).await.0, 400);
    // Without one there must be a subject, as ever.
    assert_eq!(post(&server, path, &question(&json!({}))).await.0, 400);

    // A batch's token is the default of its items.
    let mut batch = question(&json!({"token": good}));
    batch["evaluations"] = json!([{}, {"context": {"token": old}}, {"context": {"ip": "10.0.0.2"}}]);
    let (_, answer) = post(&server, "/access/v1/evaluations", &batch).await;
    let answers = answer["evaluations"].as_array().unwrap();
    assert_eq!(answers[0]["context"]["subject"]["id"], "alice");
    assert_eq!(reasons(&answers[1]), ["token_expired"]);
    assert_eq!(answers[2]["context"]["context"], json!({"ip": "10.0.0.2"}));
    // A search has no use for one.
    let mut search = question(&json!({"token": good}));
    search["subject"] = json!({"type": "user"});
    assert_eq!(post(&server, "/access/v1/search/subject", &search).await.0, 400);

    // It is found where it is configured: another server, another place.
    let (_rig, other) = serving("http: {credential_at: subject.properties.token}\n").await;
    let mut asked = question(&json!({"token": "not looked at"}));
    asked["subject"] = json!({"properties": {"token": good}});
    let (_, answer) = post(&other, path, &asked).await;
    assert_eq!(answer["context"]["subject"]["id"], "alice", "{answer:#}");
    assert_eq!(answer["context"]["subject"]["properties"], json!({"roles": ["editor"]}));
    // Nothing of it is written down.
    let records = std::fs::read_to_string(rig.0.join("records.log")).unwrap();
    assert!(records.contains("\"jti\":\"id-1\""), "{records}");
    for part in good.split('.').chain(old.split('.')) {
        assert!(!records.contains(part));
    }
}

#[tokio::test]
async fn opa_takes_a_token_from_the_input() {
    let (_rig, server) = serving(ON).await;
    let path = "/v1/data/echo/seen";
    let ask = async |input: Json| post(&server, path, &json!({"input": input})).await;
    let (status, answer) = ask(json!({"attributes": {"token": token(&json!({})), "x": 1}, "token": "forged"})).await;
    assert_eq!(status, 200, "{answer:#}");
    assert_eq!(answer["result"]["attributes"], json!({"x": 1}));
    assert_eq!(answer["result"]["token"]["sub"], "alice");
    // What an input says of a token itself is not believed.
    let (_, answer) = ask(json!({"token": {"sub": "mallory"}, "x": 1})).await;
    assert_eq!(answer["result"], json!({"x": 1}));
    let (status, answer) = ask(json!({"attributes": {"token": token(&json!({"exp": 1}))}})).await;
    assert_eq!((status, answer.get("result")), (500, None), "{answer:#}");
    assert!(answer.to_string().contains("token_expired"), "{answer:#}");
    let (status, _) = post(&server, "/v0/data/echo/seen", &json!({"attributes": {"token": "x"}})).await;
    assert_eq!(status, 500);
}

#[tokio::test]
async fn the_subject_of_a_document_is_the_tokens() {
    let (_rig, server) = serving(&ON.replace("opa: {", "opa: {query: true, ")).await;
    let good = token(&json!({}));
    let input = |subject: Json| json!({"attributes": {"token": good}, "subject": subject});
    let ask = async |input: Json| post(&server, "/v1/data/echo/seen", &json!({"input": input})).await;
    let query = async |input: Json| {
        post(&server, "/v1/query", &json!({"query": "x := input.subject; t := input.token", "input": input})).await
    };
    for another in [
        json!({"type": "user", "id": "mallory"}),
        json!({"type": "client", "id": "alice"}),
        json!({"id": "mallory"}),
        json!({"type": "user", "id": ["alice"]}),
        json!({"type": "user", "id": "alice", "properties": ["admin"]}),
        json!("alice"),
        json!(null),
    ] {
        for (status, answer) in [ask(input(another.clone())).await, query(input(another.clone())).await] {
            assert_eq!((status, answer.get("result")), (500, None), "{another} {answer:#}");
            assert!(answer.to_string().contains("subject_mismatch"), "{another} {answer:#}");
        }
    }
    // What is not said is the token's, and so is what only it can say.
    let proven = json!({"type": "user", "id": "alice", "properties": {"roles": ["editor"]}});
    for own in [json!({}), json!({"id": "alice"}), json!({"properties": {"roles": ["admin"]}})] {
        let (_, answer) = ask(input(own.clone())).await;
        assert_eq!(answer["result"]["subject"], proven, "{own} {answer:#}");
        let (_, answer) = query(input(own)).await;
        assert_eq!(answer["result"][0]["x"], proven, "{answer:#}");
        assert_eq!(answer["result"][0]["t"]["sub"], "alice", "{answer:#}");
    }
    let (_, answer) = ask(json!({"attributes": {"token": good}})).await;
    assert_eq!(answer["result"]["subject"], proven, "{answer:#}");
    let (_, answer) = ask(input(json!({"id": "alice", "properties": {"floor": 3}, "tenant": "x"}))).await;
    assert_eq!(answer["result"]["subject"]["properties"], json!({"roles": ["editor"], "floor": 3}));
    assert_eq!(answer["result"]["subject"]["tenant"], "x");
    // The same by the other ways to that door; without a token, a subject is what the enforcement point says.
    let (status, answer) = post(&server, "/v0/data/echo/seen", &input(json!({"id": "mallory"}))).await;
    assert!(status == 500 && answer.to_string().contains("subject_mismatch"), "{answer:#}");
    let (_, answer) = ask(json!({"subject": "bob", "token": {"sub": "mallory"}})).await;
    assert_eq!(answer["result"], json!({"subject": "bob"}));
    let (_, answer) = query(json!({"token": {"sub": "mallory"}})).await;
    assert_eq!(answer.get("result"), None, "{answer:#}");
    // And through Envoy.
    let (allowed, _, _, input) = envoy(&server, &[("authorization", format!("Bearer {good}"))], "").await;
    assert!(allowed && input["subject"] == proven, "{input:#}");
}

#[tokio::test]
async fn where_issuers_are_configured_no_input_says_what_a_token_says() {
    let (_rig, server) = serving("").await;
    let (_, answer) =
        post(&server, "/v1/data/echo/seen", &json!({"input": {"token": {"sub": "mallory"}, "x": 1}})).await;
    assert_eq!(answer["result"], json!({"x": 1}));
    let rig = Rig::new("", "");
    rig.0.write("policies/echo.rego", ECHO);
    let server = rig.ready().await;
    let (_, answer) =
        post(&server, "/v1/data/echo/seen", &json!({"input": {"token": "the policy's own matter"}})).await;
    assert_eq!(answer["result"], json!({"token": "the policy's own matter"}));
}

async fn envoy(server: &Server, headers: &[(&str, String)], certificate: &str) -> (bool, i32, String, Json) {
    let headers: HashMap<String, String> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let http = HttpRequest { method: "GET".to_owned(), path: "/a".to_owned(), headers, ..HttpRequest::default() };
    let source = Peer { certificate: certificate.to_owned(), ..Peer::default() };
    let attributes = AttributeContext {
        source: Some(source),
        request: Some(Request { http: Some(http), ..Request::default() }),
        ..AttributeContext::default()
    };
    let request = CheckRequest { attributes: Some(attributes) };
    let mut client = AuthorizationClient::new(server.channel().await);
    let CheckResponse { status, http_response, dynamic_metadata, .. } =
        client.check(request).await.unwrap().into_inner();
    let shown = format!("{dynamic_metadata:?}");
    let input = dynamic_metadata.and_then(|metadata| match metadata.fields.get("input")?.kind.as_ref()? {
        Kind::StringValue(text) => serde_json::from_str(text).ok(),
        _ => None,
    });
    let code = match http_response.unwrap() {
        HttpResponse::DeniedResponse(denied) => denied.status.unwrap().code,
        _ => 200,
    };
    (status.unwrap().code == 0, code, shown, input.unwrap_or_default())
}

#[tokio::test]
async fn envoy_has_the_requests_bearer_token_verified() {
    let (_rig, server) = serving(ON).await;
    let good = token(&json!({}));
    let authorization = |text: String| [("authorization", text), ("x-other", "kept".to_owned())];
    let (allowed, _, _, input) = envoy(&server, &authorization(format!("Bearer {good}")), "").await;
    assert!(allowed);
    assert_eq!(input["token"]["sub"], "alice");
    assert_eq!(input["attributes"]["request"]["http"]["headers"], json!({"x-other": "kept"}));
    assert!(!input.to_string().contains(&good));
    let old = token(&json!({"exp": 1}));
    for (text, code) in [
        (format!("Bearer {old}"), "token_expired"),
        (format!("bearer {good},Bearer {good}"), "token_malformed"),
        ("Bearer  ".to_owned(), "token_malformed"),
        (format!("DPoP {}", token(&json!({"cnf": {"jkt": "x"}}))), "proof_mismatch"),
    ] {
        let (allowed, status, shown, _) = envoy(&server, &authorization(text), "").await;
        assert!(!allowed && status == 401 && shown.contains(code), "{code}: {status} {shown}");
    }
    // What is no token stays, and nobody is believed by it.
    let (allowed, _, _, input) = envoy(&server, &authorization("Basic YWxpY2U6eA==".to_owned()), "").await;
    assert!(allowed && input.get("token").is_none());
    assert_eq!(input["attributes"]["request"]["http"]["headers"]["authorization"], "Basic YWxpY2U6eA==");
    // The client's certificate is the proof that Envoy has seen (RFC 8705).
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap().self_signed(&key).unwrap();
    let thumbprint = encoded(Sha256::digest(certificate.der()));
    let bound = format!("Bearer {}", token(&json!({"cnf": {"x5t#S256": thumbprint}})));
    let pem = percent_encoding::utf8_percent_encode(&certificate.pem(), percent_encoding::NON_ALPHANUMERIC).to_string();
    let (allowed, _, _, input) = envoy(&server, &authorization(bound.clone()), &pem).await;
    assert!(allowed);
    assert_eq!(input["token"]["verified"]["bindings"], json!(["x5t#S256"]));
    let (allowed, status, ..) = envoy(&server, &authorization(bound), "").await;
    assert!(!allowed && status == 401);
}

#[tokio::test]
async fn a_door_that_is_not_told_so_looks_for_no_token() {
    let (_rig, server) = serving("").await;
    let mut asked = question(&json!({"token": "anything"}));
    asked["subject"] = json!({"type": "user", "id": "bob"});
    let (_, answer) = post(&server, "/access/v1/evaluation", &asked).await;
    assert_eq!(answer["context"]["token"], json!(null));
    let (allowed, _, _, input) = envoy(&server, &[("authorization", "Bearer x".to_owned())], "").await;
    assert!(allowed && input.get("token").is_none());
}
