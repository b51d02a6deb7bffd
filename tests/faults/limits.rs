//! Limits of a connection that are nobody's attack: clients that went away without a word, answers that are too large, many
//! who come at once.

use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::{
    Code,
    codegen::http::{Request, Response},
};
use verdict::api::grpc::proto::{BatchCheckItem, BatchCheckRequest, CheckRequest, Effect};

use crate::support::{ALWAYS, Ask as _, Folder, PATIENCE, Serve, eventually, to};

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
        .env("VERDICT_SERVER_KEEPALIVE_TIMEOUT", "500ms")
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

/// One place, and nobody may wait: whoever holds it shuts out all others.
fn narrow(folder: &Folder) -> Serve {
    Serve::folder(folder)
        .env("VERDICT_SERVER_MAX_IN_FLIGHT", "1")
        .env("VERDICT_SERVER_MAX_QUEUED", "0")
        .env("VERDICT_GRPC_REQUEST_TIMEOUT", "30s")
        .env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s")
}

/// Calls of one connection that has room for all that they send.
async fn calls_at(server: &str) -> h2::client::SendRequest<Bytes> {
    let mut builder = h2::client::Builder::new();
    builder.max_send_buffer_size(64 << 20);
    let (calls, connection) = builder.handshake(TcpStream::connect(server).await.unwrap()).await.unwrap();
    tokio::spawn(connection);
    calls
}

/// A call of which a part is sent, and the rest never is.
async fn begin(
    calls: &mut h2::client::SendRequest<Bytes>,
    path: &str,
    part: Vec<u8>,
) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
    let call = Request::post(format!("http://x/{path}")).header("content-type", "application/grpc");
    let mut ready = calls.clone().ready().await.unwrap();
    let (answer, mut upload) = ready.send_request(call.body(()).unwrap(), false).unwrap();
    upload.send_data(part.into(), false).unwrap();
    (answer, upload)
}

/// The first `length` bytes of a message of a megabyte.
fn part(length: usize) -> Vec<u8> {
    let mut part = [&[0], &(1_000_000_u32).to_be_bytes()[..]].concat();
    part.resize(length, 0);
    part
}

const CHECK: &str = "verdict.v1.DecisionService/Check";

