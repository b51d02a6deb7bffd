//! Searches (§8): candidates of the policy, pages, tokens, budgets, failures.

use serde_json::{Value as Json, json};

use crate::{
    client::{Answer, EVALUATION, policy, post, post_bytes, send, wide},
    support::{Folder, Serve, Server},
};

/// Users `u000` to `u099`, of whom the even ones may; and a group that never comes up.
const HUNDRED: &str = "package p

default allow := false

number(id) := to_number(trim_left(trim_prefix(id, \"u\"), \"0\")) if id != \"u000\"

number(\"u000\") := 0

allow if number(input.subject.id) % 2 == 0

subjects contains sprintf(\"u%03d\", [n]) if some n in numbers.range(0, 99)

subjects contains {\"type\": \"group\", \"id\": \"g\"}
";

fn asked(page: Json) -> Json {
    let mut asked =
        json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "d", "id": "1"}});
    if !page.is_null() {
        asked["page"] = page;
    }
    asked
}

async fn subjects(server: &Server, asked: &Json) -> Answer {
    post(server, "/access/v1/search/subject", asked).await
}

fn ids(answer: &Json) -> Vec<String> {
    answer["results"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn evens() -> Vec<String> {
    (0..100).step_by(2).map(|n| format!("u{n:03}")).collect()
}

#[tokio::test]
async fn finds_exactly_what_an_evaluation_allows() {
    let (_folder, server) = policy(HUNDRED).await;
    let answer = subjects(&server, &asked(Json::Null)).await;
    assert!(answer.headers["verdict-revision"].starts_with("1 sha256:"));
    let answer = answer.ok();
    assert_eq!(ids(&answer), evens());
    assert!(answer.get("page").is_none(), "{answer}");
    for id in ["u000", "u001", "u002"] {
        let mut question = asked(Json::Null);
        question["subject"]["id"] = json!(id);
        let allowed = post(&server, EVALUATION, &question).await.decision();
        assert_eq!(allowed, ids(&answer).iter().any(|found| found == id), "{id}");
    }
}

#[tokio::test]
async fn pages_make_the_whole_whatever_their_size() {
    let (_folder, server) = policy(HUNDRED).await;
    for limit in [1, 7, 49, 50, 51] {
        let mut found = Vec::new();
        let mut page = json!({"limit": limit});
        loop {
            let answer = subjects(&server, &asked(page)).await.ok();
            let results = ids(&answer);
            assert!(results.len() <= limit);
            assert_eq!(answer["page"]["count"], results.len());
            found.extend(results);
            match answer["page"]["next_token"].as_str().unwrap() {
                "" => break,
                // Both names that the standard has had for it.
                token if found.len() % 2 == 0 => page = json!({"limit": limit, "token": token}),
                token => page = json!({"limit": limit, "next_token": token}),
            }
        }
        assert_eq!(found, evens(), "{limit}");
    }
    let none = subjects(&server, &asked(json!({"limit": 0}))).await.ok();
    assert_eq!(none["results"], json!([]));
    assert_ne!(none["page"]["next_token"], "");
    let all = subjects(&server, &asked(json!({"limit": 1_000_000, "properties": {}, "token": ""}))).await.ok();
    assert_eq!((ids(&all), &all["page"]["next_token"]), (evens(), &json!("")));
    for page in [
        json!(null),
        json!([]),
        json!({"limit": -1}),
        json!({"limit": 1.5}),
        json!({"limit": "1"}),
        json!({"token": 1}),
        json!({"token": "x"}),
        json!({"token": "AAAA"}),
        json!({"token": "é".repeat(100)}),
    ] {
        let mut question = asked(json!({}));
        question["page"] = page.clone();
        assert!(subjects(&server, &question).await.refused(400).contains("page"), "{page}");
    }
}

#[tokio::test]
async fn a_token_is_of_one_question_and_one_snapshot() {
    let (folder, server) = policy(HUNDRED).await;
    let first = subjects(&server, &asked(json!({"limit": 2}))).await.ok();
    let token = first["page"]["next_token"].as_str().unwrap();
    let next = asked(json!({"token": token}));
    assert_eq!(ids(&subjects(&server, &next).await.ok())[0], "u004");
    for (pointer, value) in [
        ("/subject/type", json!("group")),
        ("/subject/properties", json!({"a": 1})),
        ("/action/name", json!("write")),
        ("/action/properties", json!({"a": 1})),
        ("/resource/id", json!("2")),
        ("/context", json!({"a": 1})),
    ] {
        let mut other = next.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        other.pointer_mut(parent).unwrap()[name] = value;
        assert!(subjects(&server, &other).await.refused(400).contains("page.token"), "{pointer}");
    }
    let resource = json!({"subject": {"type": "user", "id": "*"}, "action": {"name": "read"},
        "resource": {"type": "d"}, "page": {"token": token}});
    post(&server, "/access/v1/search/resource", &resource).await.refused(400);
    // Unknown members and the id that is not looked at are no part of the question.
    let mut same = next.clone();
    same["subject"]["id"] = json!("anyone");
    same["foo"] = json!(1);
    assert_eq!(ids(&subjects(&server, &same).await.ok())[0], "u004");

    folder.write("p.rego", &format!("{HUNDRED}\n# changed\n"));
    crate::support::eventually("the policies are others", async || {
        let answer = subjects(&server, &next).await;
        (answer.status == 400).then(|| assert!(answer.refused(400).contains("search from the beginning")))
    })
    .await;
}

#[tokio::test]
async fn the_rule_sees_the_question_without_what_is_searched_for() {
    let text = "package p

decision := {\"allow\": true, \"obligations\": [{\"id\": \"log\", \"type\": \"log\"}]} if input.action.name != \"x\"

subjects := [{\"id\": json.marshal(input), \"properties\": {\"n\": 1}}]

resources := [json.marshal(input)]

actions := [json.marshal(input), {\"name\": \"x\"}, {\"name\": \"y\", \"properties\": {\"soft\": true}}]
";
    let (_folder, server) = policy(text).await;
    let question = json!({
        "subject": {"type": "user", "id": "s", "properties": {"a": 1}}, "action": {"name": "act"},
        "resource": {"type": "d", "id": "r"}, "context": {"c": 2},
    });
    let seen = async |kind: &str, member: &str| -> Json {
        let answer = post(&server, &format!("/access/v1/search/{kind}"), &question).await.ok();
        let first = &answer["results"][0];
        assert_eq!(first["obligations"], json!([{"id": "log", "type": "log", "properties": {}}]), "{answer}");
        serde_json::from_str(first[member].as_str().unwrap()).unwrap()
    };
    let whole = json!({
        "subject": {"type": "user", "id": "s", "properties": {"a": 1}}, "action": {"name": "act", "properties": {}},
        "resource": {"type": "d", "id": "r", "properties": {}}, "context": {"c": 2},
    });
    for (kind, member, gone) in [("subject", "id", "id"), ("resource", "id", "id"), ("action", "name", "")] {
        let mut wanted = whole.clone();
        let parent = if gone.is_empty() { &mut wanted } else { &mut wanted[kind] };
        parent.as_object_mut().unwrap().remove(if gone.is_empty() { kind } else { gone });
        assert_eq!(seen(kind, member).await, wanted, "{kind}");
    }
    let actions = post(&server, "/access/v1/search/action", &question).await.ok();
    let names: Vec<&Json> = actions["results"].as_array().unwrap().iter().skip(1).collect();
    assert_eq!(names.len(), 1, "`x` is denied: {actions}");
    assert_eq!((&names[0]["name"], &names[0]["properties"]), (&json!("y"), &json!({"soft": true})));
}

#[tokio::test]
async fn a_search_that_the_policy_cannot_answer_is_an_error() {
    let allow = "package p\n\nallow := true\n\n";
    for (rules, status, said) in [
        ("", 501, "no rule `subjects`"),
        ("subjects := {\"a\": 1}", 500, "neither a set nor an array"),
        ("subjects := \"alice\"", 500, "neither a set nor an array"),
        ("subjects := [7]", 500, "an item of `subjects`"),
        ("subjects := [{\"name\": \"x\"}]", 500, "has no `id`"),
        ("subjects := [\"a\", \"\"]", 500, "an item of `subjects`"),
        ("subjects := numbers.range(1, 20000)", 500, "20000 candidates"),
        ("subjects := 1\n\nsubjects := 2", 500, ""),
    ] {
        let folder = Folder::always(&[("p.rego", &format!("{allow}{rules}\n"))]);
        let server = wide(Serve::folder(&folder)).arg("--default-policy").arg("data.p").listening().await;
        server.until_serving().await;
        if rules.contains("\n\n") && server.readiness().await.0 != 200 {
            continue;
        }
        let answer = subjects(&server, &asked(Json::Null)).await;
        assert!(answer.refused(status).contains(said), "{rules}: {answer:?}");
        server.unharmed().await;
    }
    // Undefined: nobody that the policy knows of.
    let (_folder, server) = policy(&format!("{allow}subjects := [\"a\"] if input.subject.type == \"bot\"\n")).await;
    assert_eq!(subjects(&server, &asked(Json::Null)).await.ok(), json!({"results": []}));
}

#[tokio::test]
async fn a_search_ends_in_time_and_goes_on_where_it_stopped() {
    // Each candidate takes a while, so that no page has them all.
    let slow = "package p

allow if count([1 | some i in numbers.range(1, 60); some j in numbers.range(1, 60); i * j == -1]) == 0

subjects contains sprintf(\"u%04d\", [n]) if some n in numbers.range(0, 9999)
";
    let folder = Folder::always(&[("p.rego", slow)]);
    let server = Serve::folder(&folder)
        .arg("--default-policy")
        .arg("data.p")
        .env("VERDICT_HTTP_REQUEST_TIMEOUT", "4s")
        .ready()
        .await;
    let started = std::time::Instant::now();
    let first = subjects(&server, &asked(Json::Null)).await.ok();
    assert!(started.elapsed().as_secs() < 20);
    let found = ids(&first);
    assert!(!found.is_empty() && found.len() < 10_000, "{}", found.len());
    let token = first["page"]["next_token"].as_str().unwrap();
    let second = ids(&subjects(&server, &asked(json!({"token": token, "limit": 1}))).await.ok());
    assert_eq!(second, [format!("u{:04}", found.len())]);
    // Candidates that are never done.
    folder.write("p.rego", &slow.replace("package p", "package q").replace("allow if", "also if"));
    let endless = "package p\n\nallow := true\n\nsubjects contains \"a\" if {\n\tsome i in numbers.range(1, 3000)\n\tsome j in numbers.range(1, 3000)\n\tsome k in numbers.range(1, 3000)\n\ti + j + k == 0\n}\n";
    folder.write("endless.rego", endless);
    crate::support::eventually("the policies are others", async || {
        let answer = post_bytes(&server, "/access/v1/search/subject", asked(Json::Null).to_string().as_bytes()).await;
        (answer.status != 200).then(|| assert!([500, 504].contains(&answer.status), "{answer:?}"))
    })
    .await;
    server.unharmed().await;
}

#[tokio::test]
async fn many_searches_at_once_leave_others_their_turn() {
    let (_folder, server) = policy(HUNDRED).await;
    let question = asked(Json::Null).to_string();
    let headers = [("content-type", "application/json")];
    let searches = (0..32).map(|_| send(&server, "POST", "/access/v1/search/subject", &headers, question.as_bytes()));
    let (answers, ()) = tokio::join!(futures::future::join_all(searches), server.unharmed());
    for answer in answers {
        assert_eq!(ids(&answer.ok()), evens());
    }
}
