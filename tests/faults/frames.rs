//! What clients do with HTTP/2: resets, headers without end, answers that nobody reads.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};
use tonic::codegen::http::Request;

use crate::{
    beside::{beside, beside_nothing, connect},
    sized,
    support::{ALWAYS, Folder, PATIENCE, Serve, eventually, to},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// All but the end of what HTTP/2 begins with, before SETTINGS.
const HALF_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r";

/// DATA of no stream, which ends a connection (RFC 9113 §6.1).
const BROKEN: [u8; 9] = [0; 9];

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
async fn flood(server: SocketAddr, until: Instant, part: impl Fn(u32) -> Vec<u8>) -> usize {
    let mut closed = 0;
    while Instant::now() < until {
        let Ok(stream) = connect(server).await else { continue };
        let (mut reading, mut writing) = stream.into_split();
        let drain = tokio::spawn(async move {
            let mut sink = [0; 4096];
            while reading.read(&mut sink).await.is_ok_and(|read| read > 0) {}
        });
        let mut id = 1;
        let mut open = writing.write_all(PREFACE).await.is_ok();
        while open && Instant::now() < until {
            // A server that makes an attacker wait is waited for no longer than the attack goes on.
            let sent = tokio::time::timeout_at(until.into(), writing.write_all(&part(id))).await;
            open = sent.is_err() || sent.is_ok_and(|sent| sent.is_ok());
            id += 2;
        }
        closed += usize::from(!open);
        drain.abort();
    }
    closed
}

#[tokio::test]
async fn rapid_resets_close_the_connection_and_nobody_else_s() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    beside("rapid resets", &server, async |server, until| {
        let block = head();
        // HEADERS with END_HEADERS, and RST_STREAM (CANCEL).
        flood(server, until, |id| [frame(1, 0x4, id, &block), frame(3, 0, id, &8_u32.to_be_bytes())].concat()).await
    })
    .await;
    server.unharmed().await;
}

#[tokio::test]
async fn headers_without_end_close_the_connection() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let closed = beside("a flood of CONTINUATION frames", &server, async |server, until| {
        let more = [0, 1, b'a', 1, b'b'].repeat(200);
        flood(server, until, |id| if id == 1 { frame(1, 0, 1, &head()) } else { frame(9, 0, 1, &more) }).await
    })
    .await;
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

/// Answers that nobody reads: windows of nothing. `VERDICT_TEST_STARVED` (20) connections at once.
#[tokio::test]
async fn who_reads_no_answers_holds_up_nobody() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    beside("readers without a window", &server, async |server, until| {
        let mut starved = VecDeque::new();
        while Instant::now() < until {
            if starved.len() >= sized("VERDICT_TEST_STARVED", 20) {
                // The oldest leaves for a new one.
                drop(starved.pop_front());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            starved.extend(starve(server).await);
        }
        0
    })
    .await;
    server.unharmed().await;
}

/// A connection with twenty calls whose answers have no room.
async fn starve(server: SocketAddr) -> Option<JoinSet<()>> {
    let stream = connect(server).await.ok()?;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let (mut client, connection) = builder.handshake::<_, Bytes>(stream).await.ok()?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(connection.await) });
    for _ in 0..20 {
        client = client.ready().await.ok()?;
        let request = Request::post("http://x/verdict.v1.DecisionService/Check")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .ok()?;
        let (answer, mut upload) = client.send_request(request, false).ok()?;
        let message = prost::Message::encode_to_vec(&to(ALWAYS));
        let length = u32::try_from(message.len()).ok()?.to_be_bytes();
        upload.send_data([&[0], &length[..], &message].concat().into(), true).ok()?;
        // Held, and never read.
        tasks.spawn(async move {
            let _answer = answer.await;
            std::future::pending::<()>().await;
        });
    }
    Some(tasks)
}

/// Heads that come a byte at a time, on `VERDICT_TEST_SLOW` (20) connections at once: of HTTP/1.1, HTTP/2's preface, one
/// HEADERS frame, and CONTINUATION frames of a byte each.
#[tokio::test]
async fn slow_heads_hold_up_nobody() {
    for (name, begin, each) in [
        ("slow heads of HTTP/1.1", b"POST /".to_vec(), b"a".to_vec()),
        ("slow prefaces of HTTP/2", Vec::new(), Vec::new()),
        ("slow HEADERS frames of HTTP/2", [PREFACE, &frame(1, 0, 1, &[0; 16_000])[..9]].concat(), vec![0]),
        ("slow CONTINUATION frames of HTTP/2", [PREFACE, &frame(1, 0, 1, &head())].concat(), frame(9, 0, 1, &[0])),
    ] {
        let folder = Folder::always(&[]);
        let server = Serve::folder(&folder).env("VERDICT_SERVER_HANDSHAKE_TIMEOUT", "1s").ready().await;
        let sent: &'static (Vec<u8>, Vec<u8>) = Box::leak(Box::new((begin, each)));
        beside(name, &server, async move |server, until| drip_all(server, until, &sent.0, &sent.1).await).await;
        server.unharmed().await;
    }
}

