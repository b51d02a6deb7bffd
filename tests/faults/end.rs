//! The end under load: SIGTERM while clients are silent, slow, streaming and asking. What was decided was answered.

use std::{
    collections::BTreeSet,
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use verdict::api::grpc::proto::{CheckRequest, CheckStreamRequest, Effect};

use crate::{
    sized,
    support::{ALWAYS, Folder, Serve, to},
};

/// How long it may take to drain.
const DRAIN: Duration = Duration::from_secs(3);

/// `VERDICT_TEST_ENDS` (1) times.
#[tokio::test]
async fn a_signal_under_load_loses_no_call_that_was_accepted() {
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    let ends = sized("VERDICT_TEST_ENDS", 1);
    for _ in 0..ends {
        for mode in ["best_effort", "durable"] {
            let (calls, took) = end(mode).await;
            answered += calls;
            slowest = slowest.max(took);
        }
    }
    println!(
        "figure: {ends} ends under load with either mode of the decision log, {answered} calls decided, 0 of them lost; ended after {slowest:.2?} at most"
    );
    if std::env::var_os("VERDICT_TEST_ENDS").is_some() {
        assert!(slowest < DRAIN + Duration::from_secs(2), "{slowest:?}");
    }
}

async fn end(mode: &str) -> (usize, Duration) {
    let folder = Folder::empty();
    folder.write("policies/always.rego", "package always\n\ndecision := true\n");
    let path = folder.path().to_str().unwrap().to_owned();
    let sink =
        format!("decision_log: {{sinks: {{file: {{type: file, path: {path}/decisions.jsonl, mode: {mode}}}}}}}\n");
    folder.write("verdict.yaml", &sink);
    let mut server = Serve::embedded()
        .arg("--policies")
        .arg(folder.join("policies").to_str().unwrap())
        .arg("--config")
        .arg(folder.join("verdict.yaml").to_str().unwrap())
        .env("VERDICT_SERVER_DRAIN_TIMEOUT", "3s")
        .ready()
        .await;
    // Silent at either door; half a preface; half a head; a body that does not come; a stream that stays open.
    let mut held = Vec::new();
    let http = server.http.to_string();
    for (door, said) in [
        (&server.grpc, b"".as_slice()),
        (&http, b""),
        (&server.grpc, b"PRI * HTTP/2.0\r\n"),
        (&http, b"POST /access/v1/evaluation HTTP/1.1\r\nhost:"),
        (&http, b"POST /access/v1/evaluation HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"),
    ] {
        let mut stream = TcpStream::connect(door.as_str()).await.unwrap();
        stream.write_all(said).await.unwrap();
        held.push(stream);
    }
    let (questions, received) = tokio::sync::mpsc::channel(1);
    let question = CheckRequest { request_id: "stream".to_owned(), ..to(ALWAYS) };
    questions.send(CheckStreamRequest { question: Some(question) }).await.unwrap();
    let mut stream = server.client().await.check_stream(ReceiverStream::new(received)).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    // Those who ask, until they are told that it ends.
    let answered = Arc::new(Mutex::new(BTreeSet::from(["stream".to_owned()])));
    let mut asking = JoinSet::new();
    let mut client = server.client().await;
    for who in 0..16 {
        // Each connection has two calls at a time.
        if who % 2 == 0 {
            client = server.client().await;
        }
        let (answered, mut client) = (Arc::clone(&answered), client.clone());
        asking.spawn(async move {
            for call in 0.. {
                let request_id = format!("{who}-{call}");
                let question = CheckRequest { request_id: request_id.clone(), ..to(ALWAYS) };
                match client.check(question).await {
                    Ok(answer) => {
                        assert_eq!(answer.into_inner().verdict.unwrap().effect(), Effect::Allow);
                        answered.lock().unwrap().insert(request_id);
                    }
                    Err(_) => return,
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    server.signal("TERM");
    assert_eq!(server.ended().await.code(), Some(0));
    let took = began.elapsed();
    while let Some(ended) = asking.join_next().await {
        ended.unwrap();
    }
    let records = fs::read_to_string(folder.join("decisions.jsonl")).unwrap();
    let answered = answered.lock().unwrap();
    let mut decided = 0;
    for line in records.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = record["request_id"].as_str().unwrap_or_else(|| panic!("no request_id: {record}"));
        assert!(answered.contains(id), "{id} was decided, and its answer was lost");
        decided += 1;
    }
    assert_eq!(decided, answered.len(), "each answer is recorded");
    drop((held, questions));
    (decided, took)
}
