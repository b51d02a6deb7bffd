//! Starts the program, asks it, and looks at what it says.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use prost_types::{Struct, Value, value::Kind};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;
use verdict::api::grpc::{
    proto::{Action, CheckRequest, Effect, Resource, Subject, Verdict, decision_service_client::DecisionServiceClient},
    wire,
};

pub(crate) type Client = DecisionServiceClient<Channel>;

/// The longest that anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often to look again.
const POLL: Duration = Duration::from_millis(5);

/// A server to be.
pub(crate) struct Serve {
    within: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    grpc: String,
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Arc<Mutex<Vec<Json>>>,
    pub(crate) grpc: String,
    pub(crate) http: SocketAddr,
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Serve {
    /// On the embedded policies. The limits of time are wide, so that a busy machine fails no test.
    pub(crate) fn embedded() -> Self {
        let serve =
            Self { within: Vec::new(), arguments: Vec::new(), environment: Vec::new(), grpc: "127.0.0.1:0".to_owned() };
        serve.env("VERDICT_POLICIES_EVALUATION_BUDGET", "5s").env("VERDICT_GRPC_REQUEST_TIMEOUT", "30s")
    }

    /// On a folder.
    pub(crate) fn folder(policies: &Folder) -> Self {
        Self::embedded().arg("--policies").arg(policies.path().to_str().unwrap())
    }

    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn grpc(mut self, address: impl Into<String>) -> Self {
        self.grpc = address.into();
        self
    }

    /// Started by another program, which is given the server's command line after these arguments.
    #[allow(dead_code, reason = "the tests of the decision log start it so")]
    pub(crate) fn within(mut self, program: &str, arguments: &[&str]) -> Self {
        self.within = std::iter::once(program).chain(arguments.iter().copied()).map(str::to_owned).collect();
        self
    }

    fn command(self) -> Command {
        let mut command = verdict();
        if let Some((program, arguments)) = self.within.split_first() {
            let mut outer = Command::new(program);
            outer.args(arguments).arg(command.get_program()).stdin(Stdio::null());
            for (name, value) in command.get_envs() {
                match value {
                    Some(value) => outer.env(name, value),
                    None => outer.env_remove(name),
                };
            }
            command = outer;
        }
        command.args(["serve", "--grpc", &self.grpc, "--http", "127.0.0.1:0", "--log-format", "json"]);
        command.args(self.arguments).envs(self.environment);
        command
    }

    /// Starts it, and waits until both doors listen.
    pub(crate) async fn listening(self) -> Server {
        let mut command = self.command();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stderr = child.stderr.take().unwrap();
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Json::String(line));
                kept.lock().unwrap().push(line);
            }
        });
        let mut server = Server { child, lines, grpc: String::new(), http: ([127, 0, 0, 1], 0).into() };
        let listening = server.logged("listening").await;
        listening["grpc"].as_str().unwrap().clone_into(&mut server.grpc);
        server.http = listening["http"].as_str().unwrap().parse().unwrap();
        server
    }

    /// Starts it, and waits until it serves.
    pub(crate) async fn ready(self) -> Server {
        let server = self.listening().await;
        server.until_serving().await;
        server
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Ended {
        run(&mut self.command())
    }
}

/// The program, without whatever the tests' own environment would have it do.
pub(crate) fn verdict() -> Command {
    // A measurement is of a release build.
    let built = std::env::var_os("VERDICT_TEST_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_verdict").into());
    let mut command = Command::new(built);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VERDICT_") {
            command.env_remove(name);
        }
    }
    // Many servers at once would want the same socket.
    command.env("VERDICT_ADMIN_ADDRESS", "off").env("RUST_LIB_BACKTRACE", "0").stdin(Stdio::null());
    command
}

/// Runs a program that must end by itself.
pub(crate) fn run(command: &mut Command) -> Ended {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.read_to_string(&mut text);
        text
    });
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text
    });
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("it did not end: {}", errors.join().unwrap());
        }
        std::thread::sleep(POLL);
    };
    Ended { code: status.code(), stdout: reader.join().unwrap(), stderr: errors.join().unwrap() }
}

impl Server {
    /// The URI of the gRPC door.
    pub(crate) fn uri(&self) -> String {
        match self.grpc.strip_prefix("unix:") {
            Some(path) => format!("unix://{path}"),
            None => format!("http://{}", self.grpc),
        }
    }

    /// A connection of its own.
    pub(crate) async fn channel(&self) -> Channel {
        Endpoint::from_shared(self.uri()).unwrap().connect().await.unwrap()
    }

