//! How tests end, and what is said of it.

use serde_json::Value;

use crate::{
    POLICY,
    common::{code, err, folder, out, verdict},
};

const MIXED: &str = "package authz_test\n\nimport data.authz\n\ntest_passes if authz.allow with input as {\"x\": 1}\n\n\
                     test_fails if {\n\tprint(\"x is\", 2, \"\\u001b[31m<&\\\"\")\n\tauthz.allow with input as {\"x\": 2}\n}\n\n\
                     todo_test_later if false\n\ntest_errs := x if { some x in [1, 2] }\n";

#[test]
fn all_passed_is_0() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", "package t\ntest_a if not data.authz.allow\n")]);
    let ran = verdict(folder.path(), &["test", "."], "");
    assert_eq!((code(&ran), out(&ran).as_str()), (0, "PASS: 1/1\n"), "{}", err(&ran));
    let ran = verdict(folder.path(), &["test", ".", "-v"], "");
    assert!(out(&ran).contains("data.t.test_a: PASS ("), "{}", out(&ran));
}

#[test]
fn a_failure_is_1_with_its_place_and_its_prints() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", MIXED)]);
    let ran = verdict(folder.path(), &["test", "."], "");
    let shown = out(&ran);
    assert_eq!(code(&ran), 1);
    for part in [
        "a_test.rego:7: data.authz_test.test_fails: FAIL",
        "a_test.rego:8: x is 2 ",
        "data.authz_test.todo_test_later: SKIPPED",
        "data.authz_test.test_errs: ERROR",
        "rules must not produce multiple outputs",
        "PASS: 1/4\nFAIL: 1/4\nSKIPPED: 1/4\nERROR: 1/4\n",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("test_passes") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn chooses_by_expression() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", MIXED)]);
    let ran = verdict(folder.path(), &["test", ".", "--run", r"^data\.authz_test\.test_pass"], "");
    assert_eq!((code(&ran), out(&ran).as_str()), (0, "PASS: 1/1\n"));
    let ran = verdict(folder.path(), &["test", ".", "--run", "nothing"], "");
    assert_eq!(code(&ran), 2);
    assert!(err(&ran).contains("none of 4 tests matches `nothing`"), "{}", err(&ran));
    let ran = verdict(folder.path(), &["test", ".", "--run", "("], "");
    assert_eq!(code(&ran), 64);
}

#[test]
fn junit_is_valid_xml_with_a_suite_for_each_package() {
    let folder = folder(&[
        ("a.rego", POLICY),
        ("a_test.rego", MIXED),
        ("b_test.rego", "package b_test\ntest_table[note] if {\n\tsome note in [\"<&\\\"'>\"]\n\tnote == 1\n}\n"),
    ]);
    let ran = verdict(folder.path(), &["test", ".", "--format", "junit"], "");
    assert_eq!(code(&ran), 1);
    let text = out(&ran);
    let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let suites: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testsuite")).collect();
    assert_eq!(
        suites.iter().map(|suite| suite.attribute("name").unwrap()).collect::<Vec<_>>(),
        ["data.authz_test", "data.b_test"]
    );
    let counts = ["tests", "failures", "errors", "skipped"].map(|name| suites[0].attribute(name).unwrap());
    assert_eq!(counts, ["4", "1", "1", "1"]);
    let failed = document.descendants().find(|node| node.attribute("name") == Some("test_fails")).unwrap();
    assert_eq!(failed.attribute("line"), Some("7"));
    let printed = failed.descendants().find(|node| node.has_tag_name("system-out")).unwrap().text().unwrap();
    assert!(printed.ends_with("x is 2 \u{fffd}[31m<&\""), "{printed}");
    let table = document.descendants().rfind(|node| node.has_tag_name("failure")).unwrap();
    assert!(table.attribute("message").unwrap().ends_with("failed for <&\"'>"));
}

#[test]
fn json_has_tests_summary_and_coverage() {
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", MIXED)]);
    let ran = verdict(folder.path(), &["test", ".", "--format", "json", "--coverage"], "");
    let report: Value = serde_json::from_str(&out(&ran)).unwrap();
    assert_eq!(report["summary"]["failed"], 1);
    assert_eq!(report["tests"][1]["name"], "test_fails");
    assert_eq!(report["tests"][1]["location"]["row"], 7);
    assert_eq!(report["tests"][1]["fail"], true);
    assert!(report["coverage"]["coverage"].is_number());
    assert!(report["coverage"]["files"]["./a.rego"]["covered"].is_array(), "{report}");
}

