//! A server of bundles, its policy service, and the command line over it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use tempfile::TempDir;
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;
use verdict::{
    api::grpc::proto::{
        Action, CheckRequest, Effect, PutBundleHeader, PutBundleRequest, Resource, Subject, Verdict,
        decision_service_client::DecisionServiceClient, policy_service_client::PolicyServiceClient,
        put_bundle_request::Part,
    },
    bundle::{Compression, File, Package},
};

/// The longest that anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A bundle's archive.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let files = files.iter().map(|(path, text)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() });
    Package::from_files(files).unwrap().write(Compression::Gzip)
}

/// A bundle that owns the package `root`, and allows or not.
pub(crate) fn policy(root: &str, revision: &str, allow: &str) -> Vec<u8> {
    let manifest = format!(r#"{{"revision": "{revision}", "roots": ["{root}"]}}"#);
    archive(&[(".manifest", &manifest), ("p.rego", &format!("package {root}\n\ndefault allow := false\n\n{allow}\n"))])
}

/// A folder for sockets and bundles.
pub(crate) struct Home(pub(crate) TempDir);

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Arc<Mutex<Vec<Json>>>,
    pub(crate) grpc: String,
    /// Where the policy service is, `unix:/path`; empty where it is not.
    pub(crate) admin: String,
}

/// A program that has ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    /// With the bundle `main`, of the package `authz`, which allows, at the revision `v1`.
    pub(crate) fn new() -> Self {
        let home = Self(TempDir::new().unwrap());
        home.bundle("main", &policy("authz", "v1", "allow := true"));
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts an archive where its source finds it.
    pub(crate) fn bundle(&self, name: &str, archive: &[u8]) {
        let beside = self.path(&format!("{name}.new"));
        fs::write(&beside, archive).unwrap();
        fs::rename(&beside, self.path(&format!("{name}.tar.gz"))).unwrap();
    }

    /// `verdict serve` on a file source of the bundle `main`, with more lines of YAML.
    pub(crate) fn command(&self, name: &str, more: &str) -> Command {
        self.command_from(&format!("file://{}", self.path("main.tar.gz").display()), name, more)
    }

    /// The same on another source.
    pub(crate) fn command_from(&self, url: &str, name: &str, more: &str) -> Command {
        let config = self.path(&format!("{name}.yaml"));
        let text = format!(
            "grpc: {{address: '127.0.0.1:0', request_timeout: 30s}}\nhttp: {{address: '127.0.0.1:0'}}\n\
             log: {{format: json}}\npolicies: {{evaluation_budget: 5s}}\nserver: {{drain_timeout: 3s}}\n\
             bundles:\n  main:\n    url: '{url}'\n    polling: {{min: 50ms, max: 100ms}}\n{more}",
        );
        fs::write(&config, text).unwrap();
        let mut command = verdict(self.0.path());
        command.args(["serve", "--config"]).arg(config);
        command
    }

    /// Starts a server with its own socket, and waits until it serves.
    pub(crate) async fn serve(&self, name: &str) -> Server {
        self.serve_with(name, "").await
    }

    pub(crate) async fn serve_with(&self, name: &str, more: &str) -> Server {
        self.start(self.command(name, more), name).await
    }

    /// Starts a server whose bundle comes from `url`, with its own socket, and waits until it serves.
    pub(crate) async fn serve_from(&self, url: &str, name: &str) -> Server {
        self.start(self.command_from(url, name, ""), name).await
    }

    async fn start(&self, mut command: Command, name: &str) -> Server {
        command.arg("--admin").arg(format!("unix:{}", self.path(&format!("{name}/admin.sock")).display()));
        let server = Server::start(command).await;
        server.logged("policies active").await;
        server
    }

    /// Runs `verdict` to its end.
    pub(crate) fn verdict(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = verdict(self.0.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The program, without what the tests' own environment would have it do.
pub(crate) fn verdict(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verdict"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("VERDICT_") {
            command.env_remove(name);
        }
    }
    command.env("XDG_RUNTIME_DIR", folder).env("RUST_LIB_BACKTRACE", "0").stdin(Stdio::null());
    command
}

impl Server {
    /// Starts it, and waits until it listens.
    pub(crate) async fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&lines));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap_or(Json::String(line)));
            }
        });
        let mut server = Self { child, lines, grpc: String::new(), admin: String::new() };
        let listening = server.logged("listening").await;
        listening["grpc"].as_str().unwrap().clone_into(&mut server.grpc);
        listening["admin"].as_str().unwrap_or_default().clone_into(&mut server.admin);
        server
    }

    /// Waits for a log line whose message has `text` in it.
    pub(crate) async fn logged(&self, text: &str) -> Json {
        eventually(text, || {
            let lines = self.lines.lock().unwrap();
            lines.iter().find(|line| line["message"].as_str().is_some_and(|message| message.contains(text))).cloned()
        })
        .await
    }

    pub(crate) async fn channel(&self) -> Channel {
        let path = self.admin.strip_prefix("unix:").unwrap();
        Endpoint::from_shared(format!("unix://{path}")).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn admin(&self) -> PolicyServiceClient<Channel> {
        PolicyServiceClient::new(self.channel().await)
    }

    pub(crate) async fn ask(&self) -> Verdict {
        let channel = Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap().connect().await.unwrap();
        DecisionServiceClient::new(channel).check(question()).await.unwrap().into_inner().verdict.unwrap()
    }

    pub(crate) async fn allows(&self) -> bool {
        self.ask().await.effect() == Effect::Allow
    }

    /// The sequence of what is active.
    pub(crate) async fn sequence(&self) -> u64 {
        self.ask().await.revision.unwrap().sequence
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits until it has ended by itself; its exit code.
    pub(crate) async fn ended(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(Instant::now() < deadline, "it did not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
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

/// Looks again and again until there is something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The header of a bundle.
pub(crate) fn question() -> CheckRequest {
    CheckRequest {
        subject: Some(Subject { r#type: "user".to_owned(), id: "alice".to_owned(), properties: None }),
        action: Some(Action { name: "read".to_owned(), properties: None }),
        resource: Some(Resource { r#type: "doc".to_owned(), id: "1".to_owned(), properties: None }),
        ..CheckRequest::default()
    }
}

pub(crate) fn header(bundle: &str) -> PutBundleHeader {
    PutBundleHeader { bundle: bundle.to_owned(), ..PutBundleHeader::default() }
}

/// The messages of a bundle, in small chunks.
pub(crate) fn messages(header: PutBundleHeader, archive: &[u8]) -> Vec<PutBundleRequest> {
    let chunks = archive.chunks(100).map(|chunk| Part::Chunk(chunk.to_vec()));
    let parts = std::iter::once(Part::Header(header)).chain(chunks);
    parts.map(|part| PutBundleRequest { part: Some(part) }).collect()
}

/// A call's error: its code, and the reason in `ErrorInfo`.
#[track_caller]
pub(crate) fn assert_refused(status: &Status, code: Code, reason: &str) {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "verdict"), "{status:?}");
}