    /// A client on a connection of its own, if the server takes one.
    #[allow(dead_code, reason = "the tests of faults use it")]
    pub(crate) async fn channel_if_any(&self) -> Option<Client> {
        Some(DecisionServiceClient::new(Endpoint::from_shared(self.uri()).unwrap().connect().await.ok()?))
    }

    /// A client on a connection of its own.
    pub(crate) async fn client(&self) -> Client {
        DecisionServiceClient::new(self.channel().await)
    }

    /// Asks, on a connection of its own; the call must be answered.
    pub(crate) async fn ask(&self, question: CheckRequest) -> Verdict {
        self.client().await.ask(question).await
    }

    /// Asks, on a connection of its own; the call must fail.
    pub(crate) async fn refusal(&self, question: CheckRequest) -> Status {
        self.client().await.check(question).await.expect_err("the call must fail")
    }

    /// Still answers a sound question with allow, once it is done with what came before.
    pub(crate) async fn unharmed(&self) {
        let mut client = self.client().await;
        let verdict = eventually("it answers", async || match client.check(to(ALWAYS)).await {
            Ok(answer) => Some(answer.into_inner().verdict.expect("a verdict")),
            Err(status) if status.code() == Code::ResourceExhausted => None,
            Err(status) => panic!("a sound question fails: {status:?}"),
        })
        .await;
        assert_eq!(verdict.effect(), Effect::Allow, "{verdict:?}");
    }

    /// What `grpc.health.v1` says of `service`.
    pub(crate) async fn health(&self, service: &str) -> Result<i32, Code> {
        let mut client = HealthClient::new(self.channel().await);
        let answer = client.check(HealthCheckRequest { service: service.to_owned() }).await;
        answer.map(|answer| answer.into_inner().status).map_err(|status| status.code())
    }

    pub(crate) async fn until_serving(&self) {
        eventually("it serves", async || (self.health("").await == Ok(1)).then_some(())).await;
    }

    /// What `verdict serve` has logged so far.
    pub(crate) fn lines(&self) -> Vec<Json> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for a log line whose message has `text` in it.
    pub(crate) async fn logged(&self, text: &str) -> Json {
        self.logged_where(text, |line| line["message"].as_str().is_some_and(|message| message.contains(text))).await
    }

