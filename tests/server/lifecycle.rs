//! Start and end of the process.

use std::{os::unix::fs::FileTypeExt as _, process::Stdio, time::Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_stream::wrappers::ReceiverStream;
use verdict::api::grpc::proto::{CheckRequest, CheckStreamRequest, Effect};

use crate::support::{ALWAYS, Ask as _, Folder, Serve, eventually, to, verdict};

const DRAIN: std::time::Duration = std::time::Duration::from_secs(15);

#[tokio::test]
async fn a_signal_ends_it_well_whoever_is_connected() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::always(&[]);
        let mut server = Serve::folder(&folder).env("VERDICT_SERVER_DRAIN_TIMEOUT", "15s").ready().await;
        // One that never says a word, to either door; one that says half of its preface.
        let silent = TcpStream::connect(&server.grpc).await.unwrap();
        let silent_http = TcpStream::connect(server.http).await.unwrap();
        let mut half = TcpStream::connect(&server.grpc).await.unwrap();
        half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        // An idle connection, and a stream that its client keeps open.
        let mut idle = server.client().await;
        assert_eq!(idle.ask(to(ALWAYS)).await.effect(), Effect::Allow);
        let (questions, received) = tokio::sync::mpsc::channel(1);
        let question = CheckRequest { request_id: "1".to_owned(), ..to(ALWAYS) };
        questions.send(CheckStreamRequest { question: Some(question) }).await.unwrap();
        let mut answers = server.client().await.check_stream(ReceiverStream::new(received)).await.unwrap().into_inner();
        assert!(answers.message().await.unwrap().is_some());

        let started = Instant::now();
        server.signal(signal);
        server.logged("draining").await;
        let status = server.ended().await;
        let took = started.elapsed();
        println!("SIG{signal}: ended after {took:?}");
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(took < DRAIN, "{signal}: {took:?}");
        server.logged("stopped").await;
        drop((silent, silent_http, half, idle, questions));
    }
}

#[tokio::test]
async fn a_call_that_was_accepted_is_answered_while_it_drains() {
    let slow = "package slow\n\ndecision := count([1 | some i in numbers.range(1, 100000); i % 7 == 0]) > 0\n";
    let folder = Folder::always(&[("slow.rego", slow)]);
    let budget = "VERDICT_POLICIES_EVALUATION_BUDGET";
    let mut server = Serve::folder(&folder).env(budget, "10s").ready().await;
    let mut client = server.client().await;
    let mut late = client.clone();
    let asked = tokio::spawn(async move { client.ask(to("data.slow")).await });
    eventually("it is accepted", async || {
        let in_flight = server.metric("verdict_in_flight").await;
        (in_flight == Some(1.0) || asked.is_finished()).then_some(())
    })
    .await;
    server.signal("TERM");
    assert_eq!(asked.await.unwrap().effect(), Effect::Allow);
    assert!(server.ended().await.success());
    assert!(late.check(to(ALWAYS)).await.is_err());
}

/// Waits until the server has read what was sent on this connection so far.
async fn until_read(calls: &mut h2::client::SendRequest<bytes::Bytes>) {
    let other = tonic::codegen::http::Request::post("http://x/nothing").body(()).unwrap();
    let (answer, _) = calls.send_request(other, true).unwrap();
    let _ = answer.await;
}

#[tokio::test]
async fn readiness_says_that_it_drains() {
    let folder = Folder::always(&[]);
    let mut server = Serve::folder(&folder).env("VERDICT_SERVER_DRAIN_TIMEOUT", "5s").ready().await;
    // A call that never ends, so that it has something to wait for.
    let mut hanging = h2::client::handshake(TcpStream::connect(&server.grpc).await.unwrap()).await.unwrap();
    let connection = tokio::spawn(hanging.1);
    let request = tonic::codegen::http::Request::post("http://x/verdict.v1.DecisionService/Check")
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let call = hanging.0.send_request(request, false).unwrap();
    until_read(&mut hanging.0).await;
    server.signal("TERM");
    let (code, body) = eventually("it says so", async || {
        let answer = server.readiness().await;
        (answer.0 == 503).then_some(answer)
    })
    .await;
    assert!(body["reason"].as_str().unwrap().contains("shutting down"), "{code} {body}");
    assert_eq!(server.http("GET", "/health/live").await.0, 200);
    assert_eq!(server.metric("verdict_ready").await, Some(0.0));
    // A client that never ends its call is dropped in the end.
    let started = Instant::now();
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(started.elapsed() < DRAIN);
    drop(call);
    connection.abort();
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let folder = Folder::always(&[]);
    let mut server = Serve::folder(&folder).env("VERDICT_SERVER_DRAIN_TIMEOUT", "10m").ready().await;
    let mut hanging = h2::client::handshake(TcpStream::connect(&server.grpc).await.unwrap()).await.unwrap();
    let connection = tokio::spawn(hanging.1);
    let request = tonic::codegen::http::Request::post("http://x/verdict.v1.DecisionService/Check")
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let call = hanging.0.send_request(request, false).unwrap();
    until_read(&mut hanging.0).await;
    server.signal("TERM");
    server.logged("draining").await;
    assert!(server.is_running());
    server.signal("INT");
    assert_eq!(server.ended().await.code(), Some(2));
    drop(call);
    connection.abort();
}

