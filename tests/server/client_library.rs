//! `verdict::client` over real sockets: a server that answers, is killed, hangs, restarts, is another one or none.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use serde_json::json;
use verdict::{
    client::{Client, Fault, InvalidQuestion, Question, Refusal, Settings},
    decision::{At, Object, Query, Value},
};

use crate::support::{Folder, Serve, Server, eventually};

/// Far more than anything takes, so that a busy machine fails no test.
pub(crate) const PATIENT: Settings =
    Settings { deadline: Duration::from_secs(20), retries: 2, pause: Duration::from_millis(10), cache_bytes: 4 << 20 };
const SHORT: Settings = Settings { deadline: Duration::from_millis(300), ..PATIENT };

pub(crate) fn may(user: &str, action: &str) -> Question {
    Question::may(("user", user), action, ("document", "handbook"))
}

pub(crate) fn client(server: &Server, settings: Settings) -> Client {
    Client::lazy(&server.grpc, settings).unwrap()
}

/// What a question that is not allowed ends in.
async fn refusal(client: &Client, question: &Question) -> Refusal {
    client.check(question).await.expect_err("a refusal")
}

async fn fault(client: &Client, question: &Question) -> Fault {
    match refusal(client, question).await {
        Refusal::Fault(fault) => fault,
        other => panic!("no fault: {other:?}"),
    }
}

/// A rule for each action, as `data.made.decision`.
pub(crate) fn made(rules: &[(&str, serde_json::Value)]) -> Folder {
    let rules: Vec<String> = rules
        .iter()
        .map(|(action, decision)| format!("decision := {decision} if input.action.name == {}", json!(action)))
        .collect();
    Folder::always(&[("authz.rego", &format!("package authz\n\n{}\n", rules.join("\n")))])
}

