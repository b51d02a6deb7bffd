//! Bytes as a message of `verdict.v1`. The first one chooses the method.

use prost::Message as _;
use verdict::{
    api::grpc::{
        proto::{
            Action, Actor, AuthorizeRequest, BatchCheckItem, BatchCheckRequest, BatchCheckResponse, CheckRequest,
            CheckResponse, CheckStreamRequest, Credential, Effect, FilterToolsRequest, Freshness, IssuanceClient,
            IssuanceParty, McpCaller, McpHeader, McpHeaders, McpServiceCheckRequest, McpServiceCheckResponse, Proof,
            Resource, SearchActionsRequest, SearchSubjectsRequest, Subject, Verdict, mcp_caller::Identity,
        },
        wire,
    },
    decision::{Object, Value},
};

use super::{chosen, holds, server};

const METHODS: [&str; 9] = [
    "/verdict.v1.DecisionService/Check",
    "/verdict.v1.DecisionService/BatchCheck",
    "/verdict.v1.DecisionService/CheckStream",
    "/verdict.v1.SearchService/SearchSubjects",
    "/verdict.v1.SearchService/SearchResources",
    "/verdict.v1.SearchService/SearchActions",
    "/verdict.v1.IssuanceService/Authorize",
    "/verdict.v1.McpService/Check",
    "/verdict.v1.McpService/FilterTools",
];

/// An answer or a refusal, and no allow without the word.
pub fn run(bytes: &[u8]) {
    let Some((choice, message)) = bytes.split_first() else { return };
    let choice = usize::from(*choice) % METHODS.len();
    let Ok(answers) = server::grpc(METHODS[choice], message) else { return };
    // JSON in a message may have it escaped.
    let said = holds(message, server::WORD.as_bytes()) || holds(message, b"\\u");
    for answer in answers {
        let verdicts: Vec<Verdict> = match choice {
            0 => CheckResponse::decode(&*answer).unwrap().verdict.into_iter().collect(),
            1 => BatchCheckResponse::decode(&*answer).unwrap().verdicts,
            7 => McpServiceCheckResponse::decode(&*answer).unwrap().verdict.into_iter().collect(),
            _ => return,
        };
        for verdict in verdicts {
            server::hold(verdict.effect() == Effect::Allow, || said, || format!("{verdict:?}"));
            assert!(verdict.effect() == Effect::Allow || !verdict.reasons.is_empty(), "{verdict:?}");
        }
    }
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let message = |choice: u8, message: Vec<u8>| chosen(choice, message);
    let (allow, deny) = (question("open sesame"), question("alice"));
    let json = CheckRequest {
        query_json: br#"{"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"}, "resource": {"type": "d", "id": "1"}}"#.to_vec(),
        policy: "data.authz.decision".to_owned(),
        explain: 2,
        at_least_as_fresh: Some(Freshness { sequence: 1, ..Freshness::default() }),
        ..CheckRequest::default()
    };
    let proof = Some(Proof { jkt: "k".to_owned(), x5t_s256: String::new() });
    let credential = Some(Credential { token: "a.b.c".to_owned(), proof });
    let token = CheckRequest { subject: None, credential, at_revision: 1, ..question("alice") };
    let item = |id: &str| BatchCheckItem { subject: question(id).subject, ..BatchCheckItem::default() };
    let batch = BatchCheckRequest {
        action: deny.action.clone(),
        resource: deny.resource.clone(),
        items: vec![item("alice"), item("open sesame"), BatchCheckItem::default()],
        semantics: 3,
        ..BatchCheckRequest::default()
    };
    let stream = CheckStreamRequest { question: Some(question("alice")) };
    let subjects = SearchSubjectsRequest {
        subject: Some(Subject { id: String::new(), ..deny.subject.clone().unwrap() }),
        action: deny.action.clone(),
        resource: deny.resource.clone(),
        ..SearchSubjectsRequest::default()
    };
    let actions = SearchActionsRequest {
        subject: deny.subject.clone(),
        resource: deny.resource.clone(),
        ..SearchActionsRequest::default()
    };
    let party = |id: &str| IssuanceParty { r#type: "user".to_owned(), id: id.to_owned(), properties: None };
    let actor = Actor { party: Some(party("bot")), actor: None };
    let issuance = AuthorizeRequest {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange".to_owned(),
        client: Some(IssuanceClient { id: "app".to_owned(), ..IssuanceClient::default() }),
        subject: Some(party("alice")),
        actor: Some(Actor { party: Some(party("agent")), actor: Some(Box::new(actor)) }),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        authorization_details: vec![object()],
        audience: vec!["https://api.example".to_owned()],
        ..AuthorizeRequest::default()
    };
    let claims = Identity::ClaimsJson(br#"{"sub": "alice", "act": {"sub": "bot"}}"#.to_vec());
    let caller = McpCaller { server: "https://mcp.example".to_owned(), identity: Some(claims), ..McpCaller::default() };
    let mcp = McpServiceCheckRequest {
        message: br#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read"}}"#.to_vec(),
        caller: Some(caller.clone()),
        headers: Some(McpHeaders {
            headers: vec![McpHeader { name: "Mcp-Method".to_owned(), value: "tools/call".to_owned() }],
        }),
        ..McpServiceCheckRequest::default()
    };
    let tools = FilterToolsRequest {
        result_json: br#"{"tools": [{"name": "read"}, {"name": "open sesame"}]}"#.to_vec(),
        caller: Some(caller),
    };
    vec![
        ("check-deny", message(0, deny.encode_to_vec())),
        ("check-allow", message(0, allow.encode_to_vec())),
        ("check-json", message(0, json.encode_to_vec())),
        ("check-token", message(0, token.encode_to_vec())),
        ("batch", message(1, batch.encode_to_vec())),
        ("stream", message(2, stream.encode_to_vec())),
        ("search-subjects", message(3, subjects.encode_to_vec())),
        ("search-actions", message(5, actions.encode_to_vec())),
        ("issuance", message(6, issuance.encode_to_vec())),
        ("mcp", message(7, mcp.encode_to_vec())),
        ("mcp-tools", message(8, tools.encode_to_vec())),
    ]
}

fn question(subject: &str) -> CheckRequest {
    CheckRequest {
        subject: Some(Subject { r#type: "user".to_owned(), id: subject.to_owned(), properties: Some(object()) }),
        action: Some(Action { name: "read".to_owned(), properties: None }),
        resource: Some(Resource { r#type: "document".to_owned(), id: "1".to_owned(), properties: Some(object()) }),
        context: Some(object()),
        ..CheckRequest::default()
    }
}

fn object() -> wire::Object {
    let inner: Object = [("c".to_owned(), Value::from("d"))].into_iter().collect();
    let values = vec![Value::Null, Value::Bool(true), Value::from("text"), Value::Object(inner)];
    let members = [("a".to_owned(), Value::Array(values))].into_iter().collect();
    wire::Object { members, ..wire::Object::default() }
}
