//! A client that sends what it is told, byte by byte, and reads one answer.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Folder, Serve, Server};

pub(crate) const EVALUATION: &str = "/access/v1/evaluation";
pub(crate) const EVALUATIONS: &str = "/access/v1/evaluations";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// The body of a 200, as JSON.
    #[track_caller]
    pub(crate) fn ok(&self) -> Json {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_str(&self.body).unwrap()
    }

    /// The decision of a 200.
    #[track_caller]
    pub(crate) fn decision(&self) -> bool {
        self.ok()["decision"].as_bool().unwrap_or_else(|| panic!("no decision: {self:?}"))
    }

    /// The message of an error.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "text/plain; charset=utf-8");
        assert!(!self.body.contains("decision\":true"), "{self:?}");
        let message = self.body.strip_suffix('\n').expect("a line");
        assert!(!message.is_empty() && !message.contains('\n'), "{self:?}");
        message
    }
}

/// Sends these bytes, and reads until the server closes.
pub(crate) async fn raw(server: &Server, request: &[u8]) -> Answer {
    let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("an HTTP answer");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_lowercase(), value.trim().to_owned())
    };
    let headers = lines.map(header).collect();
    Answer { status, headers, body: String::from_utf8(answer[end + 4..].to_vec()).unwrap() }
}

/// One request, with these headers.
pub(crate) async fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: pdp.test\r\nconnection: close\r\n").into_bytes();
    request.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    for (name, value) in headers {
        request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    raw(server, &request).await
}

/// Posts bytes as JSON.
pub(crate) async fn post_bytes(server: &Server, path: &str, body: &[u8]) -> Answer {
    send(server, "POST", path, &[("content-type", "application/json")], body).await
}

/// Posts JSON.
pub(crate) async fn post(server: &Server, path: &str, body: &Json) -> Answer {
    post_bytes(server, path, body.to_string().as_bytes()).await
}

/// A server on one of the folders in `tests/authzen/policies`, with these files beside it.
pub(crate) async fn serve(name: &str, files: &[(&str, &str)]) -> (Folder, Server) {
    let folder = Folder::always(files);
    let source = Path::new("tests/authzen/policies").join(name);
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let target = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
        folder.write(&target, &fs::read_to_string(path).unwrap());
    }
    let server = wide(Serve::folder(&folder)).arg("--default-policy").arg(format!("data.{name}")).ready().await;
    (folder, server)
}

/// With limits of time that a busy machine keeps.
pub(crate) fn wide(serve: Serve) -> Serve {
    serve.env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s")
}

/// A server on one policy, `data.p`.
pub(crate) async fn policy(text: &str) -> (Folder, Server) {
    let folder = Folder::always(&[("p.rego", text)]);
    let server = wide(Serve::folder(&folder)).arg("--default-policy").arg("data.p").ready().await;
    (folder, server)
}
