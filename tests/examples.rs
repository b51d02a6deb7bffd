//! The worked examples in `policies/` answer what `policies/questions.json` says; those in `examples/` run, and find what
//! they expect. `examples/envoy` is run by `tests/envoy`, which knows Envoys.
//!
//! `VERDICT_TEST_PYTHON` names the interpreter that runs `examples/fastapi`; it needs fastapi, uvicorn and httpx. Without
//! them that test is skipped, unless `VERDICT_TEST_REQUIRE` has `fastapi` in it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test ends where something is wrong")]

mod common;

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use common::{code, err, out, verdict};
use serde_json::Value;

#[test]
fn every_question_gets_its_effect_and_codes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let questions = std::fs::read_to_string(root.join("policies/questions.json")).unwrap();
    let questions: Vec<Value> = serde_json::from_str(&questions).unwrap();
    assert!(questions.len() > 10);
    for question in questions {
        let name = question["name"].as_str().unwrap();
        let arguments = ["eval", "--policies", "policies", "--policy", "data.authz", "--query", "-", "--json"];
        let ran = verdict(root, &arguments, &question["query"].to_string());
        let answer: Value = serde_json::from_str(&out(&ran)).unwrap_or_else(|_| panic!("{name}: {}", err(&ran)));
        let effect = question["effect"].as_str().unwrap();
        assert_eq!(answer["effect"], effect.to_uppercase(), "{name}");
        assert_eq!(code(&ran), i32::from(effect == "deny"), "{name}");
        let sorted = |codes: Vec<&Value>| {
            let mut codes: Vec<String> = codes.into_iter().map(|code| code.as_str().unwrap().to_owned()).collect();
            codes.sort();
            codes
        };
        let given = answer["reasons"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
        let wanted = question["codes"].as_array().unwrap().iter().collect();
        assert_eq!(sorted(given), sorted(wanted), "{name}");
        assert!(answer["diagnostics"].as_array().unwrap().is_empty(), "{name}: {answer}");
    }
}

#[test]
fn every_unit_test_passes_and_nothing_is_left_uncovered() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = verdict(root, &["test", "policies", "--threshold", "100"], "");
    assert_eq!(code(&ran), 0, "{}", out(&ran));
    assert_eq!(code(&verdict(root, &["lint", "policies"], "")), 0);
}

/// The folders below `examples/`.
fn examples() -> Vec<String> {
    let folders = fs::read_dir("examples").unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders.map(|folder| folder.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_example_is_explained_and_its_policies_pass_their_own_tests() {
    let table = fs::read_to_string("examples/README.md").unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(examples().len() >= 3);
    for name in examples() {
        assert!(table.contains(&format!("| [{name}]({name}/README.md) |")), "{name} is not in examples/README.md");
        let readme = fs::read_to_string(format!("examples/{name}/README.md")).unwrap();
        assert!(readme.starts_with("# "), "{name}");
        let policies = format!("examples/{name}/policies");
        let ran = verdict(root, &["test", &policies, "--threshold", "90"], "");
        assert_eq!(code(&ran), 0, "{name}: {}{}", out(&ran), err(&ran));
        let ran = verdict(root, &["lint", &policies, "--deny-warnings"], "");
        assert_eq!(code(&ran), 0, "{name}: {}{}", out(&ran), err(&ran));
    }
}

/// Runs an example on the program under test, which must find all as it expects.
fn found_good(command: &mut Command, lines: usize) {
    command.env("VERDICT", env!("CARGO_BIN_EXE_verdict")).env("VERDICT_ADMIN_ADDRESS", "off");
    // A debug build on a busy machine is slow.
    command.env("VERDICT_POLICIES_EVALUATION_BUDGET", "5s").env("VERDICT_GRPC_REQUEST_TIMEOUT", "30s");
    command.env("VERDICT_HTTP_REQUEST_TIMEOUT", "30s");
    let ran: Output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(code(&ran), 0, "{}{}", out(&ran), err(&ran));
    assert_eq!(out(&ran).lines().filter(|line| line.starts_with("ok ")).count(), lines, "{}", out(&ran));
}

#[test]
fn the_service_of_fastapi_asks_before_each_route() {
    let python = std::env::var("VERDICT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut imports = Command::new(&python);
    imports.args(["-c", "import fastapi, httpx, uvicorn"]).stdin(Stdio::null()).stderr(Stdio::null());
    if !imports.status().is_ok_and(|status| status.success()) {
        let required = std::env::var("VERDICT_TEST_REQUIRE").is_ok_and(|list| list.contains("fastapi"));
        assert!(!required, "VERDICT_TEST_REQUIRE asks for fastapi: `{python}` can't import it");
        println!("skipped: `{python}` can't import fastapi, uvicorn and httpx");
        return;
    }
    found_good(Command::new(python).args(["-B", "examples/fastapi/try.py"]), 16);
}

#[test]
fn the_service_of_tonic_asks_before_each_call() {
    // `cargo test` builds examples along with the tests, but the tests of one file come without them.
    let mut cargo = Command::new(env!("CARGO"));
    found_good(cargo.args(["run", "--quiet", "--locked", "--example", "tonic"]), 8);
}

#[test]
fn the_authorization_servers_policies_pass_their_own_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/authorization-server");
    let ran = verdict(&root, &["test", "policies", "--threshold", "100"], "");
    assert_eq!(code(&ran), 0, "{}", out(&ran));
    assert_eq!(code(&verdict(&root, &["lint", "policies", "--deny-warnings"], "")), 0);
}

/// Node and its packages: where `npm install` of the example's `package.json` was run.
#[test]
fn an_authorization_server_asks_before_it_issues() {
    let required = std::env::var("VERDICT_TEST_REQUIRE").unwrap_or_default();
    let required = required.split(',').any(|name| name == "authorization-server");
    let Some(packages) = std::env::var_os("VERDICT_TEST_AUTHORIZATION_SERVER").map(std::path::PathBuf::from) else {
        assert!(!required, "VERDICT_TEST_AUTHORIZATION_SERVER is not set");
        println!("skipped: VERDICT_TEST_AUTHORIZATION_SERVER names no folder with the packages of the example");
        return;
    };
    // Node looks for packages beside the script, and nothing is installed in the sources.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir().unwrap();
    let example = place.path().join("examples/authorization-server");
    std::fs::create_dir_all(&example).unwrap();
    let link = |from: std::path::PathBuf, to: std::path::PathBuf| std::os::unix::fs::symlink(from, to).unwrap();
    link(root.join("proto"), place.path().join("proto"));
    link(packages.join("node_modules"), place.path().join("node_modules"));
    std::fs::create_dir(example.join("policies")).unwrap();
    for name in [
        "package.json",
        "verdict.mjs",
        "server.mjs",
        "api.mjs",
        "try.mjs",
        "policies/data.json",
        "policies/issuance.rego",
        "policies/tickets.rego",
    ] {
        std::fs::copy(root.join("examples/authorization-server").join(name), example.join(name)).unwrap();
    }
    let ran = Command::new("node")
        .arg(example.join("try.mjs"))
        .env("VERDICT", env!("CARGO_BIN_EXE_verdict"))
        .env("VERDICT_ADMIN_ADDRESS", "off")
        .output()
        .unwrap();
    let said = format!("{}{}", out(&ran), err(&ran));
    assert_eq!(code(&ran), 0, "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 16, "{said}");
}
