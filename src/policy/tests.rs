//! The decision contract, row by row, on real policies.

use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    bundle::{Bundle, File, Package, assemble},
    decision::{Action, Asks, Effect, Evaluator, Query, Resource, Subject, Time, Value, Verdict, json},
};

const TIME: Time = Time { budget: Duration::from_millis(500), patience: Duration::from_secs(60) };

fn snapshot(files: &[(&str, &str)]) -> Snapshot {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    let bundle = Bundle::from_files(files).unwrap();
    let options = Options { rego_v0: false, evaluators: 2, tests: false, ..Options::default() };
    Snapshot::compile(&bundle, 1, options).unwrap_or_else(|faults| panic!("{faults}"))
}

fn query(id: &str) -> Query {
    Query {
        subject: Subject { kind: "user".into(), id: id.into(), ..Subject::default() },
        action: Action { name: "read".into(), ..Action::default() },
        resource: Resource { kind: "doc".into(), id: "1".into(), ..Resource::default() },
        ..Query::default()
    }
}

fn ask(rego: &str, entry: &str) -> Verdict {
    let snapshot = snapshot(&[("p.rego", rego)]);
    snapshot.evaluate(&query("alice"), &entry.parse().unwrap(), TIME)
}

fn code(rego: &str, entry: &str) -> String {
    let verdict = ask(rego, entry);
    assert_eq!(verdict.effect, Effect::Deny, "{rego}: {verdict:?}");
    assert!(!verdict.reasons.is_empty(), "{rego}");
    verdict.reasons[0].code.clone()
}

#[test]
fn booleans_and_objects_decide() {
    for rego in [
        "decision := true",
        "decision := {\"allow\": true}",
        "decision := {\"allowed\": true}",
        "decision := {\"decision\": true}",
        "allow if input.subject.id == \"alice\"",
        "default allow := false\nallow if input.action.name == \"read\"\ndeny contains \"no\" if input.subject.id == \"bob\"",
    ] {
        let verdict = ask(&format!("package p\n{rego}"), "data.p");
        assert_eq!(verdict.effect, Effect::Allow, "{rego}: {verdict:?}");
        assert_eq!(
            verdict.entry_point.as_deref(),
            Some(if rego.starts_with("decision") { "data.p.decision" } else { "data.p" })
        );
    }
    assert_eq!(code("package p\ndecision := false", "data.p"), "policy_denied");
    assert_eq!(code("package p\ndecision := {\"allow\": false}", "data.p.decision"), "policy_denied");
    assert_eq!(code("package p\nallow := false", "data.p.allow"), "policy_denied");
}

#[test]
fn denies_when_the_rule_is_undefined_or_missing() {
    assert_eq!(code("package p\ndecision if input.nothing", "data.p"), "no_decision");
    assert_eq!(code("package p\nallow if input.nothing", "data.p"), "no_decision");
    assert_eq!(code("package p\nallow := true", "data.q"), "no_decision");
    assert_eq!(code("package p\nallow := true", "data.p.other"), "no_decision");
    assert_eq!(code("package p\nx := true", "data.p"), "no_decision");
    assert_eq!(code("package p\nallow(x) := x", "data.p.allow"), "no_decision");
    assert_eq!(code("package p\ndecision if input.nothing\nallow := true", "data.p"), "no_decision");
}

#[test]
fn base_data_never_decides() {
    let snapshot =
        snapshot(&[("p.rego", "package p\nx := 1"), ("q/data.json", "{\"allow\": true, \"decision\": true}")]);
    for entry in ["data.q", "data.q.allow", "data.q.decision"] {
        let verdict = snapshot.evaluate(&query("alice"), &entry.parse().unwrap(), TIME);
        assert_eq!((verdict.effect, verdict.reasons[0].code.as_str()), (Effect::Deny, "no_decision"), "{entry}");
    }
}

