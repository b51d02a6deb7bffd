//! `/access/v1/evaluations` (§7): defaults, semantics, bad items, one snapshot.

use serde_json::{Value as Json, json};

use crate::{
    client::{EVALUATIONS, policy, post, post_bytes},
    support::{Server, eventually},
};

/// Allows `ok`, and says what it saw.
const ECHO: &str = "package p

decision := {\"allow\": input.subject.id == \"ok\", \"context\": {\"input\": input}}
";

fn asked(subjects: &[&str], options: &Json) -> Json {
    let items: Vec<Json> = subjects.iter().map(|id| json!({"subject": {"type": "user", "id": id}})).collect();
    json!({"action": {"name": "read"}, "resource": {"type": "d", "id": "1"}, "options": options, "evaluations": items})
}

async fn effects(server: &Server, asked: &Json) -> String {
    let answer = post(server, EVALUATIONS, asked).await.ok();
    let effect = |one: &Json| if one["decision"].as_bool().unwrap() { 'a' } else { 'd' };
    answer["evaluations"].as_array().unwrap().iter().map(effect).collect()
}

#[tokio::test]
async fn each_semantic_stops_where_it_says() {
    let (_folder, server) = policy(ECHO).await;
    let semantic = |name: &str| json!({"evaluations_semantic": name, "another_option": 7});
    for (options, subjects, wanted) in [
        (json!({}), &["ok", "no", "ok"][..], "ada"),
        (semantic("execute_all"), &["no", "ok", "no"], "dad"),
        (semantic("deny_on_first_deny"), &["ok", "no", "ok"], "ad"),
        (semantic("deny_on_first_deny"), &["ok", "ok"], "aa"),
        (semantic("permit_on_first_permit"), &["no", "ok", "no"], "da"),
        (semantic("permit_on_first_permit"), &["no", "no"], "dd"),
    ] {
        assert_eq!(effects(&server, &asked(subjects, &options)).await, wanted, "{options}");
    }
    for options in [
        semantic("execute_some"),
        semantic("EXECUTE_ALL"),
        semantic(""),
        json!({"evaluations_semantic": 1}),
        json!({"evaluations_semantic": null}),
        json!([]),
        json!(null),
    ] {
        let message = post(&server, EVALUATIONS, &asked(&["ok"], &options)).await;
        assert!(message.refused(400).contains("options"), "{options}");
        // Also where there is nothing to choose.
        post(&server, EVALUATIONS, &asked(&[], &options)).await.refused(400);
    }
}

#[tokio::test]
async fn a_bad_item_is_denied_with_a_reason_and_the_rest_go_on() {
    let (_folder, server) = policy(ECHO).await;
    let body = r#"{"subject": {"type": "user", "id": "ok"}, "action": {"name": "read"}, "evaluations": [
        {}, {"resource": {"type": "d", "id": "1"}}, 7, null, [], "x", {"resource": "d"}, {"resource": {"type": "d"}},
        {"resource": {"type": "d", "id": 7}}, {"resource": {"type": "d", "id": ""}},
        {"resource": {"type": "d", "id": "1"}, "context": []}, {"resource": {"type": "d", "id": "1"}, "subject": null},
        {"resource": {"type": "d", "id": "1"}, "unknown": {}}]}"#;
    let answer = post_bytes(&server, EVALUATIONS, body.as_bytes()).await.ok();
    let answers = answer["evaluations"].as_array().unwrap();
    assert_eq!(answers.len(), 13);
    for (at, one) in answers.iter().enumerate() {
        let allowed = [1, 12].contains(&at);
        assert_eq!(one["decision"], allowed, "{at}: {one}");
        let reason = one["context"]["reason_admin"]["invalid_query"].as_str();
        assert_eq!(reason.is_some_and(|reason| reason.contains("not valid")), !allowed, "{at}: {one}");
    }
    // A bad item stops what a deny stops.
    let mut stops: Json = serde_json::from_str(body).unwrap();
    stops["options"] = json!({"evaluations_semantic": "deny_on_first_deny"});
    assert_eq!(effects(&server, &stops).await, "d");
    stops["options"] = json!({"evaluations_semantic": "permit_on_first_permit"});
    assert_eq!(effects(&server, &stops).await, "da");
}

