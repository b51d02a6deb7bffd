//! A long run: all doors, reloads, revocations, connections that come and go; memory and open files must stay.
//!
//! `VERDICT_TEST_SOAK` milliseconds (500). Only a run of two minutes and more is held to its slope: what a server has yet
//! to fill (caches, the allocator's) looks like a leak before.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use envoy_types::{
    ext_authz::v3::pb::{CheckRequest as Asked, CheckResponse as Answered},
    pb::envoy::service::auth::v3::{
        AttributeContext,
        attribute_context::{HttpRequest, Request as Attributes},
    },
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};
use verdict::api::grpc::proto::{CheckRequest, Credential, Effect};

use crate::{
    forge::{KEYS, token},
    sized,
    support::{ALWAYS, Folder, Serve, Server, run, to, verdict},
};

/// The most that memory may grow, in bytes a second: 4 MiB an hour.
const SLOPE: f64 = 4.0 * 1_048_576.0 / 3_600.0;

/// From there on memory is held to its slope.
const LONG: Duration = Duration::from_secs(120);

fn rig() -> Folder {
    let folder = Folder::empty();
    folder.write("policies/always.rego", "package always\n\ndecision := true\n");
    folder.write("policies/envoy.rego", "package envoy.authz\n\nallow := true\n");
    folder.write("policies/authz.rego", "package authz\n\ndecision := true\n");
    folder.write("jwks.json", &KEYS.set("", "sig").to_string());
    let path = folder.path().to_str().unwrap().to_owned();
    folder.write(
        "verdict.yaml",
        &format!(
            "identity:
  issuers:
    main: {{issuer: 'https://issuer.example', jwks_file: {path}/jwks.json, algorithms: [ES256], audience: [api]}}
revocation: {{store: {path}/revoked.redb}}
"
        ),
    );
    folder
}

/// One exchange of HTTP on a connection of its own: whether it was answered with 200.
async fn http(server: std::net::SocketAddr, path: &str, body: &str) -> bool {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await.ok()?;
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer.starts_with("HTTP/1.1 200"))
    };
    exchange.await == Some(true)
}

async fn envoy(channel: tonic::transport::Channel) -> bool {
    let http =
        HttpRequest { method: "GET".to_owned(), path: "/".to_owned(), host: "x".to_owned(), ..HttpRequest::default() };
    let request = Attributes { http: Some(http), ..Attributes::default() };
    let asked = Asked { attributes: Some(AttributeContext { request: Some(request), ..AttributeContext::default() }) };
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = "/envoy.service.auth.v3.Authorization/Check".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<Asked, Answered>::default();
    let answer = client.unary(tonic::Request::new(asked), path, codec).await;
    answer.is_ok_and(|answer| answer.into_inner().status.is_some_and(|status| status.code == 0))
}

