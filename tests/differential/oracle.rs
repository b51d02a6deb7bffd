//! The real `opa`, as a server on a socket of its own: one policy at a time, any number of inputs.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// What OPA says of a policy or a question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    /// The value; `None` is undefined.
    Value(Option<Value>),
    /// The code of the error.
    Error(String),
}

/// A running `opa`; it ends with this value.
pub(crate) struct Opa {
    program: PathBuf,
    process: Child,
    connection: BufReader<UnixStream>,
    folder: TempDir,
    /// What is loaded.
    policy: String,
}

/// The error of what OPA takes too long for.
pub(crate) const NO_ANSWER: &str = "no answer";
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts `opa` on a socket in a folder, with the data there.
fn listen(program: &Path, folder: &Path) -> (Child, BufReader<UnixStream>) {
    let socket = folder.join("opa.sock");
    let _ = std::fs::remove_file(&socket);
    let process = Command::new(program)
        .args(["run", "--server", "--log-level", "error", "--disable-telemetry", "--addr"])
        .arg(format!("unix://{}", socket.display()))
        .arg(folder.join("data.json"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("opa runs");
    let started = Instant::now();
    let stream = loop {
        match UnixStream::connect(&socket) {
            Ok(stream) => break stream,
            Err(error) => assert!(started.elapsed() < PATIENCE, "opa does not listen: {error}"),
        }
        thread::sleep(Duration::from_millis(20));
    };
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    (process, BufReader::new(stream))
}

impl Opa {
    /// `VERDICT_TEST_OPA`, or `opa` on the path; `None` if there is none.
    pub(crate) fn find() -> Option<PathBuf> {
        let named = env::var_os("VERDICT_TEST_OPA").map(PathBuf::from);
        let path = env::var_os("PATH").unwrap_or_default();
        let on_path = || env::split_paths(&path).map(|folder| folder.join("opa")).find(|file| file.is_file());
        named.filter(|file| file.is_file()).or_else(on_path)
    }

    /// Starts `program` with `data` as its base document.
    pub(crate) fn start(program: &Path, data: &Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("data.json"), data.to_string()).expect("the folder can be written");
        let (process, connection) = listen(program, folder.path());
        Self { program: program.to_owned(), process, connection, folder, policy: String::new() }
    }

    /// Replaces the policy; an error has its code and what OPA says of it.
    pub(crate) fn load(&mut self, policy: &str) -> Result<(), (String, String)> {
        policy.clone_into(&mut self.policy);
        let Some((status, answer)) = self.call("PUT", "/v1/policies/g", policy) else {
            self.policy.clear();
            self.restart();
            return Err((NO_ANSWER.to_owned(), String::new()));
        };
        if status == 200 {
            return Ok(());
        }
        let first = &answer["errors"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if first.is_null() {
            Err((text(&answer["code"]), text(&answer["message"])))
        } else {
            Err((text(&first["code"]), text(&first["message"])))
        }
    }

    /// The value at `path`, like `g/rule`; no input is undefined `input`.
    pub(crate) fn ask(&mut self, path: &str, input: Option<&str>) -> Said {
        let body = input.map_or_else(|| "{}".to_owned(), |input| format!("{{\"input\":{input}}}"));
        let Some((status, mut answer)) = self.call("POST", &format!("/v1/data/{path}"), &body) else {
            self.restart();
            return Said::Error(NO_ANSWER.to_owned());
        };
        if status == 200 {
            return Said::Value(answer.get_mut("result").map(Value::take));
        }
        let code = answer["errors"][0]["code"].as_str().or(answer["code"].as_str());
        Said::Error(code.unwrap_or("unknown").to_owned())
    }

    /// Whether evaluating all definitions to their ends is an error, where the server's index and early exit skip some.
    pub(crate) fn errs_in_full(&self, policy: &str, rule: &str, input: Option<&str>) -> bool {
        self.errors_in_full(policy, rule, input).iter().any(|code| code != "eval_cancel_error")
    }

    /// The codes of the errors of evaluating all definitions to their ends, of a rule or a call of a function.
    pub(crate) fn errors_in_full(&self, policy: &str, what: &str, input: Option<&str>) -> Vec<String> {
        let (file, asked) = (self.folder.path().join("g.rego"), self.folder.path().join("input.json"));
        std::fs::write(&file, policy).expect("the folder can be written");
        std::fs::write(&asked, input.unwrap_or("{}")).expect("the folder can be written");
        let ran = Command::new(&self.program)
            // It may take memory for as long as it runs.
            .args([
                "eval",
                "--timeout",
                "5s",
                "--format",
                "json",
                "--disable-indexing",
                "--disable-early-exit",
                "--data",
            ])
            .arg(&file)
            .arg("--data")
            .arg(self.folder.path().join("data.json"))
            .args(input.map(|_| "--input"))
            .args(input.map(|_| &asked))
            .arg(format!("data.g.{what}"))
            .output()
            .expect("opa runs");
        let answer = serde_json::from_slice::<Value>(&ran.stdout).unwrap_or_default();
        let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["code"].as_str().map(str::to_owned)).collect()
    }

    /// Ends the program, which is busy, and starts it anew with the same policy.
    fn restart(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        (self.process, self.connection) = listen(&self.program, self.folder.path());
        let policy = std::mem::take(&mut self.policy);
        if !policy.is_empty() {
            let _ = self.load(&policy);
        }
    }

    /// The status and the answer; `None` where it takes too long, or ended.
    fn call(&mut self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: opa\r\nContent-Length: {}\r\n\r\n", body.len());
        let stream = self.connection.get_mut();
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()?;
        let status = self.line()?.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let (mut length, mut chunked) = (0, false);
        loop {
            let header = self.line()?.to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            chunked |= header.starts_with("transfer-encoding:") && header.ends_with("chunked");
        }
        let body = if chunked { self.chunks()? } else { self.bytes(length)? };
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.connection.read_line(&mut line).ok()?;
        // It ended: some questions are too much for it.
        if line.is_empty() {
            return None;
        }
        Some(line.trim_end().to_owned())
    }

    fn bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.connection.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line()?, 16).expect("the length of a chunk");
            bytes.extend(self.bytes(length)?);
            self.line()?;
            if length == 0 {
                return Some(bytes);
            }
        }
    }
}

impl Drop for Opa {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
