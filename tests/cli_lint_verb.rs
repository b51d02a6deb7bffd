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
