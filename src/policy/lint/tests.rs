use std::fmt::Write as _;

use super::capabilities::Capabilities;
use crate::{
    bundle::Bundle,
    policy::{Fault, Options, Severity, Snapshot, warnings},
};

fn bundle(files: &[(&str, &str)]) -> Bundle {
    Bundle::from_files(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))).unwrap()
}

/// `code line` of every fault of a set.
fn faults_of(files: &[(&str, &str)], options: Options) -> Vec<String> {
    match Snapshot::compile(&bundle(files), 1, Options { tests: true, ..options }) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0.iter().map(shown).collect(),
    }
}

fn shown(fault: &Fault) -> String {
    let line = fault.position.as_ref().map_or(0, |place| place.line);
    format!("{} {line}", fault.code)
}

/// What is said of the body of a rule.
fn in_body(body: &str, severity: Severity) -> Vec<Fault> {
    let text = format!("package a\nimport data.lib\nallow if {{\n{body}\n}}\nf(x) := x\nuses := [lib, f(1)]");
    let set = bundle(&[("a.rego", &text), ("b.rego", "package lib\ng(x, y) := [x, y]")]);
    let found = match severity {
        Severity::Fault => {
            Snapshot::compile(&set, 1, Options::default()).err().map(|faults| faults.0).unwrap_or_default()
        }
        Severity::Warning => warnings(&set, Options::default(), &[]),
    };
    // That what is below the rule is not used is not what is asked.
    found.into_iter().filter(|fault| fault.position.as_ref().is_none_or(|place| place.line < 6)).collect()
}

// Each as `opa check` 1.20.2 has it.
#[test]
fn rules_that_cannot_stand_beside_each_other_are_faults() {
    for rules in [
        "p := 1\np contains 2",
        "p := 1\np(x) := x",
        "f(x) := x\nf(x, y) := x + y",
        "default p := 1\ndefault p := 2",
        "default p := 1\np contains 2",
        "default f(x) := 1\nf(x, y) := 2 if x == y",
        "p contains 1\np[1] := 2",
        "p := {}\np.q := 1",
        "p.q.r := 1\np.q contains 1",
        "p.q := 1\np.q.r := 1",
        "p.q[x] := 1 if x := \"r\"\np.q.s := 2\np.q.s.t := 3",
        "default p := {}\np[x] := 1 if x := 2",
        "p.q(x) := x\np := 2",
        "p[x] := 1 if x := 2\np.f(y) := y",
        "import data.b\nimport input.b",
    ] {
        assert!(!faults_of(&[("a.rego", &format!("package a\n{rules}"))], Options::default()).is_empty(), "{rules}");
    }
    for rules in [
        "p[x] := 1 if x := \"q\"\np.q := 1",
        "p[1] := 2\np[2] contains 3",
        "p.q contains 1\np.r := 2",
        "default p := 1\np := 2 if input.x\np := 3 if input.y",
        "count(x) := 1\np := count([1])",
        "import data.b\nb := 1",
    ] {
        assert_eq!(faults_of(&[("a.rego", &format!("package a\n{rules}"))], Options::default()), [""; 0], "{rules}");
    }
    let package = [("a.rego", "package a.b\nx := 1"), ("b.rego", "package a\nb contains 1")];
    assert!(!faults_of(&package, Options::default()).is_empty());
    let inside = [("a.rego", "package a.b\nx := 1"), ("b.rego", "package a\nb.y contains 1")];
    assert_eq!(faults_of(&inside, Options::default()), [""; 0]);
}