#[tokio::test]
async fn an_item_replaces_a_default_whole() {
    let (_folder, server) = policy(ECHO).await;
    let body = json!({
        "subject": {"type": "user", "id": "ok", "properties": {"role": "admin", "team": "a"}},
        "action": {"name": "read", "properties": {"soft": true}},
        "resource": {"type": "d", "properties": {"status": "x"}},
        "context": {"time": "now", "risk": 1},
        "evaluations": [
            {"resource": {"type": "e", "id": "1"}},
            {"resource": {"id": "1"}, "subject": {"id": "ok", "properties": {"team": "b"}}, "context": {}},
            {"resource": {"type": "e", "id": "1"}, "subject": {"type": "bot", "id": "ok"}, "action": {"name": "w"}},
        ],
    });
    let answer = post(&server, EVALUATIONS, &body).await.ok();
    let seen = |at: usize| &answer["evaluations"][at]["context"]["input"];
    let properties = |at: usize, member: &str| seen(at)[member]["properties"].clone();
    assert_eq!(
        *seen(0),
        json!({
            "subject": body["subject"], "action": body["action"], "context": body["context"],
            "resource": {"type": "e", "id": "1", "properties": {}},
        })
    );
    assert_eq!(properties(1, "subject"), json!({"team": "b"}), "properties are not merged");
    assert_eq!(seen(1)["resource"], json!({"type": "d", "id": "1", "properties": {}}));
    assert_eq!(seen(1)["context"], json!({}));
    assert_eq!(seen(2)["subject"], json!({"type": "bot", "id": "ok", "properties": {}}));
    assert_eq!(seen(2)["action"], json!({"name": "w", "properties": {}}));
}

#[tokio::test]
async fn what_is_wrong_with_the_whole_is_no_answer() {
    let (_folder, server) = policy(ECHO).await;
    let question = r#"{"subject":{"type":"user","id":"ok"},"action":{"name":"r"},"resource":{"type":"d","id":"1"}}"#;
    for body in [
        format!(r#"{{"evaluations": {{"a": {question}}}}}"#),
        format!(r#"{{"evaluations": {question}}}"#),
        r#"{"evaluations": null}"#.to_owned(),
        r#"{"evaluations": 1}"#.to_owned(),
        r#"{"evaluations": []}"#.to_owned(),
        "{}".to_owned(),
        format!("[{question}]"),
        format!(r#"{{"subject": "ok", "evaluations": [{question}]}}"#),
        format!(r#"{{"action": {{"name": ""}}, "evaluations": [{question}]}}"#),
        format!(r#"{{"resource": {{"type": 7}}, "evaluations": [{question}]}}"#),
        format!(r#"{{"context": null, "evaluations": [{question}]}}"#),
        format!(r#"{{"evaluations": [{question}], "evaluations": [{question}]}}"#),
    ] {
        post_bytes(&server, EVALUATIONS, body.as_bytes()).await.refused(400);
    }
}

#[tokio::test]
async fn all_are_decided_on_one_snapshot() {
    let (folder, server) = policy("package p\n\nallow := true\n").await;
    let subjects = vec!["a"; 1_000];
    let whole = asked(&subjects, &json!({}));
    let all = |text: String| text.chars().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(all(effects(&server, &whole).await), ['a'].into());
    folder.write("p.rego", "package p\n\nallow := false\n");
    // Never some of the old and some of the new.
    eventually("the new policies decide", async || {
        let effects = all(effects(&server, &whole).await);
        assert_eq!(effects.len(), 1);
        effects.contains(&'d').then_some(())
    })
    .await;
}
