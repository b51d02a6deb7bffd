//! What clients do with HTTP/2: resets, headers without end, answers that nobody reads.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::codegen::http::Request;

use crate::{
    sized,
    support::{Folder, PATIENCE, Serve, Server, to},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// How long each attack goes on: `VERDICT_TEST_ATTACK` milliseconds (300).
fn attack() -> Duration {
    Duration::from_millis(sized("VERDICT_TEST_ATTACK", 300) as u64)
}

/// A frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A head of a call to the decision service, in literals without indexing (RFC 7541 §6.2.2).
fn head() -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/verdict.v1.DecisionService/Check"),
        (":authority", "x"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// Sends `part` with growing stream numbers, again and again, on new connections once the server has closed one.
/// Meanwhile another client asks. Gives its slowest answer and how often the server closed.
async fn beside(server: &Server, part: impl Fn(u32) -> Vec<u8>) -> (Duration, usize) {
    let until = Instant::now() + attack();
    let attacker = async {
        let mut closed = 0;
        while Instant::now() < until {
            let stream = TcpStream::connect(&server.grpc).await.unwrap();
            let (mut reading, mut writing) = stream.into_split();
            let drain = tokio::spawn(async move {
                let mut sink = [0; 4096];
                while reading.read(&mut sink).await.is_ok_and(|read| read > 0) {}
            });
            let mut id = 1;
            let mut open = writing.write_all(PREFACE).await.is_ok();
            while open && Instant::now() < until {
                open = writing.write_all(&part(id)).await.is_ok();
                id += 2;
            }
            closed += usize::from(!open);
            drain.abort();
        }
        closed
    };
    let client = async {
        let (mut client, mut slowest) = (server.client().await, Duration::ZERO);
        while Instant::now() < until {
            let started = Instant::now();
            client.check(to(crate::support::ALWAYS)).await.expect("an answer beside the attack");
            slowest = slowest.max(started.elapsed());
        }
        slowest
    };
    let (closed, slowest) = tokio::join!(attacker, client);
    (slowest, closed)
}

#[tokio::test]
async fn rapid_resets_close_the_connection_and_nobody_else_s() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let block = head();
    let (slowest, closed) = beside(&server, |id| {
        // HEADERS with END_HEADERS, and RST_STREAM (CANCEL).
        [frame(1, 0x4, id, &block), frame(3, 0, id, &8_u32.to_be_bytes())].concat()
    })
    .await;
    println!("rapid reset: another client's slowest answer {slowest:?}; closed {closed} times");
    server.unharmed().await;
}

#[tokio::test]
async fn headers_without_end_close_the_connection() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let (slowest, closed) = beside(&server, |id| {
        if id == 1 { frame(1, 0, 1, &head()) } else { frame(9, 0, 1, &[0, 1, b'a', 1, b'b'].repeat(200)) }
    })
    .await;
    println!("CONTINUATION flood: another client's slowest answer {slowest:?}; closed {closed} times");
    assert!(closed > 0, "headers without end are not read for ever");
    server.unharmed().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let stream = TcpStream::connect(&server.grpc).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request =
        Request::post("http://x/verdict.v1.DecisionService/Check").header("content-type", "application/grpc");
    for at in 0..20 {
        request = request.header(format!("x-{at}"), "v".repeat(1_000));
    }
    client = client.ready().await.unwrap();
    let (answer, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
    let answer = tokio::time::timeout(PATIENCE, answer).await.expect("an end");
    assert!(answer.is_err() || answer.unwrap().status() == 431);
    server.unharmed().await;
}

#[tokio::test]
async fn one_connection_has_a_hundred_calls_at_once() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let mut stream = TcpStream::connect(&server.grpc).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    // The server's own preface is its SETTINGS (RFC 9113 §6.5).
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "SETTINGS come first");
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut payload).await.unwrap();
    let settings: std::collections::BTreeMap<_, _> = payload
        .chunks(6)
        .map(|entry| (u16::from_be_bytes([entry[0], entry[1]]), u32::from_be_bytes(entry[2..6].try_into().unwrap())))
        .collect();
    assert_eq!(settings.get(&3), Some(&100), "MAX_CONCURRENT_STREAMS of {settings:?}");
    assert_eq!(settings.get(&6), Some(&16_384), "MAX_HEADER_LIST_SIZE of {settings:?}");
    server.unharmed().await;
}

/// Answers that nobody reads: windows of nothing.
#[tokio::test]
async fn who_reads_no_answers_holds_up_nobody() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let mut starved = Vec::new();
    for _ in 0..sized("VERDICT_TEST_STARVED", 20) {
        let stream = TcpStream::connect(&server.grpc).await.unwrap();
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(0);
        let (mut client, connection) = builder.handshake::<_, Bytes>(stream).await.unwrap();
        tokio::spawn(connection);
        for _ in 0..20 {
            client = client.ready().await.unwrap();
            let request = Request::post("http://x/verdict.v1.DecisionService/Check")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(())
                .unwrap();
            let (answer, mut upload) = client.send_request(request, false).unwrap();
            let message = prost::Message::encode_to_vec(&to(crate::support::ALWAYS));
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            upload.send_data([&[0], &length[..], &message].concat().into(), true).unwrap();
            starved.push(answer);
        }
    }
    let mut client = server.client().await;
    let (until, mut slowest) = (Instant::now() + attack(), Duration::ZERO);
    while Instant::now() < until {
        let started = Instant::now();
        client.check(to(crate::support::ALWAYS)).await.expect("an answer beside them");
        slowest = slowest.max(started.elapsed());
    }
    println!(
        "{} starved calls: another client's slowest answer {slowest:?}; {} MiB",
        starved.len(),
        server.resident() >> 20
    );
    drop(starved);
}