#[tokio::test]
async fn a_unix_socket_is_served_and_its_file_removed() {
    let folder = Folder::always(&[]);
    let sockets = Folder::empty();
    let path = sockets.join("v.sock");
    let address = format!("unix:{}", path.display());
    let mut server = Serve::folder(&folder).grpc(address.as_str()).ready().await;
    assert_eq!(server.grpc, address);
    assert!(std::fs::metadata(&path).unwrap().file_type().is_socket());
    server.unharmed().await;
    // Whoever comes second is told, and takes nothing away.
    let ended = Serve::folder(&folder).grpc(address.as_str()).run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains(&address), "{}", ended.stderr);
    server.unharmed().await;
    server.signal("TERM");
    assert!(server.ended().await.success());
    assert!(!path.exists());
    // What a killed one left behind is in nobody's way.
    let killed = Serve::folder(&folder).grpc(address.as_str()).ready().await;
    drop(killed);
    assert!(path.exists());
    let server = Serve::folder(&folder).grpc(address.as_str()).ready().await;
    server.unharmed().await;
    // A file that is no socket is not Verdict's to remove.
    let file = sockets.join("file");
    std::fs::write(&file, "mine").unwrap();
    let ended = Serve::folder(&folder).grpc(format!("unix:{}", file.display())).run();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    use std::{io::BufRead as _, process::Stdio};

    let folder = Folder::always(&[]);
    let mut child = crate::support::verdict()
        .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-format", "json", "--policies"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = std::io::BufReader::new(child.stderr.take().unwrap());
    let http = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        if let Some(address) = line["http"].as_str() {
            break address.to_owned();
        }
    };
    let ready = async || {
        let mut stream = TcpStream::connect(&http).await.unwrap();
        stream.write_all(b"GET /health/ready HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let starts = async || ready().await.starts_with("HTTP/1.0 200").then_some(());
    eventually("it is ready", starts).await;
    drop(log);
    folder.write("always.rego", "package always\n\ndecision := 1 +\n");
    eventually("the failure is shown", async || ready().await.contains("last_reload_error").then_some(())).await;
    assert!(ready().await.starts_with("HTTP/1.0 200"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A process that ends with its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn servers_of_a_benchmark_that_is_killed_end_with_it() {
    let left = Folder::empty();
    let mut bench = verdict();
    bench.env("TMPDIR", left.path());
    bench.args(["bench", "--compare-log", "--rounds", "1000", "--duration", "20ms", "--warmup", "1ms"]);
    let mut bench = Killed(bench.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let of = format!("/proc/{0}/task/{0}/children", bench.0.id());
    let servers = eventually("four servers run", async || {
        let servers = std::fs::read_to_string(&of).unwrap();
        let servers: Vec<String> = servers.split_whitespace().map(str::to_owned).collect();
        (servers.len() == 4).then_some(servers)
    })
    .await;
    bench.0.kill().unwrap();
    bench.0.wait().unwrap();
    eventually("none of them runs", async || {
        // Where nobody takes in orphans, one that has ended stays as a zombie; the state stands behind the name.
        let has_ended =
            |stat: &str| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']));
        let runs = |server: &String| {
            std::fs::read_to_string(format!("/proc/{server}/stat")).is_ok_and(|stat| !has_ended(&stat))
        };
        (!servers.iter().any(runs)).then_some(())
    })
    .await;
}
