//! Messages that never come, come in parts, or are too large: their calls hold no place, and little memory.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tonic::{
    Code, Status,
    codegen::http::{Method, Request, Response},
};
use verdict::api::grpc::proto::{CheckStreamRequest, Effect};

use crate::support::{ALWAYS, Ask as _, Folder, PATIENCE, Serve, assert_refused, eventually, to};

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
    // Parts of messages of gRPC are kept for a second.
    let begun = eventually("all parts came", async || {
        let begun = [begin(&mut calls, CHECK, part(5)).await, begin(&mut calls, CHECK, part(500_000)).await];
        for _ in 0..40 {
            let kept = server.metric("verdict_unfinished_message_bytes").await?;
            if kept > all && kept < 2.0 * all + 1e6 {
                return Some(begun);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
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
    let for_want_of_room = async || server.metric("verdict_calls_shed_total{cause=\"unfinished\"}").await;
    eventually("there is no more room", async || {
        let before = for_want_of_room().await?;
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
        let code = |answer: &Response<_>| Status::from_header_map(answer.headers()).map(|status| status.code());
        if code(&refused) != Some(Code::ResourceExhausted) || code(&denied).is_some() {
            println!("some room was left: {:?}, {:?}", code(&refused), code(&denied));
            return None;
        }
        let message = timeout(PATIENCE, denied.body_mut().data()).await.expect("a message")?.unwrap();
        // Envoy takes only a denied response for a deny: `status.code`, the first field of the first field, after five bytes.
        assert!(message[5] == 0x0a && message[7..9] == [0x08, Code::PermissionDenied as u8], "{message:?}");
        let told = String::from_utf8_lossy(&message);
        if told.contains("DEADLINE_EXCEEDED") {
            println!("some room was left for Envoy's call");
            return None;
        }
        assert!(told.contains("OVERLOADED"), "{told}");
        // On a busy machine they may come while the question has the only place, and be refused for that.
        (for_want_of_room().await? > before + 1.5).then_some(())
    })
    .await;
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
    // Whoever sends too much may be cut off before its end.
    let _ = chunked.write_all(&vec![b' '; 1_200_000]).await;
    for answer in [refused, told] {
        // It has 30 s.
        let answer = timeout(Duration::from_secs(10), answer).await.expect("an answer at once").unwrap();
        let status = Status::from_header_map(answer.headers()).expect("a status");
        assert_refused(&status, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
        assert!(status.message().contains("1048576"), "{status:?}");
    }
    for _ in 0..10 {
        assert_eq!(client.ask(to(ALWAYS)).await.effect(), Effect::Allow);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whoever asks about health has no place to wait for, and nobody asks who it is.
#[tokio::test]
async fn a_question_of_health_is_short_and_comes_soon() {
    let folder = Folder::always(&[]);
    let server = narrow(&folder).ready().await;
    let mut calls = calls_at(&server.grpc).await;
    for path in ["grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"] {
        let (refused, _upload) = begin(&mut calls, path, part(2_000)).await;
        let refused = timeout(Duration::from_secs(5), refused).await.expect("an answer at once").unwrap();
        let refused = Status::from_header_map(refused.headers()).expect("a status");
        assert_refused(&refused, Code::InvalidArgument, "MALFORMED_MESSAGE");
        assert!(refused.message().contains("1024 bytes"), "{refused:?}");
        let (late, _upload) = begin(&mut calls, path, part(100)).await;
        // The calls of this server may take half a minute, their messages a second.
        let late = timeout(Duration::from_secs(10), late).await.expect("an answer soon").unwrap();
        let late = Status::from_header_map(late.headers()).expect("a status");
        assert_eq!(late.code(), Code::DeadlineExceeded, "{late:?}");
    }
    assert_eq!(server.health("").await, Ok(1));
}

#[tokio::test]
async fn a_call_by_another_method_is_none() {
    let folder = Folder::always(&[]);
    // Their heads may come while a question has the only place.
    let server = narrow(&folder).env("VERDICT_SERVER_MAX_QUEUED", "64").ready().await;
    let mut client = server.client().await;
    eventually("they are answered within the second that a message may take", async || {
        let calls = calls_at(&server.grpc).await;
        let mut held = Vec::new();
        let started = Instant::now();
        for path in [CHECK, "envoy.service.auth.v3.Authorization/Check", "verdict.v1.SearchService/SearchSubjects"] {
            for method in [Method::GET, Method::HEAD, Method::PUT] {
                let call = Request::builder().method(method).uri(format!("http://x/{path}"));
                let call = call.header("content-type", "application/grpc").body(()).unwrap();
                held.push(calls.clone().ready().await.unwrap().send_request(call, false).unwrap());
            }
        }
        for _ in 0..10 {
            assert_eq!(client.ask(to(ALWAYS)).await.effect(), Effect::Allow);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut statuses = Vec::new();
        for (answer, mut upload) in held {
            // Whoever was answered may have been reset by now, and then nothing more can be sent.
            let _ = upload.send_data(Bytes::from_static(&[0; 5]), true);
            statuses.push(timeout(PATIENCE, answer).await.expect("an answer").unwrap().status());
        }
        assert_eq!(calls.ready().await.map(drop).map_err(|error| error.to_string()), Ok(()));
        if statuses.iter().any(|status| *status != 405) && started.elapsed() > Duration::from_secs(1) {
            // A message that takes longer is refused for that, by gRPC's status.
            println!("too slow: {statuses:?}");
            return None;
        }
        assert!(statuses.iter().all(|status| *status == 405), "{statuses:?}");
        Some(())
    })
    .await;
}

const STREAM: &str = "verdict.v1.DecisionService/CheckStream";

#[tokio::test]
async fn parts_of_a_stream_s_messages_take_room_and_have_a_second() {
    let folder = Folder::always(&[]);
    let server = narrow(&folder).env("VERDICT_SERVER_MAX_UNFINISHED_BYTES", "1MiB").ready().await;
    let reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    // tonic's reflection ends its answers without a word.
    for (path, wanted) in [(STREAM, (4, 2)), (reflection, (0, 0))] {
        eventually("six came within a second", async || {
            let codes = six_parts(&server.grpc, path).await;
            assert_eq!(codes.len(), 6, "none goes on");
            let of = |code| codes.iter().filter(|other| **other == code).count();
            let came = (of(Code::DeadlineExceeded), of(Code::ResourceExhausted));
            println!("{path}: {came:?}");
            assert_eq!(came.0 + came.1, wanted.0 + wanted.1, "{path}: {codes:?}");
            (came == wanted).then_some(())
        })
        .await;
    }
    eventually("nothing is kept", async || {
        (server.metric("verdict_unfinished_message_bytes").await? < 1.0).then_some(())
    })
    .await;
}

/// Six calls of a whole question each (if that is what the path takes) and a part of the next; there is room for four
/// messages of a megabyte. How they end.
async fn six_parts(server: &str, path: &str) -> Vec<Code> {
    let mut calls = calls_at(server).await;
    let question = prost::Message::encode_to_vec(&CheckStreamRequest { question: Some(to(ALWAYS)) });
    let length = u32::try_from(question.len()).unwrap().to_be_bytes();
    let first = if path == STREAM { [&[0], &length[..], &question].concat() } else { Vec::new() };
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(begin(&mut calls, path, [&first[..], &part(700_000)].concat()).await);
    }
    let mut codes = Vec::new();
    for (answer, _upload) in held {
        let answer = timeout(PATIENCE, answer).await.expect("a head").unwrap();
        if let Some(status) = Status::from_header_map(answer.headers()) {
            codes.push(status.code());
            continue;
        }
        let mut body = answer.into_body();
        let mut answered = 0;
        while let Some(data) = timeout(PATIENCE, body.data()).await.expect("its end") {
            let data = data.unwrap();
            answered += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        let trailers = body.trailers().await.unwrap().expect("a status");
        let status = Status::from_header_map(&trailers).expect("a status");
        assert_eq!(answered > 0, path == STREAM, "what came whole is answered: {status:?}");
        codes.push(status.code());
    }
    codes
}

/// Envoy takes only a denied response for a deny.
#[tokio::test]
async fn envoy_gets_a_denied_response_to_what_is_too_large() {
    let folder = Folder::always(&[("envoy.rego", "package envoy.authz\n\nallow := true\n")]);
    let server = narrow(&folder).ready().await;
    let mut calls = calls_at(&server.grpc).await;
    let mut large = part(1_000_000);
    large.resize(1_100_000, 0);
    let (denied, _upload) = begin(&mut calls, "envoy.service.auth.v3.Authorization/Check", large).await;
    let denied = timeout(Duration::from_secs(10), denied).await.expect("an answer at once").unwrap();
    let message = is_denied(denied).await;
    assert!(message.contains("MESSAGE_TOO_LARGE"), "{message}");
}

/// Nor is what tonic can't read a failed call, which Envoy may let through.
#[tokio::test]
async fn envoy_gets_a_denied_response_to_what_is_no_message() {
    let folder = Folder::always(&[("envoy.rego", "package envoy.authz\n\nallow := true\n")]);
    let server = narrow(&folder).ready().await;
    let calls = calls_at(&server.grpc).await;
    let whole = |flag: u8, length: u32, bytes: &[u8]| [&[flag][..], &length.to_be_bytes(), bytes].concat();
    for (encoding, sent, code) in [
        ("identity", Vec::new(), "MALFORMED_MESSAGE"),
        ("identity", whole(1, 2, &[0; 2]), "MALFORMED_MESSAGE"),
        ("identity", whole(7, 2, &[0; 2]), "MALFORMED_MESSAGE"),
        ("identity", whole(0, 20, &[0; 2]), "MALFORMED_MESSAGE"),
        ("identity", whole(0, 0, &[0; 2]), "MALFORMED_MESSAGE"),
        ("identity", whole(0, u32::MAX, &[0; 2]), "MESSAGE_TOO_LARGE"),
        ("gzip", whole(1, 2, &[0; 2]), "MALFORMED_MESSAGE"),
        ("gzip", whole(0, 0, &[]), "MALFORMED_MESSAGE"),
    ] {
        let call = Request::post("http://x/envoy.service.auth.v3.Authorization/Check")
            .header("content-type", "application/grpc")
            .header("grpc-encoding", encoding);
        let mut ready = calls.clone().ready().await.unwrap();
        let (answer, mut upload) = ready.send_request(call.body(()).unwrap(), false).unwrap();
        upload.send_data(sent.clone().into(), true).unwrap();
        let message = is_denied(timeout(PATIENCE, answer).await.expect("an answer").unwrap()).await;
        assert!(message.contains(code), "{encoding} {sent:?}: {message}");
    }
}

/// The text of a denied response: its `status.code` is the first field of the first field, after five bytes.
async fn is_denied(mut answer: Response<h2::RecvStream>) -> String {
    assert!(Status::from_header_map(answer.headers()).is_none(), "{answer:?}");
    let message = timeout(PATIENCE, answer.body_mut().data()).await.expect("a message").unwrap().unwrap();
    assert!(message[5] == 0x0a && message[7] == 0x08 && message[8] != 0, "{message:?}");
    String::from_utf8_lossy(&message).into_owned()
}

#[tokio::test]
async fn nothing_is_read_of_whom_nobody_knows_at_envoy_s_door() {
    let folder = crate::callers::rig(crate::callers::GRANTS);
    folder.write("policies/envoy.rego", "package envoy.authz\n\nallow := true\n");
    let server = crate::callers::serve(&folder).await;
    let mut calls = calls_at(&server.grpc).await;
    for part in [Vec::new(), part(200_000), [&[0, 0, 0, 0, 1][..], b"x"].concat()] {
        let (denied, _upload) = begin(&mut calls, "envoy.service.auth.v3.Authorization/Check", part).await;
        let denied = timeout(PATIENCE, denied).await.expect("an answer").unwrap();
        let message = is_denied(denied).await;
        assert!(message.contains("UNAUTHENTICATED"), "{message}");
    }
}
