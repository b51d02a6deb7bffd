use super::*;

fn suite(files: &[(&str, &str)], coverage: bool) -> Suite {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    let bundle = Bundle::from_files(files).unwrap();
    let options = Options {
        rego_v0: false,
        capabilities: crate::policy::Capabilities::ALL,
        timeout: Duration::from_millis(300),
        coverage,
        parallel: 2,
    };
    Suite::compile(&bundle, options).unwrap()
}

/// `name: OUTCOME`, in order.
fn outcomes(text: &str) -> Vec<String> {
    let mut set = suite(&[("p_test.rego", &format!("package p_test\n{text}"))], false);
    let found = set.tests().to_vec();
    let word = |outcome: &Outcome| match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Skip => "skip",
        Outcome::Error(_) => "error",
    };
    found.iter().map(|test| format!("{}: {}", test.name, word(&set.run(test).outcome))).collect()
}

fn cases_of(text: &str) -> (Outcome, Vec<String>) {
    let mut set = suite(&[("p_test.rego", &format!("package p_test\n{text}"))], false);
    let only = set.tests().first().unwrap().clone();
    let run = set.run(&only);
    let case = |case: Case| format!("{}={}", case.name(), case.passed);
    (run.outcome, run.cases.into_iter().map(case).collect())
}

// What OPA 1.20 says of the same text, in every line.
#[test]
fn passes_what_opa_passes() {
    let text = "test_true if true\ntest_undefined if false\ntest_false := false\ntest_string := \"abc\"\ntest_number := 1\n\
                test_null := null\ntest_else := false if { false } else := true if { true }\n\
                test_object := {\"a\": true}\ntest_set contains 1\ntest_static.a if true\ntest_conflict := x if { some x in [1, 2] }\n\
                test_function(x) := x\ntodo_test_later if false\ntestament if false";
    assert_eq!(
        outcomes(text),
        [
            "test_true: pass",
            "test_undefined: fail",
            "test_false: fail",
            "test_string: fail",
            "test_number: fail",
            "test_null: fail",
            "test_else: pass",
            "test_object: fail",
            "test_set: fail",
            "test_static: fail",
            "test_conflict: error",
            "test_function: error",
            "todo_test_later: skip",
        ]
    );
}

#[test]
fn each_definition_of_a_name_is_a_test_of_its_own() {
    let text = "test_x if true\ntest_x if false\ndefault test_d := false\ntest_d if true\ntest_x if true";
    assert_eq!(
        outcomes(text),
        ["test_x: pass", "test_x#01: fail", "test_d: fail", "test_d#01: pass", "test_x#02: pass"]
    );
    // The same name in another file of the package, too.
    let files = [("a_test.rego", "package p\ntest_x if false"), ("b_test.rego", "package p\n\ntest_x if true")];
    let mut set = suite(&files, false);
    let found = set.tests().to_vec();
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["data.p.test_x", "data.p.test_x#01"]);
    assert_eq!(found[1].position.to_string(), "b_test.rego:3:1");
    assert_eq!(set.run(&found[0]).outcome, Outcome::Fail);
    assert_eq!(set.run(&found[1]).outcome, Outcome::Pass);
}

#[test]
fn a_table_fails_for_cases_that_have_no_value() {
    let table = "test_each[note] if {\n\tsome note, case in {\"one\": 1, \"two\": 2}\n\tcase == 1 # why\n}";
    assert_eq!(cases_of(table), (Outcome::Fail, vec!["one=true".to_owned(), "two=false".to_owned()]));
    let all = table.replace("case == 1", "case > 0");
    assert_eq!(cases_of(&all).0, Outcome::Pass);
    let nested = "test_n[a][b] if {\n\tsome a in [\"q\", \"r\"]\n\ta == \"q\"\n\tsome b in [1, 2]\n\tb > 0\n}";
    let (outcome, cases) = cases_of(nested);
    // As in OPA, `r` is no case: not all keys were bound when it failed.
    assert_eq!(outcome, Outcome::Pass);
    assert_eq!(cases, ["q/1=true", "q/2=true"]);
    let values = "test_v[note] := ok if some note, ok in {\"one\": true, \"two\": false}";
    assert_eq!(cases_of(values), (Outcome::Fail, vec!["one=true".to_owned(), "two=false".to_owned()]));
    let expression = "test_e[sprintf(\"case %d\", [i])] if { some i in [1, 2]; i == 1 }";
    assert_eq!(cases_of(expression), (Outcome::Fail, vec!["case 1=true".to_owned(), "case 2=false".to_owned()]));
    let noted =
        "test_t[tc.note] if { some tc in [{\"note\": \"e\", \"x\": 1}, {\"note\": \"f\", \"x\": 2}]; tc.x == 2 }";
    assert_eq!(cases_of(noted), (Outcome::Fail, vec!["e=false".to_owned(), "f=true".to_owned()]));
    let below = "test_b.q[note] if { some note in [\"k\"]; note == \"z\" }";
    assert_eq!(cases_of(below), (Outcome::Fail, vec!["q/k=false".to_owned()]));
    let assigned = "test_a[note] := x if { note := \"k\"; x := true }";
    assert_eq!(cases_of(assigned), (Outcome::Pass, vec!["k=true".to_owned()]));
    let none = "test_n[note] if { some note in []; note == 1 }";
    assert_eq!(cases_of(none), (Outcome::Pass, vec![]));
    let deep = "test_d[note] := {\"a\": true} if some note in [\"k\"]";
    assert_eq!(cases_of(deep).0, Outcome::Pass);
    let old = "test_o[note] if {\n\tsome note\n\tcase := {\"one\": 1}[note]\n\tcase == 2\n}";
    assert_eq!(cases_of(old), (Outcome::Fail, vec!["one=false".to_owned()]));
}

