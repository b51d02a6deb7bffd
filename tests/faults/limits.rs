//! Limits of a connection that are nobody's attack: clients that went away without a word, answers that are too large, many
//! who come at once.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::Code;
use verdict::api::grpc::proto::{BatchCheckItem, BatchCheckRequest, CheckRequest, Effect};

use crate::support::{ALWAYS, Folder, PATIENCE, Serve, to};

/// What a client of HTTP/2 begins with: the preface, and SETTINGS of nothing (RFC 9113 §3.4).
const BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;

/// A frame's kind, flags and payload (RFC 9113 §4.1); `None` at the end of the connection.
async fn frame(stream: &mut TcpStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], payload))
}

async fn begun(server: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(BEGIN).await.unwrap();
    stream
}

#[tokio::test]
async fn who_is_gone_without_a_word_is_let_go_and_who_answers_stays() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_KEEPALIVE_TIME", "200ms")
        .env("VERDICT_SERVER_KEEPALIVE_TIMEOUT", "3s")
        .ready()
        .await;
    let (mut gone, mut there) = (begun(&server.grpc).await, begun(&server.grpc).await);
    let of_gone = async {
        let mut pings = 0;
        while let Some((kind, flags, _)) = frame(&mut gone).await {
            assert_ne!((kind, flags & ACK), (PING, ACK), "it was not asked");
            pings += u32::from(kind == PING);
        }
        pings
    };
    let of_the_other = async {
        let mut pings = 0;
        while pings < 10 {
            let (kind, _, payload) = frame(&mut there).await.expect("it stays open");
            assert_ne!(kind, GOAWAY);
            if kind == PING {
                pings += 1;
                let answer = [&[0, 0, 8, PING, ACK, 0, 0, 0, 0], payload.as_slice()].concat();
                there.write_all(&answer).await.unwrap();
            }
        }
    };
    let both = async { tokio::join!(of_gone, of_the_other) };
    let (pings, ()) = timeout(PATIENCE, both).await.expect("one is closed, the other one is asked ten times");
    assert_eq!(pings, 1);
    server.unharmed().await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_an_error_and_ends_nothing_else() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).env("VERDICT_GRPC_MAX_RESPONSE_BYTES", "1KiB").ready().await;
    let mut client = server.client().await;
    let batch = |count: usize| {
        let CheckRequest { subject, action, resource, policy, .. } = to(ALWAYS);
        let items = vec![BatchCheckItem::default(); count];
        BatchCheckRequest { subject, action, resource, policy, items, ..BatchCheckRequest::default() }
    };
    let refused = client.batch_check(batch(100)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    assert!(refused.message().contains("1024"), "the limit is told of: {}", refused.message());
    assert_eq!(client.batch_check(batch(1)).await.unwrap().into_inner().verdicts.len(), 1, "on the same connection");
}

/// The system takes them while the server does not come to it.
#[tokio::test]
async fn a_thousand_who_come_at_once_wait_for_their_turn() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let held: u64 = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
    if held < 1_024 || files.maximum.is_some_and(|files| files < 2_048) {
        println!("skipped: this system holds {held} connections, and lets a process open {:?} files", files.maximum);
        return;
    }
    server.hang().await;
    let mut waiting = Vec::new();
    for at in 0..1_000 {
        let stream = timeout(Duration::from_secs(5), TcpStream::connect(&server.grpc)).await;
        waiting.push(stream.unwrap_or_else(|_| panic!("{at} wait, the next one is not taken")).unwrap());
    }
    server.signal("CONT");
    for stream in &mut waiting {
        stream.write_all(BEGIN).await.unwrap();
    }
    for stream in &mut waiting {
        let first = timeout(PATIENCE, frame(stream)).await.expect("its turn");
        assert_eq!(first.map(|(kind, ..)| kind), Some(4), "SETTINGS come first");
    }
}

/// What comes and is not read is in no account: the more connections there are, the less each that begins may send, and a
/// large message passes all the same.
#[tokio::test]
async fn the_more_connections_there_are_the_less_comes_unread() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let (mut held, mut windows) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let mut stream = begun(&server.grpc).await;
        let (kind, _, settings) = timeout(PATIENCE, frame(&mut stream)).await.expect("SETTINGS").unwrap();
        assert_eq!(kind, 4);
        // SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113 §6.5.2).
        let entry = settings.chunks(6).find(|entry| entry.starts_with(&[0, 4])).unwrap();
        windows.push(u32::from_be_bytes(entry[2..6].try_into().unwrap()));
        held.push(stream);
    }
    assert_eq!(windows[0], 1 << 20);
    assert!((32 << 10..=168 << 10).contains(&windows[99]), "{windows:?}");
    let mut client = server.client().await;
    let large = format!(
        r#"{{"subject":{{"type":"a","id":"b"}},"action":{{"name":"c"}},"resource":{{"type":"d","id":"e"}},"context":{{"x":"{}"}}}}"#,
        "x".repeat(1_000_000)
    );
    for _ in 0..5 {
        let question =
            CheckRequest { query_json: large.clone().into(), policy: ALWAYS.to_owned(), ..CheckRequest::default() };
        let answer = client.check(question).await.unwrap().into_inner();
        assert_eq!(answer.verdict.unwrap().effect(), Effect::Allow);
    }
}
