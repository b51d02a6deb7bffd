//! A client that sends what it is told, byte by byte, and reads one answer.

use std::{collections::BTreeMap, io::Write as _, net::SocketAddr};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Folder, Serve, Server};

/// What most tests ask.
pub(crate) const POLICY: &str = "package shop.orders

allow if input.user == \"alice\"

names contains name if some name in input.names

limits := {\"small\": 1, \"large\": 10}

items := [{\"id\": \"a\"}, {\"id\": \"b\"}]

half(n) := n / 2

quotient := 1 / input.zero

either := 1 if input.user == \"bob\"

either := 2 if input.user == \"bob\"

echo := input
";

/// Data beside it.
pub(crate) const DATA: &str =
    r#"{"base": {"a": [1, 2, {"b": 3}], "s/l": "slash", "x y": 1, "é": "e", "..": "dots", "n": 9007199254740993}}"#;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of a 200.
    #[track_caller]
    pub(crate) fn ok(&self) -> Json {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(self.headers["cache-control"], "no-store");
        self.json()
    }

    /// The `result` of a 200; null if there is none.
    #[track_caller]
    pub(crate) fn result(&self) -> Json {
        self.ok()["result"].clone()
    }

    /// An error in OPA's form: its message.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert!(body.get("result").is_none(), "{body}");
        let message = body["message"].as_str().unwrap().to_owned();
        assert!(!message.is_empty(), "{body}");
        message
    }
}

/// Sends these bytes, and reads until the server closes.
pub(crate) async fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
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
    let headers: BTreeMap<String, String> = lines.map(header).collect();
    let body = answer.split_off(end + 4);
    let body = if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        unchunked(&body)
    } else {
        body
    };
    Answer { status, headers, body }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|part| part == b"\r\n").unwrap();
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
}

/// One request, with these headers.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: pdp.test\r\nconnection: close\r\n").into_bytes();
    if method != "GET" {
        request.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    for (name, value) in headers {
        request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    raw(address, &request).await
}

pub(crate) async fn get(server: &Server, path: &str) -> Answer {
    send(server.http, "GET", path, &[], b"").await
}

/// Posts bytes as JSON.
pub(crate) async fn post(server: &Server, path: &str, body: impl AsRef<[u8]>) -> Answer {
    send(server.http, "POST", path, &[("content-type", "application/json")], body.as_ref()).await
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The policy and its data.
pub(crate) fn folder() -> Folder {
    Folder::always(&[("shop.rego", POLICY), ("data.json", DATA)])
}

/// A server on them, with limits of time that a busy machine keeps.
pub(crate) async fn serve(settings: &[(&str, &str)]) -> (Folder, Server) {
    let folder = folder();
    let serve = Serve::folder(&folder).env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s");
    let serve = settings.iter().fold(serve, |serve, (name, value)| serve.env(name, value));
    let server = serve.arg("--default-policy").arg("data.shop.orders.allow").ready().await;
    (folder, server)
}
