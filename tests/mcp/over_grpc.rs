//! `verdict.v1.McpService`: what the door over HTTP says, it says, too; and what is no call gets.

use serde_json::{Value as Json, json};
use tonic::{Code, Request, Status, transport::Channel};
use verdict::api::grpc::proto::{
    Effect, FilterToolsRequest, McpCaller, McpHeader, McpHeaders, McpServiceCheckRequest, McpServiceCheckResponse,
    mcp_caller::Identity, mcp_service_client::McpServiceClient,
};

use crate::{
    check::SERVER,
    client::policy,
    raw,
    support::{Server, assert_refused, object},
};

const METHOD: &str = "/verdict.v1.McpService/Check";
const ECHO: &str = "package p\n\ndecision := {\"allow\": true, \"context\": {\"input\": input}}\n";

pub(crate) async fn client(server: &Server) -> McpServiceClient<Channel> {
    McpServiceClient::connect(format!("http://{}", server.grpc)).await.unwrap()
}

/// Asks what `/mcp/v1/check` was asked with that body, and holds the answer to its.
pub(crate) async fn agrees(server: &Server, body: &Json, answer: &Json) {
    let told = client(server).await.check(request(body)).await.unwrap().into_inner();
    let verdict = told.verdict.as_ref().unwrap();
    assert_eq!(verdict.effect() == Effect::Allow, answer["decision"] == true, "{body}: {told:?}");
    let codes: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
    let told_http: Vec<&str> =
        answer["context"]["reason_admin"].as_object().into_iter().flatten().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, told_http, "{body}");
    assert_eq!(sent_back(&told), without_id(answer["response"].clone()), "{body}");
}

fn request(body: &Json) -> McpServiceCheckRequest {
    let message = match &body["message"] {
        Json::String(text) => text.clone(),
        message => message.to_string(),
    };
    let headers = body.get("headers").map(|headers| {
        let values = |value: &Json| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        let each = headers.as_object().unwrap().iter().flat_map(|(name, value)| {
            let header = |value: Json| McpHeader { name: name.clone(), value: value.as_str().unwrap().to_owned() };
            values(value).into_iter().map(header)
        });
        McpHeaders { headers: each.collect() }
    });
    let identity = body.get("claims").map(|claims| Identity::ClaimsJson(claims.to_string().into_bytes()));
    let server = body["server"].as_str().unwrap().to_owned();
    McpServiceCheckRequest {
        message: message.into_bytes(),
        caller: Some(McpCaller { server, identity, ..McpCaller::default() }),
        headers,
        untrusted_annotations: None,
    }
}

fn sent_back(told: &McpServiceCheckResponse) -> Json {
    let Some(response) = &told.response else { return Json::Null };
    let headers: serde_json::Map<String, Json> =
        response.headers.iter().map(|header| (header.name.clone(), header.value.clone().into())).collect();
    let mut back = json!({"status": response.status, "headers": headers});
    if !response.body.is_empty() {
        back["body"] = serde_json::from_slice(&response.body).unwrap();
    }
    without_id(back)
}

fn without_id(mut response: Json) -> Json {
    if let Some(data) = response.pointer_mut("/body/error/data") {
        assert!(data["decision_id"].as_str().is_some_and(|id| !id.is_empty()));
        *data = Json::Null;
    }
    response
}

fn ping() -> McpServiceCheckRequest {
    request(
        &json!({"server": SERVER, "claims": {"sub": "a"}, "message": {"jsonrpc": "2.0", "id": 1, "method": "ping"}}),
    )
}

#[tokio::test]
async fn claims_are_a_struct_or_json_and_the_message_is_bytes() {
    let (_folder, server) = policy(ECHO).await;
    let mut client = client(&server).await;
    let asked = McpServiceCheckRequest {
        caller: Some(McpCaller {
            server: SERVER.to_owned(),
            identity: Some(Identity::Claims(object(json!({"sub": "alice", "act": {"sub": "bot"}})))),
            context: Some(object(json!({"region": "eu"}))),
            ..McpCaller::default()
        }),
        untrusted_annotations: Some(object(json!({"readOnlyHint": true}))),
        ..ping()
    };
    let told = client.check(asked).await.unwrap().into_inner();
    let input = &told.verdict.as_ref().unwrap().context.as_ref().unwrap().members;
    let input = verdict::api::json::written_object(input);
    let input = &input["input"];
    assert_eq!((&input["subject"]["id"], &input["context"]["agent"]), (&json!("alice"), &json!("bot")));
    assert_eq!(input["context"]["region"], "eu");
    assert_eq!(
        input["resource"]["properties"],
        json!({"server": SERVER, "untrusted_annotations": {"readOnlyHint": true}})
    );
    for message in [&b""[..], b"\xff", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"method\":\"ping\"}"] {
        let told = client.check(McpServiceCheckRequest { message: message.to_vec(), ..ping() }).await.unwrap();
        let told = told.into_inner();
        assert_eq!(told.verdict.as_ref().unwrap().effect(), Effect::Deny, "{told:?}");
        assert_eq!(told.verdict.as_ref().unwrap().reasons[0].code, "parse_error");
        assert_eq!(sent_back(&told)["body"]["error"]["code"], -32700);
    }
}

