//! Coverage, for people, browsers and programs.

use std::fs;

use serde_json::{Value, json};

use crate::{
    POLICY,
    common::{code, err, folder, out, verdict},
};

const TESTS: &str = "package t\n\ntest_a if data.authz.allow with input as {\"x\": 1}\n\ntest_b if not data.authz.allow with input as {\"x\": 3}\n";

#[test]
fn coverage_below_the_threshold_is_1() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", TESTS)]);
    let ran = verdict(folder.path(), &["test", ".", "--threshold", "50"], "");
    assert_eq!(code(&ran), 0, "{}", err(&ran));
    assert!(out(&ran).contains(" 50.00 %  ./a.rego  not covered: 5"), "{}", out(&ran));
    assert!(out(&ran).contains("no test reaches data.authz.other (line 5)"), "{}", out(&ran));
    assert!(out(&ran).contains("1 of 2 rules reached"), "{}", out(&ran));
    let ran = verdict(folder.path(), &["test", ".", "--threshold", "50.1"], "");
    assert_eq!(code(&ran), 1);
    assert!(err(&ran).contains("coverage is 50.00 %, below the threshold of 50.1 %"), "{}", err(&ran));
    assert_eq!(code(&verdict(folder.path(), &["test", ".", "--threshold", "101"], "")), 64);
}

#[test]
fn lcov_is_on_standard_output_alone() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", TESTS)]);
    let ran = verdict(folder.path(), &["test", ".", "--coverage-format", "lcov"], "");
    assert_eq!(code(&ran), 0);
    let expected = "TN:\nSF:./a.rego\nFN:3,data.authz.allow\nFN:5,data.authz.other\nFNDA:2,data.authz.allow\n\
                    FNDA:0,data.authz.other\nFNF:2\nFNH:1\nDA:3,2\nDA:5,0\nLF:2\nLH:1\nend_of_record\n";
    assert_eq!(out(&ran), expected);
    assert_eq!(err(&ran), "PASS: 2/2\n");
    let both = ["test", ".", "--coverage-format", "lcov", "--format", "json"];
    let ran = verdict(folder.path(), &both, "");
    assert_eq!(code(&ran), 64);
    let ran = verdict(folder.path(), &[&both[..], &["--coverage-out", "lcov.info"]].concat(), "");
    assert_eq!(code(&ran), 0);
    assert_eq!(fs::read_to_string(folder.path().join("lcov.info")).unwrap(), expected);
    assert!(serde_json::from_str::<Value>(&out(&ran)).unwrap()["coverage"].is_object());
}

#[test]
fn json_has_opas_shape_with_rules() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", TESTS)]);
    let ran = verdict(folder.path(), &["test", ".", "--coverage-out", "c.json"], "");
    assert_eq!((code(&ran), out(&ran).as_str()), (0, "PASS: 2/2\n"));
    let report: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("c.json")).unwrap()).unwrap();
    let file = &report["files"]["./a.rego"];
    assert_eq!(file["covered"], json!([{"start": {"row": 3}, "end": {"row": 3}}]));
    assert_eq!(file["not_covered"], json!([{"start": {"row": 5}, "end": {"row": 5}}]));
    assert_eq!(file["hits"], json!({"3": 2, "5": 0}));
    assert_eq!((&file["rules"][0]["name"], &file["rules"][0]["hits"]), (&json!("data.authz.allow"), &json!(2)));
    assert_eq!((&report["coverage"], &report["covered_lines"]), (&json!(50.0), &json!(1)));
}

#[test]
fn html_is_one_page_in_which_nothing_of_a_policy_acts() {
    let evil = "package authz\n\n# <script>alert(1)</script> \u{202e}\nallow if input.x == \"</td><img src=x onerror='alert(1)'>\"\n\nother if input.x == 2\n";
    let folder = folder(&[
        ("<b>&.rego", evil),
        ("a_test.rego", "package t\n\ntest_a if not data.authz.allow with input as {\"x\": 1}\n"),
    ]);
    let ran = verdict(folder.path(), &["test", ".", "--coverage-out", "c.html"], "");
    assert_eq!(code(&ran), 0, "{}", err(&ran));
    let page = fs::read_to_string(folder.path().join("c.html")).unwrap();
    for gone in ["<script", "<img", "<b>", "onerror='", "\u{202e}", "src=", "http://", "https://", "<link"] {
        assert!(!page.replace("&lt;img src=x", "").contains(gone), "{gone}");
    }
    for part in [
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "./&lt;b&gt;&amp;.rego",
        "<tr class=\"hit\" id=\"f0l4\">",
        "<tr class=\"miss\" id=\"f0l6\">",
        "data.authz.other",
        "50.00 %",
        "1 of 2",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // Well-formed once the parts of HTML that are no XML are gone.
    let xml = page
        .replace("<!DOCTYPE html>\n", "")
        .lines()
        .filter(|line| !line.starts_with("<meta"))
        .collect::<Vec<_>>()
        .join("\n");
    let xml = xml.replace("<details open ", "<details ");
    roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
}

#[test]
fn a_file_that_says_not_how_or_cannot_be_written_is_told() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", TESTS)]);
    assert_eq!(code(&verdict(folder.path(), &["test", ".", "--coverage-out", "c"], "")), 64);
    let ran = verdict(folder.path(), &["test", ".", "--coverage-out", "no/where/c.html"], "");
    assert_eq!(code(&ran), 2);
    assert!(err(&ran).contains("cannot write `no/where/c.html`"), "{}", err(&ran));
}
