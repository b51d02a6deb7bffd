//! Who connects: silent clients, too many, more than there are files for, and old connections.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use verdict::api::grpc::proto::{CheckRequest, Effect};

use crate::{
    sized,
    support::{ALWAYS, Ask as _, Folder, PATIENCE, Serve, eventually, question, to},
};

/// Waits until the server has closed the connection.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the server closes it");
}

#[tokio::test]
async fn a_silent_client_is_closed_at_either_door() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).env("VERDICT_SERVER_HANDSHAKE_TIMEOUT", "2s").ready().await;
    let grpc = server.grpc.clone();
    let http = server.http.to_string();
    let sent: [(&str, &[u8]); 4] = [(&grpc, b""), (&grpc, b"PRI * HTTP/2.0\r\n"), (&http, b""), (&http, b"PRI")];
    let each = sent.map(async |(address, sent)| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        closed(&mut stream).await;
    });
    futures::future::join_all(each).await;
    server.unharmed().await;
    for door in ["grpc", "http"] {
        let sample = format!("verdict_connections_refused_total{{door=\"{door}\",cause=\"handshake_timeout\"}}");
        assert_eq!(server.metric(&sample).await, Some(2.0), "{door}");
    }
}

#[tokio::test]
async fn a_head_of_http1_that_never_ends_is_ended() {
    let folder = Folder::always(&[]);
    // What has begun to speak is held to the time of a head, not of the first bytes.
    let server = Serve::folder(&folder).env("VERDICT_SERVER_HANDSHAKE_TIMEOUT", "1m").ready().await;
    let slow = async |begun: &[u8]| {
        let mut stream = TcpStream::connect(server.http).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let drips = tokio::spawn(async move {
            while writing.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        let mut rest = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, reading.read_to_end(&mut rest)).await.expect("the server closes it");
        drips.abort();
    };
    tokio::join!(
        slow(b"GET /health/li"),
        slow(b"GET /health/live HTTP/1.1\r\nhost: x\r\nx-slow: "),
        slow(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\nGET /health/live HTTP/1.1\r\nx: "),
    );
    server.unharmed().await;
}

#[tokio::test]
async fn who_has_too_many_connections_gets_no_more_until_one_leaves() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_CONNECTIONS_PER_ADDRESS", "3")
        .env("VERDICT_SERVER_HANDSHAKE_TIMEOUT", "1m")
        .listening()
        .await;
    eventually("it is ready", async || (server.readiness().await.0 == 200).then_some(())).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(&server.grpc).await.unwrap());
    }
    match TcpStream::connect(&server.grpc).await {
        Ok(mut refused) => closed(&mut refused).await,
        // It was reset before this thread came to look.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    server.logged("connections are refused").await;
    assert_eq!(server.readiness().await.0, 200, "the other door has its own");
    let refused = "verdict_connections_refused_total{door=\"grpc\",cause=\"max_connections_per_address\"}";
    assert_eq!(server.metric(refused).await, Some(1.0));
    assert_eq!(server.metric("verdict_connections{door=\"grpc\"}").await, Some(3.0));
    held.clear();
    eventually("there is room again", async || {
        let mut client = server.channel_if_any().await?;
        client.check(to(ALWAYS)).await.ok()
    })
    .await;
}