// Each as `opa check` 1.20.2 has it.
#[test]
fn calls_and_constants_that_opa_refuses_are_faults() {
    for body in [
        "nosuch(1)",
        "lib.g(1)",
        "lib.h(1)",
        "f(1, 2, 3)",
        "x := f(1, 2)",
        "startswith(input.x)",
        "count(1)",
        "\"a\" + 1 == 2",
        "startswith(1, \"a\")",
        "concat(\",\", [1, input.x])",
        "lower(count(input.x)) == \"a\"",
        "count(input.x) == \"1\"",
        "1 == \"a\"",
        "[1] == {1}",
        "[1, 2] == [1]",
        "[x | x := 1] == {1}",
        "$\"a\" == 1",
        "some x in 1; x",
        "count(\"a\", \"b\")",
        "true with foo.bar as 3",
        "true with data.x as data.nosuch.f(1)",
        "not 1 == \"a\"",
        "{1} & [1] == {1}",
        "[a, \"x\"] = [1, 2]; a",
        "y := [x | x := count(null)]; y",
    ] {
        let found = in_body(body, Severity::Fault);
        assert_eq!(found.first().map(|fault| fault.position.as_ref().unwrap().line), Some(4), "{body}: {found:?}");
    }
    for body in [
        "count(\"a\") == 1",
        "f(1, 1)",
        "count([1], 1)",
        "concat(\",\", []) == \"\"",
        "input.x == {1}",
        "1 in {1}",
        "{1, 2} - {1} == {2}",
        "json.unmarshal(\"1\") == \"a\"",
        "glob.match(\"a\", null, \"b\")",
        "print(1, 2)",
        "true with count as 3",
        "rego.metadata.rule() == {}",
        "object.get({}, \"a\", 1) == 2",
        "lib.g(1, 2)",
    ] {
        assert!(in_body(body, Severity::Fault).is_empty(), "{body}: {:?}", in_body(body, Severity::Fault));
    }
}

#[test]
fn what_can_never_hold_is_warned_of() {
    for (body, code) in [
        ("1 != \"a\"", "type_mismatch"),
        ("count(input.x) > \"1\"", "type_mismatch"),
        ("1 in \"a\"", "type_mismatch"),
        ("false", "constant_condition"),
        ("1 == 2", "constant_condition"),
        ("not true", "constant_condition"),
        ("x := input.x", "unused_variable"),
        ("some x; input.y", "unused_variable"),
        ("some k, v in input.xs; v", "unused_variable"),
        ("not input.context.risk > 5", "fails_open"),
    ] {
        let found: Vec<&str> = in_body(body, Severity::Warning).iter().map(|fault| fault.code).collect();
        // OPA has no opinion on `not true`.
        if body != "not true" {
            assert_eq!(found, [code], "{body}");
        }
    }
    for body in [
        "true",
        "input.x != \"a\"",
        "x := input.x; x",
        "some x in input.xs; x > 1",
        "some _ in input.xs",
        "input.context.risk; not input.context.risk > 5",
        "not input.action.name == \"x\"",
        "some i; input.xs[i] == 1",
        "x := 1; y := {\"a\": x}; y.a == 1",
        "every x in input.xs { x > 1 }",
    ] {
        assert!(in_body(body, Severity::Warning).is_empty(), "{body}: {:?}", in_body(body, Severity::Warning));
    }
}

#[test]
fn a_file_of_rego_v0_is_known_for_one() {
    let help = |text: &str| {
        let faults = Snapshot::compile(&bundle(&[("a.rego", text)]), 1, Options::default()).err().unwrap();
        faults.0[0].help.clone().unwrap_or_default()
    };
    assert!(help("package a\nallow { input.a }").contains("--rego-v0"));
    assert!(help("package a\nxs[x] { x := input.a[_] }").contains("--rego-v0"));
    assert!(!help("package a\nallow { input.a").contains("--rego-v0"));
}

#[test]
fn a_violation_that_nothing_hears_is_warned_of() {
    let said = |rules: &str| {
        let set = bundle(&[("a.rego", &format!("package a\n{rules}"))]);
        warnings(&set, Options::default(), &[]).iter().map(shown).collect::<Vec<_>>()
    };
    let violation = "violation contains \"x\" if input.action.name == \"x\"";
    assert_eq!(said(&format!("default allow := true\n{violation}\n{violation}")), ["unheard_rule 3".to_owned()]);
    assert_eq!(said(&format!("decision := true\n{violation}")), ["unheard_rule 3".to_owned()]);
    for heard in ["", "allow if count(violation) == 0", "default allow := true\ndeny := violation", "deny := violation"]
    {
        assert_eq!(said(&format!("{heard}\n{violation}")), [""; 0], "{heard}");
    }
}

