//! What Envoy's external authorization costs beside Verdict's own `Check`: the same rule, asked through both doors of the
//! built server in turn. `cargo bench --bench envoy`; nothing is asserted here.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a benchmark that can't run should say where"
)]

#[path = "../tests/server/support.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod support;

use std::time::{Duration, Instant};

use envoy_types::{
    ext_authz::v3::pb::CheckRequest,
    pb::envoy::service::auth::v3::{
        AttributeContext,
        attribute_context::{HttpRequest, Request},
        authorization_client::AuthorizationClient,
    },
};
use futures::future::join_all;
use hdrhistogram::Histogram;
use support::{Client, Folder, Serve, Server, to};
use tonic::transport::Channel;

const PHASE: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;
const CONNECTIONS: usize = 4;
const IN_FLIGHT: usize = 32;

const POLICY: &str = r#"package envoy.authz

default allow := false

allow if {
	input.attributes.request.http.method == "GET"
	input.parsed_path[0] == "orders"
}
"#;

const QUESTION: &str = r#"package question

default decision := false

decision if {
	input.action.name == "read"
	input.resource.type == "document"
}
"#;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure());
}

async fn measure() {
    let folder = Folder::with(&[("envoy.rego", POLICY), ("question.rego", QUESTION)]);
    let server = Serve::folder(&folder).ready().await;
    println!("{CONNECTIONS} x {IN_FLIGHT} in flight, {PHASE:?} each, in turn");
    println!(
        "{:>6} {:>12} {:>9} {:>12} {:>9} {:>9} {:>7}",
        "round", "Check/s", "p50", "ext_authz/s", "p50", "small/s", "ratio"
    );
    for round in 1..=ROUNDS {
        let check = phase(&server, |channel| ask_check(Client::new(channel))).await;
        let envoy = phase(&server, |channel| ask_envoy(AuthorizationClient::new(channel), request(true))).await;
        let small = phase(&server, |channel| ask_envoy(AuthorizationClient::new(channel), request(false))).await;
        let rate = |latencies: &Histogram<u64>| latencies.len() as f64 / PHASE.as_secs_f64();
        let median = |latencies: &Histogram<u64>| Duration::from_nanos(latencies.value_at_quantile(0.5));
        println!(
            "{round:>6} {:>12.0} {:>9.1?} {:>12.0} {:>9.1?} {:>9.0} {:>7.2}",
            rate(&check),
            median(&check),
            rate(&envoy),
            median(&envoy),
            rate(&small),
            rate(&envoy) / rate(&check)
        );
    }
}

/// The latencies of what many ask at once for the time of a phase.
async fn phase<A: AsyncFnMut()>(server: &Server, asker: impl Fn(Channel) -> A) -> Histogram<u64> {
    let mut askers = Vec::new();
    for _ in 0..CONNECTIONS {
        let channel = server.channel().await;
        askers.extend((0..IN_FLIGHT).map(|_| asker(channel.clone())));
    }
    let started = Instant::now();
    let asking = askers.into_iter().map(|mut ask| async move {
        let mut latencies = Histogram::<u64>::new(3).unwrap();
        while started.elapsed() < PHASE {
            let asked = Instant::now();
            ask().await;
            latencies.record(u64::try_from(asked.elapsed().as_nanos()).unwrap()).unwrap();
        }
        latencies
    });
    let mut all = Histogram::new(3).unwrap();
    for latencies in join_all(asking).await {
        all.add(latencies).unwrap();
    }
    all
}

fn ask_check(mut client: Client) -> impl AsyncFnMut() {
    async move || {
        let verdict = client.check(to("data.question.decision")).await.unwrap().into_inner().verdict.unwrap();
        assert_eq!(verdict.effect, 1, "an allow");
    }
}

fn ask_envoy(mut client: AuthorizationClient<Channel>, request: CheckRequest) -> impl AsyncFnMut() {
    async move || {
        let answer = client.check(request.clone()).await.unwrap().into_inner();
        assert_eq!(answer.status.unwrap().code, 0, "an allow");
    }
}

/// A request; with the headers of a browser, or with none.
fn request(headers: bool) -> CheckRequest {
    let browser = [
        (":authority", "shop.example.com"),
        (":method", "GET"),
        (":path", "/orders/7?lang=en"),
        (":scheme", "https"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept-language", "en-GB,en;q=0.5"),
        (
            "authorization",
            "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJhbGljZSIsInJvbGUiOiJhZG1pbiJ9.c2lnbmF0dXJl",
        ),
        ("cookie", "session=0123456789abcdef0123456789abcdef; theme=dark"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "7bca5c86-bf55-432c-b212-8c0f1dc999ec"),
    ];
    let browser = browser.iter().filter(|_| headers).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let http = HttpRequest {
        id: "13519049518330544501".to_owned(),
        method: "GET".to_owned(),
        path: "/orders/7?lang=en".to_owned(),
        host: "shop.example.com".to_owned(),
        scheme: "https".to_owned(),
        protocol: "HTTP/2".to_owned(),
        headers: browser.collect(),
        ..HttpRequest::default()
    };
    let request = Request { http: Some(http), ..Request::default() };
    CheckRequest { attributes: Some(AttributeContext { request: Some(request), ..AttributeContext::default() }) }
}