#[tokio::test]
async fn answers_with_reasons_single_and_in_a_batch() {
    let server = Serve::embedded().ready().await;
    let client = client(&server, PATIENT);
    let (yes, no) = (may("alice", "read"), may("bob", "delete"));
    let permit = client.check(&yes).await.unwrap();
    assert!(permit.verdict().is_allow() && permit.obligations().is_empty() && !permit.is_reused());
    let denied = refusal(&client, &no).await;
    assert_eq!((denied.code(), denied.is_fault()), ("no_role_grants_action", false));
    assert_eq!(denied.user_messages().collect::<Vec<_>>(), ["Your role does not allow this."]);
    assert!(denied.to_string().starts_with("denied: `no_role_grants_action` (decision `0"), "{denied}");
    let both = client.check_all(&[no, yes]).await.unwrap();
    let [Err(Refusal::Denied(denied)), Ok(allowed)] = &both[..] else { panic!("{both:?}") };
    assert_eq!(denied.verdict.revision, allowed.verdict().revision);
    assert_ne!(denied.decision_id, allowed.decision_id());
    assert!(client.check_all(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_question_that_would_arrive_as_another_is_not_sent() {
    let server = Serve::folder(&Folder::always(&[(
        "authz.rego",
        "package authz\n\ndecision := input.context.n == 9007199254740993\n",
    )]))
    .ready()
    .await;
    let client = client(&server, PATIENT);
    let mut question = may("alice", "read");
    question.query.context.insert("n".into(), Value::from(9_007_199_254_740_993_i64));
    assert!(client.check(&question).await.is_ok(), "to the last digit");
    assert!(client.check_all(std::slice::from_ref(&question)).await.unwrap()[0].is_ok());
    question.query.context.insert("n".into(), Value::from(9_007_199_254_740_992_i64));
    assert_eq!(refusal(&client, &question).await.code(), "policy_denied");
    let claims = Question::from(Query { token: Some(Object::new()), ..question.query });
    let asked = fault(&client, &claims).await;
    assert!(matches!(asked, Fault::Question(InvalidQuestion::Token)), "{asked:?}");
    let asked = fault(&client, &may("", "read")).await;
    assert!(matches!(asked, Fault::Refused(_)) && asked.to_string().contains("`subject.id` is empty"), "{asked}");
}

#[tokio::test]
async fn decides_on_the_revision_that_is_asked_for() {
    let server = Serve::embedded().ready().await;
    let client = client(&server, PATIENT);
    let at = |revision| Question { at: At::Revision(revision), ..may("alice", "read") };
    assert_eq!(client.check(&at(1)).await.unwrap().verdict().revision.sequence, 1);
    let asked = fault(&client, &at(7)).await;
    assert!(matches!(&asked, Fault::Refused(status) if status.code() == tonic::Code::FailedPrecondition), "{asked:?}");
}

#[tokio::test]
async fn a_server_that_is_killed_is_a_fault_until_it_is_back() {
    // An address of its own, where nobody else takes the port meanwhile.
    let mut server = Serve::embedded().grpc("127.0.0.2:0").ready().await;
    let client = client(&server, PATIENT);
    let question = may("alice", "read");
    assert!(client.check(&question).await.is_ok());
    server.signal("KILL");
    server.ended().await;
    let asked = fault(&client, &question).await;
    assert!(matches!(asked, Fault::Unavailable(_)), "{asked:?}");
    assert!(matches!(client.check_all(std::slice::from_ref(&question)).await, Err(Fault::Unavailable(_))));
    let back = Serve::embedded().grpc(server.grpc.clone()).ready().await;
    assert_eq!(back.grpc, server.grpc);
    let asked = client.check(&question).await;
    assert!(asked.is_ok(), "{asked:?}");
}

#[tokio::test]
async fn a_server_that_dies_under_a_question_is_a_fault_at_once() {
    let mut server = Serve::embedded().ready().await;
    let client = client(&server, PATIENT);
    assert!(client.check(&may("alice", "read")).await.is_ok());
    server.hang().await;
    let asked = tokio::spawn(async move { fault(&client, &may("alice", "read")).await });
    // So that the question is under way, most likely; that it fails at once is so in any case.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = Instant::now();
    server.signal("KILL");
    server.ended().await;
    let asked = asked.await.unwrap();
    assert!(matches!(asked, Fault::Unavailable(_)), "{asked:?}");
    assert!(before.elapsed() < PATIENT.deadline / 2, "{:?}", before.elapsed());
}

#[tokio::test]
async fn a_server_that_hangs_is_not_waited_for_beyond_the_deadline() {
    let server = Serve::embedded().ready().await;
    let client = client(&server, SHORT);
    let question = may("alice", "read");
    eventually("an answer in time", async || client.check(&question).await.is_ok().then_some(())).await;
    server.hang().await;
    let before = Instant::now();
    let asked = fault(&client, &question).await;
    let took = before.elapsed();
    assert!(matches!(asked, Fault::Deadline(limit) if limit == SHORT.deadline), "{asked:?}");
    // The header that carries the deadline is cut to whole units, so it may come a moment early.
    assert!(took + Duration::from_millis(5) >= SHORT.deadline && took < Duration::from_secs(10), "{took:?}");
    let before = Instant::now();
    let limit = Duration::from_millis(20);
    let asked = client.check_within(&question, limit).await;
    assert!(matches!(asked, Err(Refusal::Fault(Fault::Deadline(told))) if told == limit), "{asked:?}");
    assert!(before.elapsed() < Duration::from_secs(10));
    server.signal("CONT");
    eventually("an answer again", async || client.check(&question).await.is_ok().then_some(())).await;
}

#[tokio::test]
async fn whatever_is_at_a_wrong_address_permits_nothing() {
    let question = may("alice", "read");
    let listener = TcpListener::bind("127.0.0.3:0").unwrap();
    let address = listener.local_addr().unwrap();
    let at = |address: String| Client::lazy(&address, SHORT).unwrap();
    // It connects, and nobody is there to read.
    let asked = fault(&at(address.to_string()), &question).await;
    assert!(matches!(asked, Fault::Deadline(_)), "{asked:?}");
    drop(listener);
    let patient = |address: String| Client::lazy(&address, PATIENT).unwrap();
    let asked = fault(&patient(address.to_string()), &question).await;
    assert!(matches!(asked, Fault::Unavailable(_)), "{asked:?}");
    let asked = fault(&patient("unix:/nowhere/verdict.sock".into()), &question).await;
    assert!(matches!(asked, Fault::Unavailable(_)), "{asked:?}");
    // The HTTP door of a Verdict.
    let server = Serve::embedded().ready().await;
    let asked = fault(&patient(server.http.to_string()), &question).await;
    assert!(matches!(asked, Fault::Unavailable(_) | Fault::Refused(_)), "{asked:?}");
    for wrong in
        ["", "verdict", "127.0.0.1", "http://127.0.0.1:9191", "127.0.0.1:9191/a", "a b:1", "unix:", "x:99999", "a@b:1"]
    {
        assert!(Client::lazy(wrong, SHORT).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn asks_again_where_the_server_is_unavailable_and_nowhere_else() {
    let policies = Folder::empty();
    let server = Serve::folder(&policies).listening().await;
    let errors = async |reason: &str| server.metric(&format!("verdict_call_errors_total{{reason=\"{reason}\"}}")).await;
    let asked = fault(&client(&server, PATIENT), &may("alice", "read")).await;
    assert!(matches!(asked, Fault::Unavailable(_)), "{asked:?}");
    assert_eq!(errors("POLICIES_NOT_READY").await, Some(3.0), "one attempt and two retries");
    let never = client(&server, Settings { retries: 0, ..PATIENT });
    assert!(matches!(fault(&never, &may("alice", "read")).await, Fault::Unavailable(_)));
    assert_eq!(errors("POLICIES_NOT_READY").await, Some(4.0));
    let stubborn = client(&server, Settings { retries: 1_000, ..PATIENT });
    let asked = tokio::spawn(async move { stubborn.check(&may("alice", "read")).await });
    eventually("asked again", async || (errors("POLICIES_NOT_READY").await > Some(6.0)).then_some(())).await;
    policies.write("authz.rego", "package authz\n\ndecision := true\n");
    let asked = asked.await.unwrap();
    assert!(asked.is_ok(), "{asked:?}");
    assert_eq!(errors("INVALID_QUERY").await, None);
    assert!(matches!(fault(&client(&server, PATIENT), &may("", "read")).await, Fault::Refused(_)));
    assert_eq!(errors("INVALID_QUERY").await, Some(1.0), "asked once");
}

#[tokio::test]
async fn reuses_what_has_a_ttl_for_that_question_alone() {
    let policies = made(&[
        ("timed", json!({"allow": true, "ttl": 600})),
        ("refused", json!({"allow": false, "ttl": 600, "reasons": ["no"]})),
        ("untimed", json!({"allow": true})),
        ("never", json!({"allow": false, "reasons": ["no"]})),
        ("zero", json!({"allow": true, "ttl": 0})),
    ]);
    let server = Serve::folder(&policies).ready().await;
    let client = client(&server, PATIENT);
    let first = client.check(&may("alice", "timed")).await.unwrap();
    let named = Question { request_id: "7".into(), ..may("alice", "timed") };
    let again = client.clone().check(&named).await.unwrap();
    assert!(!first.is_reused() && again.is_reused());
    assert_eq!(first.decision_id(), again.decision_id());
    let other = client.check(&may("bob", "timed")).await.unwrap();
    assert!(!other.is_reused() && other.decision_id() != first.decision_id());
    let mut more = may("alice", "timed");
    more.query.context.insert("n".into(), Value::from(1));
    assert!(!client.check(&more).await.unwrap().is_reused());
    let ids = async |action: &str| {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let asked = client.check(&may("alice", action)).await;
            ids.push(match &asked {
                Ok(permit) => permit.decision_id().to_owned(),
                Err(refusal) => refusal.decision_id().expect("a decision").to_owned(),
            });
        }
        ids
    };
    let denied = ids("refused").await;
    assert_eq!(denied[0], denied[1]);
    for action in ["untimed", "never", "zero"] {
        let asked = ids(action).await;
        assert_ne!(asked[0], asked[1], "{action}");
    }
    let none = Client::lazy(&server.grpc, Settings { cache_bytes: 0, ..PATIENT }).unwrap();
    assert!(none.check(&may("alice", "timed")).await.is_ok());
    assert!(!none.check(&may("alice", "timed")).await.unwrap().is_reused());
    assert!(!client.check_all(&[may("alice", "timed")]).await.unwrap()[0].as_ref().unwrap().is_reused());
    // What may be reused needs no server; all else does.
    server.hang().await;
    assert!(client.check(&may("alice", "timed")).await.unwrap().is_reused());
    let asked = client.check_within(&may("alice", "untimed"), Duration::from_millis(50)).await;
    assert!(matches!(asked, Err(Refusal::Fault(Fault::Deadline(_)))), "{asked:?}");
}

#[tokio::test]
async fn reuses_nothing_past_its_ttl() {
    let policies = made(&[("timed", json!({"allow": true, "ttl": 1}))]);
    let server = Serve::folder(&policies).ready().await;
    let client = client(&server, PATIENT);
    let first = client.check(&may("alice", "timed")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = client.check(&may("alice", "timed")).await.unwrap();
    assert!(!second.is_reused() && second.decision_id() != first.decision_id());
    // A policy that has changed its mind is heard at the latest then.
    policies.write("authz.rego", "package authz\n\ndecision := false\n");
    let refused = eventually("the change", async || client.check(&may("alice", "timed")).await.err()).await;
    assert_eq!(refused.code(), "policy_denied");
}

#[tokio::test]
async fn an_obligation_that_nobody_meets_makes_it_a_refusal() {
    let watermark = json!({"id": "w-1", "type": "watermark", "properties": {"text": "secret"}});
    let policies = made(&[
        ("one", json!({"allow": true, "ttl": 600, "obligations": [watermark]})),
        ("two", json!({"allow": true, "obligations": [watermark, {"id": "log-access"}]})),
        ("deny", json!({"allow": false, "reasons": ["no"], "obligations": [watermark]})),
    ]);
    let server = Serve::folder(&policies).ready().await;
    let nobody = client(&server, PATIENT);
    for action in ["one", "two", "one"] {
        let asked = refusal(&nobody, &may("alice", action)).await;
        assert!(matches!(&asked, Refusal::Unmet { obligation, .. } if obligation.kind == "watermark"), "{asked:?}");
        assert_eq!(asked.code(), "unmet_obligation");
    }
    let somebody = nobody.clone().meeting(|obligation| obligation.kind == "watermark");
    let permit = somebody.check(&may("alice", "one")).await.unwrap();
    assert!(permit.is_reused(), "the refusal of the other was no part of the answer");
    assert_eq!(permit.obligations()[0].properties.get("text"), Some(&Value::from("secret")));
    let asked = refusal(&somebody, &may("alice", "two")).await;
    assert!(matches!(&asked, Refusal::Unmet { obligation, .. } if obligation.id == "log-access"), "{asked:?}");
    let both = somebody.check_all(&[may("alice", "one"), may("alice", "two")]).await.unwrap();
    assert!(matches!(&both[..], [Ok(_), Err(Refusal::Unmet { .. })]), "{both:?}");
    assert!(matches!(refusal(&somebody, &may("alice", "deny")).await, Refusal::Denied(_)));
}