#[test]
fn denies_what_is_no_decision() {
    for value in [
        "1",
        "\"true\"",
        "null",
        "[true]",
        "{true}",
        "{}",
        "{\"allow\": \"true\"}",
        "{\"allow\": 1}",
        "{\"allow\": null}",
        "{\"allow\": true, \"allowed\": false}",
        "{\"allow\": true, \"reasons\": \"x\"}",
        "{\"allow\": true, \"reasons\": [1]}",
        "{\"allow\": true, \"reasons\": [{\"code\": 1}]}",
        "{\"allow\": true, \"reasons\": {\"code\": \"x\"}}",
        "{\"allow\": true, \"obligations\": [\"log\"]}",
        "{\"allow\": true, \"obligations\": [{}]}",
        "{\"allow\": true, \"obligations\": [{\"id\": \"a\", \"level\": 1}]}",
        "{\"allow\": true, \"obligations\": [{\"id\": \"a\", \"properties\": 1}]}",
        "{\"allow\": true, \"required_scopes\": \"read\"}",
        "{\"allow\": true, \"required_scopes\": [1]}",
        "{\"allow\": true, \"step_up\": true}",
        "{\"allow\": true, \"step_up\": {\"acr_values\": \"a\"}}",
        "{\"allow\": true, \"step_up\": {\"max_age\": -1}}",
        "{\"allow\": true, \"context\": []}",
        "{\"allow\": true, \"deny\": [\"no\"]}",
        "{\"allow\": true, \"deny\": true}",
        "{\"allow\": true, \"ttl\": \"5\"}",
        "{\"allow\": true, \"ttl\": -1}",
        "{\"allow\": true, \"ttl\": 1e30}",
    ] {
        assert_eq!(code(&format!("package p\ndecision := {value}"), "data.p"), "invalid_decision", "{value}");
    }
    assert_eq!(code("package p\nallow := \"true\"", "data.p"), "invalid_decision");
    assert_eq!(code("package p\nallow := true\ndeny := {\"a\": 1}", "data.p"), "invalid_decision");
    assert_eq!(code("package p\nallow := true\nttl := \"x\"", "data.p"), "invalid_decision");
    let verdict = ask("package p\n\ndecision := 7", "data.p");
    assert_eq!(verdict.diagnostics[0].position.as_ref().map(ToString::to_string).as_deref(), Some("p.rego:3:1"));
}

#[test]
fn denies_when_evaluation_errs_or_takes_too_long() {
    let conflict = "package p\nallow := x if some x in [true, false]";
    assert_eq!(code(conflict, "data.p"), "evaluation_error");
    let slow = "package p\nallow if count([1 | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); a == b]) > 0";
    assert_eq!(code(slow, "data.p"), "budget_exceeded");
}

#[test]
fn an_error_leaves_nothing_behind_for_the_next_question() {
    let rego = "package p\nallow if input.subject.id == \"root\"\nx := y if { some y in [1, 2] }\n\
        deny contains \"never\" if { input.subject.id == \"eve\"; x with input as {\"subject\": {\"id\": \"root\"}} }";
    let snapshot = snapshot(&[("p.rego", rego)]);
    let ask = |id: &str| snapshot.evaluate(&query(id), &"data.p".parse().unwrap(), TIME);
    for _ in 0..3 {
        assert_eq!(ask("eve").reasons[0].code, "evaluation_error");
        assert_eq!(ask("alice").reasons[0].code, "no_decision");
        assert_eq!(ask("root").effect, Effect::Allow);
    }
}

