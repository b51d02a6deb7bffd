//! A server that takes decision logs by OPA's protocol, and everything that it may do instead.

use std::{
    io::Read as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Value as Json, json};

use crate::{
    rig::{Rig, ask, stop},
    support::{Ask as _, Server, eventually, question},
};

/// What a receiver does with a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Does {
    Takes,
    Says(u16),
    SaysLater(u16),
    TakesFew(usize),
    RefusesBob,
    Sleeps,
}

#[derive(Clone)]
struct Receiver {
    does: Arc<Mutex<Does>>,
    got: Arc<Mutex<Vec<Json>>>,
    heads: Arc<Mutex<Vec<(Instant, HeaderMap, usize)>>>,
    url: String,
}

impl Receiver {
    async fn start(does: Does) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/logs", listener.local_addr().unwrap());
        let receiver = Self { does: Arc::new(Mutex::new(does)), got: Arc::default(), heads: Arc::default(), url };
        let router = Router::new().route("/logs", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    fn now(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    fn ids(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter().map(|record| record["decision_id"].as_str().unwrap().to_owned()).collect()
    }

    fn calls(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    let records: Vec<Json> = serde_json::from_str(&text).unwrap();
    receiver.heads.lock().unwrap().push((Instant::now(), headers, body.len()));
    let does = *receiver.does.lock().unwrap();
    match does {
        Does::Says(status) => return StatusCode::from_u16(status).unwrap().into_response(),
        Does::SaysLater(status) => {
            return (StatusCode::from_u16(status).unwrap(), [("retry-after", "1")]).into_response();
        }
        Does::TakesFew(most) if records.len() > most => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Does::RefusesBob if records.iter().any(|record| record["input"]["subject"]["id"] == "bob") => {
            return StatusCode::BAD_REQUEST.into_response();
        }
        Does::Sleeps => tokio::time::sleep(Duration::from_secs(60)).await,
        Does::Takes | Does::TakesFew(_) | Does::RefusesBob => {}
    }
    receiver.got.lock().unwrap().extend(records);
    StatusCode::OK.into_response()
}

fn sink(receiver: &Receiver, more: &str) -> String {
    format!("logs: {{type: http, url: '{}', delay: 20ms, timeout: 3s{more}}}", receiver.url)
}

async fn dropped(server: &Server, cause: &str) -> f64 {
    server.metric(&format!("verdict_decision_log_dropped_total{{sink=\"logs\",cause=\"{cause}\"}}")).await.unwrap()
}

#[tokio::test]
async fn chunks_are_gzip_below_the_limit_with_the_token_of_now() {
    let receiver = Receiver::start(Does::Takes).await;
    let rig = Rig::new("x: {type: stdout}", &[]);
    rig.folder.write("token", "first-token\n");
    rig.configure(&sink(&receiver, ", chunk_bytes: 2KiB, token_file: DIR/token"));
    let mut server = rig.ready().await;
    let mut client = server.client().await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(client.ask(question()).await.decision_id);
    }
    eventually("all are there", async || (receiver.ids().len() == 100).then_some(())).await;
    rig.folder.write("token", "second-token");
    ids.push(client.ask(question()).await.decision_id);
    eventually("the last is there", async || (receiver.ids().len() == 101).then_some(())).await;
    stop(&mut server).await;
    assert_eq!(receiver.ids(), ids, "in their order, each once");
    let heads = receiver.heads.lock().unwrap();
    assert!(heads.iter().all(|(_, _, size)| *size <= 2 << 10), "{:?}", heads.iter().map(|head| head.2).max());
    for (_, head, _) in heads.iter() {
        assert_eq!(
            (&head["content-encoding"], &head["content-type"]),
            (&"gzip".parse().unwrap(), &"application/json".parse().unwrap())
        );
    }
    assert_eq!(heads[0].1["authorization"], "Bearer first-token");
    assert_eq!(heads.last().unwrap().1["authorization"], "Bearer second-token");
    let log: String = server.lines().iter().map(Json::to_string).collect();
    assert!(!log.contains("first-token") && !log.contains("second-token"));
}

#[tokio::test]
async fn a_server_that_fails_gets_everything_later_in_order() {
    for (does, cause) in [
        (Does::Says(500), "answers 500"),
        (Does::Says(404), "answers 404"),
        (Does::Says(302), "answers 302"),
        (Does::SaysLater(429), "answers 429"),
        (Does::Sleeps, "can't be asked"),
    ] {
        let receiver = Receiver::start(does).await;
        let rig = Rig::new(&sink(&receiver, ""), &[]);
        let mut server = rig.ready().await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(ask(&server, "alice", &json!({})).await.1);
        }
        server.logged(cause).await;
        eventually("it is asked again", async || (receiver.calls() >= 2).then_some(())).await;
        receiver.now(Does::Takes);
        eventually("all are there", async || (receiver.ids().len() == 5).then_some(())).await;
        assert_eq!(receiver.ids(), ids, "{does:?}");
        if does == Does::SaysLater(429) {
            let heads = receiver.heads.lock().unwrap();
            assert!(heads[1].0 - heads[0].0 >= Duration::from_millis(900), "Retry-After is heard");
        }
        for name in ["queue_full", "rejected", "too_large", "shutdown"] {
            assert!(dropped(&server, name).await.abs() < 0.5, "{does:?} {name}");
        }
        stop(&mut server).await;
    }
}

#[tokio::test]
async fn garbage_in_place_of_an_answer_is_a_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/logs", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &[0xff; 5_000]).await;
        }
    });
    let rig = Rig::new(&format!("logs: {{type: http, url: '{url}', delay: 20ms, timeout: 500ms}}"), &[]);
    let mut server = rig.ready().await;
    ask(&server, "alice", &json!({})).await;
    server.logged("can't be asked").await;
    assert!(ask(&server, "alice", &json!({})).await.0, "decisions go on");
    stop(&mut server).await;
    server.logged("not delivered, and lost").await;
}

