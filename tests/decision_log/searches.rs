//! A search has one record: who asked for what, and what it came to. Its candidates have none.

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;
use verdict::api::grpc::proto::{Action, SearchSubjectsRequest, search_service_client::SearchServiceClient};

use crate::{
    rig::{Rig, ask, question, stop},
    support::{Server, assert_refused, resource_of, subject_of},
};

/// Beside the policy of every test here.
const POLICY: &str = "package people

default allow := false

allow if input.subject.id in {\"u3\", \"u7\"}

subjects := [sprintf(\"u%d\", [n]) | some n in numbers.range(1, 10)]

actions := [\"read\"]
";

const SINKS: &str = "all: {type: file, path: DIR/all.log}
opa: {type: file, path: DIR/opa.log, format: opa}
allows: {type: file, path: DIR/allows.log, filter: {effects: [allow]}}
sampled: {type: file, path: DIR/sampled.log, filter: {sample_allows: 0%, sample_denies: 0%}}
masked: {type: file, path: DIR/masked.log, mask: {remove: [/input/context]}}";

fn rig(sinks: &str) -> Rig {
    Rig::new(sinks, &[("people.rego", POLICY)])
}

async fn search(server: &Server, what: &str, headers: &str, body: &Json) -> (u16, Json, String) {
    let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
    let body = body.to_string();
    let length = body.len();
    let request = format!(
        "POST /access/v1/search/{what} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let id = head.lines().find_map(|line| line.strip_prefix("verdict-decision-id: ")).unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default(), id.to_owned())
}

fn asked() -> Json {
    json!({
        "subject": {"type": "user", "properties": {"team": "x"}}, "action": {"name": "read"},
        "resource": {"type": "document", "id": "1"}, "context": {"ip": "10.0.0.1", "password": "hunter2"},
    })
}

#[tokio::test]
async fn a_search_has_one_record_with_what_it_came_to() {
    let rig = rig(SINKS);
    let mut server = rig.serve().arg("--default-policy").arg("data.people").ready().await;
    let (_, found, whole) = search(&server, "subject", "x-request-id: mine\r\n", &asked()).await;
    assert_eq!(found["results"].as_array().unwrap().len(), 2);
    let mut page = asked();
    page["page"] = json!({"limit": 1});
    let (_, found, first) = search(&server, "subject", "", &page).await;
    page["page"] = json!({"token": found["page"]["next_token"]});
    let (_, _, second) = search(&server, "subject", "", &page).await;
    let mut actions = asked();
    actions["subject"]["id"] = json!("u3");
    let (_, _, of_actions) = search(&server, "action", "", &actions).await;
    // What is no search has no record.
    assert_eq!(search(&server, "resource", "", &actions).await.0, 501);
    assert_eq!(search(&server, "subject", "", &json!({})).await.0, 400);

    let request = SearchSubjectsRequest {
        subject: Some(subject_of("user:")),
        action: Some(Action { name: "read".to_owned(), properties: None }),
        resource: Some(resource_of("document:1")),
        policy: "data.people.allow".to_owned(),
        ..SearchSubjectsRequest::default()
    };
    let mut client = SearchServiceClient::new(server.channel().await);
    let answer = client.search_subjects(request).await.unwrap();
    let over_grpc = answer.metadata().get("verdict-decision-id").unwrap().to_str().unwrap().to_owned();
    let mut stream = answer.into_inner();
    let mut results = 0;
    while stream.message().await.unwrap().is_some() {
        results += 1;
    }
    assert_eq!(results, 2);
    ask(&server, "bob", &json!({})).await;
    stop(&mut server).await;

    let records = rig.lines("all.log");
    let schema: Json = serde_json::from_str(include_str!("../../docs/decision-record.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for record in &records {
        let errors: Vec<String> = schema.iter_errors(record).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{record:#}");
    }
    let mut worse = records[0].clone();
    worse.as_object_mut().unwrap().remove("search");
    assert!(!schema.is_valid(&worse), "the schema says no to a search that came to nothing");
    let mut worse = records[5].clone();
    worse["effect"] = json!("search");
    assert!(!schema.is_valid(&worse), "{worse:#}");

    let ids: Vec<_> = records.iter().map(|record| record["decision_id"].as_str().unwrap()).collect();
    assert_eq!(ids[..5], [&whole, &first, &second, &of_actions, &over_grpc]);
    assert_eq!(records.len(), 6, "{records:#?}");
    let summaries: Vec<_> = records.iter().map(|record| record["search"].clone()).collect();
    let summary = |what: &str, candidates: u64, decided: u64, allowed: u64, complete: bool| json!({"for": what, "candidates": candidates, "decided": decided, "allowed": allowed, "complete": complete});
    assert_eq!(summaries[0], summary("subject", 10, 10, 2, true));
    assert_eq!(summaries[1], summary("subject", 10, 3, 1, false));
    assert_eq!(summaries[2], summary("subject", 10, 7, 1, true));
    assert_eq!(summaries[3], summary("action", 1, 1, 1, true));
    assert_eq!(summaries[4], summary("subject", 10, 10, 2, true));
    assert_eq!(summaries[5], json!(null));

    let [one, .., of_actions, grpc, _] = records.as_slice() else { panic!() };
    assert_eq!((&one["asks"], &one["effect"], &one["door"]), (&json!("search"), &json!("search"), &json!("authzen")));
    assert_eq!((&one["request_id"], &one["entry_point"]), (&json!("mine"), &json!("data.people")));
    assert_eq!(one["input"]["subject"], json!({"type": "user", "properties": {"team": "x"}}));
    assert_eq!(one["input"]["resource"], json!({"type": "document", "id": "1"}));
    assert_eq!(one["input"]["context"], json!({"ip": "10.0.0.1"}), "secrets go first");
    assert_eq!(one["reasons"], json!([]));
    assert!(one["revision"]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!((of_actions["input"].get("action"), &of_actions["input"]["subject"]["id"]), (None, &json!("u3")));
    assert_eq!((&grpc["door"], &grpc["entry_point"]), (&json!("grpc"), &json!("data.people.allow")));

    let opa = &rig.lines("opa.log")[0];
    assert_eq!((&opa["path"], &opa["custom"]["effect"]), (&json!("people"), &json!("search")));
    assert_eq!(opa["custom"]["search"], summaries[0]);
    assert!(rig.lines("allows.log").is_empty(), "a search is neither an allow nor a deny");
    assert_eq!(rig.lines("sampled.log").len(), 5, "nor sampled as one");
    assert_eq!(rig.lines("masked.log")[0]["input"].get("context"), None);

    for log in ["all.log", "opa.log"] {
        let out = |arguments: &[&str]| {
            let ended = rig.log(arguments);
            assert_eq!(ended.code, Some(0), "{log} {arguments:?}: {}", ended.stderr);
            ended.stdout
        };
        let searches = out(&["tail", log, "--effect", "search"]);
        assert_eq!(searches.lines().count(), 5, "{searches}");
        let words = "user:* read document:1  2 of 10 allowed, of 10 candidates for subject";
        assert!(searches.lines().next().unwrap().contains(words), "{searches}");
        assert!(searches.contains("1 of 3 allowed, of 10 candidates for subject, not to the end"), "{searches}");
        let shown = out(&["show", of_actions["decision_id"].as_str().unwrap(), log]);
        assert!(shown.contains("1 of 1 allowed, of 1 candidates for action"), "{shown}");
        let stats: Json = serde_json::from_str(&out(&["stats", log, "--json"])).unwrap();
        assert!(
            stats["by"]["effect"].as_array().unwrap().contains(&json!({"name": "search", "count": 5})),
            "{stats:#}"
        );
    }
}

#[tokio::test]
async fn a_search_that_nobody_reads_to_its_end_is_recorded_all_the_same() {
    let rig = rig("all: {type: file, path: DIR/all.log}");
    let many = POLICY.replace("(1, 10)", "(1, 9000)").replace(" in {\"u3\", \"u7\"}", " != \"\"");
    rig.folder.write("policies/people.rego", &many);
    let mut server = rig.serve().arg("--default-policy").arg("data.people").ready().await;
    let request = SearchSubjectsRequest {
        subject: Some(subject_of("user:")),
        action: Some(Action { name: "read".to_owned(), properties: None }),
        resource: Some(resource_of("document:1")),
        ..SearchSubjectsRequest::default()
    };
    let mut client = SearchServiceClient::new(server.channel().await);
    let mut stream = client.search_subjects(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    drop((stream, client));
    let records = rig.logged("all.log", 1).await;
    assert_eq!(records[0]["search"]["candidates"], 9000);
    stop(&mut server).await;
    assert_eq!(rig.lines("all.log").len(), 1);
}

#[tokio::test]
async fn what_must_be_recorded_and_can_not_be_is_no_success() {
    let rig = rig("audit: {type: http, url: 'http://127.0.0.1:9/logs', mode: durable, \
         spool: {path: DIR/audit.redb, max_bytes: 8KiB, when_full: fail_closed}}");
    let mut server = rig.serve().arg("--default-policy").arg("data.people").ready().await;
    assert_eq!(search(&server, "subject", "", &asked()).await.0, 200, "there is room for the first");
    for _ in 0..40 {
        crate::rig::post(&server, "", "", &question("alice", &json!({})).to_string()).await;
    }
    let (status, body, _) = search(&server, "subject", "", &asked()).await;
    assert_eq!((status, body), (500, json!(null)));
    let request = SearchSubjectsRequest {
        subject: Some(subject_of("user:")),
        action: Some(Action { name: "read".to_owned(), properties: None }),
        resource: Some(resource_of("document:1")),
        ..SearchSubjectsRequest::default()
    };
    let mut client = SearchServiceClient::new(server.channel().await);
    // Its record is smaller than those before: there may be room for a few.
    let mut refused = None;
    for _ in 0..20 {
        let mut stream = client.search_subjects(request.clone()).await.unwrap().into_inner();
        refused = loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(status) => break Some(status),
            }
        };
        if refused.is_some() {
            break;
        }
    }
    assert_refused(&refused.expect("the end is an error"), Code::Internal, "SEARCH_FAILED");
    stop(&mut server).await;
}
