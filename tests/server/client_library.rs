//! `verdict::client` over real sockets: a server that answers, that is killed, that hangs, that is not there yet.

use std::time::{Duration, Instant};

use verdict::{
    client::{Client, Error, InvalidQuestion, Settings},
    decision::{Action, Object, Query, Resource, Subject, Value, Verdict},
};

use crate::support::{Serve, eventually};

const PATIENT: Settings = Settings { deadline: Duration::from_secs(10), retries: 2, pause: Duration::from_millis(10) };
const SHORT: Settings = Settings { deadline: Duration::from_millis(300), ..PATIENT };

fn asking(id: &str, action: &str) -> Query {
    Query {
        subject: Subject { kind: "user".into(), id: id.into(), ..Subject::default() },
        action: Action { name: action.into(), ..Action::default() },
        resource: Resource { kind: "document".into(), id: "handbook".into(), ..Resource::default() },
        ..Query::default()
    }
}

fn address(uri: &str) -> String {
    uri.trim_start_matches("http://").to_owned()
}

#[tokio::test]
async fn answers_with_reasons_single_and_in_a_batch() {
    let server = Serve::embedded().ready().await;
    let client = Client::lazy(&address(&server.uri()), PATIENT).unwrap();
    let (may, may_not) = (asking("alice", "read"), asking("bob", "delete"));
    assert!(client.check(&may).await.unwrap().is_allow());
    let denied = client.check(&may_not).await.unwrap();
    assert!(!denied.is_allow());
    assert_eq!(denied.reasons[0].code, "no_role_grants_action");
    let both = client.check_all(&[may_not, may]).await.unwrap();
    assert_eq!(both.iter().map(Verdict::is_allow).collect::<Vec<_>>(), [false, true]);
    assert_eq!(both[1].revision, denied.revision);
}

#[tokio::test]
async fn a_question_that_would_arrive_as_another_is_not_sent() {
    let server = Serve::embedded().ready().await;
    let client = Client::lazy(&address(&server.uri()), PATIENT).unwrap();
    let mut inexact = asking("alice", "read");
    inexact.context.insert("n".into(), Value::from(9_007_199_254_740_993_i64));
    let asked = client.check(&inexact).await;
    assert!(matches!(asked, Err(Error::Question(InvalidQuestion::Inexact))), "{asked:?}");
    let mut claims = asking("alice", "read");
    claims.token = Some(Object::new());
    let asked = client.check_all(&[claims]).await;
    assert!(matches!(asked, Err(Error::Question(InvalidQuestion::Token))), "{asked:?}");
}

#[tokio::test]
async fn a_server_that_is_killed_is_an_error() {
    let mut server = Serve::embedded().ready().await;
    let client = Client::lazy(&address(&server.uri()), PATIENT).unwrap();
    assert!(client.check(&asking("alice", "read")).await.unwrap().is_allow());
    server.signal("KILL");
    server.ended().await;
    let asked = client.check(&asking("alice", "read")).await;
    assert!(matches!(asked, Err(Error::Unavailable(_))), "{asked:?}");
}

#[tokio::test]
async fn a_server_that_hangs_is_not_waited_for_beyond_the_deadline() {
    let server = Serve::embedded().ready().await;
    let client = Client::lazy(&address(&server.uri()), SHORT).unwrap();
    eventually("an answer in time", async || client.check(&asking("alice", "read")).await.ok()).await;
    server.signal("STOP");
    let before = Instant::now();
    let asked = client.check(&asking("alice", "read")).await;
    let took = before.elapsed();
    server.signal("CONT");
    assert!(matches!(asked, Err(Error::Deadline(limit)) if limit == SHORT.deadline), "{asked:?}");
    // The header that carries the deadline is cut to whole microseconds.
    assert!(took + Duration::from_millis(1) >= SHORT.deadline && took < Duration::from_secs(5), "{took:?}");
    let again = eventually("an answer again", async || client.check(&asking("alice", "read")).await.ok()).await;
    assert!(again.is_allow());
}
