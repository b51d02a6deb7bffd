//! Bytes as a path of OPA's REST API, and as its body. The first one chooses the method, and what is before the path.

use super::{chosen, holds, json, server};

/// An answer or a refusal, and no allow without the word. The path ends at the first line end; the rest is the body.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let (path, body) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
    let body = body.strip_prefix(b"\n").unwrap_or_default();
    let (method, before) = match choice % 8 {
        0 => ("GET", "/v1/data/"),
        1 => ("POST", "/v1/data/"),
        2 => ("POST", "/v0/data/"),
        3 => ("POST", "/"),
        4 => ("GET", "/v1/policies/"),
        5 => ("PUT", "/v1/data/"),
        6 => ("GET", "/"),
        _ => ("PATCH", "/v1/data/"),
    };
    let mut target = before.to_owned();
    // What is no part of a request's line can't be sent.
    for byte in path.iter().take(4_096) {
        match byte {
            b'!'..=b'~' => target.push(char::from(*byte)),
            other => target.push_str(&format!("%{other:02X}")),
        }
    }
    let (status, answer) = server::http(method, &target, "application/json", body);
    if status == 200 && before.contains("data") {
        // A text can be written in more than one way: escaped in JSON, encoded in a path.
        let said = || holds(rest, b"sesame") || holds(rest, b"\\u") || path.contains(&b'%');
        let allowed = json::is_true(&answer, "allow") || json::is_true(&answer, "said");
        server::hold(allowed, said, || format!("{target}: {}", String::from_utf8_lossy(&answer)));
    }
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let body = r#"{"input": {"subject": {"id": "alice"}, "n": [1.5, 9007199254740993]}}"#;
    vec![
        ("get", chosen(0, "authz/decision?pretty&metrics&instrument&provenance&explain=full")),
        ("get-input", chosen(0, "authz/said?input=%7B%22subject%22:%7B%22id%22:%22alice%22%7D%7D")),
        ("get-encoded", chosen(0, "%61uthz/%2e%2e/a%2Fb//../x")),
        ("post", chosen(1, format!("authz/decision\n{body}"))),
        ("post-allow", chosen(1, "authz\n{\"input\": {\"subject\": {\"id\": \"open sesame\"}}}")),
        ("post-yaml", chosen(1, "authz?strict-builtin-errors\ninput: {a: &x [1], b: *x}")),
        ("v0", chosen(2, "authz/said\n{\"subject\": {\"id\": \"alice\"}}")),
        ("default", chosen(3, format!("?pretty=true\n{body}"))),
        ("policies", chosen(4, "authz.rego?pretty")),
        ("put", chosen(5, "a/b\n{\"x\": 1}")),
        ("health", chosen(6, "health?bundles&plugins&exclude-plugin=a")),
        ("status", chosen(6, "v1/status")),
        ("patch", chosen(7, "a\n[{\"op\": \"add\", \"path\": \"/x\", \"value\": 1}]")),
    ]
}