#[tokio::test]
async fn chunks_get_smaller_where_the_server_says_so_and_what_it_refuses_is_counted() {
    let receiver = Receiver::start(Does::Says(500)).await;
    let rig = Rig::new(&sink(&receiver, ""), &[]);
    let mut server = rig.ready().await;
    for number in 0..20 {
        ask(&server, if number == 7 { "bob" } else { "alice" }, &json!({})).await;
    }
    receiver.now(Does::TakesFew(3));
    eventually("all are there", async || (receiver.ids().len() == 20).then_some(())).await;
    receiver.now(Does::Says(500));
    for number in 0..20 {
        ask(&server, if number == 7 { "bob" } else { "alice" }, &json!({})).await;
    }
    receiver.now(Does::RefusesBob);
    eventually("all but one are there", async || (receiver.ids().len() == 39).then_some(())).await;
    eventually("one is counted", async || (dropped(&server, "rejected").await > 0.5).then_some(())).await;
    receiver.now(Does::TakesFew(0));
    ask(&server, "alice", &json!({})).await;
    eventually("one is too large", async || (dropped(&server, "too_large").await > 0.5).then_some(())).await;
    assert!(dropped(&server, "rejected").await < 1.5);
    stop(&mut server).await;
}

#[tokio::test]
async fn a_full_queue_drops_what_comes_and_counts_it_to_the_record() {
    let receiver = Receiver::start(Does::Says(503)).await;
    let rig = Rig::new(&sink(&receiver, ", queue: {records: 50}"), &[]);
    let mut server = rig.ready().await;
    let mut client = server.client().await;
    let started = Instant::now();
    for _ in 0..500 {
        client.ask(question()).await;
    }
    assert!(started.elapsed() < Duration::from_secs(60), "nothing waits for a sink: {:?}", started.elapsed());
    let full = dropped(&server, "queue_full").await;
    assert!(full > 300.0, "{full}");
    receiver.now(Does::Takes);
    eventually("the rest is delivered", async || {
        let name = "verdict_decision_log_queued{sink=\"logs\"}";
        server.metric(name).await.is_some_and(|queued| queued.abs() < 0.5).then_some(())
    })
    .await;
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    let delivered = receiver.ids().len() as f64;
    assert!((delivered + dropped(&server, "queue_full").await - 500.0).abs() < 0.5, "{delivered} + {full} dropped");
    let counted = server.metric("verdict_decision_log_records_total{sink=\"logs\",result=\"delivered\"}").await;
    assert_eq!(counted, Some(delivered));
    stop(&mut server).await;
}
