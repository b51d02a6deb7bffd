//! What is refused, and how it is reported.

use super::*;

fn faults(text: &str) -> Vec<Fault> {
    let bundle = Bundle::from_files([("p.rego".to_owned(), text.as_bytes().to_vec())]).unwrap();
    compile(&bundle, Options { rego_v0: false, evaluators: 1, tests: false, ..Options::default() }, &[])
        .err()
        .map(|faults| faults.0)
        .unwrap_or_default()
}

#[test]
fn reports_every_fault_of_a_file_with_its_place() {
    let found = faults("package p\n\na if {\n\t1 +\n}\n\nb if x == 1\n\nc := 1 if {{{\n\nd := f(1)\n\ne if y > 1\n");
    let lines: Vec<u32> = found.iter().filter_map(|fault| fault.position.as_ref()).map(|place| place.line).collect();
    // What is not closed is found where the text can't go on.
    assert_eq!(lines, [5, 11], "{found:?}");
    let found = faults("package p\n\na := 1 if x == 1\n\nb := f(1)\n\nc if y > 1\n\nd if true\n");
    let lines: Vec<u32> = found.iter().filter_map(|fault| fault.position.as_ref()).map(|place| place.line).collect();
    assert_eq!(lines, [3, 5, 7], "{found:?}");
}

#[test]
fn a_tab_is_one_column() {
    let found = faults("package p\n\na if {\n\t\tnosuch(1)\n}\n\nb if {\n\tinput.x == 1\tz\n}\n");
    assert_eq!(found[0].position.as_ref().unwrap().to_string(), "p.rego:8:15", "{found:?}");
    let found = faults("package p\n\na if {\n\t\tnosuch(1)\n}\n\nb if {\n\tz > 1\n}\n");
    let places: Vec<String> = found.iter().map(|fault| fault.position.as_ref().unwrap().to_string()).collect();
    assert_eq!(places, ["p.rego:4:3", "p.rego:8:2"], "{found:?}");
}

#[test]
fn reports_faults_of_one_file_beside_syntax_faults_of_another() {
    let files = [
        ("a.rego", "package a\nx := {"),
        ("b.rego", "package b\ny if z > 1"),
        ("c.rego", "package c\nimport data.a\nw := a.f(1)"),
    ];
    let bundle = Bundle::from_files(files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))).unwrap();
    let found = compile(&bundle, Options { rego_v0: false, evaluators: 1, tests: false, ..Options::default() }, &[])
        .err()
        .unwrap()
        .0;
    let files: Vec<String> =
        found.iter().filter_map(|fault| fault.position.as_ref()).map(|place| place.file.to_string()).collect();
    assert_eq!(files, ["a.rego", "b.rego"], "{found:?}");
}

#[test]
fn refuses_recursive_functions_before_they_can_overflow_the_stack() {
    for text in [
        "package p\nf(x) := f(x)",
        "package p\nf(x) := g(x)\ng(x) := h(x)\nh(x) := [y | y := f(x)]",
        "package p\nf(x) := data.p.f(x)",
        "package p\nf(x) := 1 if { g(x) with g as f }\ng(x) := f(x)",
    ] {
        let found = faults(text);
        assert!(found.iter().any(|fault| fault.code == "rego_recursion_error"), "{text}: {found:?}");
    }
    assert!(faults("package p\nf(x) := x\ng(x) := f(f(x))\na := g(1)").is_empty());
}

#[test]
fn refuses_unknown_functions_that_would_make_a_negation_true() {
    let found = faults("package p\nallow if not strings.cuont(\"a\", \"b\")");
    assert_eq!(found.len(), 1);
    assert!(found[0].render(false).contains("did you mean `strings.count`?"), "{}", found[0].render(false));
}