// As in OPA, any name of the head makes a test.
#[test]
fn a_name_below_another_is_a_test_too() {
    let text = "foo.test_bar if true\nfoo.bar.test_baz[n] if { some n in [\"a\"]; n == \"b\" }\nfoo.test_bar if false\n\
                test_x.test_y if true\nfoo[\"test_q\"] if true\nfoo[\"test_q\"] if false";
    assert_eq!(
        outcomes(text),
        [
            "foo.test_bar: pass",
            "foo.bar.test_baz: fail",
            "foo.test_bar#01: fail",
            "test_x: fail",
            "foo.test_q: pass",
            "foo.test_q#01: fail"
        ]
    );
}

#[test]
fn a_table_that_cannot_be_listed_takes_no_other_along() {
    let text = "test_bad[note] if { not note == 1; note = [1, 2][_] }\n\
                test_good[note] if { some note in [1, 2]; note == 1 }";
    let shown = outcomes(text);
    assert_eq!(shown.last().map(String::as_str), Some("test_good: fail"), "{shown:?}");
}

#[test]
fn several_at_once_end_in_order() {
    let lines: Vec<String> =
        (0..20).map(|n| format!("test_{n:02} if count(numbers.range(1, {})) > 0", 20_000 / (n + 1))).collect();
    let text = lines.join("\n");
    let mut set = suite(&[("p_test.rego", &format!("package p\n{text}"))], false);
    let all = set.tests().to_vec();
    let mut ended = Vec::new();
    let runs = set.run_all(&all, |test, run| ended.push((test.name.clone(), run.outcome.clone())));
    assert_eq!(runs.len(), 20);
    let expected: Vec<_> = (0..20).map(|n| (format!("test_{n:02}"), Outcome::Pass)).collect();
    assert_eq!(ended, expected);
}

#[test]
fn a_rule_is_reached_or_not_and_has_its_lines() {
    let files = [
        (
            "a.rego",
            "package a\n\ndefault allow := false\n\nallow if {\n\tinput.x == 1\n\tinput.y == 1\n}\n\nother if input.z\n",
        ),
        (
            "a_test.rego",
            "package a_test\n\ntest_x if not data.a.allow with input as {\"x\": 2}\n\ntest_y if data.a.allow == false\n",
        ),
    ];
    let mut set = suite(&files, true);
    for one in set.tests().to_vec() {
        set.run(&one);
    }
    let file = &set.coverage().files["a.rego"];
    let rules: Vec<_> = file
        .rules
        .iter()
        .map(|rule| (rule.name.as_str(), rule.first, rule.last, rule.hits, rule.covered, rule.all))
        .collect();
    assert_eq!(
        rules,
        [("data.a.allow", 3, 3, 2, 1, 1), ("data.a.allow#01", 5, 8, 2, 1, 2), ("data.a.other", 10, 10, 0, 0, 1),]
    );
    assert_eq!((file.lines[&6], file.lines[&7]), (2, 0));
    assert_eq!(set.coverage().rules(), Share { covered: 2, all: 3 });
}

#[test]
fn a_runaway_is_an_error_of_its_own() {
    let text = "test_long if { every x in numbers.range(1, 100000) { every y in numbers.range(1, 1000) { x + y > 0 } } }\n\
                test_short if true";
    assert_eq!(outcomes(text), ["test_long: error", "test_short: pass"]);
}

#[test]
fn keeps_what_a_test_printed_even_if_it_errs() {
    let text = "package p\ntest_x if {\n\tprint(\"before\")\n\tboom\n}\nboom := x if { some x in [1, 2] }";
    let mut set = suite(&[("p_test.rego", text)], false);
    let only = set.tests()[0].clone();
    let run = set.run(&only);
    assert!(matches!(&run.outcome, Outcome::Error(message) if message.contains("p_test.rego:6")), "{:?}", run.outcome);
    assert_eq!(run.prints, ["p_test.rego:3: before"]);
    assert!(set.run(&only).prints.len() == 1, "the second run starts afresh");
}

#[test]
fn counts_lines_of_policies_only_also_of_those_that_no_test_comes_near() {
    let files = [
        ("a.rego", "package a\n\nallow if {\n\tinput.x == 1\n\tis_number(\n\t\tinput.y,\n\t)\n\tinput.z == 2\n}\n"),
        ("b.rego", "package b\n\nallow if input.x == 1\n"),
        (
            "a_test.rego",
            "package a_test\n\ntest_x if not data.a.allow with input as {\"x\": 1, \"y\": 1, \"z\": 1}\n\ntest_y if {\n\tfalse\n\ttrue\n}",
        ),
    ];
    let mut set = suite(&files, true);
    for one in set.tests().to_vec() {
        set.run(&one);
    }
    let coverage = set.coverage();
    assert_eq!(coverage.files.keys().collect::<Vec<_>>(), ["a.rego", "b.rego"]);
    assert_eq!(coverage.files["a.rego"].covered(), [4, 5, 6, 8].into());
    assert_eq!(coverage.files["b.rego"].not_covered(), [3].into());
    assert!((coverage.percent() - 80.0).abs() < f64::EPSILON);
}
