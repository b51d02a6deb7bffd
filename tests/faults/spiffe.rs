//! Certificates from the SPIFFE Workload API, of an agent that says whatever the test wants. `spire.rs` asks a real one.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::{Context, Poll},
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use rcgen::{CertificateParams, KeyUsagePurpose, SerialNumber};
use tempfile::TempDir;
use tokio::{net::UnixListener, sync::watch, task::JoinHandle};
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tonic::{
    Status,
    body::Body,
    codegen::{Service, http},
    server::{Grpc, NamedService, ServerStreamingService},
};
use verdict::{api::grpc::proto::Effect, decision::Value};

use crate::{
    support::{ALWAYS, Client, Folder, PATIENCE, Serve, Server, eventually, to},
    tls::{Authority, Issued, asked},
};

/// The standard's messages, by its numbers.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Request {}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Response {
    #[prost(message, repeated, tag = "1")]
    svids: Vec<Svid>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    crl: Vec<Vec<u8>>,
    #[prost(btree_map = "string, bytes", tag = "3")]
    federated_bundles: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
#[allow(clippy::struct_field_names, reason = "the standard's own")]
struct Svid {
    #[prost(string, tag = "1")]
    spiffe_id: String,
    #[prost(bytes = "vec", tag = "2")]
    x509_svid: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    x509_svid_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    bundle: Vec<u8>,
    #[prost(string, tag = "5")]
    hint: String,
}

/// An agent; gone when dropped.
struct Agent {
    says: watch::Sender<Option<Response>>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Api(watch::Receiver<Option<Response>>);

impl Agent {
    fn at(path: &PathBuf, says: Option<Response>) -> Self {
        let _ = std::fs::remove_file(path);
        let says = watch::Sender::new(says);
        let incoming = UnixListenerStream::new(UnixListener::bind(path).unwrap());
        let server = tonic::transport::Server::builder().add_service(Api(says.subscribe()));
        let serving = tokio::spawn(async move { server.serve_with_incoming(incoming).await.unwrap() });
        Self { says, serving }
    }

    fn say(&self, response: Response) {
        self.says.send_replace(Some(response));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl NamedService for Api {
    const NAME: &'static str = "SpiffeWorkloadAPI";
}

impl Service<http::Request<Body>> for Api {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        async move {
            assert_eq!(request.uri().path(), "/SpiffeWorkloadAPI/FetchX509SVID");
            let codec = tonic_prost::ProstCodec::<Response, Request>::default();
            Ok(Grpc::new(codec).server_streaming(this, request).await)
        }
        .boxed()
    }
}

impl ServerStreamingService<Request> for Api {
    type Response = Response;
    type ResponseStream = BoxStream<'static, Result<Response, Status>>;
    type Future = BoxFuture<'static, Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: tonic::Request<Request>) -> Self::Future {
        let told = self.0.clone();
        async move {
            // What the standard has agents ask for.
            if request.metadata().get("workload.spiffe.io").is_none_or(|value| value != "true") {
                return Err(Status::invalid_argument("security header missing from request"));
            }
            if told.borrow().is_none() {
                return Err(Status::permission_denied("no identity issued"));
            }
            let messages = WatchStream::new(told).filter_map(async |told| told.map(Ok));
            Ok(tonic::Response::new(messages.boxed()))
        }
        .boxed()
    }
}

const OWN: &str = "spiffe://example.org/pdp";

/// An SVID by which the tests' clients, who know nothing of SPIFFE, can know the server, too.
fn svid(authority: &Authority, id: &str, hint: &str) -> Svid {
    let (x509_svid, x509_svid_key) = authority.issue_der(&[id, "localhost", "127.0.0.1"], |_| ());
    Svid { spiffe_id: id.to_owned(), x509_svid, x509_svid_key, bundle: authority.der(), hint: hint.to_owned() }
}

fn of(svids: Vec<Svid>, federated: &[(&str, &Authority)]) -> Response {
    let federated = federated.iter().map(|(domain, authority)| (format!("spiffe://{domain}"), authority.der()));
    Response { svids, crl: Vec::new(), federated_bundles: federated.collect() }
}

struct Rig {
    folder: Folder,
    home: TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = Folder::always(&[]);
        folder.write(
            "seen.rego",
            "package seen\n\ndecision := {\"allow\": true, \"context\": {\"caller\": object.get(input, \"caller\", null)}}\n",
        );
        Self { folder, home: tempfile::tempdir().unwrap() }
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("agent.sock")
    }

