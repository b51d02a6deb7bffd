//! What a caller calls its question comes back, and stands in the record.

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Folder, Serve, Server, eventually};

async fn post(server: &Server, path: &str, headers: &str) -> String {
    let body = r#"{"input": {"x": 1}}"#;
    let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
    let length = body.len();
    let request = format!("POST {path} HTTP/1.0\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_request_id_comes_back_and_stands_in_the_record() {
    let folder = Folder::with(&[("p.rego", "package p\n\nallow if input.x == 1\n")]);
    let settings = Folder::empty();
    let file = settings.join("all.log");
    let sink = format!("decision_log:\n  sinks:\n    all: {{type: file, path: {}}}\n", file.display());
    settings.write("verdict.yaml", &sink);
    let config = settings.join("verdict.yaml").display().to_string();
    let server = Serve::folder(&folder).arg("--config").arg(config).env("VERDICT_OPA_QUERY", "true").ready().await;

    let answer = post(&server, "/v1/data/p/allow", "x-request-id: o-1\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200") && answer.contains("x-request-id: o-1\r\n"), "{answer}");
    let answer = post(&server, "/v0/data/p/none", "x-request-id: o-2\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 404") && answer.contains("x-request-id: o-2\r\n"), "{answer}");
    let answer = post(&server, "/v1/data/p/allow", "").await;
    assert!(!answer.contains("x-request-id"), "{answer}");
    let long = format!("x-request-id: {}\r\n", "x".repeat(257));
    for headers in [long.as_str(), "x-request-id: a\r\nx-request-id: b\r\n"] {
        let answer = post(&server, "/v1/data/p/allow", headers).await;
        assert!(answer.starts_with("HTTP/1.0 400") && answer.contains("\"code\": \"invalid_parameter\""), "{answer}");
    }

    let ids = eventually("three records", async || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let records: Vec<Json> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ids: Vec<_> = records.iter().map(|record| record["request_id"].as_str().map(str::to_owned)).collect();
        (ids.len() == 3).then_some(ids)
    });
    assert_eq!(ids.await, [Some("o-1".to_owned()), Some("o-2".to_owned()), None]);
}
