//! The working group's certification scenario (`certification/authorization-api-1_0-scenario.md` of openid/authzen),
//! level by level.

use serde_json::{Value as Json, json};

use crate::{
    client::{Answer, EVALUATION, EVALUATIONS, post, post_bytes, send, serve},
    support::{Folder, Server},
};

async fn fixture() -> (Folder, Server) {
    serve("certification", &[]).await
}

fn question(subject: &Json, action: &Json, resource: &Json) -> Json {
    json!({"subject": subject, "action": action, "resource": resource})
}

fn user(id: &str) -> Json {
    json!({"type": "user", "id": id})
}

fn record(id: &str) -> Json {
    json!({"type": "record", "id": id})
}

fn action(name: &str) -> Json {
    json!({ "name": name })
}

fn admin() -> Json {
    json!({"type": "user", "id": "bob", "properties": {"role": "admin"}})
}

fn of_status(id: &str, status: &str) -> Json {
    json!({"type": "record", "id": id, "properties": {"status": status}})
}

/// The question without one of its members, which may be below another.
fn without(path: &[&str]) -> Json {
    let mut question = question(&user("alice"), &action("read"), &record("record-1"));
    let (last, above) = path.split_last().unwrap();
    let parent = above.iter().fold(&mut question, |value, name| &mut value[*name]);
    parent.as_object_mut().unwrap().remove(*last).unwrap();
    question
}

fn decisions(answer: &Answer) -> Vec<bool> {
    let answer = answer.ok();
    assert!(answer.get("decision").is_none(), "{answer}");
    answer["evaluations"].as_array().unwrap().iter().map(|one| one["decision"].as_bool().unwrap()).collect()
}

#[tokio::test]
async fn basic_core() {
    let (_folder, server) = fixture().await;
    for (subject, name, allowed) in
        [("alice", "read", true), ("alice", "write", true), ("bob", "read", true), ("bob", "write", false)]
    {
        let mut asked = question(&user(subject), &action(name), &record("record-1"));
        assert_eq!(post(&server, EVALUATION, &asked).await.decision(), allowed, "{asked}");
        asked["context"] = json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"});
        for _ in 0..3 {
            assert_eq!(post(&server, EVALUATION, &asked).await.decision(), allowed, "{asked}");
        }
    }
    let mut more = question(
        &json!({"type": "user", "id": "alice", "properties": {"department": "Sales", "role": "manager"}}),
        &json!({"name": "read", "properties": {"method": "GET"}}),
        &json!({"type": "record", "id": "record-1", "properties": {"status": "active", "owner": "bob"}}),
    );
    assert!(post(&server, EVALUATION, &more).await.decision());
    more["foo"] = json!("bar");
    more["futureField"] = json!({"nested": true});
    let answer = post(&server, EVALUATION, &more).await;
    assert_eq!(answer.ok(), json!({"decision": true}), "an allow with nothing to say says nothing");
}

