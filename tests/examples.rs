//! The worked examples in `policies/` answer what `policies/questions.json` says; `examples/authorization-server` does what
//! its script expects.

mod common;

use common::{code, out, verdict};
use serde_json::Value;

#[test]
fn every_question_gets_its_effect_and_codes() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let questions = std::fs::read_to_string(root.join("policies/questions.json")).unwrap();
    let questions: Vec<Value> = serde_json::from_str(&questions).unwrap();
    assert!(questions.len() > 10);
    for question in questions {
        let name = question["name"].as_str().unwrap();
        let arguments = ["eval", "--policies", "policies", "--policy", "data.authz", "--query", "-", "--json"];
        let ran = verdict(root, &arguments, &question["query"].to_string());
        let answer: Value =
            serde_json::from_str(&out(&ran)).unwrap_or_else(|_| panic!("{name}: {}", common::err(&ran)));
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
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = verdict(root, &["test", "policies", "--threshold", "100"], "");
    assert_eq!(code(&ran), 0, "{}", out(&ran));
    assert_eq!(code(&verdict(root, &["lint", "policies"], "")), 0);
}

#[test]
fn the_authorization_servers_policies_pass_their_own_tests() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/authorization-server");
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
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
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
    let ran = std::process::Command::new("node")
        .arg(example.join("try.mjs"))
        .env("VERDICT", env!("CARGO_BIN_EXE_verdict"))
        .env("VERDICT_ADMIN_ADDRESS", "off")
        .output()
        .unwrap();
    let said = format!("{}{}", out(&ran), common::err(&ran));
    assert_eq!(code(&ran), 0, "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), 16, "{said}");
}