    /// Waits for a log line.
    pub(crate) async fn logged_where(&self, what: &str, is: impl Fn(&Json) -> bool) -> Json {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = self.lines().into_iter().find(&is) {
                return line;
            }
            assert!(Instant::now() < deadline, "`{what}` was not logged: {:#?}", self.lines());
            tokio::time::sleep(POLL).await;
        }
    }

    /// One HTTP/1.0 exchange with the HTTP door: status, head and body.
    pub(crate) async fn http(&self, method: &str, path: &str) -> (u16, String, String) {
        let mut stream = tokio::net::TcpStream::connect(self.http).await.unwrap();
        stream.write_all(format!("{method} {path} HTTP/1.0\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_owned(), body.to_owned())
    }

    /// `/health/ready`: its status code and body.
    pub(crate) async fn readiness(&self) -> (u16, Json) {
        let (status, _, body) = self.http("GET", "/health/ready").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// The value of a sample of `/metrics`, written as it stands there.
    pub(crate) async fn metric(&self, sample: &str) -> Option<f64> {
        let (_, _, body) = self.http("GET", "/metrics").await;
        body.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Stops it with all its threads, as if it hung; `signal("CONT")` goes on.
    pub(crate) async fn hang(&self) {
        self.signal("STOP");
        let tasks = format!("/proc/{}/task", self.child.id());
        // The state stands behind the name, which is in brackets.
        let is_stopped = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
        };
        let look = async || fs::read_dir(&tasks).unwrap().all(|task| is_stopped(task.unwrap())).then_some(());
        eventually("all threads stop", look).await;
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it did not end: {:#?}", self.lines());
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How long the processor has worked for it.
    #[allow(dead_code, reason = "the tests of credentials measure")]
    pub(crate) fn cpu(&self) -> Duration {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // proc(5): after the name, `utime` and `stime` are the 12th and 13th, in hundredths of a second.
        let (_, fields) = text.rsplit_once(") ").unwrap();
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// The file systems as it sees them.
    #[allow(dead_code, reason = "the tests of the decision log look there")]
    pub(crate) fn root(&self) -> PathBuf {
        format!("/proc/{}/root", self.child.id()).into()
    }

    /// How many files it has open.
    #[allow(dead_code, reason = "the soak looks at them")]
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Resident memory, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for line in self.lines.lock().unwrap().iter() {
                eprintln!("server: {line}");
            }
        }
    }
}

/// The shorter way to ask.
pub(crate) trait Ask {
    /// Asks; the call must be answered.
    async fn ask(&mut self, question: CheckRequest) -> Verdict;
}

impl Ask for Client {
    async fn ask(&mut self, question: CheckRequest) -> Verdict {
        let answer = self.check(question).await.expect("an answer").into_inner().verdict.expect("a verdict");
        assert_ne!(answer.effect(), Effect::Unspecified);
        assert!(!answer.decision_id.is_empty());
        let revision = answer.revision.as_ref().expect("a revision");
        assert!(revision.sequence > 0 && revision.digest.starts_with("sha256:"));
        if answer.effect() == Effect::Deny {
            assert!(!answer.reasons.is_empty(), "a deny without a reason: {answer:?}");
        }
        answer
    }
}

/// Looks again and again until there is something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// A folder of policies.
pub(crate) struct Folder(TempDir);

/// The rule that [`Folder::always`] adds.
pub(crate) const ALWAYS: &str = "data.always.decision";

impl Folder {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self::empty();
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    /// With these files and a rule that always allows, by which [`Server::unharmed`] knows that all is well.
    pub(crate) fn always(files: &[(&str, &str)]) -> Self {
        let folder = Self::with(files);
        folder.write("always.rego", "package always\n\ndecision := true\n");
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// A question about nothing in particular.
pub(crate) fn question() -> CheckRequest {
    asking("user:alice", "read", "document:handbook")
}

/// A question, its subject and resource written `type:id`.
pub(crate) fn asking(subject: &str, action: &str, resource: &str) -> CheckRequest {
    CheckRequest {
        subject: Some(subject_of(subject)),
        action: Some(Action { name: action.to_owned(), properties: None }),
        resource: Some(resource_of(resource)),
        ..CheckRequest::default()
    }
}

/// A question to that rule or package.
pub(crate) fn to(policy: &str) -> CheckRequest {
    CheckRequest { policy: policy.to_owned(), ..question() }
}

pub(crate) fn subject_of(text: &str) -> Subject {
    let (kind, id) = text.split_once(':').unwrap();
    Subject { r#type: kind.to_owned(), id: id.to_owned(), properties: None }
}

pub(crate) fn resource_of(text: &str) -> Resource {
    let (kind, id) = text.split_once(':').unwrap();
    Resource { r#type: kind.to_owned(), id: id.to_owned(), properties: None }
}

/// JSON as a protobuf Struct, by prost's own types, as a client would.
pub(crate) fn object(json: Json) -> wire::Object {
    let Some(Kind::StructValue(members)) = value(json).kind else { panic!("an object") };
    read(&members)
}

/// What the server reads of prost's own Struct.
pub(crate) fn read(members: &Struct) -> wire::Object {
    prost::Message::decode(prost::Message::encode_to_vec(members).as_slice()).unwrap()
}

pub(crate) fn value(json: Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(truth) => Kind::BoolValue(truth),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Json::String(text) => Kind::StringValue(text),
        Json::Array(items) => {
            Kind::ListValue(prost_types::ListValue { values: items.into_iter().map(value).collect() })
        }
        Json::Object(members) => Kind::StructValue(Struct {
            fields: members.into_iter().map(|(name, member)| (name, value(member))).collect(),
        }),
    };
    Value { kind: Some(kind) }
}

/// The codes of a verdict's reasons.
pub(crate) fn codes(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

/// A deny with that one reason, and nothing else that a client might take for permission.
#[track_caller]
pub(crate) fn assert_denied(verdict: &Verdict, code: &str) {
    assert_eq!(verdict.effect(), Effect::Deny, "{verdict:?}");
    assert_eq!(codes(verdict), [code], "{verdict:?}");
    assert_eq!(verdict.ttl, None);
    assert!(verdict.obligations.is_empty());
}

/// A call's error: its code, the reason in `ErrorInfo`, and the violated fields.
#[track_caller]
pub(crate) fn assert_refused(status: &Status, code: Code, reason: &str) -> Vec<String> {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "verdict"), "{status:?}");
    let violations = status.get_details_bad_request().map(|request| request.field_violations).unwrap_or_default();
    for violation in &violations {
        assert!(!violation.description.is_empty(), "{violation:?}");
    }
    violations.into_iter().map(|violation| violation.field).collect()
}

/// An invalid question: the violated fields.
#[track_caller]
pub(crate) fn assert_invalid(status: &Status) -> Vec<String> {
    assert_refused(status, Code::InvalidArgument, "INVALID_QUERY")
}
