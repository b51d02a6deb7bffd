//! More than can be answered: the rest is refused at once, and operators are not.

use std::time::{Duration, Instant};

use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use verdict::api::grpc::proto::{CheckRequest, CheckStreamRequest, check_stream_response::Answer};

use crate::support::{Folder, Serve, assert_refused, eventually, to};

/// A rule that takes its whole budget.
pub(crate) const SLOW: &str = "package slow

decision if count([1 | some a in thousand; some b in thousand; some c in thousand; a + b + c == 0]) == 0

thousand := numbers.range(1, 1000)
";

#[tokio::test]
async fn what_is_over_is_refused_at_once_and_health_is_not() {
    let folder = Folder::always(&[("slow.rego", SLOW)]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_IN_FLIGHT", "2")
        .env("VERDICT_SERVER_MAX_QUEUED", "2")
        .env("VERDICT_POLICIES_EVALUATION_BUDGET", "4s")
        .ready()
        .await;
    let client = server.client().await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let mut client = client.clone();
        asked.spawn(async move {
            let started = Instant::now();
            (client.check(to("data.slow")).await, started.elapsed())
        });
    }
    let (mut shed, mut answered) = (0, 0);
    while let Some(Ok((answer, took))) = asked.join_next().await {
        match answer {
            Ok(_) => answered += 1,
            Err(status) => {
                assert_refused(&status, Code::ResourceExhausted, "OVERLOADED");
                assert!(status.get_details_retry_info().is_some_and(|info| info.retry_delay.is_some()));
                shed += 1;
                println!("refused after {took:?}");
                // In the middle of it.
                assert_eq!(server.readiness().await.0, 200);
                assert_eq!(server.health("").await, Ok(1));
                assert_eq!(server.http("GET", "/metrics").await.0, 200);
            }
        }
    }
    println!("{answered} answered, {shed} refused");
    assert!(shed >= 4 && answered >= 2);
    let mut counted = 0.0;
    for cause in ["queue_full", "too_late", "waited"] {
        counted += server.metric(&format!("verdict_calls_shed_total{{cause=\"{cause}\"}}")).await.unwrap();
    }
    assert!((counted - f64::from(shed)).abs() < 0.5, "{counted} counted");
    server.unharmed().await;
}

/// Without callers, too: it is the gate that tells of decisions.
#[tokio::test]
async fn the_limit_falls_where_answers_become_slow() {
    // Some milliseconds each, of which so many at once make a second or two: more than half of the limit.
    let folder =
        Folder::always(&[("slow.rego", &SLOW.replace("some c in thousand; a + b + c", "a + b").replace("1000", "60"))]);
    let server = Serve::folder(&folder).env("VERDICT_POLICIES_EVALUATION_BUDGET", "10s").ready().await;
    let limit = async || server.metric("verdict_concurrency_limit").await.unwrap();
    let mut client = server.client().await;
    let first = limit().await;
    for _ in 0..130 {
        client.check(to("data.always.decision")).await.unwrap();
    }
    assert!((limit().await - first).abs() < 0.5, "nobody waited, and nothing was slow");
    // A connection has a hundred calls.
    let clients = [client, server.client().await];
    let asked: Vec<_> = (0..200)
        .map(|number| {
            let mut client = clients[number % 2].clone();
            tokio::spawn(async move { client.check(to("data.slow")).await.map(drop) })
        })
        .collect();
    for asked in asked {
        // Whatever it is answered: some have no time left.
        drop(asked.await.unwrap());
    }
    eventually("the limit falls", async || (limit().await < first - 0.5).then_some(())).await;
}