#[tokio::test]
async fn heads_alone_have_no_place() {
    let folder = Folder::always(&[]);
    let server = narrow(&folder).ready().await;
    let mut client = server.client().await;
    let mut calls = calls_at(&server.grpc).await;
    let _held = begin(&mut calls, CHECK, Vec::new()).await;
    let mut held = Vec::new();
    for length in ["90", "2000000"] {
        for path in ["/access/v1/evaluation", "/v1/data/always/decision", "/mcp/v1/check"] {
            let mut stream = TcpStream::connect(server.http).await.unwrap();
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            held.push(stream);
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..10 {
        assert_eq!(client.ask(to(ALWAYS)).await.effect(), Effect::Allow);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// More at once than there are places and waiting calls, just before each question of another.
#[tokio::test]
async fn a_burst_of_heads_takes_no_place() {
    let folder = Folder::always(&[]);
    let server = narrow(&folder).ready().await;
    let mut client = server.client().await;
    for _ in 0..20 {
        let mut calls = calls_at(&server.grpc).await;
        let mut held = Vec::new();
        for _ in 0..90 {
            held.push(begin(&mut calls, CHECK, Vec::new()).await);
        }
        tokio::task::yield_now().await;
        assert_eq!(client.ask(to(ALWAYS)).await.effect(), Effect::Allow);
    }
}

#[tokio::test]
async fn parts_of_messages_have_no_place() {
    let folder = Folder::always(&[]);
    let server = narrow(&folder).ready().await;
    let mut client = server.client().await;
    let mut calls = calls_at(&server.grpc).await;
    let begun = [begin(&mut calls, CHECK, part(5)).await, begin(&mut calls, CHECK, part(500_000)).await];
    let mut held = Vec::new();
    for chunked in [true, false] {
        for path in ["/access/v1/evaluation", "/v1/data/always/decision", "/mcp/v1/check"] {
            let mut stream = TcpStream::connect(server.http).await.unwrap();
            let announced = if chunked { "transfer-encoding: chunked" } else { "content-length: 900000" };
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{announced}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            // `30d40` is 200,000.
            stream.write_all(if chunked { b"30d40\r\n" } else { b"" }).await.unwrap();
            stream.write_all(&vec![b' '; 200_000]).await.unwrap();
            held.push(stream);
        }
    }
    let all = 1_600_000.0;
    eventually("all parts came", async || {
        let kept = server.metric("verdict_unfinished_message_bytes").await?;
        (kept > all && kept < 2.0 * all + 1e6).then_some(())
    })
    .await;
    for _ in 0..10 {
        assert_eq!(client.ask(to(ALWAYS)).await.effect(), Effect::Allow);
    }
    drop((held, calls, begun));
    eventually("nothing is kept for those who went", async || {
        (server.metric("verdict_unfinished_message_bytes").await? < 1.0).then_some(())
    })
    .await;
}

/// There is room for four megabytes, with messages of at most one. Parts are kept for a second.
#[tokio::test]
async fn parts_that_find_no_room_are_refused_and_whole_messages_need_none() {
    let folder = Folder::always(&[]);
    let server = narrow(&folder).env("VERDICT_SERVER_MAX_UNFINISHED_BYTES", "1MiB").ready().await;
    let mut client = server.client().await;
    let ext_authz = "envoy.service.auth.v3.Authorization/Check";
    eventually("there is no more room", async || {
        let mut calls = calls_at(&server.grpc).await;
        let mut held = Vec::new();
        for length in [vec![900_000; 10], vec![50_000; 20]].concat() {
            held.push(begin(&mut calls, CHECK, part(length)).await);
        }
        let (refused, _upload) = begin(&mut calls, CHECK, part(900_000)).await;
        let (denied, _upload) = begin(&mut calls, ext_authz, part(900_000)).await;
        // Who is held up here gets an answer after that second.
        client.ask(to(ALWAYS)).await;
        let refused = timeout(PATIENCE, refused).await.expect("an answer").unwrap();
        let mut denied = timeout(PATIENCE, denied).await.expect("an answer").unwrap();
        let code = |answer: &Response<_>| tonic::Status::from_header_map(answer.headers()).map(|status| status.code());
        if code(&refused) != Some(Code::ResourceExhausted) || code(&denied).is_some() {
            println!("some room was left: {:?}, {:?}", code(&refused), code(&denied));
            return None;
        }
        let message = timeout(PATIENCE, denied.body_mut().data()).await.expect("a message")?.unwrap();
        // Envoy takes only a denied response for a deny: `status.code`, the first field of the first field, after five bytes.
        assert!(message[5] == 0x0a && message[7..9] == [0x08, Code::PermissionDenied as u8], "{message:?}");
        assert!(String::from_utf8_lossy(&message).contains("OVERLOADED"), "{message:?}");
        Some(())
    })
    .await;
    assert!(server.metric("verdict_calls_shed_total{cause=\"unfinished\"}").await.unwrap() > 1.0);
}

/// The rest of a message that is too large is no reason to hold a place either, nor to wait.
#[tokio::test]
async fn what_is_too_large_has_no_place() {
    let folder = Folder::always(&[]);
    let server = narrow(&folder).ready().await;
    let mut client = server.client().await;
    let mut calls = calls_at(&server.grpc).await;
    // A small message, and no end of the call; or a head that says so.
    let question = prost::Message::encode_to_vec(&to(ALWAYS));
    let length = u32::try_from(question.len()).unwrap().to_be_bytes();
    let mut junk = [&[0], &length[..], &question].concat();
    junk.resize(1_100_000, 0);
    let (refused, _upload) = begin(&mut calls, CHECK, junk).await;
    let call = Request::post(format!("http://x/{CHECK}")).header("content-type", "application/grpc");
    let (told, _more) = calls.send_request(call.header("content-length", "2000000").body(()).unwrap(), false).unwrap();
    let mut chunked = TcpStream::connect(server.http).await.unwrap();
    let head = "POST /access/v1/evaluation HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                transfer-encoding: chunked\r\n\r\n200000\r\n";
    chunked.write_all(head.as_bytes()).await.unwrap();
    chunked.write_all(&vec![b' '; 1_200_000]).await.unwrap();
    for answer in [refused, told] {
        // It has 30 s.
        let answer = timeout(Duration::from_secs(10), answer).await.expect("an answer at once").unwrap();
        let status = tonic::Status::from_header_map(answer.headers()).expect("a status");
        crate::support::assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
        assert!(status.message().contains("1048576"), "{status:?}");
    }
    for _ in 0..10 {
        assert_eq!(client.ask(to(ALWAYS)).await.effect(), Effect::Allow);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
