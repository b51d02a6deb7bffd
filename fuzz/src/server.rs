//! One server in this process, and what asks it.

use std::{
    cell::{Cell, RefCell},
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::LazyLock,
    time::Duration,
};

use bytes::{Buf as _, BufMut as _};
use tokio::runtime::{Builder, Runtime};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::{Uri, uri::PathAndQuery},
    transport::{Channel, Endpoint},
};
use verdict::{
    app::{App, STACK},
    config::{self, Flags},
};

use super::forge;

/// Without this, nothing is allowed.
pub(super) const WORD: &str = "open sesame";

const AUTHZ: &str = r#"package authz

decision := {"allow": said, "reasons": ["word"]}

default said := false

said if input.subject.id == "open sesame"

said if input.resource.id == "open sesame"

subjects := [{"type": "user", "id": "open sesame"}, {"type": "user", "id": "alice"}]

resources := [{"type": "document", "id": "open sesame"}, {"type": "document", "id": "1"}]

actions := [{"name": "read"}]
"#;

const ENVOY: &str = r#"package envoy.authz

default allow := false

allow if input.attributes.request.http.path == "/open sesame"

allow if input.parsed_body.word == "open sesame"
"#;

// Over gRPC a question can wait for a revision that never comes, until its time is up.
const CONFIG: &str = "
grpc: {address: '127.0.0.1:0', request_timeout: 300ms}
http: {address: '127.0.0.1:0', request_timeout: 30s, credential_at: context.token}
admin: {address: off}
policies: {path: DIR/policies, evaluation_budget: 250ms}
revocation: {store: DIR/revocations}
identity:
  issuers:
    main: {issuer: 'https://issuer.example', jwks_file: DIR/keys.json, algorithms: [EdDSA], audience: [api]}
ssf:
  push: true
  transmitters:
    main: {issuer: 'https://issuer.example', jwks_file: DIR/keys.json, audience: ['https://pdp.example']}
";

struct Server {
    runtime: Runtime,
    grpc: Channel,
    http: SocketAddr,
    _app: App,
}

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

thread_local! {
    /// How often this thread was allowed something.
    pub(super) static ALLOWED: Cell<u64> = const { Cell::new(0) };
    static CONNECTION: RefCell<Option<TcpStream>> = const { RefCell::new(None) };
}

impl Server {
    fn start() -> Self {
        let folder = folder();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text.replace("DIR", dir(&folder))).unwrap();
        fs::create_dir_all(folder.join("policies")).unwrap();
        write("policies/authz.rego", AUTHZ);
        write("policies/envoy.rego", ENVOY);
        write("keys.json", &forge::keys());
        write("verdict.yaml", CONFIG);
        let flags = Flags { file: Some(folder.join("verdict.yaml")), values: Vec::new() };
        let config = config::load(&flags, std::iter::empty()).unwrap_or_else(|faults| panic!("{faults}"));
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_stack_size(STACK).enable_all().build();
        let runtime = runtime.unwrap();
        let app = runtime.block_on(App::start(config)).unwrap();
        let http = app.http().to_string().parse().unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{}", app.grpc())).unwrap();
        let grpc = runtime.block_on(async { endpoint.connect_lazy() });
        let server = Self { runtime, grpc, http, _app: app };
        for _ in 0..1_000 {
            if ask(&server, b"GET /health/ready HTTP/1.1\r\nhost: x\r\n\r\n").is_some_and(|(status, _)| status == 200) {
                return server;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server is not ready");
    }
}

/// Holds an answer to what was asked: an allow only where the word is `said`.
pub(super) fn hold(allowed: bool, said: impl FnOnce() -> bool, answer: impl FnOnce() -> String) {
    if allowed {
        ALLOWED.set(ALLOWED.get() + 1);
        assert!(said(), "allowed: {}", answer());
    }
}

/// A folder of this process, in memory where that can be had.
pub(super) fn folder() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = base.join(format!("verdict-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn dir(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

/// Sends a request to the HTTP port: the status and the body of what comes back, which is no fault of the server's.
pub(super) fn http(method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
    let request = [head.as_bytes(), body].concat();
    // What closes a connection for a fault of one request is no answer to the next.
    let answer = ask(&SERVER, &request).or_else(|| ask(&SERVER, &request));
    // hyper refuses a target that is none, with an answer or, where the body is like the preface of HTTP/2, without.
    let answer = answer.or_else(|| path.parse::<Uri>().is_err().then(|| (400, Vec::new())));
    let (status, body) = answer.unwrap_or_else(|| panic!("no answer to {method} {path}"));
    let text = String::from_utf8_lossy(&body);
    // As OPA tells of a budget that was spent: on a machine that gives the server no turn, any question spends its own.
    let spent = status == 500 && text.contains("eval_cancel_error");
    assert!(status < 500 || status == 503 || status == 504 || spent, "{status} to {method} {path}: {text}");
    (status, body)
}

fn ask(server: &Server, request: &[u8]) -> Option<(u16, Vec<u8>)> {
    CONNECTION.with_borrow_mut(|connection| {
        let stream = match connection {
            Some(stream) => stream,
            None => connection.insert(TcpStream::connect(server.http).unwrap()),
        };
        let answer = exchange(stream, request);
        if answer.as_ref().is_none_or(|(_, _, closes)| *closes) {
            *connection = None;
        }
        answer.map(|(status, body, _)| (status, body))
    })
}

/// The status, the body, and whether the server closes.
fn exchange(stream: &mut TcpStream, request: &[u8]) -> Option<(u16, Vec<u8>, bool)> {
    stream.set_nodelay(true).ok()?;
    // What the server refused by its head it need not read to its end.
    let _ = stream.write_all(request);
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(at) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => answer.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let length: usize = header("content-length:").map_or(0, |length| length.parse().unwrap());
    assert_eq!(header("transfer-encoding:"), None, "{head}");
    while answer.len() < end + length {
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => answer.extend_from_slice(&piece[..read]),
            _ => return None,
        }
    }
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_off(end), header("connection:") == Some("close")))
}

/// Calls a method of the gRPC port with bytes for a message: the messages that come back, or an error that is no fault
/// of the server's.
pub(super) fn grpc(path: &'static str, message: &[u8]) -> Result<Vec<Vec<u8>>, Status> {
    let server = &*SERVER;
    let answer: Result<_, Status> = server.runtime.block_on(async {
        let mut client = Grpc::new(server.grpc.clone());
        client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
        let request = Request::new(message.to_vec());
        let mut answers = client.server_streaming(request, PathAndQuery::from_static(path), Raw).await?.into_inner();
        let mut messages = Vec::new();
        while let Some(message) = answers.message().await? {
            messages.push(message);
        }
        Ok(messages)
    });
    if let Err(status) = &answer {
        use tonic::Code::{Internal, Unknown};
        // A search whose candidates are not what they should be is `INTERNAL`, by its reason.
        let fault = matches!(status.code(), Internal | Unknown) && !status.message().contains("candidate");
        assert!(!fault, "{path}: {status:?}");
    }
    answer
}

/// Messages as bytes.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; from.remaining()];
        from.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}
