//! Tokens beside messages of MCP, over HTTP and gRPC.

use serde_json::{Value as Json, json};
use tonic::Code;
use verdict::api::grpc::proto::{
    Credential, FilterToolsRequest, McpCaller, McpServiceCheckRequest, Proof, Verdict, mcp_caller::Identity,
    mcp_service_client::McpServiceClient,
};

use crate::{
    doors::post,
    forge::token,
    rig::{MAIN, Rig, seen},
    support::{Server, assert_denied},
};

const CALL: &str =
    r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read", "arguments": {}}}"#;

async fn serving() -> (Rig, Server) {
    let rig = Rig::new(MAIN, "decision_log: {sinks: {file: {type: file, path: DIR/records.log}}}\n");
    let server = rig.with_keys().await;
    (rig, server)
}

fn body(more: &Json) -> Json {
    let mut body = json!({"server": "https://mcp.example/mcp", "message": CALL});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn check(server: &Server, more: &Json) -> Json {
    let (status, answer) = post(server, "/mcp/v1/check", &body(more)).await;
    assert_eq!(status, 200, "{answer:#}");
    answer
}

fn caller(token: &str, proof: Option<Proof>) -> McpCaller {
    let credential = Credential { token: token.to_owned(), proof };
    McpCaller {
        server: "https://mcp.example/mcp".to_owned(),
        identity: Some(Identity::Credential(credential)),
        ..McpCaller::default()
    }
}

async fn verdict(server: &Server, caller: McpCaller) -> Verdict {
    let mut client = McpServiceClient::connect(format!("http://{}", server.grpc)).await.unwrap();
    let request =
        McpServiceCheckRequest { message: CALL.into(), caller: Some(caller), ..McpServiceCheckRequest::default() };
    client.check(request).await.unwrap().into_inner().verdict.unwrap()
}

#[tokio::test]
async fn the_subject_of_a_message_is_the_tokens() {
    let (rig, mut server) = serving().await;
    let good = token(&json!({"act": {"sub": "agent-1"}}));
    let answer = check(&server, &json!({"token": good})).await;
    assert_eq!(answer["decision"], true, "{answer:#}");
    let seen_http = &answer["context"];
    assert_eq!(seen_http["subject"], json!({"type": "user", "id": "alice", "properties": {"roles": ["editor"]}}));
    assert_eq!(seen_http["token"]["verified"]["issuer"], "main");
    assert_eq!(seen_http["context"]["agent"], "agent-1");
    let seen_grpc = seen(&verdict(&server, caller(&good, None)).await);
    assert_eq!((&seen_grpc["subject"], &seen_grpc["token"]["sub"]), (&seen_http["subject"], &json!("alice")));
    // Without an actor the client is the agent; what an enforcement point only states is not under `token`.
    assert_eq!(check(&server, &json!({"token": token(&json!({}))})).await["context"]["context"]["agent"], "app");
    let stated = check(&server, &json!({"claims": {"sub": "alice"}})).await;
    assert_eq!(
        (&stated["context"]["token"], &stated["context"]["subject"]["type"]),
        (&json!(null), &json!("identity"))
    );
    server.signal("TERM");
    assert!(server.ended().await.success(), "{:#?}", server.lines());
    let records = std::fs::read_to_string(rig.0.join("records.log")).unwrap();
    assert!(records.contains("\"door\":\"mcp\"") && !records.contains(&good), "{records}");
}

#[tokio::test]
async fn a_token_that_is_not_good_is_a_deny_with_a_challenge() {
    let (_rig, server) = serving().await;
    let bound = json!({"cnf": {"jkt": "a"}});
    for (claims, code) in [
        (json!({"exp": 1}), "token_expired"),
        (json!({"aud": "other"}), "audience_mismatch"),
        (json!({"iss": "https://other.example"}), "issuer_unknown"),
        (bound.clone(), "proof_mismatch"),
    ] {
        let bad = token(&claims);
        let answer = check(&server, &json!({"token": bad})).await;
        assert_eq!(answer["decision"], false, "{answer:#}");
        assert!(answer["context"]["reason_admin"].as_object().unwrap().contains_key(code), "{answer:#}");
        let response = &answer["response"];
        assert_eq!((&response["status"], &response["body"]["error"]["code"]), (&json!(401), &json!(-32_001)));
        let challenge = response["headers"]["WWW-Authenticate"].as_str().unwrap();
        assert!(challenge.starts_with("Bearer error=\"invalid_token\", resource_metadata="), "{challenge}");
        assert!(!answer.to_string().contains(&bad));
        assert_denied(&verdict(&server, caller(&bad, None)).await, code);
        // A list is not shown to whom it does not prove.
        let list = json!({"token": bad, "result": {"tools": [{"name": "read"}]}});
        let (status, fault) = post(&server, "/mcp/v1/filter-tools", &body(&list)).await;
        assert!(status == 400 && fault.to_string().contains(code), "{fault}");
    }
    let bound = token(&bound);
    let answer = check(&server, &json!({"token": bound, "proof": {"jkt": "a"}})).await;
    assert_eq!(answer["decision"], true, "{answer:#}");
    let proof = Proof { jkt: "a".to_owned(), ..Proof::default() };
    seen(&verdict(&server, caller(&bound, Some(proof))).await);
}

#[tokio::test]
async fn what_stands_beside_a_token_in_vain_is_refused() {
    let (_rig, server) = serving().await;
    for more in [
        json!({"token": 7}),
        json!({"token": "a", "claims": {"sub": "alice"}}),
        json!({"proof": {"jkt": "a"}}),
        json!({"token": "a", "proof": {"jkt": 7}}),
        json!({"token": "a", "proof": "a"}),
    ] {
        assert_eq!(post(&server, "/mcp/v1/check", &body(&more)).await.0, 400, "{more}");
    }
    let answer = check(&server, &json!({"token": ""})).await;
    assert!(answer["context"]["reason_admin"].as_object().unwrap().contains_key("token_malformed"), "{answer:#}");
    let mut client = McpServiceClient::connect(format!("http://{}", server.grpc)).await.unwrap();
    let list = FilterToolsRequest { result_json: b"{\"tools\": []}".to_vec(), caller: Some(caller("a.b.c", None)) };
    assert_eq!(client.filter_tools(list).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_token_where_no_issuer_is_configured_is_a_deny() {
    let rig = Rig::new("", "");
    let server = rig.ready().await;
    let answer = check(&server, &json!({"token": token(&json!({}))})).await;
    assert_eq!((&answer["decision"], &answer["response"]["status"]), (&json!(false), &json!(500)), "{answer:#}");
    assert!(answer["context"]["reason_admin"].as_object().unwrap().contains_key("credentials_not_configured"));
}
