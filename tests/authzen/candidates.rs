//! Candidates that the data names, by `search.candidates` of the configuration: over HTTP and gRPC alike.

use serde_json::{Value as Json, json};
use tonic::Code;
use verdict::api::grpc::proto::{
    Action, SearchActionsRequest, SearchSubjectsRequest, search_service_client::SearchServiceClient,
};

use crate::{
    client::{Answer, post, wide},
    support::{Folder, Serve, Server, assert_refused, resource_of, subject_of},
};

/// Names candidates of its own, which the configuration replaces for users.
const POLICY: &str = "package shop.orders

default allow := false

allow if {
	input.action.name == \"read\"
	input.subject.id in {\"alice\", \"carol\", \"ops\", \"0042\"}
}

allow if {
	input.action.name == \"audit\"
	input.subject.properties.level > 3
}

subjects := [\"alice\", \"mallory\", \"ops\"]
";

const DATA: &str = r#"{
    "users": {"carol": {"roles": ["x"]}, "alice": {}, "bob": null, "0042": 7},
    "staff": ["alice", {"id": "bob"}, {"id": "ops", "type": "service"}, "alice",
              {"id": "dora", "type": "user", "properties": {"level": 7}}, {"id": "erik", "properties": {"level": 1}}],
    "verbs": ["read", "write", {"name": "audit"}],
    "wrong": {"text": "alice", "number": 7, "truth": true, "items": ["alice", 7], "nameless": [{"type": "user"}], "empty": [],
              "blank": {"": 1}}
}"#;

const CONFIG: &str = "search:
  candidates:
    data.shop:
      subjects: {user: data.users}
    data.shop.orders:
      actions: data.verbs
    data.shop.orders.staff:
      subjects: data.staff
";

async fn serve(config: &str, settings: &[(&str, &str)]) -> (Folder, Server) {
    let folder = Folder::always(&[
        ("orders.rego", POLICY),
        ("staff.rego", "package shop.orders.staff\n\nallow if data.shop.orders.allow\n"),
        ("data.json", DATA),
        ("verdict.yaml", config),
    ]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let serve = Serve::folder(&folder).arg("--config").arg(path("verdict.yaml"));
    let serve = settings.iter().fold(serve, |serve, (name, value)| serve.env(name, value));
    let server = wide(serve).arg("--default-policy").arg("data.shop.orders").ready().await;
    (folder, server)
}

fn asked(kind: &str, action: &str) -> Json {
    json!({"subject": {"type": kind}, "action": {"name": action}, "resource": {"type": "order", "id": "1"}})
}

async fn subjects(server: &Server, asked: &Json) -> Answer {
    post(server, "/access/v1/search/subject", asked).await
}

fn ids(answer: &Answer) -> Vec<String> {
    answer.ok()["results"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// The same search over gRPC, put to `policy`.
async fn over_grpc(server: &Server, kind: &str, action: &str, policy: &str) -> Result<Vec<String>, tonic::Status> {
    let mut client = SearchServiceClient::new(server.channel().await);
    let request = SearchSubjectsRequest {
        subject: Some(subject_of(&format!("{kind}:"))),
        action: Some(Action { name: action.to_owned(), properties: None }),
        resource: Some(resource_of("order:1")),
        policy: policy.to_owned(),
        ..SearchSubjectsRequest::default()
    };
    let mut stream = client.search_subjects(request).await?.into_inner();
    let mut found = Vec::new();
    while let Some(answer) = stream.message().await? {
        found.push(answer.subject.unwrap().id);
    }
    Ok(found)
}

#[tokio::test]
async fn the_names_of_an_object_are_candidates_and_each_is_decided() {
    let (_folder, server) = serve(CONFIG, &[]).await;
    // In the order of names; `bob` is one, and may not.
    let users = ["0042", "alice", "carol"];
    let answer = subjects(&server, &asked("user", "read")).await;
    assert_eq!(ids(&answer), users);
    assert!(!answer.body.contains("roles"), "what the data says of them is no answer: {}", answer.body);
    assert_eq!(over_grpc(&server, "user", "read", "").await.unwrap(), users);
    assert_eq!(over_grpc(&server, "user", "read", "data.shop.orders.allow").await.unwrap(), users);
    // Of another type, the policy's own rule names them.
    assert_eq!(ids(&subjects(&server, &asked("service", "read")).await), ["alice", "ops"]);
    // Actions have no type.
    let question = json!({"subject": {"type": "user", "id": "alice"}, "resource": {"type": "order", "id": "1"}});
    let found = post(&server, "/access/v1/search/action", &question).await.ok();
    assert_eq!(found["results"], json!([{"name": "read"}]));
    let mut client = SearchServiceClient::new(server.channel().await);
    let request = SearchActionsRequest {
        subject: Some(subject_of("user:alice")),
        resource: Some(resource_of("order:1")),
        ..SearchActionsRequest::default()
    };
    let mut stream = client.search_actions(request).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().action.unwrap().name, "read");
    assert_eq!(stream.message().await.unwrap(), None);
    // What is not configured, and no rule names, is not searched for.
    let question =
        json!({"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"}, "resource": {"type": "order"}});
    post(&server, "/access/v1/search/resource", &question).await.refused(501);
}

#[tokio::test]
async fn the_items_of_an_array_are_candidates_with_their_types_and_properties() {
    let (_folder, server) = serve(CONFIG, &[]).await;
    let staff = "data.shop.orders.staff";
    assert_eq!(over_grpc(&server, "user", "read", staff).await.unwrap(), ["alice"]);
    assert_eq!(over_grpc(&server, "service", "read", staff).await.unwrap(), ["alice", "ops"]);
    // The properties of a candidate are part of what is decided.
    assert_eq!(over_grpc(&server, "user", "audit", staff).await.unwrap(), ["dora"]);
}

#[tokio::test]
async fn pages_of_them_make_the_whole_and_a_change_of_the_data_begins_anew() {
    let (folder, server) = serve(CONFIG, &[]).await;
    let mut question = asked("user", "read");
    question["page"] = json!({"limit": 1});
    let mut found = Vec::new();
    let mut last = json!(null);
    for _ in 0..10 {
        let answer = subjects(&server, &question).await;
        found.extend(ids(&answer));
        match answer.ok()["page"]["next_token"].as_str().unwrap() {
            "" => break,
            token => {
                last = json!({"limit": 1, "token": token});
                question["page"] = last.clone();
            }
        }
    }
    assert_eq!(found, ["0042", "alice", "carol"]);
    folder.write("data.json", &DATA.replace("\"bob\": null", "\"ops\": null"));
    question["page"] = last;
    crate::support::eventually("the data is other", async || {
        let answer = subjects(&server, &question).await;
        (answer.status == 400).then(|| answer.refused(400).contains("search from the beginning").then_some(()))?
    })
    .await;
    assert_eq!(ids(&subjects(&server, &asked("user", "read")).await), ["0042", "alice", "carol", "ops"]);
}

#[tokio::test]
async fn what_is_no_list_of_candidates_fails_the_search() {
    for (path, said) in [
        ("data.nowhere", "is not there"),
        ("data.users.erik", "is not there"),
        ("data.users.bob", "is neither an array nor an object"),
        ("data.wrong.text", "is neither an array nor an object"),
        ("data.wrong.number", "is neither an array nor an object"),
        ("data.wrong.truth", "is neither an array nor an object"),
        ("data.wrong.items", "neither a string that is not empty nor an object"),
        ("data.wrong.nameless", "has no `id`"),
        ("data.wrong.blank", "neither a string that is not empty nor an object"),
    ] {
        let config = format!("search: {{candidates: {{data.shop.orders: {{subjects: {path}}}}}}}");
        let (_folder, server) = serve(&config, &[]).await;
        let answer = subjects(&server, &asked("user", "read")).await;
        let message = answer.refused(500);
        assert!(message.contains(path) && message.contains(said), "{path}: {message}");
        let status = over_grpc(&server, "user", "read", "").await.unwrap_err();
        assert_refused(&status, Code::Internal, "SEARCH_FAILED");
        server.unharmed().await;
    }
    let (_folder, server) = serve("search: {candidates: {data.shop: {subjects: data.wrong.empty}}}", &[]).await;
    assert_eq!(subjects(&server, &asked("user", "read")).await.ok()["results"], json!([]));
}

#[tokio::test]
async fn more_than_a_search_may_have_fails_it() {
    let (_folder, server) = serve(CONFIG, &[("VERDICT_SEARCH_MAX_CANDIDATES", "3")]).await;
    let answer = subjects(&server, &asked("user", "read")).await;
    assert!(answer.refused(500).contains("`data.users` names 4 candidates"), "{answer:?}");
    assert_refused(&over_grpc(&server, "user", "read", "").await.unwrap_err(), Code::Internal, "SEARCH_FAILED");
    let (_folder, server) = serve(CONFIG, &[("VERDICT_SEARCH_MAX_CANDIDATES", "4")]).await;
    assert_eq!(ids(&subjects(&server, &asked("user", "read")).await).len(), 3);
    // A rule there that never ends is stopped by the budget, and finds nothing.
    let slow = "package slow\n\nusers contains sprintf(\"u%d\", [a + b]) if {\n\tsome a in numbers.range(0, 90000)\n\t\
                some b in numbers.range(0, 90000)\n}\n";
    let config = "search: {candidates: {data.shop: {subjects: data.slow.users}}}";
    let (folder, server) = serve(config, &[("VERDICT_POLICIES_EVALUATION_BUDGET", "100ms")]).await;
    folder.write("slow.rego", slow);
    crate::support::eventually("the rule is there", async || {
        let answer = subjects(&server, &asked("user", "read")).await;
        (!answer.refused(500).contains("is not there")).then_some(())
    })
    .await;
    let answer = subjects(&server, &asked("user", "read")).await;
    assert!(answer.refused(500).contains("`data.slow.users` (`search.candidates`) has no value"), "{answer:?}");
    server.unharmed().await;
}
