//! `--bench`: a table and JSON.

use serde_json::Value;

use crate::{
    POLICY,
    common::{code, err, folder, out, verdict},
};

const TESTS: &str = "package t\n\ntest_fast if data.authz.allow with input as {\"x\": 1}\n\ntest_bad if false\n\ntodo_test_later if true\n";

#[test]
fn measures_each_test_that_passes() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", TESTS)]);
    let ran = verdict(folder.path(), &["test", ".", "--bench", "--bench-time", "50ms", "--run", "fast"], "");
    assert_eq!(code(&ran), 0, "{}", err(&ran));
    let shown = out(&ran);
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["test", "runs", "ns/op", "spread", "min", "max"]);
    assert_eq!(lines[1][0], "data.t.test_fast");
    assert!(lines[1][1].parse::<u64>().unwrap() > 5 && lines[1][2].parse::<u64>().unwrap() > 0, "{shown}");
    let ran = verdict(folder.path(), &["test", ".", "--bench", "--bench-time", "50ms"], "");
    assert_eq!(code(&ran), 1, "a test that does not pass is not measured");
    assert!(out(&ran).contains("data.t.test_bad") && out(&ran).contains("FAIL"), "{}", out(&ran));
    assert!(out(&ran).contains("SKIPPED"));
}

#[test]
fn is_json_in_opas_names_with_the_spread() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", TESTS)]);
    let ran = verdict(
        folder.path(),
        &["test", ".", "--bench", "--bench-time", "50ms", "--run", "fast", "--format", "json"],
        "",
    );
    let report: Value = serde_json::from_str(&out(&ran)).unwrap();
    let result = &report["tests"][0]["benchmark_result"];
    assert!(result["N"].as_u64().unwrap() > 5 && result["T"].as_u64().unwrap() > 0, "{report}");
    let of = |name: &str| result["ns_per_op"][name].as_f64().unwrap();
    assert!(of("min") <= of("median") && of("median") <= of("max") && of("spread") >= 0.0, "{report}");
}

#[test]
fn does_not_go_with_what_would_disturb_it() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", TESTS)]);
    for flag in [&["--coverage"][..], &["--watch"], &["--format", "junit"]] {
        let ran = verdict(folder.path(), &[&["test", ".", "--bench"], flag].concat(), "");
        assert_eq!(code(&ran), 64, "{flag:?}");
    }
}