#[test]
fn a_deny_that_misses_what_is_missing_is_warned_of() {
    let said = |rules: &str| {
        let set = bundle(&[("a.rego", &format!("package a\ndefault allow := false\n{rules}"))]);
        warnings(&set, Options::default(), &[]).iter().map(shown).collect::<Vec<_>>()
    };
    let blocked = "deny contains \"x\" if input.subject.properties.blocked == true";
    let open = ["fails_open 3".to_owned()];
    assert_eq!(said(blocked), open);
    assert_eq!(
        said("deny contains \"x\" if input.context.network != \"vpn\"\nallow if input.action.name == \"read\""),
        open
    );
    for elsewhere in [
        "deny contains \"y\" if not input.subject.properties.blocked",
        "deny contains \"y\" if not input.subject.properties",
        "allow if { input.subject.properties.blocked == false; input.action.name == \"read\" }",
        "deny contains \"y\" if object.get(input.subject.properties, \"blocked\", true)",
    ] {
        assert_eq!(said(&format!("{blocked}\n{elsewhere}")), [""; 0], "{elsewhere}");
    }
    assert_eq!(said("deny contains \"x\" if input.subject.id == \"mallory\""), [""; 0]);
}

#[test]
fn what_nothing_uses_is_warned_of() {
    let files = [
        ("a.rego", "package a\nimport data.b\nimport data.c\nallow if b.x\nhelper := 1\nlost := helper"),
        ("b.rego", "package b\nx := data.d[input.k].v\ny := 1\nz := y"),
        ("d.rego", "package d.e\nv := 1\nother := 2"),
        ("job.rego", "package job\nrun := step\nstep := 1"),
        ("b_test.rego", "package b_test\nimport data.b\ntest_z if b.z == 1"),
    ];
    let said = |entries: &[&str]| -> Vec<String> {
        let entries: Vec<_> = entries.iter().map(|entry| entry.parse().unwrap()).collect();
        let found = warnings(&bundle(&files), Options::default(), &entries);
        found.iter().map(|fault| format!("{} {}", fault.position.as_ref().unwrap().file, shown(fault))).collect()
    };
    let (import, helper, lost) = ("a.rego unused_import 3", "a.rego unreachable_rule 5", "a.rego unused_rule 6");
    assert_eq!(said(&[]), [import, helper, lost, "d.rego unused_rule 3"]);
    let more = ["b.rego unreachable_rule 3", "b.rego unused_rule 4", "d.rego unused_rule 3", "job.rego unused_rule 2"];
    let all: Vec<&str> =
        [import, helper, lost].into_iter().chain(more).chain(["job.rego unreachable_rule 3"]).collect();
    assert_eq!(said(&["data.a.allow"]), all);
}

#[test]
fn capabilities_cannot_be_passed_by() {
    let mut json = Capabilities::current();
    let denied = ["http.send", "upper", "internal.template_string", "plus"];
    json["builtins"].as_array_mut().unwrap().retain(|one| !denied.contains(&one["name"].as_str().unwrap()));
    let capabilities = Capabilities::read(&json.to_string()).unwrap();
    let options = Options { capabilities, ..Options::default() };
    for body in [
        "http.send({})",
        "http[\"send\"]({})",
        "true with http.send as 1",
        "lower(\"x\") with lower as upper",
        "lower(\"x\") with lower as (upper)",
        "f(\"x\") with f as upper",
        "$\"{upper(input.x)}\" == \"X\"",
        "[upper(x) | some x in [\"a\"]] == [\"A\"]",
        "every x in [\"a\"] { upper(x) == \"A\" }",
        "1 + 1 == 2",
        "not upper(\"x\") == \"y\"",
        "x := {\"a\": upper(\"b\")}; x",
        "input.xs[upper(\"x\")]",
        "$\"{input.x}\" == \"a\"",
    ] {
        let text = format!("package a\nallow if {{\n{body}\n}}\nf(x) := x");
        for file in ["a.rego", "a_test.rego"] {
            let found = faults_of(&[(file, &text)], options);
            assert!(found.contains(&"capabilities_error 3".to_owned()), "{file}: {body}: {found:?}");
        }
    }
    let heads = "package a\nf(upper(\"x\")) := 1\np[upper(\"x\")] := 2 if true\ndefault q := 1\nq := upper(\"x\")";
    assert!(faults_of(&[("a.rego", heads)], options).len() >= 3);
    // A function of the set's own may have the name.
    assert_eq!(faults_of(&[("a.rego", "package a\nupper(x) := x\nallow if upper(1) == 1")], options), [""; 0]);
    let import = "package a\nimport data.http\nallow if http.send({})";
    assert_eq!(faults_of(&[("a.rego", import)], options), ["rego_type_error 3"]);
    // What lowering makes of an operator is no way around it.
    let own = "package a\nimport rego.v1\nallow if {\n__verdict__.plus(1, 1)\n}";
    assert_eq!(faults_of(&[("a.rego", own)], options), ["rego_reserved_name_error 4", "capabilities_error 4"]);
}

