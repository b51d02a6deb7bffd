//! Bytes as the body of a request of AuthZEN. The first one chooses the endpoint.

use super::{chosen, json, server};

const PATHS: [&str; 5] = [
    "/access/v1/evaluation",
    "/access/v1/evaluations",
    "/access/v1/search/subject",
    "/access/v1/search/resource",
    "/access/v1/search/action",
];

/// An answer or a refusal, and no allow without the word. Searches name candidates that have it.
pub fn run(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else { return };
    let choice = usize::from(*choice) % PATHS.len();
    let (status, answer) = server::http("POST", PATHS[choice], "application/json", body);
    if status != 200 {
        return;
    }
    // A search for actions finds one.
    let allowed = json::is_true(&answer, "decision") || (choice == 4 && json::says(&answer, "read"));
    server::hold(allowed, || json::says(body, server::WORD), || String::from_utf8_lossy(&answer).into_owned());
    assert!(serde_json::from_slice::<serde_json::Value>(&answer).is_ok());
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let question = |subject: &str| {
        format!(
            r#"{{"subject": {{"type": "user", "id": "{subject}", "properties": {{"n": [1.50, -7e2, 9007199254740993]}}}}, "action": {{"name": "read"}}, "resource": {{"type": "document", "id": "1"}}, "context": {{"a": {{"b": [null, true, "\u00e9\ud83d\ude00"]}}}}}}"#
        )
    };
    let batch = r#"{"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"}, "evaluations": [{"resource": {"type": "document", "id": "1"}}, {"resource": {"type": "document", "id": "open sesame"}}, 7], "options": {"evaluations_semantic": "deny_on_first_deny"}}"#;
    let token =
        r#"{"action": {"name": "read"}, "resource": {"type": "document", "id": "1"}, "context": {"token": "a.b.c"}}"#;
    let gates = r#"{"subject": {"type": "user", "id": "alice"}, "evaluations": [{"action": {"name": "issue:access_token"}, "resource": {"type": "audience", "id": "https://api.example"}}, {"action": {"name": "issue:access_token"}, "resource": {"type": "protected_resource", "id": "read"}}], "context": {"client": {"id": "app"}}}"#;
    let search = r#"{"subject": {"type": "user"}, "action": {"name": "read"}, "resource": {"type": "document", "id": "1"}, "page": {"limit": 1}}"#;
    vec![
        ("deny", chosen(0, question("alice"))),
        ("allow", chosen(0, question("open sesame"))),
        ("token", chosen(0, token)),
        ("batch", chosen(1, batch)),
        ("issuance", chosen(1, gates)),
        ("search-subject", chosen(2, search)),
        (
            "search-resource",
            chosen(3, search.replace(r#", "id": "1""#, "").replace(r#""user""#, r#""user", "id": "alice""#)),
        ),
        ("search-action", chosen(4, question("alice"))),
    ]
}