#[test]
fn deny_overrides_and_says_where() {
    let rego = "package p\nallow := true\n\ndeny contains \"first\" if input.subject.id == \"nobody\"\n\n\
        deny contains {\"code\": \"second\", \"message\": \"m\", \"user_message\": \"u\", \"n\": 9007199254740993} if {\n\
        \tinput.subject.id == \"alice\"\n}\n";
    let verdict = ask(rego, "data.p");
    assert_eq!(verdict.effect, Effect::Deny);
    let reason = &verdict.reasons[0];
    assert_eq!((reason.code.as_str(), reason.message.as_str(), reason.user_message.as_str()), ("second", "m", "u"));
    assert_eq!(reason.rule.as_deref(), Some("data.p.deny"));
    assert_eq!(reason.position.as_ref().map(ToString::to_string).as_deref(), Some("p.rego:6:1"));
    assert_eq!(reason.properties.get("n"), Some(&Value::from(9_007_199_254_740_993)));
}

#[test]
fn reads_every_member_of_a_decision() {
    let verdict = ask(
        "package p\ndecision := {\"allow\": false, \"reasons\": {\"b\", \"a\", \"A whole sentence.\"}, \
         \"obligations\": [{\"id\": \"o\", \"type\": \"t\", \"properties\": {\"k\": [1]}}], \"required_scopes\": {\"s\"}, \
         \"step_up\": {\"acr_values\": [\"x\"], \"max_age\": 300}, \"context\": {\"k\": {\"z\"}}, \"ttl\": 1.5}",
        "data.p",
    );
    let codes: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!(codes, ["policy_denied", "a", "b"]);
    assert_eq!(verdict.reasons[0].message, "A whole sentence.");
    assert_eq!(verdict.obligations[0].kind, "t");
    assert_eq!(verdict.required_scopes, ["s"]);
    assert_eq!(verdict.step_up.unwrap().max_age, Some(Duration::from_secs(300)));
    assert_eq!(verdict.context.get("k"), Some(&Value::Array(vec![Value::from("z")])));
    assert_eq!(verdict.ttl, Some(Duration::from_millis(1_500)));
}

#[test]
fn a_panic_inside_evaluation_is_a_deny_and_the_next_question_is_answered() {
    let rego = "package p\nallow if tests.panic(input.subject.id)\nok := true";
    let snapshot = snapshot(&[("p.rego", rego)]);
    let ask = |entry: &str| snapshot.evaluate(&query("alice"), &entry.parse().unwrap(), TIME);
    for _ in 0..4 {
        assert_eq!(ask("data.p").effect, Effect::Deny);
        assert_eq!(ask("data.p.ok").effect, Effect::Allow);
    }
    assert_eq!(ask("data.p").reasons[0].code, "internal_error");
}

#[test]
fn rego_v0_is_read_where_asked_and_v1_where_imported() {
    let v0 =
        "package p\nallow { input.subject.id == \"alice\" }\ndeny[msg] { input.subject.id == \"bob\"; msg := \"no\" }";
    let v1 = "package q\nimport rego.v1\nallow if input.subject.id == \"alice\"";
    let files = [("p.rego", v0), ("q.rego", v1)].map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let bundle = Bundle::from_files(files).unwrap();
    assert!(
        Snapshot::compile(&bundle, 1, Options { rego_v0: false, evaluators: 1, tests: false, ..Options::default() })
            .is_err()
    );
    let snapshot =
        Snapshot::compile(&bundle, 1, Options { rego_v0: true, evaluators: 1, tests: false, ..Options::default() })
            .unwrap();
    for entry in ["data.p", "data.q"] {
        assert!(snapshot.evaluate(&query("alice"), &entry.parse().unwrap(), TIME).is_allow());
    }
    let verdict = snapshot.evaluate(&query("bob"), &"data.p".parse().unwrap(), TIME);
    assert_eq!(verdict.reasons[0].code, "no");
}

