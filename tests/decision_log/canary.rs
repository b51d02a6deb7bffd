//! A secret in every place that a request has is in no log, no record, no metric and no reply.

use serde_json::json;
use verdict::api::grpc::proto::{CheckRequest, Credential};

use crate::{
    rig::{Rig, post, question, stop},
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