/// `VERDICT_TEST_CONNECTIONS` (200), a tenth of them silent; the rest have spoken once.
#[tokio::test]
async fn many_connections_cost_little_and_hold_up_nobody() {
    let many = sized("VERDICT_TEST_CONNECTIONS", 200);
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_CONNECTIONS_PER_ADDRESS", "100000")
        .env("VERDICT_SERVER_HANDSHAKE_TIMEOUT", "1m")
        .ready()
        .await;
    let mut held = Vec::new();
    for at in 0..many {
        let mut stream = TcpStream::connect(&server.grpc).await.unwrap();
        if at % 10 != 0 {
            // Preface and empty SETTINGS: an idle client of HTTP/2.
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        }
        held.push(stream);
    }
    // All of them are taken, and nobody was refused.
    eventually("all are taken", async || {
        let open = server.metric("verdict_connections{door=\"grpc\"}").await?;
        (open >= f64::from(u32::try_from(many).unwrap())).then_some(())
    })
    .await;
    server.unharmed().await;
    let started = Instant::now();
    let (status, _) = server.readiness().await;
    let (took, resident) = (started.elapsed(), server.resident());
    println!("figure: {many} connections: health after {took:.1?}, {} MiB resident", resident >> 20);
    assert_eq!(status, 200);
    assert!(resident < 256 << 20, "{resident}");
    if std::env::var_os("VERDICT_TEST_CONNECTIONS").is_some() {
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
}

/// `VERDICT_TEST_SPIN` milliseconds at the limit (1000).
#[tokio::test]
async fn at_the_limit_of_open_files_it_waits_and_recovers() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).within("sh", &["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).ready().await;
    let mut held = Vec::new();
    for _ in 0..200 {
        // What does not fit waits in the backlog.
        held.push(TcpStream::connect(&server.grpc).await.unwrap());
    }
    server.logged("can't accept connections").await;
    // Those that it took have begun by then.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let time = Duration::from_millis(sized("VERDICT_TEST_SPIN", 1_000) as u64);
    let before = server.cpu();
    tokio::time::sleep(time).await;
    let spun = server.cpu().checked_sub(before).unwrap();
    println!("figure: in {time:?} at the limit: {spun:?} of the processor");
    assert!(spun < time / 10, "{spun:?} of {time:?}");
    let lines = server.lines().iter().filter(|line| line["message"].to_string().contains("can't accept")).count();
    assert!(lines < 3, "{lines} lines tell of it");
    held.clear();
    let left = Instant::now();
    server.unharmed().await;
    println!("figure: served again after {:.1?}", left.elapsed());
    let refused = "verdict_connections_refused_total{door=\"grpc\",cause=\"accept_failed\"}";
    assert!(server.metric(refused).await.unwrap() >= 1.0);
}

#[tokio::test]
async fn an_old_connection_ends_and_no_call_is_lost() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder)
        .env("VERDICT_SERVER_MAX_CONNECTION_AGE", "1s")
        .env("VERDICT_SERVER_MAX_CONNECTION_AGE_GRACE", "20s")
        .ready()
        .await;
    // A stream that is never ended by its client, asked to go by GOAWAY.
    let stream = TcpStream::connect(&server.grpc).await.unwrap();
    let (_client, connection) = h2::client::handshake(stream).await.unwrap();
    let ends = tokio::spawn(connection);
    let mut client = server.client().await;
    let until = Instant::now() + Duration::from_secs(3);
    let (mut asked, mut again) = (0, 0);
    while Instant::now() < until {
        let question = CheckRequest { policy: ALWAYS.to_owned(), ..question() };
        match client.check(question.clone()).await {
            Ok(answer) => assert_eq!(answer.into_inner().verdict.unwrap().effect(), Effect::Allow),
            // The client had it still in hand as its connection ended: tonic does not ask again by itself.
            Err(status) => {
                println!("asked again: {status:?}");
                // What came over the wire has no source.
                let is_of_client = std::error::Error::source(&status).is_some();
                assert!(is_of_client || status.code() == tonic::Code::Unavailable, "{status:?}");
                again += 1;
                assert_eq!(client.ask(question).await.effect(), Effect::Allow);
            }
        }
        asked += 1;
    }
    println!("{asked} calls over three ages, {again} of them twice");
    assert!(again <= 6, "only where a connection ends");
    let ended = tokio::time::timeout(PATIENCE, ends).await.expect("the idle one ends").unwrap();
    assert!(ended.is_ok() || ended.unwrap_err().is_go_away(), "by GOAWAY");
}

#[tokio::test]
async fn a_body_that_never_comes_ends_the_request() {
    let folder = Folder::always(&[]);
    let server = Serve::folder(&folder).env("VERDICT_HTTP_REQUEST_TIMEOUT", "300ms").ready().await;
    for path in ["/access/v1/evaluation", "/v1/data/always/decision", "/mcp/v1/check"] {
        let mut stream = TcpStream::connect(server.http).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 5") || answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
    }
    server.unharmed().await;
}