#[test]
fn what_may_answer_otherwise_the_next_time_is_not_repeatable() {
    let options = Options { capabilities: Capabilities::ALL.repeatable(), ..Options::default() };
    for call in [
        "time.now_ns()",
        "rand.intn(\"a\", 9)",
        "uuid.rfc4122(\"a\")",
        "opa.runtime()",
        "http.send({\"url\": \"https://a.example\"})",
        "net.lookup_ip_addr(\"a.example\")",
        "io.jwt.decode_verify(input.token, {})",
        "crypto.x509.parse_and_verify_certificates(input.chain)",
        "crypto.x509.parse_and_verify_certificates_with_options(input.chain, {})",
        "true with input.now as time.now_ns()",
    ] {
        let found = faults_of(&[("a.rego", &format!("package a\nallow if {call}"))], options);
        assert_eq!(found, ["capabilities_error 2"], "{call}");
    }
    let own = "package a\nallow if input.at < time.add_date(0, 1, 0, 0)\nx := io.jwt.decode(input.token)";
    assert_eq!(faults_of(&[("a.rego", own)], options), [""; 0]);
    // What was not allowed before is not allowed by it.
    let mut json = Capabilities::current();
    json["builtins"].as_array_mut().unwrap().retain(|one| one["name"] != "upper");
    let capabilities = Capabilities::read(&json.to_string()).unwrap().repeatable();
    let options = Options { capabilities, ..Options::default() };
    assert_eq!(faults_of(&[("a.rego", "package a\nx := upper(\"a\")")], options), ["capabilities_error 2"]);
}

#[test]
fn features_and_hosts_of_capabilities_are_kept() {
    let mut json = Capabilities::current();
    json["features"] = serde_json::json!(["rego_v1"]);
    json["future_keywords"] = serde_json::json!([]);
    json["allow_net"] = serde_json::json!(["example.com"]);
    let options = Options { capabilities: Capabilities::read(&json.to_string()).unwrap(), ..Options::default() };
    let said = |text: &str| faults_of(&[("a.rego", text)], options);
    assert_eq!(said("package a\nx := $\"{input.x}\""), ["capabilities_error 2"]);
    assert_eq!(said("package a\nimport future.keywords.not\nx := 1"), ["capabilities_error 2"]);
    assert_eq!(said("package a\nx := http.send({\"url\": \"http://evil.example/\"})"), ["capabilities_error 2"]);
    assert_eq!(said("package a\nx := http.send({\"url\": \"https://example.com:1/x\"})"), [""; 0]);
    json["features"] = serde_json::json!([]);
    let options = Options { capabilities: Capabilities::read(&json.to_string()).unwrap(), ..Options::default() };
    assert_eq!(faults_of(&[("a.rego", "package a\nx := 1")], options), ["capabilities_error 1"]);
}