#[test]
fn a_runaway_is_an_error_and_the_others_still_run() {
    let long = "package t\ntest_a if { every x in numbers.range(1, 100000) { every y in numbers.range(1, 1000) { x + y > 0 } } }\n\
                test_b if true\n";
    let folder = folder(&[("a_test.rego", long)]);
    let ran = verdict(folder.path(), &["test", ".", "--timeout", "200ms"], "");
    assert_eq!(code(&ran), 1);
    assert!(out(&ran).contains("it took longer than 200ms"), "{}", out(&ran));
    assert!(out(&ran).ends_with("PASS: 1/2\nERROR: 1/2\n"), "{}", out(&ran));
}

#[test]
fn what_cannot_run_is_2_and_says_why() {
    let faulty =
        folder(&[("a.rego", "package a\nallow if {\n\tnosuch(1)\n}\n"), ("a_test.rego", "package t\ntest_a if x\n")]);
    let ran = verdict(faulty.path(), &["test", "."], "");
    assert_eq!(code(&ran), 2);
    for part in ["undefined function `nosuch`", "./a.rego:3:2", "nosuch(1)", "./a_test.rego:2:11"] {
        assert!(err(&ran).contains(part), "{part} in {}", err(&ran));
    }
    let none = folder(&[("a.rego", POLICY)]);
    let ran = verdict(none.path(), &["test", "."], "");
    assert_eq!(code(&ran), 2);
    assert!(err(&ran).contains("a test is a rule whose name starts with `test_`"), "{}", err(&ran));
    for path in ["nowhere", "empty"] {
        std::fs::create_dir_all(none.path().join("empty")).unwrap();
        let ran = verdict(none.path(), &["test", path], "");
        assert_eq!(code(&ran), 2);
        assert!(err(&ran).contains(path), "{}", err(&ran));
    }
}

#[test]
fn takes_several_folders_single_files_and_rego_v0() {
    let folder = folder(&[
        ("one/a.rego", "package a\nallow { input.x == data.limit }\n"),
        ("one/data.json", "{\"limit\": 1}"),
        ("two/a_test.rego", "package t\ntest_a { data.a.allow with input as {\"x\": 1} }\ntest_b { true }\n"),
    ]);
    let ran = verdict(folder.path(), &["test", "one", "two", "--rego-v0"], "");
    assert_eq!((code(&ran), out(&ran).as_str()), (0, "PASS: 2/2\n"), "{}", err(&ran));
    let ran = verdict(folder.path(), &["test", "one", "two/a_test.rego", "--rego-v0", "-v"], "");
    assert!(out(&ran).contains("two/a_test.rego:2: data.t.test_a: PASS"), "{}", out(&ran));
    assert_eq!(code(&verdict(folder.path(), &["test", "one", "two"], "")), 2);
}

#[test]
fn several_folders_are_one_set_whose_tests_see_each_other() {
    let folder = folder(&[
        ("policies/a.rego", POLICY),
        ("other/a.rego", "package other\n\nallow if data.authz.allow\n"),
        ("other/a_test.rego", "package other_test\n\ntest_x if data.other.allow with input as {\"x\": 1}\n"),
    ]);
    let ran = verdict(folder.path(), &["test", "policies", "other", "-v"], "");
    assert_eq!(code(&ran), 0, "{}", err(&ran));
    assert!(out(&ran).contains("other/a_test.rego:3: data.other_test.test_x: PASS"), "{}", out(&ran));
}

#[test]
fn results_have_the_same_order_however_many_run_at_once() {
    let line = |n: u32| {
        let count = 3_000 / (n + 1);
        format!("test_{n:02} if count(numbers.range(1, {count})) == {}", if n.is_multiple_of(3) { 0 } else { count })
    };
    let tests = (0..30).map(line).collect::<Vec<_>>().join("\n");
    let folder = folder(&[("a_test.rego", &format!("package t\n{tests}"))]);
    let names = |parallel: &str| {
        let ran = verdict(folder.path(), &["test", ".", "-v", "--parallel", parallel], "");
        assert_eq!(code(&ran), 1);
        let line = |line: &str| line.rsplit_once(" (").map_or(line, |(line, _)| line).to_owned();
        out(&ran).lines().map(line).collect::<Vec<_>>()
    };
    let one = names("1");
    assert_eq!(one.len(), 32);
    assert!(one[0].ends_with("test_00: FAIL") && one[1].ends_with("test_01: PASS"), "{one:?}");
    assert_eq!(one, names("4"));
    assert_eq!(one, names("0"));
}

