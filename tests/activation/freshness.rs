//! `at_least_as_fresh`, `at_revision`, and what is stale.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use prost::Message as _;
use tonic::Code;
use tonic_types::StatusExt as _;
use verdict::api::grpc::proto::{
    BatchCheckItem, BatchCheckRequest, CheckRequest, Effect, Freshness, decision_service_client::DecisionServiceClient,
};

use crate::{
    raw,
    support::{Place, Server, ask, policy, question},
};

fn fresh(sequence: u64, bundles: &[(&str, &str)]) -> CheckRequest {
    let bundles: BTreeMap<_, _> = bundles.iter().map(|(name, is)| ((*name).to_owned(), (*is).to_owned())).collect();
    CheckRequest { at_least_as_fresh: Some(Freshness { sequence, bundles }), ..question() }
}

/// What fails within so many milliseconds, of a client that keeps no time of its own: it would give up at the same moment.
async fn within(server: &Server, question: CheckRequest, timeout: u64) -> tonic::Status {
    let question = raw::frame(&question.encode_to_vec());
    let answer = raw::call(server, "Check", question, &[("grpc-timeout", &format!("{timeout}m"))]).await;
    answer.status().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_waits_for_what_it_wants_and_says_what_is() {
    let place = Place::new().bundle("one", "");
    place.put("one", &policy("a", "r1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    for at in [fresh(0, &[]), fresh(1, &[]), fresh(1, &[("one", "r1")])] {
        assert!(server.try_ask(at).await.is_ok());
    }
    let since = Instant::now();
    let status = within(&server, fresh(2, &[("one", "r2")]), 400).await;
    assert!(since.elapsed() >= Duration::from_millis(300), "it waits");
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    assert_eq!(status.get_details_error_info().unwrap().reason, "NOT_FRESH_ENOUGH");
    let told = "wanted at least revision 2, bundle `one` at `r2`; active is revision 1, bundle `one` at `r1`";
    assert!(status.message().contains(told), "{}", status.message());
    let waiting = [fresh(2, &[]), fresh(0, &[("one", "r2")])].map(|question| {
        let address = server.grpc.clone();
        tokio::spawn(async move { ask(&address, question).await })
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    place.put("one", &policy("a", "r2", false));
    for waiting in waiting {
        let verdict = waiting.await.unwrap().unwrap();
        assert_eq!((verdict.effect(), verdict.revision.unwrap().sequence), (Effect::Deny, 2));
    }
    // What was active before what is active now is fresh enough, too.
    assert!(server.try_ask(fresh(0, &[("one", "r1")])).await.is_ok());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_can_be_replayed_on_what_it_was_decided_on() {
    let place = Place::new().bundle("one", "");
    place.put("one", &policy("a", "r1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    for number in 2..=10 {
        place.put("one", &policy("a", &format!("r{number}"), number % 2 == 1));
        server.serves(&[("one", &format!("r{number}"))]).await;
    }
    for number in 3..=10_u64 {
        let verdict = server.try_ask(CheckRequest { at_revision: number, ..question() }).await.unwrap();
        assert_eq!(verdict.effect() == Effect::Allow, number % 2 == 1);
        let revision = verdict.revision.unwrap();
        assert_eq!((revision.sequence, revision.bundles["one"].as_str()), (number, format!("r{number}").as_str()));
    }
    for unknown in [1, 2, 11] {
        let status = server.try_ask(CheckRequest { at_revision: unknown, ..question() }).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.get_details_error_info().unwrap().reason, "REVISION_NOT_RETAINED");
        assert!(status.message().contains("these are: 10, 9, 8, 7, 6, 5, 4, 3"), "{}", status.message());
    }
    let both = CheckRequest { at_revision: 10, ..fresh(1, &[]) };
    assert_eq!(server.try_ask(both).await.unwrap_err().code(), Code::InvalidArgument);
    let mut client = DecisionServiceClient::connect(format!("http://{}", server.grpc)).await.unwrap();
    let CheckRequest { subject, action, resource, .. } = question();
    let items = vec![BatchCheckItem::default(); 3];
    let batch = BatchCheckRequest { subject, action, resource, items, at_revision: 4, ..BatchCheckRequest::default() };
    let verdicts = client.batch_check(batch).await.unwrap().into_inner().verdicts;
    assert!(verdicts.iter().all(|verdict| verdict.revision.as_ref().unwrap().sequence == 4));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stale_is_not_served() {
    let ready = async |server: &Server| {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(&server.http).await.unwrap();
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let place = Place::new().bundle("one", "stale_after: 2s");
    place.put("one", &policy("a", "r1", true));
    let server = place.serve().await;
    server.serves(&[("one", "r1")]).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(ready(&server).await.starts_with("HTTP/1.1 200"), "what does not change is not stale");
    place.take_away("one");
    let since = Instant::now();
    let mut answer = ready(&server).await;
    while answer.starts_with("HTTP/1.1 200") {
        assert!(since.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = ready(&server).await;
    }
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("`one`"), "{answer}");
    place.put("one", &policy("a", "r2", true));
    while !ready(&server).await.starts_with("HTTP/1.1 200") {
        assert!(since.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop().await;
}