#[test]
fn explains_what_each_rule_answered() {
    let snapshot = snapshot(&[
        (
            "p.rego",
            "package p\nimport data.lib\nallow if {\n\thelper != \"\"\n\tlib.known\n}\nhelper := input.subject.id\nunused := 1",
        ),
        ("lib.rego", "package lib\nknown if input.subject.id == \"bob\""),
        ("other.rego", "package other\nx := 1"),
    ]);
    let query = Query { explain: true, ..query("alice") };
    let verdict = snapshot.evaluate(&query, &"data.p".parse().unwrap(), TIME);
    let told: Vec<_> =
        verdict.explanation.unwrap().rules.into_iter().map(|rule| (rule.rule.to_string(), rule.value)).collect();
    let expected = [("data.lib.known", None), ("data.p.allow", None), ("data.p.helper", Some("\"alice\""))];
    assert_eq!(told, expected.map(|(rule, value)| (rule.to_owned(), Ok(value.map(str::to_owned)))));
}

#[test]
fn a_resting_snapshot_answers_the_same_and_wakes_at_once() {
    let policy = "package authz\n\nallow if data.users[input.subject.id]\n";
    let snapshot = snapshot(&[("authz.rego", policy), ("data.json", r#"{"users": {"a": true}}"#)]);
    let resting = snapshot.resting().unwrap();
    assert!(resting.resting().is_none(), "it rests already");
    let (awake, rebuilt) = (resting.awake().unwrap(), snapshot.rebuilt().unwrap());
    let entry = "data.authz".parse().unwrap();
    for (id, effect) in [("a", Effect::Allow), ("b", Effect::Deny)] {
        for one in [&snapshot as &dyn Evaluator, &*resting, &*awake, &*rebuilt] {
            assert_eq!(one.evaluate(&query(id), &entry, TIME).effect, effect);
            assert_eq!(one.revision(), snapshot.revision());
        }
    }
    assert!(resting.attempt(&query("a"), &entry, TIME).is_none());
}

/// The set of bundles, each of a manifest and one policy.
fn set(bundles: &[(&str, &str, &str)]) -> Bundle {
    let package = |manifest: &str, policy: &str| {
        let files = [(".manifest", manifest), ("p.rego", policy)];
        let files = files.map(|(path, text)| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() });
        Arc::new(Package::from_files(files).unwrap())
    };
    let packages: Vec<_> =
        bundles.iter().map(|(name, manifest, policy)| ((*name).to_owned(), package(manifest, policy))).collect();
    assemble(&packages).unwrap()
}

#[test]
fn each_bundle_is_read_as_its_version_of_rego() {
    let v0 = ("a", r#"{"roots": ["p"], "rego_version": 0}"#, "package p\nallow { input.subject.id == \"alice\" }");
    let v1 = ("b", r#"{"roots": ["q"], "rego_version": 1}"#, "package q\nallow if input.subject.id == \"alice\"");
    let unsaid = ("c", r#"{"roots": ["r"]}"#, "package r\nallow if data.p.allow");
    for rego_v0 in [false, true] {
        let options = Options { rego_v0, evaluators: 2, ..Options::default() };
        assert_eq!(Snapshot::compile(&set(&[v0, v1, unsaid]), 1, options).is_err(), rego_v0);
        let snapshot = Snapshot::compile(&set(&[v0, v1]), 1, options).unwrap();
        for entry in ["data.p", "data.q"] {
            let query = Query { explain: true, ..query("alice") };
            let verdict = snapshot.evaluate(&query, &entry.parse().unwrap(), TIME);
            assert!(verdict.is_allow(), "{entry}: {verdict:?}");
            assert!(!verdict.explanation.unwrap().fired.is_empty(), "{entry}");
        }
    }
    let by_file = r#"{"file_rego_versions": {"/p.rego": 0}}"#;
    assert!(Snapshot::compile(&set(&[("a", by_file, v0.2)]), 1, Options::default()).is_ok());
}

#[test]
fn packages_stay_within_their_bundles_roots() {
    let fault = |roots: &str, policy: &str| {
        let bundle = set(&[("a", &format!("{{\"roots\": [{roots}]}}"), policy)]);
        Snapshot::compile(&bundle, 1, Options::default()).err().map(|Faults(faults)| faults[0].to_string())
    };
    assert_eq!(fault("\"p\"", "package p.q\nx := 1"), None);
    assert_eq!(fault("\"p/q r\"", "package p[\"q r\"]\nx := 1"), None);
    assert_eq!(
        fault("\"p/q\", \"r\"", "# first\npackage p\nx := 1").as_deref(),
        Some("p.rego:2:1: package `p` is outside of its bundle's roots, which are `p/q`, `r`")
    );
    assert!(fault("\"p/q\"", "package p[\"q/r\"]\nx := 1").is_some());
    assert!(fault("\"p\"", "package pq\nx := 1").is_some());
}

/// As OPA 1.20.2 evaluates them.
#[test]
fn what_regorus_reads_otherwise_is_put_for_it() {
    for body in [
        "if {1} == {1}",
        "if {\"a\"}[\"a\"]",
        "if {x | x := 1} == {1}",
        "if { x := 5; l := [x | some x in [1]]; l == [1]; x == 5 }",
        "if { x := 5; l := [x | x := x + 1]; l == [6]; x == 5 }",
        "if { x := 5; every y in [1] { some x in [y]; x == 1 }; x == 5 }",
        "if { x := 5; every x in [1] { x == 1 }; x == 5 }",
        "if { {k: v | some k, v in {\"a\": {1}}; w := {v | some v in {2}}; w == {2}} == {\"a\": {1}} }",
        "if plus(1, 2, 3)",
        "if { eq(x, 1); x == minus(3, 2); neq(x, 2); not neq(x, 1); equal(x, 1); lt(x, 2); not gt(x, 2) }",
        "if { x := 2\n lt(1, x, true)\n lte(1, x)\n or({1}, {2}, {1, 2}) }",
    ] {
        let text = format!("\u{feff}package a\nallow {body}");
        let verdict = ask(&text, "data.a");
        assert_eq!(verdict.effect, Effect::Allow, "{body}: {verdict:?}");
    }
}

#[test]
fn a_rule_that_is_all_keywords_is_refused_by_its_files_name() {
    let bundle = Bundle::from_files([("a.rego".to_owned(), b"package a\nif.contains := false\n".to_vec())]).unwrap();
    let faults = Snapshot::compile(&bundle, 1, Options::default()).err().unwrap();
    let told = faults.to_string();
    assert!(faults.0.len() == 1 && told.contains("a.rego:2:1") && !told.contains('\u{2400}'), "{told}");
}

/// OPA's answers. regorus 0.14.1 evaluates all definitions by the plans of the first file: `banned(2)` was false in it.
#[test]
fn a_function_may_have_definitions_in_several_files() {
    let one = "package h\nimport data.m\nbanned(1) := true\ndefault other(_) := 7\n\
               f(x) := y if { x == 1; y := [v | some k; v := m[k].r[_]] }\nin.g(x) if x > 8\n";
    let two = "package h\nbanned(x) if { some y in data.xs; y == x }\nother(x) := 8 if { some y in data.xs; y == x }\n\
               f(x) := y if { x == 2; y := [[a, v] | a := data.xs[_]; a > 1; some k; v := data.m[k].r[_]; v != \"q\"] }\n\
               f(x) := y if { x == 3; some i; data.xs[i] == 3; y := i }\n";
    let three = "package h\nf(x) := y if { not x == 1; not x == 2; not x == 3; y := {k: c | some k; c := count(data.m[k].r)} }\n\
                 in.g(x) if { some y in data.xs; y == x }\nother(x) := 8 if x == 9\nlast(x, _) := f(x)\n";
    let data = r#"{"xs": [1, 2, 3], "m": {"a": {"r": ["p", "q"]}, "b": {"r": ["s"]}}}"#;
    let asks = "package p\nallow if not data.h.banned(2)\nmany if { data.h.banned(3); not data.h.banned(4) }\n\
                f := [data.h.f(1), data.h.f(2), data.h.f(3), data.h.f(4)]\nalike if data.h.last(2, 0) == f[1]\n\
                other := [data.h.other(x) | some x in [1, 4, 9]]\ng := [x | some x in [2, 5, 9]; data.h.in.g(x)]\n\
                put if data.h.banned(4) with data.h.banned as known\nknown(x) if x == 4\n\
                there if data.h.banned(4) with data.xs as [4]\n";
    let wanted = r#"{"alike":true,"f":[["p","q","s"],[[2,"p"],[2,"s"],[3,"p"],[3,"s"]],2,{"a":2,"b":1}],"g":[2,9],"many":true,"other":[8,7,8],"put":true,"there":true}"#;
    for texts in [[one, two, three], [two, three, one], [three, one, two], [two, one, three]] {
        let [a, b, c] = texts;
        let snapshot = snapshot(&[("a.rego", a), ("b.rego", b), ("c.rego", c), ("p.rego", asks), ("data.json", data)]);
        let document = Query { asks: Asks::Document, ..Query::default() };
        let verdict = snapshot.evaluate(&document, &"data.p".parse().unwrap(), TIME);
        let value = verdict.value.as_deref();
        assert_eq!(value, Some(&json::parse(wanted.as_bytes()).unwrap()), "{texts:?} {:?}", verdict.reasons);
        assert_eq!(snapshot.evaluate(&query("alice"), &"data.p".parse().unwrap(), TIME).effect, Effect::Deny);
    }
}

#[test]
fn definitions_in_several_files_that_conflict_are_an_error() {
    let files = [("a.rego", "package h\nf(x) := 1 if x > 1"), ("b.rego", "package h\nf(x) := 2 if x > 2")];
    let asks = ("p.rego", "package p\nallow if data.h.f(input.context.n) == 1");
    let [a, b] = files;
    let snapshot = snapshot(&[a, b, asks]);
    let ask = |n: i64| {
        let context = [("n".to_owned(), Value::from(n))].into_iter().collect();
        snapshot.evaluate(&Query { context, ..query("alice") }, &"data.p".parse().unwrap(), TIME)
    };
    assert_eq!(ask(2).effect, Effect::Allow);
    assert_eq!(ask(3).reasons[0].code, "evaluation_error", "{:?}", ask(3));
}

/// What could be called or put in the place of what lowering adds.
#[test]
fn names_of_verdicts_own_are_refused() {
    for text in [
        "package a\nx := __verdict__.base_merged({}, [], 0, [])",
        "package a\n__verdict__.base_merged(a, b, c, d) := {}",
        "package __verdict_withs__\nat_6e(_) := true",
        "package a[\"\\u005f_verdict_withs__\"]\nx := 1",
        "package a\nimport data.__verdict_withs__ as w\nx if 1 == 1 with w.at_6e as true",
        "package a\nx if 1 == 1 with data[\"\\u005f_verdict_withs__\"].at_6e as true",
        "package a\nx := data[\"__verdict_withs__\"]",
        "package a\nx := y if { __verdict_1 := 1; y := __verdict_1 }",
        "package a\nx(__verdict_1) := 1",
        "package a\nx := [__verdict_1 | some __verdict_1 in [1]]",
    ] {
        let bundle = Bundle::from_files([("a.rego".to_owned(), text.as_bytes().to_vec())]).unwrap();
        let faults = Snapshot::compile(&bundle, 1, Options::default()).err().unwrap_or_else(|| panic!("{text}"));
        assert!(faults.0.iter().any(|fault| fault.code == "rego_reserved_name_error"), "{text}: {faults}");
    }
    let data = [("data.json".to_owned(), b"{\"__verdict_withs__\": {}}".to_vec())];
    let faults = Snapshot::compile(&Bundle::from_files(data).unwrap(), 1, Options::default()).err().unwrap();
    assert_eq!(faults.0[0].code, "rego_reserved_name_error", "{faults}");
}