#[test]
fn cases_of_a_table_are_reported_by_their_notes() {
    let table = "package t\n\ntest_c[note] if {\n\tsome note, x in {\"one\": 1, \"two\": 2}\n\tx == 1\n}\n";
    let folder = folder(&[("a_test.rego", table)]);
    let ran = verdict(folder.path(), &["test", "."], "");
    assert!(out(&ran).contains("\n  two: FAIL\n") && !out(&ran).contains("one"), "{}", out(&ran));
    let ran = verdict(folder.path(), &["test", ".", "-v"], "");
    assert!(out(&ran).contains("\n  one: PASS\n  two: FAIL\n"), "{}", out(&ran));
    let ran = verdict(folder.path(), &["test", ".", "--format", "json"], "");
    let report: Value = serde_json::from_str(&out(&ran)).unwrap();
    // As `opa test --format json` has them.
    let expected = serde_json::json!({"one": {"name": "one"}, "two": {"name": "two", "fail": true}});
    assert_eq!(report["tests"][0]["sub_results"], expected);
}

#[test]
fn only_skipped_tests_are_no_failure() {
    let folder = folder(&[("a_test.rego", "package t\n\ntodo_test_later if false\n")]);
    let ran = verdict(folder.path(), &["test", "."], "");
    assert_eq!(code(&ran), 0);
    assert!(out(&ran).ends_with("PASS: 0/1\nSKIPPED: 1/1\n"), "{}", out(&ran));
}

#[test]
fn values_of_the_condition_that_failed_with_line_and_caret() {
    let text = "package t\n\nimport data.authz\n\ntest_x if {\n\tquestion := {\"x\": 2}\n\tauthz.allow with input as question\n}\n\n\
                test_y[note] if {\n\tsome note, x in {\"a\": 1, \"<b>\": 2}\n\tx < 2\n}\n";
    let folder = folder(&[("a.rego", POLICY), ("a_test.rego", text)]);
    let ran = verdict(folder.path(), &["test", ".", "--var-values"], "");
    assert_eq!(code(&ran), 1);
    let shown = out(&ran);
    for part in [
        "  ./a_test.rego:7: this did not hold\n  7 | \tauthz.allow with input as question\n    | \t^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n    = authz.allow: undefined\n    = question: {\"x\": 2}\n",
        "  <b>: ./a_test.rego:12: this did not hold\n",
        "     = x: 2\n",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let ran = verdict(folder.path(), &["test", ".", "--var-values", "--format", "json"], "");
    let report: Value = serde_json::from_str(&out(&ran)).unwrap();
    assert_eq!(report["tests"][0]["failures"][0]["location"]["row"], 7);
    assert_eq!(report["tests"][0]["failures"][0]["values"][1]["values"][0], "{\"x\": 2}");
    assert_eq!(report["tests"][1]["failures"][0]["case"][0], "<b>");
    let ran = verdict(folder.path(), &["test", ".", "--var-values", "--format", "junit"], "");
    let xml = out(&ran);
    let document = roxmltree::Document::parse(&xml).unwrap();
    let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
    assert!(failure.text().unwrap().contains("question: {\"x\": 2}"));
}

#[test]
fn what_recurses_is_named_and_the_runner_goes_on_or_says_why_not() {
    let recursive = "package t\n\nf(x) := f(x)\n\ntest_recursive if f(1)\n";
    let one = folder(&[("a_test.rego", recursive)]);
    let ran = verdict(one.path(), &["test", "."], "");
    assert_eq!(code(&ran), 2);
    assert!(err(&ran).contains("a_test.rego:3") && err(&ran).contains('f'), "{}", err(&ran));
    let deep = "package t\n\ntest_deep if {\n\ttext := concat(\"\", [x | some i in numbers.range(1, 2000); x := \"[\"])\n\tjson.unmarshal(text)\n}\n\n\
                test_long if count([1 | some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); a + b > 0]) > 0\n\n\
                test_ok if true\n";
    let two = folder(&[("a_test.rego", deep)]);
    let ran = verdict(two.path(), &["test", ".", "--timeout", "500ms", "-v"], "");
    assert_eq!(code(&ran), 1, "{}", err(&ran));
    let shown = out(&ran);
    for part in ["test_deep: FAIL", "test_long: ERROR", "it took longer than 500ms", "test_ok: PASS"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn a_value_that_nests_deep_takes_nothing_down() {
    let rules: Vec<String> = (1..40).map(|n| format!("v{n} := [[[[[[[[[[v{}]]]]]]]]]]", n - 1)).collect();
    let text = format!(
        "package t\n\nv0 := 1\n\n{}\n\ntest_deep := v39\n\ntest_x if v39 == 1\n\ntest_ok if true\n",
        rules.join("\n")
    );
    let folder = folder(&[("a_test.rego", &text)]);
    let ran = verdict(folder.path(), &["test", ".", "--var-values", "--parallel", "2", "--timeout", "60s"], "");
    assert_eq!(code(&ran), 1, "{}", err(&ran));
    assert!(out(&ran).ends_with("PASS: 1/3\nFAIL: 2/3\n"), "{}", out(&ran));
}