#[tokio::test]
async fn what_is_no_call_is_an_error() {
    let (_folder, server) = policy(ECHO).await;
    let mut client = client(&server).await;
    let caller = || McpCaller { server: SERVER.to_owned(), ..McpCaller::default() };
    let json = |text: &str| Some(Identity::ClaimsJson(text.as_bytes().to_vec()));
    for (field, caller) in [
        ("caller", None),
        ("server", Some(McpCaller::default())),
        ("server", Some(McpCaller { server: "a b".to_owned(), ..caller() })),
        ("resource_metadata", Some(McpCaller { resource_metadata: Some(String::new()), ..caller() })),
        ("resource_metadata", Some(McpCaller { resource_metadata: Some("a\r\nX: y".to_owned()), ..caller() })),
        ("claims_json", Some(McpCaller { identity: json(""), ..caller() })),
        ("claims_json", Some(McpCaller { identity: json(r#"{"sub":"a","sub":"b"}"#), ..caller() })),
        ("claims_json", Some(McpCaller { identity: json("[]"), ..caller() })),
        ("claims", Some(McpCaller { identity: json("{}"), ..caller() })),
        ("claims.sub", Some(McpCaller { identity: json(r#"{"sub":7}"#), ..caller() })),
        ("claims", Some(McpCaller { identity: Some(Identity::Claims(object(json!({})))), ..caller() })),
        ("context.agent", Some(McpCaller { context: Some(object(json!({"agent": "a"}))), ..caller() })),
    ] {
        let status = client.check(McpServiceCheckRequest { caller: caller.clone(), ..ping() }).await.unwrap_err();
        assert_eq!(assert_refused(&status, Code::InvalidArgument, "INVALID_QUERY"), [field], "{status:?}");
        let asked = FilterToolsRequest { result_json: b"{\"tools\":[]}".to_vec(), caller };
        let status = client.filter_tools(asked).await.unwrap_err();
        assert_eq!(assert_refused(&status, Code::InvalidArgument, "INVALID_QUERY"), [field], "{status:?}");
    }
    let garbage = raw::call_at(&server, METHOD, raw::frame(b"\xff\xff"), &[]).await;
    assert_refused(garbage.status(), Code::InvalidArgument, "MALFORMED_MESSAGE");
    let large = McpServiceCheckRequest { message: vec![b' '; 10 << 20], ..ping() };
    let status = client.check(large).await.unwrap_err();
    assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    let mut twice = Request::new(ping());
    for id in ["a", "b"] {
        twice.metadata_mut().append("x-request-id", id.parse().unwrap());
    }
    let status: Status = client.check(twice).await.unwrap_err();
    assert_eq!(assert_refused(&status, Code::InvalidArgument, "INVALID_QUERY"), ["X-Request-ID"]);
    assert_eq!(client.check(ping()).await.unwrap().into_inner().verdict.unwrap().effect(), Effect::Allow);
}

#[tokio::test]
async fn a_list_is_filtered_as_over_http() {
    let (_folder, server) = policy("package p\n\nallow if input.resource.id == \"read\"\n").await;
    let filter = async |result: &str| {
        let caller = McpCaller { server: SERVER.to_owned(), ..McpCaller::default() };
        let asked = FilterToolsRequest { result_json: result.as_bytes().to_vec(), caller: Some(caller) };
        client(&server).await.filter_tools(asked).await
    };
    let list =
        r#"{"n":18446744073709551617,"tools":[{"name":"other"},{"name":"read","z":1},{"name":"read","Name":"other"}]}"#;
    let kept = filter(list).await.unwrap().into_inner();
    assert_eq!(kept.result_json, br#"{"n":18446744073709551617,"tools":[{"name":"read","z":1}]}"#);
    assert!(kept.revision.unwrap().sequence > 0);
    for result in ["", "{}", "[]", r#"{"tools":{}}"#, r#"{"tools":[],"Tools":[]}"#, r#"{"tools":[],"tools":[]}"#] {
        assert_refused(&filter(result).await.unwrap_err(), Code::InvalidArgument, "INVALID_QUERY");
    }
}

#[tokio::test]
async fn the_request_id_comes_back_and_the_service_is_in_health() {
    let (_folder, server) = policy(ECHO).await;
    let mut named = Request::new(ping());
    named.metadata_mut().insert("x-request-id", "r-7".parse().unwrap());
    let verdict = client(&server).await.check(named).await.unwrap().into_inner().verdict.unwrap();
    assert_eq!(verdict.request_id, "r-7");
    assert_eq!(server.health("verdict.v1.McpService").await, Ok(1));
}