    fn serve(&self) -> Serve {
        let endpoint = format!("unix://{}", self.socket().display());
        let serve = Serve::folder(&self.folder).env("SPIFFE_ENDPOINT_SOCKET", &endpoint);
        serve.env("VERDICT_GRPC_TLS_SPIFFE", "true")
    }
}

fn pem(authority: &Authority, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
    let (certificate, key) = authority.issue_der(names, change);
    let text = |tag: &str, contents: Vec<u8>| pem::encode(&pem::Pem::new(tag, contents));
    Issued { certificate: text("CERTIFICATE", certificate), key: text("PRIVATE KEY", key) }
}

async fn caller(mut client: Client) -> Value {
    let verdict = client.check(to("data.seen")).await.unwrap().into_inner().verdict.unwrap();
    let verdict = verdict::api::grpc::received::verdict(verdict);
    let Some(Value::Object(caller)) = verdict.context.get("caller") else { panic!("{verdict:?}") };
    caller.get("id").cloned().unwrap()
}

#[tokio::test]
async fn clients_are_known_by_the_authorities_of_their_own_trust_domain() {
    let (rig, own, other, stranger) = (Rig::new(), Authority::new(), Authority::new(), Authority::new());
    let _agent = Agent::at(&rig.socket(), Some(of(vec![svid(&own, OWN, "")], &[("other.test", &other)])));
    let server = rig.serve().listening().await;
    server.logged("policies active").await;
    let ask = |shown: Option<&Issued>| own.client(&server, shown);
    for (authority, id) in [(&own, "spiffe://example.org/web"), (&other, "spiffe://other.test/a/b")] {
        let shown = authority.issue(&[id], 2);
        assert_eq!(caller(ask(Some(&shown))).await, Value::from(id));
    }
    let none = |_: &mut CertificateParams| ();
    for (why, shown) in [
        ("another domain's authority", pem(&other, &["spiffe://example.org/web"], none)),
        ("the other way round", pem(&own, &["spiffe://other.test/web"], none)),
        ("no trust domain of ours", pem(&own, &["spiffe://third.test/web"], none)),
        ("a stranger", pem(&stranger, &["spiffe://example.org/web"], none)),
        ("no SPIFFE ID", pem(&own, &["web.example.org"], none)),
        ("two of them", pem(&own, &["spiffe://example.org/a", "spiffe://example.org/b"], none)),
        ("the trust domain itself", pem(&own, &["spiffe://example.org"], none)),
        (
            "one that may sign",
            pem(&own, &["spiffe://example.org/web"], |params| {
                params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
            }),
        ),
        (
            "one that has ended",
            pem(&own, &["spiffe://example.org/web"], |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)),
        ),
    ] {
        assert!(asked(ask(Some(&shown))).await.is_err(), "{why}");
    }
    assert!(asked(ask(None)).await.is_err(), "no certificate");
    let counted = async |cause: &str| {
        server.metric(&format!("verdict_connections_refused_total{{door=\"grpc\",cause=\"{cause}\"}}")).await.unwrap()
    };
    for (cause, least) in [
        ("tls_no_certificate", 1.0),
        ("tls_unknown_authority", 4.0),
        ("tls_bad_certificate", 4.0),
        ("tls_expired", 1.0),
    ] {
        assert!(counted(cause).await >= least, "{cause}: {}", counted(cause).await);
    }
    let ends = server.metric("verdict_certificate_expiry_timestamp_seconds{door=\"grpc\",source=\"spiffe\"}").await;
    assert!(ends.unwrap() > 1.0e9, "{ends:?}");
}

