//! Client libraries for OPA, as they come, against Verdict: OPA's own from npm, and one from `PyPI`.
//!
//! `VERDICT_TEST_OPA_CLIENT` names a folder whose `node_modules` has `@open-policy-agent/opa`; `VERDICT_TEST_PYTHON` an
//! interpreter that has `opa-python-client`. What lacks is skipped, unless `VERDICT_TEST_REQUIRE` has `opa-client` in it.

use std::process::Command;

use serde_json::{Value as Json, json};

use crate::{
    client::serve,
    support::{Ended, run},
};

fn skipped(why: &str) {
    let required = std::env::var("VERDICT_TEST_REQUIRE").is_ok_and(|list| list.contains("opa-client"));
    assert!(!required, "VERDICT_TEST_REQUIRE asks for opa-client: {why}");
    println!("skipped: {why}");
}

/// What a client said, a line an entry; nothing where it lacks its library.
async fn said(mut command: Command) -> Option<Vec<Json>> {
    let Ended { code, stdout, stderr } = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    assert_eq!(code, Some(0), "{stderr}");
    if let Some(why) = stdout.strip_prefix("skipped: ") {
        skipped(why.trim());
        return None;
    }
    Some(stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test]
async fn opas_own_client_from_npm() {
    let Ok(folder) = std::env::var("VERDICT_TEST_OPA_CLIENT") else {
        return skipped("`VERDICT_TEST_OPA_CLIENT` is not set");
    };
    let (_folder, server) = serve(&[]).await;
    let mut command = Command::new("node");
    command.args(["tests/opa_api/clients/client.mjs", &format!("http://{}", server.http), &folder]);
    let Some(said) = said(command).await else { return };
    let wanted = [
        json!(["allow", true]),
        json!(["undefined", null]),
        json!(["no input", {"large": 10, "small": 1}]),
        json!(["default", true]),
        json!(["converted", true]),
        json!(["object", {"list": [1, {"text": "é"}]}]),
        json!(["conflict", "error", "ServerError", "internal_error"]),
        json!(["batch", {"a": true, "b": true}]),
    ];
    assert_eq!(said, wanted);
}

#[tokio::test]
async fn a_client_from_pypi() {
    let interpreter = std::env::var("VERDICT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if !Command::new(&interpreter).arg("--version").output().is_ok_and(|ended| ended.status.success()) {
        return skipped(&format!("`{interpreter}` can't be run"));
    }
    let (_folder, server) = serve(&[("VERDICT_OPA_QUERY", "true")]).await;
    let (host, port) = (server.http.ip().to_string(), server.http.port().to_string());
    let mut command = Command::new(interpreter);
    command.args(["-B", "tests/opa_api/clients/client.py", &host, &port]);
    let Some(mut said) = said(command).await else { return };
    for answer in &mut said {
        if let Some(members) = answer[1].as_object_mut() {
            members.remove("decision_id");
        }
    }
    let wanted = [
        json!(["connection", true]),
        json!(["health", true]),
        json!(["policies", ["always.rego", "shop.rego"]]),
        json!(["policy", "shop.rego"]),
        json!(["data", {"result": 9_007_199_254_740_993_u64}]),
        json!(["allow", {"result": true}]),
        json!(["undefined", false]),
    ];
    assert_eq!(said[..wanted.len()], wanted);
    assert_eq!((&said[7][0], &said[7][1]), (&json!("conflict"), &json!("error")));
    assert_eq!(said[8], json!(["query", {"result": [{"x": 1}]}]));
    assert_eq!((&said[9][0], &said[9][1]), (&json!("write"), &json!("error")));
}