#[tokio::test]
async fn basic_core_errors_and_headers() {
    let (_folder, server) = fixture().await;
    for path in [
        &["subject"][..],
        &["action"],
        &["resource"],
        &["subject", "type"],
        &["subject", "id"],
        &["action", "name"],
        &["resource", "type"],
        &["resource", "id"],
    ] {
        let answer = post(&server, EVALUATION, &without(path)).await;
        assert!(answer.refused(400).contains(&path.join(".")), "{answer:?}");
    }
    let whole = question(&user("alice"), &action("read"), &record("record-1"));
    let body = whole.to_string().into_bytes();
    for kind in ["text/plain", "application/xml", "application/x-www-form-urlencoded"] {
        send(&server, "POST", EVALUATION, &[("content-type", kind)], &body).await.refused(400);
    }
    for broken in [&b"{"[..], b"", b"not json", b"{\"subject\":"] {
        post_bytes(&server, EVALUATION, broken).await.refused(400);
    }
    let mut wrong = whole.clone();
    wrong["subject"] = json!("alice");
    post(&server, EVALUATION, &wrong).await.refused(400);
    let mut wrong = whole.clone();
    wrong["action"] = json!({"name": 123});
    post(&server, EVALUATION, &wrong).await.refused(400);

    let id = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716";
    let headers = [("content-type", "application/json"), ("X-Request-ID", id)];
    let answer = send(&server, "POST", EVALUATION, &headers, &body).await;
    assert!(answer.decision());
    assert_eq!(answer.headers["x-request-id"], id);
    assert!(!post(&server, EVALUATION, &whole).await.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn basic_properties() {
    let (_folder, server) = fixture().await;
    let archived = of_status("record-2", "archived");
    for (asked, allowed) in [
        (question(&user("alice"), &action("write"), &archived), false),
        (question(&admin(), &action("write"), &archived), true),
        (question(&user("alice"), &json!({"name": "delete", "properties": {"soft": true}}), &record("record-1")), true),
        (
            question(&user("alice"), &json!({"name": "delete", "properties": {"soft": false}}), &record("record-1")),
            false,
        ),
    ] {
        assert_eq!(post(&server, EVALUATION, &asked).await.decision(), allowed, "{asked}");
    }
}

#[tokio::test]
async fn batch_core() {
    let (_folder, server) = fixture().await;
    let resources = json!([{"resource": record("record-1")}, {"resource": record("record-2")}]);
    let asked = json!({"subject": user("alice"), "action": action("read"), "evaluations": resources});
    assert_eq!(decisions(&post(&server, EVALUATIONS, &asked).await), [true, true]);
    let actions = json!([{"action": action("read")}, {"action": action("write")}]);
    let asked = json!({"subject": user("bob"), "resource": record("record-1"), "evaluations": actions});
    assert_eq!(decisions(&post(&server, EVALUATIONS, &asked).await), [true, false]);
    let whole = json!({"evaluations": [
        question(&user("alice"), &action("read"), &record("record-1")),
        question(&user("bob"), &action("write"), &record("record-1")),
    ]});
    assert_eq!(decisions(&post(&server, EVALUATIONS, &whole).await), [true, false]);
    let inherited = json!({
        "subject": user("alice"), "action": action("read"), "context": {"time": "2025-06-27T18:03-07:00"},
        "evaluations": [
            {"resource": record("record-1")},
            {"resource": record("record-2"), "context": {"time": "2025-06-27T19:00-07:00", "source": "batch-override"}},
        ],
    });
    assert_eq!(decisions(&post(&server, EVALUATIONS, &inherited).await).len(), 2);
    let failing = json!({
        "subject": user("alice"), "action": action("read"), "evaluations": [{"resource": record("record-1")}, {}],
    });
    assert_eq!(decisions(&post(&server, EVALUATIONS, &failing).await), [true, false]);
    let mut single = question(&user("alice"), &action("read"), &record("record-1"));
    assert_eq!(post(&server, EVALUATIONS, &single).await.ok(), json!({"decision": true}));
    single["evaluations"] = json!([]);
    assert_eq!(post(&server, EVALUATIONS, &single).await.ok(), json!({"decision": true}));
}

#[tokio::test]
async fn batch_properties() {
    let (_folder, server) = fixture().await;
    let asked = json!({
        "subject": user("alice"), "action": action("write"), "evaluations": [
            {"resource": of_status("record-1", "active")}, {"resource": of_status("record-2", "archived")},
        ],
    });
    assert_eq!(decisions(&post(&server, EVALUATIONS, &asked).await), [true, false]);
    let asked = json!({
        "action": action("write"), "resource": of_status("record-2", "archived"),
        "evaluations": [{"subject": user("alice")}, {"subject": admin()}],
    });
    assert_eq!(decisions(&post(&server, EVALUATIONS, &asked).await), [false, true]);
    let merged = json!({
        "subject": user("alice"), "action": action("write"), "resource": {"type": "record"}, "evaluations": [
            {"resource": {"id": "record-1", "properties": {"status": "active"}}},
            {"resource": of_status("record-2", "archived")},
        ],
    });
    assert_eq!(decisions(&post(&server, EVALUATIONS, &merged).await), [true, false]);
}

/// Searches, and the names or ids that were found.
async fn found(server: &Server, kind: &str, asked: &Json) -> Vec<String> {
    let answer = post(server, &format!("/access/v1/search/{kind}"), asked).await.ok();
    let results = answer["results"].as_array().unwrap();
    for result in results.iter().filter(|_| kind != "action") {
        assert_eq!(result["type"], asked[kind]["type"], "{result}");
    }
    let name = if kind == "action" { "name" } else { "id" };
    results.iter().map(|result| result[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn search_core() {
    let (_folder, server) = fixture().await;
    let subjects = json!({"subject": {"type": "user"}, "action": action("read"), "resource": record("record-1")});
    let resources = json!({"subject": user("alice"), "action": action("read"), "resource": {"type": "record"}});
    let actions = json!({"subject": user("alice"), "resource": record("record-1")});
    for (kind, asked, wanted) in [
        ("subject", &subjects, &["alice", "bob"][..]),
        ("resource", &resources, &["record-1", "record-2"]),
        ("action", &actions, &["read", "write"]),
    ] {
        assert_eq!(found(&server, kind, asked).await, wanted);
        let mut with_context = asked.clone();
        with_context["context"] = json!({"time": "2025-06-27T18:03-07:00"});
        assert_eq!(found(&server, kind, &with_context).await, wanted);
    }
    // An identity that is there is not looked at.
    let mut named = subjects.clone();
    named["subject"]["id"] = json!("alice");
    assert_eq!(found(&server, "subject", &named).await, ["alice", "bob"]);
    let nobody = json!({"subject": user("nonexistent-user"), "resource": record("record-1")});
    assert_eq!(post(&server, "/access/v1/search/action", &nobody).await.ok(), json!({"results": []}));
    let mut spaceship = subjects.clone();
    spaceship["subject"]["type"] = json!("spaceship");
    assert_eq!(post(&server, "/access/v1/search/subject", &spaceship).await.ok(), json!({"results": []}));
}

#[tokio::test]
async fn search_core_pages() {
    let (_folder, server) = fixture().await;
    let mut asked = json!({"subject": {"type": "user"}, "action": action("read"), "resource": record("record-1")});
    asked["page"] = json!({"limit": 1});
    let first = post(&server, "/access/v1/search/subject", &asked).await.ok();
    assert_eq!(first["results"], json!([user("alice")]));
    let token = first["page"]["next_token"].as_str().unwrap();
    assert!(!token.is_empty());
    asked["page"] = json!({"token": token});
    let second = post(&server, "/access/v1/search/subject", &asked).await.ok();
    assert_eq!(second["results"], json!([user("bob")]));
    assert_eq!(second["page"]["next_token"], "");
}

#[tokio::test]
async fn search_core_errors() {
    let (_folder, server) = fixture().await;
    let kind = json!({"type": "user"});
    let any = json!({"type": "record"});
    for (searched, asked) in [
        ("subject", json!({"subject": kind, "resource": record("record-1")})),
        ("resource", json!({"action": action("read"), "resource": any})),
        ("action", json!({"subject": user("alice")})),
        ("subject", json!({"subject": kind, "action": action("read"), "resource": any})),
        ("resource", json!({"subject": kind, "action": action("read"), "resource": any})),
        ("subject", json!({"subject": {"id": "alice"}, "action": action("read"), "resource": record("record-1")})),
        ("subject", json!({"subject": "user", "action": action("read"), "resource": record("record-1")})),
    ] {
        post(&server, &format!("/access/v1/search/{searched}"), &asked).await.refused(400);
    }
}

#[tokio::test]
async fn search_properties() {
    let (_folder, server) = fixture().await;
    let archived = of_status("record-2", "archived");
    let asked = json!({"subject": {"type": "user"}, "action": action("write"), "resource": archived});
    assert_eq!(found(&server, "subject", &asked).await, ["bob"]);
    let asked = json!({"subject": admin(), "action": action("write"), "resource": {"type": "record"}});
    assert_eq!(found(&server, "resource", &asked).await, ["record-2"]);
    let asked = json!({"subject": admin(), "resource": archived});
    assert_eq!(found(&server, "action", &asked).await, ["read", "write"]);
}