/// Calls whose messages never come, a hundred on each of `VERDICT_TEST_SLOW` (20) connections, again as soon as they are
/// ended.
#[tokio::test]
async fn messages_that_never_come_hold_up_nobody() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    beside("messages that never come", &server, async |server, until| {
        let many = sized("VERDICT_TEST_SLOW", 20);
        futures::future::join_all((0..many).map(|_| heads_alone(server, until))).await.into_iter().sum()
    })
    .await;
    server.unharmed().await;
}

/// Keeps a hundred calls open of which only the heads were sent. Gives how often the connection was closed.
async fn heads_alone(server: SocketAddr, until: Instant) -> usize {
    let mut closed = 0;
    while Instant::now() < until {
        let Ok(mut stream) = connect(server).await else { continue };
        let mut open = stream.write_all(PREFACE).await.is_ok();
        let mut first = 1;
        while open && Instant::now() < until {
            let heads = (0..100).map(|at| frame(1, 4, first + 2 * at, &head())).collect::<Vec<_>>().concat();
            open = stream.write_all(&heads).await.is_ok();
            first += 200;
            // They are ended after `grpc.request_timeout`, a second.
            let again = Instant::now() + Duration::from_millis(1_250);
            while open && Instant::now() < again.min(until) {
                open = !has_ended(&stream);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        closed += usize::from(!open);
    }
    closed
}

/// Connections that break the protocol at once, and come again as soon as they are closed: `VERDICT_TEST_SLOW` (20) at once.
#[tokio::test]
async fn who_breaks_the_protocol_and_comes_again_holds_up_nobody() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let attack = async |server, until| drip_all(server, until, &[PREFACE, &BROKEN].concat(), &[0]).await;
    beside_nothing("broken HTTP/2 again and again", &server, attack).await;
    beside("broken HTTP/2 again and again", &server, attack).await;
    server.unharmed().await;
}

#[tokio::test]
async fn who_breaks_the_protocol_again_and_again_waits_and_nobody_else() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).ready().await;
    let at = server.grpc.parse().unwrap();
    let (_client, mut open) = h2::client::handshake(connect(at).await.unwrap()).await.unwrap();
    let mut ping = open.ping_pong().unwrap();
    tokio::spawn(open);
    for _ in 0..12 {
        let mut stream = connect(at).await.unwrap();
        stream.write_all(&[PREFACE, &BROKEN].concat()).await.unwrap();
        let _ =
            tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("the server closes it");
    }
    // More than get a turn soon.
    let refused = "verdict_connections_refused_total{door=\"grpc\",cause=\"protocol_broken\"}";
    let mut held = Vec::new();
    eventually("some get no turn", async || {
        for _ in 0..100 {
            held.push(connect(at).await.ok()?);
        }
        (server.metric(refused).await? >= 1.0).then_some(())
    })
    .await;
    tokio::time::timeout(PATIENCE, ping.ping(h2::Ping::opaque())).await.expect("what is open goes on").unwrap();
    server.unharmed().await;
    let mut last = held.pop().unwrap();
    let _ = tokio::time::timeout(PATIENCE, last.read_to_end(&mut Vec::new())).await.expect("it is closed in the end");
    drop(held);
    eventually("the address is served again", async || {
        let (_client, mut open) = h2::client::handshake(connect(at).await.ok()?).await.ok()?;
        let mut ping = open.ping_pong()?;
        tokio::spawn(open);
        tokio::time::timeout(PATIENCE, ping.ping(h2::Ping::opaque())).await.ok()?.ok()
    })
    .await;
}

async fn drip_all(server: SocketAddr, until: Instant, begin: &[u8], each: &[u8]) -> usize {
    let many = sized("VERDICT_TEST_SLOW", 20);
    let slow = (0..many).map(|_| drip(server, until, begin, each));
    futures::future::join_all(slow).await.into_iter().sum()
}

/// Sends `begin`, and `each` every 20 ms; nothing stands for the preface, byte by byte, without its end.
async fn drip(server: SocketAddr, until: Instant, begin: &[u8], each: &[u8]) -> usize {
    let mut closed = 0;
    while Instant::now() < until {
        let Ok(mut stream) = connect(server).await else { continue };
        let mut open = stream.write_all(begin).await.is_ok();
        let mut at = 0;
        while open && Instant::now() < until {
            let part = if each.is_empty() { HALF_PREFACE.get(at..=at).unwrap_or_default() } else { each };
            open = stream.write_all(part).await.is_ok() && !has_ended(&stream);
            at += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        closed += usize::from(!open);
    }
    closed
}

/// What the server says is read, so that its end is seen.
fn has_ended(stream: &TcpStream) -> bool {
    match stream.try_read(&mut [0; 1_024]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}
