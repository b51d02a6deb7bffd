//! `verdict lint`.

mod common;

use common::{code, err, folder, out, verdict};
use serde_json::Value;

#[test]
fn says_what_is_there_when_nothing_is_wrong() {
    let folder = folder(&[
        ("a.rego", "package a\nallow if true\n"),
        ("b/b.rego", "package b\ndecision := true\n"),
        ("c.rego", "package c\nhelper := 1\n"),
        ("a_test.rego", "package a_test\ntest_a if data.a.allow\n"),
    ]);
    let ran = verdict(folder.path(), &["lint", "."], "");
    assert_eq!(code(&ran), 0, "{}{}", out(&ran), err(&ran));
    assert!(out(&ran).starts_with("4 files, 3 rules, 0 data documents; nothing is wrong\n"), "{}", out(&ran));
    assert!(out(&ran).contains("entry points:\n  data.a\n  data.b\n"), "{}", out(&ran));
    let ran = verdict(folder.path(), &["lint", ".", "--format", "json"], "");
    assert_eq!((code(&ran), out(&ran).as_str()), (0, "[]\n"));
}

#[test]
fn reports_every_fault_of_every_file_tests_too() {
    let folder = folder(&[
        ("a.rego", "package a\nallow if nosuch(1)\n\nx := {\n"),
        ("b.rego", "package b\ny := z\n\nw := nosuch(2)\n"),
        ("c_test.rego", "package c_test\ntest_a if {\n"),
        ("data.json", "{\"a\": }"),
    ]);
    std::fs::write(folder.path().join("latin.rego"), b"package latin\n# caf\xe9\n").unwrap();
    let ran = verdict(folder.path(), &["lint", ".", "--format", "json"], "");
    assert_eq!(code(&ran), 1);
    let faults: Vec<Value> = serde_json::from_str(&out(&ran)).unwrap();
    let mut files: Vec<&str> = faults.iter().filter_map(|fault| fault["file"].as_str()).collect();
    files.sort_unstable();
    files.dedup();
    assert_eq!(files, ["./a.rego", "./b.rego", "./c_test.rego", "./data.json", "./latin.rego"], "{faults:#?}");
    for fault in &faults {
        for member in ["code", "message", "help"] {
            assert!(fault[member].is_string(), "{member} of {fault}");
        }
        assert!(fault["line"].is_u64() && fault["column"].is_u64(), "{fault}");
    }
    let ran = verdict(folder.path(), &["lint", "."], "");
    assert_eq!(code(&ran), 1);
    assert!(out(&ran).contains("undefined function `nosuch`"), "{}", out(&ran));
}

#[test]
fn a_policy_that_needs_a_test_file_is_a_fault() {
    let folder = folder(&[
        ("a.rego", "package a\nimport data.a_test\nallow if a_test.helper(1)\n"),
        ("a_test.rego", "package a_test\nhelper(x) := x\n"),
    ]);
    let ran = verdict(folder.path(), &["lint", "."], "");
    assert_eq!(code(&ran), 1, "{}", out(&ran));
}

#[test]
fn what_cannot_be_read_is_2() {
    let folder = folder(&[]);
    assert_eq!(code(&verdict(folder.path(), &["lint", "nowhere"], "")), 2);
    assert_eq!(code(&verdict(folder.path(), &["lint"], "")), 64);
}

#[test]
fn warnings_refuse_only_when_asked() {
    let folder = folder(&[("a.rego", "package a\nimport data.b\nallow if input.x\n")]);
    let ran = verdict(folder.path(), &["lint", "."], "");
    assert_eq!(code(&ran), 0, "{}", out(&ran));
    assert!(out(&ran).contains("1 warning") && out(&ran).contains("unused_import"), "{}", out(&ran));
    for flag in ["--deny-warnings", "--strict"] {
        assert_eq!(code(&verdict(folder.path(), &["lint", ".", flag], "")), 1);
    }
    let ran = verdict(folder.path(), &["lint", ".", "--format", "json"], "");
    let found: Vec<Value> = serde_json::from_str(&out(&ran)).unwrap();
    assert_eq!((&found[0]["severity"], &found[0]["length"]), (&"warning".into(), &13.into()));
}

// The members that the schema of SARIF 2.1.0 requires, and those that code scanning needs.
#[test]
fn sarif_has_what_its_schema_requires() {
    let folder = folder(&[
        ("a b/ü.rego", "package a\nimport data.b\n\tallow if \"ü\" == count(1)\n"),
        ("data.json", "{\"a\": }"),
    ]);
    let ran = verdict(folder.path(), &["lint", ".", "--format", "sarif"], "");
    assert_eq!(code(&ran), 1);
    let log: Value = serde_json::from_str(&out(&ran)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-schema-2.1.0.json"));
    let run = &log["runs"].as_array().unwrap()[0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "verdict");
    let rules = driver["rules"].as_array().unwrap();
    let mut uris = Vec::new();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        uris.push(place["artifactLocation"]["uri"].as_str().unwrap().to_owned());
        let region = &place["region"];
        let number = |name: &str| region[name].as_u64().unwrap();
        assert!(number("startLine") >= 1 && number("startColumn") >= 1, "{region}");
        assert!(number("endColumn") >= number("startColumn"), "{region}");
    }
    uris.dedup();
    assert_eq!(uris, ["a%20b/%C3%BC.rego", "data.json"]);
    let ids: Vec<&Value> = rules.iter().map(|rule| &rule["id"]).collect();
    assert_eq!(ids.len(), ids.iter().collect::<std::collections::HashSet<_>>().len());
}

#[test]
fn a_capabilities_file_holds_for_every_verb() {
    let folder = folder(&[
        ("a.rego", "package a\nallow if upper(input.x) == \"X\"\n"),
        ("b/a_test.rego", "package a_test\ntest_a if lower(\"X\") == \"x\"\n"),
        ("broken.json", "{\"features\": []}"),
    ]);
    let ran = verdict(folder.path(), &["lint", "--print-capabilities"], "");
    let mut capabilities: Value = serde_json::from_str(&out(&ran)).unwrap();
    capabilities["builtins"].as_array_mut().unwrap().retain(|one| one["name"] != "upper" && one["name"] != "lower");
    std::fs::write(folder.path().join("caps.json"), capabilities.to_string()).unwrap();
    for (arguments, expected) in [
        (&["lint", "a.rego", "--capabilities", "caps.json"][..], 1),
        (&["lint", "a.rego"], 0),
        (&["test", "b", "--capabilities", "caps.json"], 2),
        (&["test", "b"], 0),
        (&["eval", "--policies", "a.rego", "--capabilities", "caps.json", "--query-rego", "data.a"], 2),
        (&["eval", "--policies", "b", "--capabilities", "caps.json", "--query-rego", "upper(\"x\")"], 2),
        (&["eval", "--policies", "a.rego", "--query-rego", "data.a"], 0),
        (&["serve", "--capabilities", "nowhere.json"], 64),
        (&["serve", "--capabilities", "broken.json"], 64),
    ] {
        let ran = verdict(folder.path(), arguments, "");
        assert_eq!(code(&ran), expected, "{arguments:?}: {}{}", out(&ran), err(&ran));
    }
}
