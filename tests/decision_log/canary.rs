//! A secret in every place that a request has is in no log, no record, no metric and no reply.

use serde_json::json;

use verdict::api::grpc::proto::{BatchCheckItem, BatchCheckRequest, CheckRequest, CheckStreamRequest, Credential};

use crate::{
    envoy_client,
    rig::{Rig, post, post_to, question, stop},
    support::{Ask as _, object, question as check, to},
};

const CANARY: &str = "cAnArY-7f3d2c91b5e84a60";

#[tokio::test]
async fn a_canary_in_every_place_is_seen_nowhere() {
    // A policy that repeats what it is told, in every text that it has.
    let leaky = format!(
        "package authz
import rego.v1
explained contains reason if {{
	some key in [\"note\", \"ip\"]
	reason := {{\"code\": sprintf(\"c-%v\", [input.context[key]]), \"message\": sprintf(\"%v\", [input.context]), \"user_message\": sprintf(\"%v\", [input.context.password])}}
}}
leaks := {{\"allow\": false, \"reasons\": explained, \"context\": {{\"seen\": input.context}}, \"obligations\": [{{\"id\": input.context.password}}]}}
fails := 1 / 0 if input.context.password == \"{CANARY}\"
conflict := input.context.password
conflict := \"x\" if input.context.password
"
    );
    let sinks = "native: {type: file, path: DIR/native.log}
opa: {type: file, path: DIR/opa.log, format: opa}
durable: {type: file, path: DIR/durable.log, mode: durable, spool: {path: DIR/spool.redb}}";
    let rig = Rig::new(sinks, &[("leaky.rego", &leaky)]);
    let serve = rig.serve().env("VERDICT_LOG_LEVEL", "debug").arg("--default-policy").arg("data.authz.decision");
    let mut server = serve.ready().await;

    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjQW5BclktN2YzZDJjOTFiNWU4NGE2MCJ9.c2lnbmF0dXJl";
    let context = json!({
        "password": CANARY, "note": format!("it is {CANARY}"), "ip": format!("Bearer {CANARY}"),
        "nested": {"access_token": [CANARY, {"deep": CANARY}]}, "authorization": format!("Bearer {CANARY}"),
        "cookie": format!("session={CANARY}"), "free": jwt, "x-api-key": CANARY,
    });
    let mut replies = String::new();
    let headers = format!(
        "authorization: Bearer {CANARY}\r\ncookie: s={CANARY}\r\nx-api-key: {CANARY}\r\ntraceparent: {CANARY}\r\n"
    );
    let mut body = question("alice", &context);
    body["subject"]["properties"] = json!({"client_secret": CANARY});
    body["resource"]["properties"] = json!({"token": CANARY});
    body["action"]["properties"] = json!({"api_key": CANARY});
    replies += &post(&server, &format!("?access_token={CANARY}"), &headers, &body.to_string()).await;
    // What is no question, and what it is told.
    for wrong in [
        format!("{{\"subject\": {{\"type\": \"{CANARY}\"}}, \"token\": \"{CANARY}\""),
        json!({"subject": CANARY, "action": {"name": "read"}, "resource": {"type": "d", "id": "1"}}).to_string(),
        json!({"subject": {"type": "user", "id": {"password": CANARY}}}).to_string(),
    ] {
        replies += &post(&server, &format!("?{CANARY}"), &headers, &wrong).await;
    }
    replies += &server.http("GET", &format!("/{CANARY}?token={CANARY}")).await.2;

    let mut client = server.client().await;
    for policy in ["data.authz.leaks", "data.authz.fails", "data.authz.conflict", "data.authz.decision"] {
        let mut asked = to(policy);
        asked.context = Some(object(context.clone()));
        asked.explain = 2;
        client.ask(asked).await;
    }
    // In the metadata of a call.
    let mut call = tonic::Request::new(check());
    call.metadata_mut().insert("authorization", format!("Bearer {CANARY}").parse().unwrap());
    call.metadata_mut().insert("x-secret", CANARY.parse().unwrap());
    client.check(call).await.unwrap();
    // As a credential, which nobody can verify here.
    let credential = Credential { token: format!("{CANARY}.{CANARY}.{CANARY}"), proof: None };
    assert!(!format!("{credential:?}").contains(CANARY));
    let denied = client.ask(CheckRequest { credential: Some(credential), explain: 2, ..check() }).await;
    assert_eq!(denied.reasons[0].code, "credentials_not_configured");
    // As a name of a rule that there is not.
    let refused = client.check(to(&format!("{CANARY}("))).await;
    assert!(refused.is_err());
    let metrics = server.http("GET", "/metrics").await.2;
    stop(&mut server).await;

    let log: String = server.lines().iter().map(ToString::to_string).collect();
    for (place, text) in [
        ("the log", &log),
        ("the metrics", &metrics),
        ("the replies", &replies),
        ("the records", &std::fs::read_to_string(rig.path("native.log")).unwrap()),
        ("OPA's records", &std::fs::read_to_string(rig.path("opa.log")).unwrap()),
        ("the durable records", &std::fs::read_to_string(rig.path("durable.log")).unwrap()),
        ("the spool", &String::from_utf8_lossy(&std::fs::read(rig.path("spool.redb")).unwrap()).into_owned()),
    ] {
        let found = text.find(CANARY).map(|at| &text[at.saturating_sub(300)..(at + 100).min(text.len())]);
        assert_eq!(found, None, "{place}");
        assert!(!text.contains("eyJzdWIi"), "{place}");
    }
    let records = rig.lines("native.log");
    assert_eq!(records.len(), 7, "{records:#?}");
    for record in &records[1..5] {
        assert_eq!(record["input"]["context"]["nested"], json!({}), "{record:#}");
    }
}

/// Everything that a reply over gRPC has: of a refusal its message, details and metadata.
fn told<T: std::fmt::Debug>(reply: Result<tonic::Response<T>, tonic::Status>) -> String {
    match reply {
        Ok(answer) => format!("{:?} {:?}", answer.metadata(), answer.get_ref()),
        Err(status) => {
            format!("{status:?} {} {}", status.message(), String::from_utf8_lossy(status.details()))
        }
    }
}

#[tokio::test]
async fn a_canary_is_in_no_reply_of_any_door_and_in_no_record_of_it() {
    // What policies say on their own is theirs to say; these say nothing, or fail on what they were given.
    let failing = "package failing
conflict := input.context.password
conflict := \"x\" if input.context.password
number := to_number(input.context.note) + 1
wrong := {\"allow\": input.context.note, \"reasons\": input.context.password}
";
    let doors = "package envoy.authz\n\nallow if input.attributes.request.http.headers.authorization == \"x\"\n";
    let sinks = "native: {type: file, path: DIR/native.log}\nopa: {type: file, path: DIR/opa.log, format: opa}";
    let rig = Rig::new(sinks, &[("failing.rego", failing), ("doors.rego", doors)]);
    let mut server = rig.serve().env("VERDICT_LOG_LEVEL", "debug").ready().await;
    let context = json!({"password": CANARY, "note": format!("Bearer {CANARY}"), "nested": {"api_key": [CANARY]}});
    let mut replies: Vec<(&str, String)> = Vec::new();

    // gRPC: what is decided, what fails, what is no question, in each call.
    let mut client = server.client().await;
    let with = |policy: &str| {
        let mut asked = to(policy);
        asked.context = Some(object(context.clone()));
        asked.subject.as_mut().unwrap().properties = Some(object(json!({"client_secret": CANARY})));
        asked
    };
    for policy in
        ["data.authz.decision", "data.failing.conflict", "data.failing.number", "data.failing.wrong", "data.none"]
    {
        let mut call = tonic::Request::new(with(policy));
        call.metadata_mut().insert("authorization", format!("Bearer {CANARY}").parse().unwrap());
        call.metadata_mut().insert("x-api-key", CANARY.parse().unwrap());
        replies.push(("Check", told(client.check(call).await)));
    }
    let json = |text: String| CheckRequest { query_json: text.into_bytes(), ..CheckRequest::default() };
    for wrong in [
        json(format!("{{\"subject\": {{\"type\": \"user\", \"id\": {{\"password\": \"{CANARY}\"}}}}}}")),
        json(format!("{{\"context\": {{\"password\": \"{CANARY}\", \"password\": \"{CANARY}\"}}}}")),
        json(format!("{{\"context\": \"{CANARY}")),
        json(CANARY.to_owned()),
        json(json!({"subject": CANARY, "context": [CANARY], "token": CANARY}).to_string()),
        CheckRequest { query_json: CANARY.into(), ..with("data.authz") },
        CheckRequest { request_id: CANARY.repeat(20), ..with("data.authz") },
        CheckRequest { subject: None, ..with("data.authz") },
    ] {
        let item = BatchCheckItem {
            subject: wrong.subject.clone(),
            context: wrong.context.clone(),
            query_json: wrong.query_json.clone(),
            ..BatchCheckItem::default()
        };
        let batch = BatchCheckRequest { items: vec![item], ..BatchCheckRequest::default() };
        replies.push(("BatchCheck", told(client.batch_check(batch).await)));
        let question =
            CheckStreamRequest { question: Some(CheckRequest { request_id: "1".to_owned(), ..wrong.clone() }) };
        let stream = client.check_stream(futures::stream::iter([question])).await;
        let mut answers = stream.unwrap().into_inner();
        while let Ok(Some(answer)) = answers.message().await {
            replies.push(("CheckStream", format!("{answer:?}")));
        }
        let reply = client.check(wrong).await;
        assert!(reply.is_err());
        replies.push(("Check", told(reply)));
    }

    // Envoy: in headers, the query, the body.
    let headers =
        [("authorization", &*format!("Bearer {CANARY}")), ("cookie", &*format!("s={CANARY}")), ("x-api-key", CANARY)];
    let mut http = envoy_client::http("POST", &format!("/a?access_token={CANARY}"), &headers);
    http.body = json!({"password": CANARY}).to_string();
    replies.push(("Envoy", format!("{:?}", envoy_client::check(&server, envoy_client::of(http)).await.response)));

    // HTTP: OPA's and MCP's.
    let headers = format!("authorization: Bearer {CANARY}\r\nx-api-key: {CANARY}\r\n");
    let input = json!({"input": {"context": context, "token": CANARY}}).to_string();
    for path in ["failing/conflict", "failing/number", "none"] {
        let path = format!("/v1/data/{path}?token={CANARY}");
        replies.push(("OPA", post_to(&server, &path, &headers, &input).await));
    }
    for wrong in [&input[..input.len() - 3], "{\"input\": {\"a\": 1, \"a\": 2}}", CANARY] {
        replies.push(("OPA", post_to(&server, "/v1/data/failing/conflict", &headers, wrong).await));
    }
    let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": {"name": "t", "arguments": {"password": CANARY, "nested": {"token": CANARY}}, "_meta": {"token": CANARY}}});
    for body in [
        json!({"server": "https://mcp.example.com/mcp", "message": call}).to_string(),
        json!({"server": "https://mcp.example.com/mcp", "message": {"method": {"secret": CANARY}}}).to_string(),
        format!("{{\"message\": {{\"token\": \"{CANARY}"),
    ] {
        replies.push(("MCP", post_to(&server, "/mcp/v1/check", &headers, &body).await));
    }
    let metrics = server.http("GET", "/metrics").await.2;
    stop(&mut server).await;

    for (door, reply) in &replies {
        assert!(!reply.contains(CANARY), "{door}: {reply}");
    }
    let log: String = server.lines().iter().map(ToString::to_string).collect();
    let native = std::fs::read_to_string(rig.path("native.log")).unwrap();
    let opa = std::fs::read_to_string(rig.path("opa.log")).unwrap();
    for (place, text) in
        [("the log", &log), ("the metrics", &metrics), ("the records", &native), ("OPA's records", &opa)]
    {
        let found = text.find(CANARY).map(|at| &text[at.saturating_sub(300)..(at + 100).min(text.len())]);
        assert_eq!(found, None, "{place}");
    }
    let doors: std::collections::BTreeSet<String> =
        rig.lines("native.log").iter().map(|record| record["door"].as_str().unwrap().to_owned()).collect();
    for door in ["grpc", "envoy", "opa", "mcp"] {
        assert!(doors.contains(door), "{doors:?}");
    }
}