#[test]
fn refuses_what_regorus_answers_more_openly_than_opa() {
    for (rego, word) in [
        ("allow if not startswith(\"abc\")", "takes 2 arguments, and gets 1"),
        ("allow if not count([1], [2], 3)", "takes 1 arguments, and gets 3"),
        ("f(x) := x\nallow if not f(1, 2, 3)", "takes 1 arguments, and gets 3"),
        ("roles := [\"y\", \"x\"]\nallow if not roles[_] == \"x\"", "`_` is unsafe"),
        ("roles := [\"y\", \"x\"]\nallow if { some i; not roles[i] == \"x\" }", "`i` is unsafe"),
        ("xs := [1]\nys := [2]\nallow if { not xs[i] == 1; not ys[i] == 2 }", "`i` is unsafe"),
        ("xs := [1]\nallow if { a := [i | some i, _ in xs]; a != []; not xs[i] == 1 }", "`i` is unsafe"),
        ("xs := [1]\nallow if count([x | x := xs[_]; not xs[j] == x]) > 0", "`j` is unsafe"),
        ("allow := true\ndeny.reason contains \"no\"", "would not be heard"),
        ("allow := true\ndeny[\"x\"] := true", "would not be heard"),
        ("allow := true\ndeny(x) := true", "would not be heard"),
        ("allow := true\ndecision.allow := false", "would not be heard"),
    ] {
        let found = faults(&format!("package p\n{rego}"));
        assert!(found.iter().any(|fault| fault.cause.contains(word)), "{rego}: {found:?}");
    }
    for rego in [
        "allow if { some i; roles := [1]; roles[i] == 1; not roles[i] == 2 }",
        "allow if not count([x | x := input.roles[_]; x == 1]) > 0",
        "n := \"k\"\nallow if not input.map[n]",
        "xs := [1]\na := [x | some i; x := xs[i]; not input.ys[i] == x]",
        "xs := [1]\nallow if every i, x in xs { not input.ys[i] == x }",
        "xs := [1]\nallow if { some i, x in xs; count([y | y := input.ys[x]; not input.zs[i] == y]) > 0 }",
        "f(x, k) := 1 if { not x[k] } else := 2 if not x.y[k]\nallow if f({}, 1) == 1",
        "f(k) if not data.blocked[k]\nallow if f(input.subject.id)",
        "deny contains \"no\" if not input.ok\nallow := true",
        "allow if { count([1], n); n == 1 }",
        "p if input.a\nallow if { x := input.b; p with input.a as x with input.c as data.d.e }",
        "allow if { some role in input.roles; not data.blocked[role] }",
        "default deny := false\ndeny if input.x\nallow := true",
    ] {
        assert!(
            faults(&format!("package p\n{rego}")).is_empty(),
            "{rego}: {:?}",
            faults(&format!("package p\n{rego}"))
        );
    }
}

#[test]
fn refuses_a_chain_of_rules_that_would_overflow_the_stack() {
    use std::fmt::Write as _;

    let chain = |length: usize| {
        let mut text = String::from("package p\nr0 := 1\n");
        for n in 1..length {
            let _ = writeln!(text, "r{n} := [y | y := [x | x := data.p.r{}]]", n - 1);
        }
        faults(&text)
    };
    assert!(chain(200).is_empty());
    assert_eq!(chain(3_000).first().map(|fault| fault.code), Some("rego_nesting_error"));
}

#[test]
fn refuses_nesting_that_would_overflow_the_stack() {
    let sum = vec!["1"; 100_000].join("+");
    let found = faults(&format!("package p\na := {sum}"));
    assert_eq!(found.first().map(|fault| fault.code), Some("rego_parse_error"));
    assert!(!faults(&format!("package p\na := {}1{}", "[".repeat(5_000), "]".repeat(5_000))).is_empty());
}

#[test]
fn refuses_a_rule_where_base_data_is() {
    let files = [("a/p.rego", "package a\nx := 1"), ("a/data.json", "{\"x\": 2}")];
    let bundle = Bundle::from_files(files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))).unwrap();
    let found = compile(&bundle, Options { rego_v0: false, evaluators: 1, tests: false, ..Options::default() }, &[])
        .err()
        .unwrap();
    assert!(found.to_string().contains("same path"), "{found}");
}