/// What Envoy takes for a deny whatever its `failure_mode_allow` says: an answer, and not of code 0.
#[tokio::test]
async fn envoy_is_denied_where_there_is_too_much() {
    use envoy_types::{
        ext_authz::v3::pb::{CheckRequest as Asked, CheckResponse as Answered},
        pb::envoy::service::auth::v3::{
            AttributeContext,
            attribute_context::{HttpRequest, Request as Attributes},
        },
    };
    let allows = "package envoy.authz\n\nallow := true\n";
    let folder = Folder::always(&[("slow.rego", SLOW), ("envoy.rego", allows)]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_IN_FLIGHT", "1")
        .env("VERDICT_SERVER_MAX_QUEUED", "0")
        .env("VERDICT_POLICIES_EVALUATION_BUDGET", "10s")
        .ready()
        .await;
    let http =
        HttpRequest { method: "GET".to_owned(), path: "/".to_owned(), host: "x".to_owned(), ..HttpRequest::default() };
    let request = Attributes { http: Some(http), ..Attributes::default() };
    let asked = Asked { attributes: Some(AttributeContext { request: Some(request), ..AttributeContext::default() }) };
    let ask = async || {
        let mut client = tonic::client::Grpc::new(server.channel().await);
        client.ready().await.unwrap();
        let path = "/envoy.service.auth.v3.Authorization/Check".parse().unwrap();
        let codec = tonic_prost::ProstCodec::<Asked, Answered>::default();
        let answer = client.unary(Request::new(asked.clone()), path, codec).await.expect("an answer, whatever happens");
        answer.into_inner().status.is_some_and(|status| status.code == 0)
    };
    assert!(ask().await, "it is allowed while there is room");
    let mut busy = server.client().await;
    let slow = tokio::spawn(async move { busy.check(to("data.slow")).await });
    crate::support::eventually("the one place is taken", async || {
        (server.metric("verdict_in_flight").await == Some(1.0)).then_some(())
    })
    .await;
    let allowed = ask().await;
    if !slow.is_finished() {
        assert!(!allowed, "there was no room, and it is no failed call");
    }
    slow.abort();
}

/// Questions in the address are none the less asked with a place, whatever is said of a body that their doors don't read.
#[tokio::test]
async fn a_question_in_the_address_needs_a_place_too() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = Folder::always(&[("slow.rego", SLOW)]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_IN_FLIGHT", "1")
        .env("VERDICT_SERVER_MAX_QUEUED", "0")
        .env("VERDICT_POLICIES_EVALUATION_BUDGET", "10s")
        .ready()
        .await;
    let ask = async |rest: &str| {
        let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
        let head = format!("GET /v1/data/always/decision HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        tokio::time::timeout(crate::support::PATIENCE, stream.read_exact(&mut status)).await.unwrap().unwrap();
        String::from_utf8_lossy(&status).into_owned()
    };
    assert_eq!(ask("\r\n").await, "HTTP/1.1 200");
    let mut busy = server.client().await;
    let slow = tokio::spawn(async move { busy.check(to("data.slow")).await });
    eventually("the one place is taken", async || {
        (server.metric("verdict_in_flight").await == Some(1.0)).then_some(())
    })
    .await;
    for rest in [
        "\r\n",
        "content-length: 2000000\r\n\r\n",
        "content-length: 2\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\nnone\r\n",
    ] {
        let status = ask(rest).await;
        if !slow.is_finished() {
            assert_eq!(status, "HTTP/1.1 503", "{rest:?}");
        }
    }
    slow.abort();
}

#[tokio::test]
async fn a_caller_has_a_rate_of_its_own() {
    let authority = crate::tls::Authority::new();
    let folder = Folder::always(&[]);
    let server = authority.serve(&folder).env("VERDICT_CALLERS_RATE", "3").listening().await;
    server.logged("policies active").await;
    let (one, other) = (authority.issue(&["spiffe://a/one"], 2), authority.issue(&["spiffe://a/other"], 3));
    let mut client = authority.client(&server, Some(&one));
    let mut refused = None;
    for _ in 0..200 {
        if let Err(status) = client.check(Request::new(to(crate::support::ALWAYS))).await {
            refused = Some(status);
            break;
        }
    }
    assert_refused(&refused.expect("more than three a second"), Code::ResourceExhausted, "RATE_LIMITED");
    let mut other = authority.client(&server, Some(&other));
    assert!(other.check(to(crate::support::ALWAYS)).await.is_ok());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(client.check(to(crate::support::ALWAYS)).await.is_ok(), "later it may again");
    // What can't be answered is a call, too.
    let mut third = authority.client(&server, Some(&authority.issue(&["spiffe://a/third"], 4)));
    let large = CheckRequest { request_id: "x".repeat(2 << 20), ..to(crate::support::ALWAYS) };
    let mut reasons = Vec::new();
    while !reasons.iter().any(|reason| reason == "RATE_LIMITED") && reasons.len() < 200 {
        let refused = third.check(large.clone()).await.expect_err("too large");
        reasons.extend(refused.get_details_error_info().map(|info| info.reason));
    }
    assert_eq!(reasons.first().map(String::as_str), Some("MESSAGE_TOO_LARGE"));
    assert_eq!(reasons.last().map(String::as_str), Some("RATE_LIMITED"), "{reasons:?}");
    // Nor is a stream of questions one call.
    let mut fourth = authority.client(&server, Some(&authority.issue(&["spiffe://a/fourth"], 5)));
    let question = |number: usize| CheckRequest { request_id: number.to_string(), ..to(crate::support::ALWAYS) };
    let questions = (0..100).map(move |number| CheckStreamRequest { question: Some(question(number)) });
    let mut answers = fourth.check_stream(tokio_stream::iter(questions)).await.unwrap().into_inner();
    let (mut decided, mut refused) = (0, 0);
    while let Some(answer) = answers.message().await.unwrap() {
        match answer.answer.unwrap() {
            Answer::Verdict(_) => decided += 1,
            Answer::Error(error) => {
                assert_eq!(error.reason, "RATE_LIMITED");
                refused += 1;
            }
        }
    }
    assert!(decided > 0 && refused > 0, "{decided} were decided, {refused} refused");
    assert_eq!(decided + refused, 100);
}

/// Who hangs up is not worked for any longer.
#[tokio::test]
async fn a_call_that_is_cancelled_stops_working() {
    use verdict::api::grpc::proto::{BatchCheckItem, BatchCheckRequest};
    let folder = Folder::always(&[("slow.rego", SLOW)]);
    let serve = Serve::folder(&folder).env("VERDICT_POLICIES_EVALUATION_BUDGET", "200ms");
    let server = serve.env("VERDICT_GRPC_REQUEST_TIMEOUT", "5m").ready().await;
    let CheckRequest { subject, action, resource, .. } = to("data.slow");
    let item = BatchCheckItem { policy: "data.slow".to_owned(), subject, ..BatchCheckItem::default() };
    // Work for minutes.
    let batch = BatchCheckRequest { action, resource, items: vec![item; 1_000], ..BatchCheckRequest::default() };
    let mut client = server.client().await;
    let begun = server.cpu();
    let call = tokio::spawn(async move { client.batch_check(batch).await.map(drop) });
    let worked = |since: Duration| server.cpu().checked_sub(since).unwrap();
    eventually("it works", async || (worked(begun) > Duration::from_millis(500)).then_some(())).await;
    assert!(!call.is_finished(), "it goes on for long");
    call.abort();
    eventually("the call is gone", async || (server.metric("verdict_in_flight").await? < 0.5).then_some(())).await;
    // What was being evaluated ends by itself, or by its budget.
    eventually("nothing is worked at", async || {
        let before = server.cpu();
        tokio::time::sleep(Duration::from_millis(500)).await;
        (worked(before) < Duration::from_millis(100)).then_some(())
    })
    .await;
    server.unharmed().await;
}