/// Asks at each door, again and again, on old and new connections.
async fn ask(server: Arc<Server>, done: Arc<AtomicBool>, calls: Arc<AtomicU64>) {
    let evaluation = json!({"subject": {"type": "user", "id": "a"}, "action": {"name": "read"},
        "resource": {"type": "document", "id": "1"}})
    .to_string();
    let message = json!({"server": "https://mcp.example.com/mcp", "claims": {"sub": "alice", "client_id": "app"},
        "message": {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "read", "arguments": {}}}})
    .to_string();
    let mut client = server.client().await;
    let token = token(&json!({"exp": crate::forge::now() + 86_400}));
    let mut round = 0_u64;
    while !done.load(Relaxed) {
        if round.is_multiple_of(50) {
            client = server.client().await;
        }
        let credential = Some(Credential { token: token.clone(), proof: None });
        let question = CheckRequest { credential, subject: None, ..to(ALWAYS) };
        let answer = client.check(question).await.expect("an answer").into_inner().verdict.unwrap();
        assert_eq!(answer.effect(), Effect::Allow, "{answer:?}");
        assert!(envoy(server.channel().await).await, "ext_authz");
        assert!(http(server.http, "/access/v1/evaluation", &evaluation).await, "AuthZEN");
        assert!(http(server.http, "/v1/data/always/decision", "{\"input\": {}}").await, "OPA");
        assert!(http(server.http, "/mcp/v1/check", &message).await, "MCP");
        calls.fetch_add(5, Relaxed);
        round += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Reloads and revocations.
async fn change(folder: Arc<Folder>, done: Arc<AtomicBool>) -> (u64, u64) {
    let mut round = 0_u64;
    let socket = format!("unix:{}", folder.join("admin/admin.sock").display());
    while !done.load(Relaxed) {
        folder.write("policies/always.rego", &format!("# {round}\npackage always\n\ndecision := true\n"));
        let (jti, socket) = (format!("jti-{}", round % 100), socket.clone());
        let revoked = tokio::task::spawn_blocking(move || {
            run(verdict().args(["revoke", "--jti", &jti]).env("VERDICT_ADMIN_ADDRESS", socket)).code
        });
        assert_eq!(revoked.await.unwrap(), Some(0));
        round += 1;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    (round, round)
}

/// Bytes a second, by least squares of what was seen after the first fifth.
fn slope(samples: &[(f64, f64)]) -> f64 {
    let samples = &samples[samples.len() / 5..];
    let count = samples.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (at, bytes) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let above: f64 = samples.iter().map(|sample| (sample.0 - at) * (sample.1 - bytes)).sum();
    let below: f64 = samples.iter().map(|sample| (sample.0 - at).powi(2)).sum();
    if below == 0.0 { 0.0 } else { above / below }
}

#[test]
fn a_slope_is_that_of_the_line() {
    let line: Vec<_> = (0..100).map(|at| (f64::from(at), 7.0 + 3.0 * f64::from(at))).collect();
    assert!((slope(&line) - 3.0).abs() < 1e-9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_and_open_files_stay_as_they_are() {
    let time = Duration::from_millis(sized("VERDICT_TEST_SOAK", 500) as u64);
    let folder = Arc::new(rig());
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let serve = Serve::embedded().arg("--policies").arg(at("policies")).arg("--config").arg(at("verdict.yaml"));
    let serve = serve.env("VERDICT_ADMIN_ADDRESS", &format!("unix:{}", at("admin/admin.sock")));
    let server = Arc::new(serve.env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s").ready().await);
    server.logged("the issuer's keys were fetched").await;
    let (done, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut asking = JoinSet::new();
    for _ in 0..4 {
        asking.spawn(ask(Arc::clone(&server), Arc::clone(&done), Arc::clone(&calls)));
    }
    let changes = tokio::spawn(change(Arc::clone(&folder), Arc::clone(&done)));
    let began = Instant::now();
    let (mut samples, mut files) = (Vec::new(), Vec::new());
    while began.elapsed() < time && !changes.is_finished() && asking.len() == 4 {
        tokio::time::sleep((time / 200).clamp(Duration::from_millis(20), Duration::from_secs(5))).await;
        samples.push((began.elapsed().as_secs_f64(), server.resident() as f64));
        files.push(server.open_files());
        while let Some(ended) = asking.try_join_next() {
            ended.expect("every question is answered");
        }
    }
    done.store(true, Relaxed);
    while let Some(ended) = asking.join_next().await {
        ended.expect("every question is answered");
    }
    let (reloads, revocations) = changes.await.unwrap();
    let after = eventually_still(&server).await;
    let slope = slope(&samples);
    let files = &files[files.len() / 5..];
    let (least, most) = (files.iter().min().unwrap(), files.iter().max().unwrap());
    println!(
        "figure: {time:?}: {} calls at five doors, {reloads} reloads, {revocations} revocations; {:.1} MiB resident, slope \
         {:.2} MiB an hour; {least} to {most} open files, {after} at the end",
        calls.load(Relaxed),
        samples.last().unwrap().1 / 1_048_576.0,
        slope * 3_600.0 / 1_048_576.0
    );
    let tenths = (1..=10).filter_map(|tenth| samples.get((samples.len() * tenth / 10).saturating_sub(1)));
    let tenths: Vec<_> = tenths.map(|(_, bytes)| format!("{:.1}", bytes / 1_048_576.0)).collect();
    println!("figure: MiB resident after each tenth of the time: {}", tenths.join(" "));
    assert!(*most < 200, "{most} open files");
    if time >= LONG {
        assert!(slope < SLOPE, "memory grows by {:.2} MiB an hour", slope * 3_600.0 / 1_048_576.0);
    }
}

/// Open files once its clients have gone.
async fn eventually_still(server: &Server) -> usize {
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.open_files()
}