#[test]
fn recursion_is_found_through_everything_that_evaluation_walks() {
    for text in [
        "p if p",
        "p if not p",
        "f(x) := f(x)",
        "f(x) := g(x)\ng(x) := f(x)",
        "p[x] := 1 if x := p.foo",
        "p contains x if some x in p",
        "p if data.a[input.x]",
        "p if data.a",
        "p := [x | x := q]\nq := {y | y := p}",
        "p := $\"{q}\"\nq := p",
        "p if count([1]) == 1 with input.x as p",
        "p if f(1) with f as g\nf(x) := x\ng(x) := p",
        "q := 1\np if q == 1 with data as {}",
        "q := 1\np if q == 1 with data.a.p as 1",
        "q := 1\np if q == 1 with data.a.r as 1\nr := p",
        "p := 1 if input.x else := p",
        // What a `with` replaces is needed, too.
        "p if 1 == 1 with data as {}",
        "f(x) := y if { y := x with data.a.f as 2 }",
        "p if 1 == 1 with q as 1\nq := p",
        "p if q with data.a as {\"q\": 2}\nq := 1",
        "default p := false\np if every x in [1] { q[x] }\nq[x] := p if x := 1",
    ] {
        let found = faults_of(&[("a.rego", &format!("package a\n{text}"))], Options::default());
        assert!(found.iter().any(|fault| fault.starts_with("rego_recursion_error")), "{text}: {found:?}");
    }
    let sets = [
        (
            "main.rego",
            "package main\nimport data.policies\ndeny contains m if {\n\tsome name\n\tm := policies[name].violation[_]\n}",
        ),
        ("a.rego", "package policies.a\nviolation contains \"a\" if input.a"),
        ("b.rego", "package policies.b\nviolation contains \"b\" if input.b\np.q := 1 if p.r\np.r := 2"),
    ];
    assert_eq!(faults_of(&sets, Options::default()), [""; 0]);
    let replaced = "package a\nq := 1\nr := q\np if r == 1 with data.a.q as 1\ns if input.x with data.b.z as {}";
    assert_eq!(faults_of(&[("a.rego", replaced)], Options::default()), [""; 0], "what is replaced may not need it");
}

#[test]
fn ten_thousand_rules_are_no_trouble() {
    let mut text = "package a\nallow if r0\n".to_owned();
    for number in 0..10_000 {
        // As wide as it can be: each refers to all, by a name that is not known.
        let other = number / 2 * 2 + 1;
        let _ = writeln!(text, "r{number} if {{ some k; data.b[k].x == {number}; r{other} }}");
    }
    text.push_str("package_end := 1\n");
    let files = [("a.rego", text.as_str()), ("b.rego", "package b.c\nx := 1")];
    let texts = crate::policy::lowering::lower(
        &bundle(&files).modules.iter().collect::<Vec<_>>(),
        None,
        Options::default(),
        &mut Vec::new(),
    )
    .texts;
    let sources = super::names::sources(&texts);
    let graph = super::graph::Graph::new(&sources);
    let steps: usize = super::recursion::edges(&graph).iter().map(Vec::len).sum();
    assert!(steps < 60_000, "{steps}");
    let (faults, _) = super::check(&texts, &|_| true, Capabilities::ALL, &[]);
    // Each odd rule refers to itself; they are told, up to a bound.
    assert!((500..=501).contains(&faults.len()), "{}", faults.len());
}

#[test]
fn what_would_be_asked_otherwise_than_by_opa_is_refused() {
    let refused = |text: &str| {
        let faults = faults_of(&[("a.rego", &format!("package a\nimport rego.v1\n{text}\n"))], Options::default());
        faults.iter().any(|fault| fault.contains("rego_unsupported"))
    };
    for text in [
        "r := {1: input.f, 1: 2}",
        "r := {1: input.f, 1.0: 2}",
        "r := {\"a\": 1, \"a\": input.x, `a`: 3}",
        "r if {\n\tf({\"a\": {null: [input.x], null: 1}})\n}\nf(_) := 1",
        "v := 1 if input.x\nr if count(input.y) == 1 with count as v",
        "v := input.x\nr if count(input.y) == 1 with count as data.a.v",
        "v := 1 if input.x\nf(x) := x\nr if f(1) == 1 with f as v",
    ] {
        assert!(refused(text), "{text}");
    }
    for text in [
        "r := {1: 1, 1: 2}",
        "r := {1: input.f, 2: input.f, \"1\": input.f, true: input.f}",
        "v := 1\nr if count(input.y) == 1 with count as v",
        "default v := 1\nv := 2 if input.x\nr if count(input.y) == 1 with count as v",
        "v(_) := 1 if input.x\nr if count(input.y) == 1 with count as v",
        "v := 1 if input.x\nw := 1\nr if w == 1 with w as v",
        "v := 1 if input.x\nr if input.y == 1 with input as v",
    ] {
        assert!(!refused(text), "{text}");
    }
}
