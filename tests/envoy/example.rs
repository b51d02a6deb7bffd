//! `examples/envoy`: its policies' own tests, and what its script finds behind a real Envoy.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    real_support::program,
    support::{run, verdict},
};

#[test]
fn the_policies_pass_their_own_tests() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/envoy/policies");
    let ended = run(verdict().arg("test").arg(&example).args(["--threshold", "100"]));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let ended = run(verdict().arg("lint").arg(&example).arg("--deny-warnings"));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

#[tokio::test]
async fn the_script_gets_the_answers_that_it_expects() {
    let Some(envoy) = program() else { return };
    let python = std::env::var("VERDICT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        println!("skipped: `{python}` can't be run");
        return;
    }
    let mut command = Command::new(python);
    command.args(["-B", "examples/envoy/try.py"]).env("VERDICT", env!("CARGO_BIN_EXE_verdict")).env("ENVOY", envoy);
    command.env("VERDICT_ADMIN_ADDRESS", "off").stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("ok ")).count(), 10, "{}", ended.stdout);
}
