//! Connections as clients see them, whose answers wait for something.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::{TlsConnector, rustls};

use super::{withhold::tests::Said, *};
use crate::call::Call;

trait Both: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Both for T {}

/// What answers wait for, by their paths.
type Commits = Arc<Mutex<HashMap<String, Arc<Said>>>>;

/// A door that answers at once, where it can be withheld; and says so.
struct Door {
    address: std::net::SocketAddr,
    commits: Commits,
    closing: CancellationToken,
    served: JoinHandle<()>,
    trusted: Option<rustls::pki_types::CertificateDer<'static>>,
    _folder: tempfile::TempDir,
}

impl Door {
    fn open(encrypted: bool, connections: Connections) -> Self {
        let (commits, closing) = (Commits::default(), CancellationToken::new());
        let folder = tempfile::tempdir().unwrap();
        let (mut tls, mut trusted) = (None, None);
        if encrypted {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
            std::fs::write(&cert, made.cert.pem()).unwrap();
            std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            let config = tls::Config { cert_file: Some(cert), key_file: Some(key), ..tls::Config::default() };
            tls = tls::Tls::open("grpc", &config, &["h2"], None).unwrap();
            trusted = Some(made.cert.der().clone());
        }
        let Listener::Tcp(listener) = bind(&Address::Tcp(([127, 0, 0, 1], 0).into())).unwrap() else { unreachable!() };
        let address = listener.local_addr().unwrap();
        let options = Options {
            max_concurrent_streams: 100,
            drain_timeout: Duration::from_secs(10),
            connections,
            tls,
            figures: Arc::default(),
        };
        let known = Arc::clone(&commits);
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let said =
                Arc::clone(known.lock().unwrap().entry(request.uri().path().to_owned()).or_insert_with(Said::nothing));
            let withheld = crate::call::current(|call: &Call| call.withheld().cloned()).flatten();
            // As long as verdicts are: such frames are written apart from what stands before them.
            let times = if request.uri().path().starts_with("/long") { 50 } else { 1 };
            let answer = if let Some(withheld) = withheld {
                withheld.until(said);
                "withheld".repeat(times)
            } else {
                "alone".to_owned()
            };
            std::future::ready(Ok(Response::new(Full::new(Bytes::from(answer)))))
        });
        let served = tokio::spawn(serve(Listener::Tcp(listener), service, options, closing.clone()));
        Self { address, commits, closing, served, trusted, _folder: folder }
    }

    async fn stream(&self) -> Box<dyn Both> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let Some(trusted) = &self.trusted else { return Box::new(stream) };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = "localhost".try_into().unwrap();
        Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap())
    }

    async fn client(&self) -> http2::SendRequest<Empty<Bytes>> {
        let io = TokioIo::new(self.stream().await);
        let (client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// What the answers of a path wait for, once one was made.
    async fn said(&self, path: &str) -> Arc<Said> {
        loop {
            if let Some(said) = self.commits.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
                return Arc::clone(said);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://localhost{path}")).body(Empty::new()).unwrap()
}

/// Asks at a path; the answer's text.
fn ask(client: &http2::SendRequest<Empty<Bytes>>, path: &str) -> JoinHandle<hyper::Result<Bytes>> {
    let mut client = client.clone();
    let request = request(path);
    tokio::spawn(async move { Ok(client.send_request(request).await?.into_body().collect().await?.to_bytes()) })
}

/// Long enough for an answer that is not withheld.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(60)).await;
}

#[tokio::test]
async fn answers_of_http2_go_out_once_they_are_kept_in_clear_text_and_encrypted() {
    for encrypted in [false, true] {
        let door = Door::open(encrypted, Connections::default());
        let client = door.client().await;
        let first = ask(&client, "/first");
        let one = door.said("/first").await;
        // It is read, and answered, while the first is withheld.
        let second = ask(&client, "/second");
        let two = door.said("/second").await;
        a_while().await;
        assert!(!first.is_finished() && !second.is_finished());
        one.kept(true);
        assert_eq!(first.await.unwrap().unwrap(), "withheld");
        a_while().await;
        assert!(!second.is_finished(), "what one waits for is not what the other waits for");
        two.kept(true);
        assert_eq!(second.await.unwrap().unwrap(), "withheld");
        assert_eq!(ask(&client, "/first").await.unwrap().unwrap(), "withheld", "it is kept already");
    }
}

#[tokio::test]
async fn later_answers_hold_up_no_earlier_one() {
    let door = Door::open(false, Connections::default());
    let client = door.client().await;
    let paths: Vec<String> = (0..10).map(|number| format!("/long/{number}")).collect();
    let (mut answers, mut said) = (Vec::new(), Vec::new());
    for path in &paths {
        answers.push(ask(&client, path));
        said.push(door.said(path).await);
    }
    a_while().await;
    for (answer, said) in answers.into_iter().zip(said) {
        assert!(!answer.is_finished());
        said.kept(true);
        let answer = tokio::time::timeout(Duration::from_secs(60), answer).await.expect("all before it is kept");
        assert_eq!(answer.unwrap().unwrap(), "withheld".repeat(50));
    }
}

#[tokio::test]
async fn what_is_lost_cuts_its_connection_and_no_other() {
    let door = Door::open(false, Connections::default());
    let (client, other) = (door.client().await, door.client().await);
    let (lost, after, beside) = (ask(&client, "/lost"), door.said("/lost").await, ask(&other, "/beside"));
    let third = ask(&client, "/after");
    let said = door.said("/after").await;
    door.said("/beside").await.kept(true);
    said.kept(true);
    assert_eq!(beside.await.unwrap().unwrap(), "withheld");
    a_while().await;
    assert!(!lost.is_finished() && !third.is_finished());
    after.kept(false);
    assert!(lost.await.unwrap().is_err() && third.await.unwrap().is_err());
    assert!(ask(&client, "/beside").await.unwrap().is_err(), "it is closed");
    assert_eq!(ask(&other, "/beside").await.unwrap().unwrap(), "withheld");
}

#[tokio::test]
async fn a_connection_that_ends_gives_what_it_withholds_first() {
    for aged in [false, true] {
        let max_age = if aged { Duration::from_millis(100) } else { Duration::from_hours(1) };
        let door = Door::open(false, Connections { max_age, ..Connections::default() });
        let client = door.client().await;
        let asked = ask(&client, "/last");
        let said = door.said("/last").await;
        if aged {
            tokio::time::sleep(Duration::from_millis(200)).await;
        } else {
            door.closing.cancel();
        }
        a_while().await;
        assert!(!asked.is_finished() && !door.served.is_finished());
        said.kept(true);
        assert_eq!(asked.await.unwrap().unwrap(), "withheld");
        door.closing.cancel();
        drop(client);
        tokio::time::timeout(Duration::from_secs(5), door.served).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn calls_of_http1_wait_themselves() {
    let door = Door::open(false, Connections::default());
    let (mut client, connection) = http1::handshake(TokioIo::new(door.stream().await)).await.unwrap();
    tokio::spawn(connection);
    let answer = client.send_request(request("/")).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.to_bytes(), "alone");
}
