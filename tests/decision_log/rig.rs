//! A server with a decision log, and what it wrote.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Ended, Folder, Serve, Server, eventually, run, verdict};

/// Policies that say enough to be looked at.
pub(crate) const POLICY: &str = "package authz

decision := {\"allow\": true, \"reasons\": [\"granted\"]} if input.subject.id == \"alice\"

else := {\"allow\": false, \"reasons\": [{\"code\": \"refused\", \"message\": sprintf(\"note: %v\", [input.context.note])}]} if {
	input.context.note
}

broken := 1 if input.subject.id

broken := 2 if input.subject.id
";

/// A folder with policies, a configuration, and what is logged.
pub(crate) struct Rig {
    pub(crate) folder: Folder,
}

impl Rig {
    /// With these sinks, whose `DIR` is the folder, and these policies beside [`POLICY`].
    pub(crate) fn new(sinks: &str, policies: &[(&str, &str)]) -> Self {
        let rig = Self { folder: Folder::empty() };
        rig.folder.write("policies/authz.rego", POLICY);
        for (path, text) in policies {
            rig.folder.write(&format!("policies/{path}"), text);
        }
        rig.configure(sinks);
        rig
    }

    /// Replaces the sinks.
    pub(crate) fn configure(&self, sinks: &str) {
        let dir = self.folder.path().to_str().unwrap();
        let sinks: String =
            sinks.replace("DIR", dir).lines().fold(String::new(), |all, line| all + "    " + line + "\n");
        self.folder.write("verdict.yaml", &format!("decision_log:\n  sinks:\n{sinks}"));
    }

    pub(crate) fn serve(&self) -> Serve {
        let policies = self.folder.join("policies");
        let serve = Serve::embedded().arg("--policies").arg(policies.to_str().unwrap());
        serve.arg("--config").arg(self.folder.join("verdict.yaml").to_str().unwrap())
    }

    pub(crate) async fn ready(&self) -> Server {
        self.serve().ready().await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The lines of a file so far, whole ones only.
    pub(crate) fn lines(&self, name: &str) -> Vec<Json> {
        lines(&self.path(name))
    }

    /// Waits until a file has so many lines.
    pub(crate) async fn logged(&self, name: &str, least: usize) -> Vec<Json> {
        eventually(&format!("{least} lines in {name}"), async || {
            let lines = self.lines(name);
            (lines.len() >= least).then_some(lines)
        })
        .await
    }

    /// `verdict log …`, in the folder.
    pub(crate) fn log(&self, arguments: &[&str]) -> Ended {
        run(verdict().arg("log").args(arguments).current_dir(self.folder.path()))
    }
}

pub(crate) fn lines(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

/// A question of AuthZEN.
pub(crate) fn question(subject: &str, context: &Json) -> Json {
    json!({
        "subject": {"type": "user", "id": subject},
        "action": {"name": "read"},
        "resource": {"type": "document", "id": "1"},
        "context": context,
    })
}

/// Asks over HTTP, with these headers and this after the path; the answer with its head.
pub(crate) async fn post(server: &Server, query: &str, headers: &str, body: &str) -> String {
    post_to(server, &format!("/access/v1/evaluation{query}"), headers, body).await
}

/// Posts JSON to any path; the answer with its head.
pub(crate) async fn post_to(server: &Server, path: &str, headers: &str, body: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Asks over HTTP; the decision and its id.
pub(crate) async fn ask(server: &Server, subject: &str, context: &Json) -> (bool, String) {
    let answer = post(server, "", "", &question(subject, context).to_string()).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Json = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    (body["decision"].as_bool().unwrap(), body["context"]["decision_id"].as_str().unwrap().to_owned())
}

/// Stops it as an operator does, and waits for its end.
pub(crate) async fn stop(server: &mut Server) {
    server.signal("TERM");
    assert!(server.ended().await.success(), "{:#?}", server.lines());
}

/// Prints why a test is not run, or fails where it must be.
pub(crate) fn skipped(what: &str, why: &str) {
    let required = std::env::var("VERDICT_TEST_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|tool| tool == what), "VERDICT_TEST_REQUIRE asks for {what}: {why}");
    println!("skipped: {why}");
}

/// A key pair for checkpoints, `key.pem` and `public.pem`.
pub(crate) fn keys(folder: &Folder) {
    use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData as _};
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    folder.write("key.pem", &pair.serialize_pem());
    folder.write("public.pem", &pem::encode(&pem::Pem::new("PUBLIC KEY", pair.subject_public_key_info())));
}

/// Runs a command that has nothing to do with the server, if there is one.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}
