//! `BatchCheck`: many questions on one snapshot.

use serde_json::json;
use tonic::Status;
use verdict::api::grpc::proto::{Action, BatchCheckItem, BatchCheckRequest, BatchSemantics, Effect, Verdict};

use crate::support::{
    Folder, Serve, Server, assert_denied, assert_invalid, codes, eventually, object, resource_of, subject_of,
};

/// Allows `ok`, and says what it saw.
const POLICY: &str = "package authz

decision := {\"allow\": input.subject.id == \"ok\", \"context\": {\"input\": input}}
";

fn item(subject: &str) -> BatchCheckItem {
    BatchCheckItem { subject: Some(subject_of(subject)), ..BatchCheckItem::default() }
}

fn batch(items: Vec<BatchCheckItem>) -> BatchCheckRequest {
    BatchCheckRequest {
        action: Some(Action { name: "read".to_owned(), properties: None }),
        resource: Some(resource_of("document:1")),
        items,
        ..BatchCheckRequest::default()
    }
}

async fn try_ask(server: &Server, batch: BatchCheckRequest) -> Result<Vec<Verdict>, Status> {
    server.client().await.batch_check(batch).await.map(|answer| answer.into_inner().verdicts)
}

async fn ask(server: &Server, batch: BatchCheckRequest) -> Vec<Verdict> {
    try_ask(server, batch).await.unwrap()
}

fn effects(verdicts: &[Verdict]) -> String {
    verdicts.iter().map(|verdict| if verdict.effect() == Effect::Allow { 'a' } else { 'd' }).collect()
}

#[tokio::test]
async fn an_item_replaces_a_default_whole() {
    let folder = Folder::with(&[("authz.rego", POLICY), ("other.rego", "package other\n\ndecision := false\n")]);
    let server = Serve::folder(&folder).ready().await;
    let mut subject = subject_of("user:ok");
    subject.properties = Some(object(json!({"role": "admin", "team": "a"})));
    let mut narrow = subject_of("user:ok");
    narrow.properties = Some(object(json!({"team": "b"})));
    let asked = BatchCheckRequest {
        subject: Some(subject),
        context: Some(object(json!({"time": "now", "risk": 1}))),
        items: vec![
            BatchCheckItem { request_id: "plain".to_owned(), ..BatchCheckItem::default() },
            BatchCheckItem { subject: Some(narrow), ..BatchCheckItem::default() },
            BatchCheckItem { subject: Some(subject_of("user:ok")), ..BatchCheckItem::default() },
            BatchCheckItem { context: Some(object(json!({"risk": 2}))), ..BatchCheckItem::default() },
            BatchCheckItem { context: Some(object(json!({}))), ..BatchCheckItem::default() },
            BatchCheckItem {
                query_json: br#"{"resource":{"type":"r","id":"2"},"context":{"n":9007199254740993}}"#.to_vec(),
                ..BatchCheckItem::default()
            },
            BatchCheckItem { policy: "data.other".to_owned(), ..BatchCheckItem::default() },
        ],
        ..batch(Vec::new())
    };
    let verdicts = ask(&server, asked).await;
    assert_eq!(effects(&verdicts), "aaaaaad");
    assert_eq!(verdicts[0].request_id, "plain");
    let seen = |at: usize, changes: &[(&str, serde_json::Value)]| {
        let mut input = json!({
            "subject": {"type": "user", "id": "ok", "properties": {"role": "admin", "team": "a"}},
            "action": {"name": "read", "properties": {}},
            "resource": {"type": "document", "id": "1", "properties": {}},
            "context": {"time": "now", "risk": 1},
        });
        for (pointer, value) in changes {
            *input.pointer_mut(pointer).unwrap() = value.clone();
        }
        assert_eq!(verdicts[at].context, Some(object(json!({"input": input}))), "item {at}");
    };
    seen(0, &[]);
    seen(1, &[("/subject/properties", json!({"team": "b"}))]);
    seen(2, &[("/subject/properties", json!({}))]);
    seen(3, &[("/context", json!({"risk": 2}))]);
    seen(4, &[("/context", json!({}))]);
    seen(
        5,
        &[("/resource/type", json!("r")), ("/resource/id", json!("2")), ("/context", json!({"n": "9007199254740993"}))],
    );
}

#[tokio::test]
async fn each_semantics_stops_where_it_says() {
    let folder = Folder::with(&[("authz.rego", POLICY)]);
    let server = Serve::folder(&folder).ready().await;
    for (semantics, items, answered) in [
        (BatchSemantics::Unspecified, "dad", "dad"),
        (BatchSemantics::ExecuteAll, "dad", "dad"),
        (BatchSemantics::DenyOnFirstDeny, "aada", "aad"),
        (BatchSemantics::DenyOnFirstDeny, "aaa", "aaa"),
        (BatchSemantics::PermitOnFirstPermit, "ddad", "dda"),
        (BatchSemantics::PermitOnFirstPermit, "ddd", "ddd"),
    ] {
        let items = items.chars().map(|c| item(if c == 'a' { "user:ok" } else { "user:no" })).collect();
        let verdicts = ask(&server, BatchCheckRequest { semantics: semantics.into(), ..batch(items) }).await;
        assert_eq!(effects(&verdicts), answered, "{semantics:?}");
    }
    // A bad item is a deny like any other.
    let items = vec![item("user:ok"), item("user:"), item("user:ok")];
    let first_deny = BatchSemantics::DenyOnFirstDeny.into();
    assert_eq!(effects(&ask(&server, BatchCheckRequest { semantics: first_deny, ..batch(items) }).await), "ad");
    let unknown = BatchCheckRequest { semantics: 99, ..batch(vec![item("user:ok")]) };
    assert_eq!(assert_invalid(&try_ask(&server, unknown).await.unwrap_err()), ["semantics"]);
}

#[tokio::test]
async fn a_bad_item_is_denied_alone() {
    let folder = Folder::with(&[("authz.rego", POLICY)]);
    let server = Serve::folder(&folder).ready().await;
    let items = vec![
        item("user:ok"),
        item("user:"),
        BatchCheckItem::default(),
        BatchCheckItem { query_json: b"{".to_vec(), ..BatchCheckItem::default() },
        BatchCheckItem { query_json: b"{}".to_vec(), ..item("user:ok") },
        BatchCheckItem { policy: "nonsense".to_owned(), ..item("user:ok") },
        BatchCheckItem { request_id: "x".repeat(257), ..item("user:ok") },
        item("user:ok"),
    ];
    let verdicts = ask(&server, batch(items)).await;
    assert_eq!(effects(&verdicts), "adddddda");
    for verdict in &verdicts[1..7] {
        assert_denied(verdict, "invalid_query");
        assert_eq!(verdict.revision, verdicts[0].revision);
        assert!(!verdict.decision_id.is_empty());
    }
    let named = |at: usize, field: &str| {
        let verdict = &verdicts[at];
        assert!(verdict.reasons[0].message.contains(&format!("`{field}`")), "{verdict:?}");
    };
    named(1, "subject.id");
    named(2, "subject");
    named(3, "query_json");
    named(4, "subject");
    named(5, "policy");
    named(6, "request_id");
}

#[tokio::test]
async fn a_batch_has_from_1_to_1000_items() {
    let folder = Folder::with(&[("authz.rego", POLICY)]);
    let server = Serve::folder(&folder).ready().await;
    assert_eq!(assert_invalid(&try_ask(&server, batch(Vec::new())).await.unwrap_err()), ["items"]);
    let many = |count: usize| batch(vec![item("user:ok"); count]);
    let refused = try_ask(&server, many(1_001)).await.unwrap_err();
    assert_eq!(assert_invalid(&refused), ["items"]);
    assert!(refused.message().contains("1001") && refused.message().contains("1000"), "{refused:?}");
    let verdicts = ask(&server, many(1_000)).await;
    assert_eq!(effects(&verdicts), "a".repeat(1_000));

    let server = Serve::folder(&folder).env("VERDICT_GRPC_MAX_BATCH_ITEMS", "2").ready().await;
    assert_eq!(ask(&server, many(2)).await.len(), 2);
    assert_eq!(assert_invalid(&try_ask(&server, many(3)).await.unwrap_err()), ["items"]);
}

#[tokio::test]
async fn a_fault_of_the_defaults_fails_the_batch() {
    let folder = Folder::with(&[("authz.rego", POLICY)]);
    let server = Serve::folder(&folder).ready().await;
    let faulty = BatchCheckRequest {
        subject: Some(subject_of("user:")),
        policy: "nonsense".to_owned(),
        explain: 99,
        ..batch(vec![item("user:ok")])
    };
    assert_eq!(assert_invalid(&try_ask(&server, faulty).await.unwrap_err()), ["subject.id", "policy", "explain"]);
}

#[tokio::test]
async fn a_batch_is_decided_on_one_revision_whatever_is_published_meanwhile() {
    let version = |effect: bool| format!("package authz\n\ndecision := {effect}\n");
    let folder = Folder::with(&[("authz.rego", &version(true))]);
    let server = Serve::folder(&folder).env("VERDICT_POLICIES_SETTLE", "1ms").ready().await;
    let mut client = server.client().await;
    let mut revisions = std::collections::HashMap::new();
    let mut turn = 0;
    eventually("four revisions, and both answers, were seen", async || {
        turn += 1;
        folder.write("authz.rego", &version(turn % 2 == 0));
        let verdicts = client.batch_check(batch(vec![item("user:ok"); 200])).await.unwrap().into_inner().verdicts;
        assert_eq!(verdicts.len(), 200);
        let first = verdicts[0].revision.clone().unwrap();
        for verdict in &verdicts {
            assert_eq!(verdict.revision.as_ref(), Some(&first));
            assert_eq!(verdict.effect, verdicts[0].effect, "one revision, two answers");
        }
        // A digest always means the same answer.
        assert_eq!(*revisions.entry(first.digest.clone()).or_insert(verdicts[0].effect), verdicts[0].effect);
        (first.sequence >= 4 && revisions.len() == 2).then_some(())
    })
    .await;
    assert!(codes(&ask(&server, batch(vec![item("user:ok")])).await[0]).len() <= 1);
}