#[tokio::test]
async fn what_the_agent_gives_anew_is_taken_and_what_is_of_no_use_is_not() {
    let (rig, own, next) = (Rig::new(), Authority::new(), Authority::new());
    let agent = Agent::at(&rig.socket(), Some(of(vec![svid(&own, OWN, "")], &[])));
    let server = rig.serve().listening().await;
    server.logged("policies active").await;
    let shown = own.issue(&["spiffe://example.org/web"], 2);
    let done = AtomicBool::new(false);
    let mut steady = own.client(&server, Some(&shown));
    let load = async {
        let mut calls = 0_u64;
        while !done.load(Relaxed) {
            steady.check(to(ALWAYS)).await.expect("an answer on the old connection");
            assert_eq!(asked(own.client(&server, Some(&shown))).await, Ok(Effect::Allow), "on a new one");
            calls += 1;
        }
        calls
    };
    let taken = async |count: f64| {
        let sample = "verdict_certificate_reloads_total{door=\"grpc\",result=\"ok\"}";
        eventually("it is taken", async || (server.metric(sample).await? >= count).then_some(())).await;
    };
    let change = async {
        for swap in 0..5 {
            agent.say(of(vec![svid(&own, OWN, "")], &[]));
            taken(f64::from(swap) + 1.0).await;
        }
        // Another's key; half a message; none at all.
        let mut broken = of(vec![svid(&own, OWN, "")], &[]);
        broken.svids[0].x509_svid_key = svid(&own, OWN, "").x509_svid_key;
        agent.say(broken);
        server.logged("new certificates are of no use").await;
        agent.say(Response::default());
        server.logged("no SVID for this workload").await;
        drop(agent);
        server.logged("what it gave last goes on").await;
        let last = server.metric("verdict_certificate_last_reload_successful{door=\"grpc\"}").await;
        assert_eq!(last, Some(0.0));
        assert!(server.metric("verdict_spiffe_messages_total{result=\"failed\"}").await.unwrap() >= 1.0);
        done.store(true, Relaxed);
    };
    let (calls, ()) = tokio::time::timeout(PATIENCE * 3, async { tokio::join!(load, change) }).await.unwrap();
    println!("5 SVIDs and 2 of no use under {calls} pairs of calls, 0 failed");
    // It comes back, its authority has changed, and it has a list of who is revoked.
    let mut response = of(vec![svid(&own, OWN, "")], &[]);
    response.svids[0].bundle.extend(next.der());
    response.crl.push(next.revoked_der(&[7]));
    let _agent = Agent::at(&rig.socket(), Some(response));
    taken(6.0).await;
    let issue = |authority: &Authority, serial: u64| {
        pem(authority, &["spiffe://example.org/web"], |params| params.serial_number = Some(SerialNumber::from(serial)))
    };
    assert_eq!(asked(own.client(&server, Some(&issue(&next, 6)))).await, Ok(Effect::Allow), "of the new authority");
    assert_eq!(asked(own.client(&server, Some(&issue(&own, 7)))).await, Ok(Effect::Allow), "of one without a list");
    assert!(asked(own.client(&server, Some(&issue(&next, 7)))).await.is_err(), "revoked");
}

#[tokio::test]
async fn of_several_svids_the_hint_says_which() {
    let (rig, own, other) = (Rig::new(), Authority::new(), Authority::new());
    let svids = vec![svid(&own, "spiffe://example.org/a", "in"), svid(&other, "spiffe://other.test/b", "out")];
    let _agent = Agent::at(&rig.socket(), Some(of(svids, &[])));
    let shown = own.issue(&["spiffe://example.org/web"], 2);
    let served = async |server: Server| {
        server.logged("policies active").await;
        let (own, other) = (own.client(&server, Some(&shown)), other.client(&server, Some(&shown)));
        (asked(own).await.is_ok(), asked(other).await.is_ok())
    };
    assert_eq!(served(rig.serve().listening().await).await, (true, false), "the first");
    assert_eq!(served(rig.serve().env("VERDICT_SPIFFE_HINT", "out").listening().await).await, (false, true));
    let ended = tokio::task::spawn_blocking({
        let serve = rig.serve().env("VERDICT_SPIFFE_HINT", "none");
        move || serve.run()
    });
    let ended = ended.await.unwrap();
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains("no SVID has the hint `none`"), "{}", ended.stderr);
}

#[tokio::test]
async fn without_an_svid_there_is_no_server() {
    let rig = Rig::new();
    let run = |serve: Serve| {
        let serve = serve.env("VERDICT_SPIFFE_START_TIMEOUT", "1s");
        tokio::task::spawn_blocking(move || serve.run())
    };
    let ended = run(rig.serve()).await.unwrap();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("no SVID came") && ended.stderr.contains("No such file"), "{}", ended.stderr);
    let agent = Agent::at(&rig.socket(), None);
    let ended = run(rig.serve()).await.unwrap();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("no identity issued"), "{}", ended.stderr);
    // One that has it a little later is in time.
    let own = Authority::new();
    let starting = tokio::spawn(rig.serve().listening());
    agent.say(of(vec![svid(&own, OWN, "")], &[]));
    let server = starting.await.unwrap();
    server.logged("policies active").await;
    let shown = own.issue(&["spiffe://example.org/web"], 2);
    assert_eq!(asked(own.client(&server, Some(&shown))).await, Ok(Effect::Allow));
}
