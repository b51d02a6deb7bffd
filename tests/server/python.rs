//! A client in another language: generated from `proto/`, and from what reflection says.
//!
//! `VERDICT_TEST_PYTHON` names the interpreter; it needs grpcio, grpcio-tools and grpcio-reflection. Without them the
//! test is skipped, unless `VERDICT_TEST_REQUIRE` has `python` in it.

use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

use crate::support::{Serve, run};

#[tokio::test]
async fn python_gets_the_same_answers_by_stubs_and_by_reflection() {
    let skipped = |why: &str| {
        let required = std::env::var("VERDICT_TEST_REQUIRE").is_ok_and(|list| list.contains("python"));
        assert!(!required, "VERDICT_TEST_REQUIRE asks for python: {why}");
        println!("skipped: {why}");
    };
    let interpreter = std::env::var("VERDICT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&interpreter).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return skipped(&format!("`{interpreter}` can't be run"));
    }
    let server = Serve::embedded().ready().await;
    let address = server.grpc.clone();
    let asked = tokio::task::spawn_blocking(move || {
        run(Command::new(interpreter).args(["-B", "tests/python/client.py", &address, "proto"]).stdin(Stdio::null()))
    });
    let ended = asked.await.unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    if let Some(why) = ended.stdout.strip_prefix("skipped: ") {
        return skipped(why.trim());
    }
    let lines: Vec<Json> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (_, ready) = server.readiness().await;
    let digest = &ready["revision"]["digest"];
    let told: Vec<Json> = lines
        .iter()
        .map(|line| json!([line["way"], line["effect"], line["codes"], line["digest"] == *digest, line["code"]]))
        .collect();
    let answers = |way: &str| {
        [
            json!([way, "EFFECT_ALLOW", ["role_grants_action"], true, null]),
            json!([way, "EFFECT_DENY", ["no_role_grants_action"], true, null]),
        ]
    };
    let error = json!(["error", null, null, false, "INVALID_ARGUMENT"]);
    let wanted: Vec<Json> = answers("stubs").into_iter().chain([error]).chain(answers("reflection")).collect();
    assert_eq!(told, wanted, "{}", ended.stderr);
}
