//! `examples/mcp`: its policies' own tests, and what sessions of the official SDK's client get behind a real Envoy.
//!
//! `VERDICT_TEST_ENVOY` names Envoy, `VERDICT_TEST_MCP` a Python that has the package `mcp`. Without them the test is skipped,
//! unless `VERDICT_TEST_REQUIRE` has `mcp` in it.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{run, verdict};

#[test]
fn the_policies_pass_their_own_tests() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/mcp/policies");
    let ended = run(verdict().arg("test").arg(&example).args(["--threshold", "100"]));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let ended = run(verdict().arg("lint").arg(&example).arg("--deny-warnings"));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[tokio::test]
async fn sessions_of_a_real_client_get_the_answers_that_they_should() {
    let skipped = |why: &str| {
        let required =
            std::env::var("VERDICT_TEST_REQUIRE").is_ok_and(|list| list.split(',').any(|name| name == "mcp"));
        assert!(!required, "VERDICT_TEST_REQUIRE asks for mcp: {why}");
        println!("skipped: {why}");
    };
    let Ok(envoy) = std::env::var("VERDICT_TEST_ENVOY") else { return skipped("VERDICT_TEST_ENVOY names no Envoy") };
    let Ok(python) = std::env::var("VERDICT_TEST_MCP") else { return skipped("VERDICT_TEST_MCP names no Python") };
    let mut command = Command::new(python);
    command.args(["-B", "examples/mcp/try.py"]).env("VERDICT", env!("CARGO_BIN_EXE_verdict")).env("ENVOY", envoy);
    command.env("VERDICT_ADMIN_ADDRESS", "off").stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    if let Some(why) = ended.stdout.strip_prefix("skipped: ") {
        return skipped(why.trim());
    }
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("ok ")).count(), 20, "{}", ended.stdout);
}
