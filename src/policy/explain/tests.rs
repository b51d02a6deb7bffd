//! What is told of an answer.

mod secrets;

use std::time::Duration;

use crate::{
    bundle::Bundle,
    decision::{EntryPoint, Evaluator as _, Explanation, Query, Time},
    policy::{Options, Snapshot},
};

/// The explanation of the answer that `package p` gives to that question.
fn explain(rego: &str, properties: &str) -> Explanation {
    let data = r#"{"levels": ["low", "high"]}"#.as_bytes().to_vec();
    let files = [("p.rego".to_owned(), format!("package p\n{rego}").into_bytes()), ("data.json".to_owned(), data)];
    let bundle = Bundle::from_files(files).unwrap();
    let snapshot = Snapshot::compile(&bundle, 1, Options::default()).unwrap();
    let question = format!(
        r#"{{"subject": {{"type": "user", "id": "bob"}}, "action": {{"name": "read"}},
            "resource": {{"type": "doc", "id": "1"}}, "context": {properties}}}"#
    );
    let query = crate::api::json::query(question.as_bytes()).unwrap();
    let entry: EntryPoint = "data.p".parse().unwrap();
    let time = Time { budget: Duration::from_secs(5), patience: Duration::from_secs(5) };
    let verdict = snapshot.evaluate(&Query { explain: true, ..query }, &entry, time);
    *verdict.explanation.unwrap()
}

/// `line: message` of each miss.
fn missed(rego: &str, context: &str) -> Vec<String> {
    let explanation = explain(rego, context);
    if !explanation.note.is_empty() {
        return vec![explanation.note];
    }
    let line = |trace: &crate::decision::RuleTrace| {
        let condition = trace.conditions.last().unwrap();
        format!("{}: {}", condition.position.as_ref().unwrap().line, condition.message)
    };
    explanation.missed.iter().map(line).collect()
}

#[test]
fn elements_of_arrays_in_data_are_seen_as_they_are_found() {
    for (body, context, expected) in [
        ("data.levels[input.context.n] == \"low\"", r#"{"n": "1"}"#, "3: `high` is not `low`"),
        (
            "not data.levels[input.context.n]",
            r#"{"n": "1"}"#,
            "3: `data.levels[input.context.n]` is `\"high\"`, so `not` does not hold",
        ),
        ("data.levels[input.context.n]", r#"{"n": "2"}"#, "3: `data.levels[input.context.n]` is undefined"),
    ] {
        assert_eq!(missed(&format!("allow if {{\n{body}\n}}"), context), [expected], "{body}");
    }
}

#[test]
fn names_the_first_condition_that_did_not_hold() {
    let mut wrong = Vec::new();
    for (body, context, expected) in [
        ("input.context.n == 3", r#"{"n": 4}"#, "2: `4` is not `3`"),
        ("3 == input.context.n", r#"{"n": 4}"#, "2: `3` is not `4`"),
        ("input.context.n == \"3\"", r#"{"n": 3}"#, "2: `3` is not `\"3\"`"),
        ("input.context.n != 4", r#"{"n": 4}"#, "2: both are `4`"),
        ("input.context.n < 4", r#"{"n": 4}"#, "2: `4` is not less than `4`"),
        ("input.context.n", "{}", "2: `input.context.n` is undefined"),
        ("input.context.n", r#"{"n": false}"#, "2: `input.context.n` is `false`"),
        ("not input.context.n", r#"{"n": true}"#, "2: `not input.context.n` holds, so `not` does not"),
        ("not input.context.n == 3", r#"{"n": 3}"#, "2: `not input.context.n == 3` holds, so `not` does not"),
        ("x := input.context.n", "{}", "2: `input.context.n` is undefined"),
        ("x = input.context.n\nx > 3", r#"{"n": 2}"#, "3: `2` is not more than `3`"),
        ("[x, 3] = input.context.n", r#"{"n": [1, 2]}"#, "2: `[1,2]` does not fit the pattern"),
        ("count(input.context.n) > 1", r#"{"n": [1]}"#, "2: `1` is not more than `1`"),
        ("count(input.context.n) > 1", "{}", "2: `input.context.n` is undefined"),
        ("count(input.context.n) > 1", r#"{"n": 1}"#, "2: `count(input.context.n)` is undefined"),
        ("startswith(input.context.a, \"b\")", r#"{"a": "ab"}"#, "2: `startswith(input.context.a, \"b\")` is false"),
        ("input.action.name in input.context.n", r#"{"n": ["a"]}"#, "2: `read` is not in `[\"a\"]`"),
        ("input.context.n[_] == 3", r#"{"n": [1, 2]}"#, "2: `1` is not `3`"),
        ("input.context.n[_] == 3", r#"{"n": []}"#, "2: `input.context.n[_]` is undefined"),
        ("input.context.n[_] == 3", "{}", "2: `input.context.n[_]` is undefined"),
        ("true\ninput.context.n[_] == 3", "{}", "3: `input.context.n[_]` is undefined"),
        ("some x in input.context.n\nx == 3", "{}", "2: `input.context.n` is undefined"),
        ("some x in input.context.n\nx == 3", r#"{"n": []}"#, "2: `input.context.n` is empty"),
        ("some x in input.context.n\nx > 1\nx == 3", r#"{"n": [1, 2]}"#, "4: `2` is not `3`"),
        ("some i\ninput.context.n[i] > 1\ni == 0", r#"{"n": [1, 2]}"#, "4: `1` is not `0`"),
        ("every x in input.context.n {\nx > 1\nx < 9\n}", r#"{"n": [2, 3, 9]}"#, "4: `9` is not less than `9`"),
        (
            "every x in input.context.n {\nnot x in input.context.m\n}",
            r#"{"n": [1, 2], "m": [2]}"#,
            "3: `not x in input.context.m` holds, so `not` does not",
        ),
        ("every x in input.context.n { x > 1 }", "{}", "2: `input.context.n` is undefined"),
        ("every x in input.context.n {\nsome y in x\ny > 1\n}", r#"{"n": [[2], [1]]}"#, "4: `1` is not more than `1`"),
        ("input.context.n == 3 with input.context.n as 4", "{}", "2: `4` is not `3`"),
        ("x := input.context.a\ny := input.context.b\nx == 1\ny == 2", r#"{"a": 1, "b": 3}"#, "5: `3` is not `2`"),
        ("x := input.context.a\ny := input.context.b\nx == 1\ny == 2", r#"{"a": 2, "b": 2}"#, "4: `2` is not `1`"),
        ("{x | some x in input.context.n; x > 1} == {5}", r#"{"n": [3]}"#, "2: `[3]` is not `[5]`"),
        ("not f(f(1))", "{}", "4: `1` is not more than `2`"),
        ("not [input.context.n] == [3]", "{}", "2: `input.context.n` is undefined"),
        ("not { input.context.n == 3 }", "{}", "2: `input.context.n` is undefined"),
        ("not f(input.context.n)", "{}", "2: `input.context.n` is undefined"),
        ("not f(input.context.n)", r#"{"n": 3}"#, "2: `not f(input.context.n)` holds, so `not` does not"),
        ("not input.action.name in input.context.n", "{}", "2: `input.context.n` is undefined"),
        (
            "not input.action.name in input.context.n",
            r#"{"n": ["read"]}"#,
            "2: `not input.action.name in input.context.n` holds, so `not` does not",
        ),
        (
            "not startswith(lower(input.context.n), \"a\")\ntrue\nx := 1\nx == 1\ninput.action.name == \"read\"",
            r#"{"n": 3}"#,
            "2: `lower(input.context.n)` is undefined",
        ),
        (
            "input.action.name == \"read\"\nx := 1\nx == 1\nnot count([input.context.n]) == x",
            "{}",
            "5: `input.context.n` is undefined",
        ),
        (
            "not startswith(input.context.n, \"b\")\nx := input.context.n\nx == \"c\"",
            r#"{"n": "a"}"#,
            "4: `a` is not `c`",
        ),
        ("input.context.n with input.context.n as input.context.m\ntrue", "{}", "2: `input.context.m` is undefined"),
        ("not input.context.n with input.context.n as input.context.m", "{}", "2: `input.context.m` is undefined"),
        (
            "not input.context.n == 3 with input.context.n as input.context.m",
            r#"{"m": 3}"#,
            "2: `not input.context.n == 3 with input.context.n as input.context.m` holds, so `not` does not",
        ),
        ("f(1) with f as g", "{}", "2: `f(1)` is false"),
        (
            "input.action.name == \"read\"\nnot f(3) with f as g\ninput.context.n == 1",
            "{}",
            "4: `input.context.n` is undefined",
        ),
        ("walk(input.context.n, [path, value])\nvalue == 3", r#"{"n": 4}"#, "3: `4` is not `3`"),
        ("split(input.context.n, \",\", parts)\nparts[1] == \"x\"", r#"{"n": "a,b"}"#, "3: `b` is not `x`"),
        ("input.context.a - input.context.b > 1", r#"{"a": 2, "b": 2}"#, "2: `0` is not more than `1`"),
    ] {
        let found = missed(
            &format!(
                "allow if {{
{body}
}}
f(x) if x > 2
g(_) := false"
            ),
            context,
        );
        if found != [shifted(expected)] {
            wrong.push(format!("{body} on {context}: {found:?}, not {}", shifted(expected)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_holds_is_told_to_hold() {
    let mut wrong = Vec::new();
    for (body, context) in [
        ("not input.context.n", "{}"),
        ("not input.context.n", r#"{"n": false}"#),
        ("not input.context.n == 3", "{}"),
        ("not input.context.n == 3", r#"{"n": 4}"#),
        ("not 3 == input.context.n", "{}"),
        ("not input.context[input.action.name] == 3", "{}"),
        ("not (input.context.n == count([1]))", "{}"),
        ("not f(1)", "{}"),
        ("not f(f(3))", "{}"),
        ("not input.context.n > 3", r#"{"n": 3}"#),
        ("x := input.context.n\nnot x + 1 > 3", r#"{"n": 2}"#),
        ("x := 3\nnot x in input.context.n", r#"{"n": [1]}"#),
        ("not \"a\", 1 in input.context.n", r#"{"n": {"a": 2}}"#),
        ("not missing", "{}"),
        ("not missing.x", "{}"),
        ("not input.context.n = 3", "{}"),
        ("x = 4\nnot x = 3", "{}"),
        ("not [input.context.n] == [3]", r#"{"n": 4}"#),
        ("every x in input.context.n { not x in input.context.m }", r#"{"n": [1, 2], "m": [3]}"#),
        ("some x in input.context.n\nnot f(x)", r#"{"n": [3, 1]}"#),
        ("not f(3) with f as g", "{}"),
        ("not input.context.n with input as {\"context\": input.context.m}", r#"{"n": true, "m": {}}"#),
        ("not f(3) with input.context.n as input.context.m with f as g", r#"{"m": 1}"#),
        ("not g(input.context.n)", r#"{"n": 1}"#),
        ("count(set) == 1\nnot set[input.context.n]", r#"{"n": 7}"#),
        ("of[input.context.n] == 2", r#"{"n": 1}"#),
    ] {
        let rest = "f(x) if x > 2\ng(_) := false\nmissing if input.context.never\n\
                    set contains x + 1 if some x in [1]\nof[x] := x + 1 if some x in [1, \"a\", 3]";
        let explanation = explain(&format!("allow if {{\n{body}\n}}\n{rest}"), context);
        let allow = explanation.fired.iter().find(|trace| &*trace.rule == "data.p.allow");
        let conditions = allow.map_or(0, |trace| trace.conditions.len());
        let shown = format!("{explanation:?}");
        if conditions == 0
            || !explanation.note.is_empty()
            || !explanation.missed.is_empty()
            || shown.contains("verdict_")
        {
            wrong.push(format!("{body} on {context}: {shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// With and without an explanation, as the first question of a snapshot and as a later one.
#[test]
fn an_explanation_changes_no_verdict() {
    let rego = "package p\ndefault allow := false\nallow if {\nnot startswith(input.context.n, \"b\")\n\
                not g(input.context.n)\nsome x in names\ninput.context.n == x\n}\nnames contains lower(x) if some x in [\"A\", 1, \"B\"]\n\
                g(x) if count(x) > 1\nderived := x if {\nx := input.context.n\nnot allow\n}\n\
                deny contains sprintf(\"no %v\", [derived]) if not derived == \"a\"";
    let compiled = || {
        let bundle = Bundle::from_files([("p.rego".to_owned(), rego.as_bytes().to_vec())]).unwrap();
        Snapshot::compile(&bundle, 1, Options::default()).unwrap()
    };
    let entry: EntryPoint = "data.p".parse().unwrap();
    let time = Time { budget: Duration::from_secs(10), patience: Duration::from_secs(10) };
    let shared = compiled();
    for context in ["{}", r#"{"n": "a"}"#, r#"{"n": "b"}"#, r#"{"n": "aa"}"#, r#"{"n": 1}"#] {
        let question = format!(
            r#"{{"subject": {{"type": "user", "id": "bob"}}, "action": {{"name": "read"}},
                "resource": {{"type": "doc", "id": "1"}}, "context": {context}}}"#
        );
        let plain = crate::api::json::query(question.as_bytes()).unwrap();
        let explained = Query { explain: true, ..plain.clone() };
        let first = compiled().evaluate(&explained, &entry, time);
        let later = shared.evaluate(&explained, &entry, time);
        let expected = shared.evaluate(&plain, &entry, time);
        for mut verdict in [first, later] {
            assert!(verdict.explanation.take().is_some(), "{context}");
            assert_eq!(verdict, expected, "{context}");
        }
    }
}

/// Tells of a body's second line as the file's third.
fn shifted(expected: &str) -> String {
    let (line, rest) = expected.split_once(':').unwrap();
    format!("{}:{rest}", line.parse::<u32>().unwrap() + 1)
}

#[test]
fn goes_to_the_rule_that_was_asked_for_and_failed() {
    for (rego, context, expected) in [
        ("allow if owner\nowner if {\ninput.context.n == 3\n}", r#"{"n": 4}"#, vec!["4: `4` is not `3`"]),
        (
            "allow if f(input.context.n)\nf(x) if x == 3\nf(x) if {\nx == 5\n}",
            r#"{"n": 4}"#,
            vec!["3: `4` is not `3`", "5: `4` is not `5`"],
        ),
        (
            "allow if count(roles) > 0\nroles contains r if {\nsome r in input.context.n\nr == \"a\"\n}",
            r#"{"n": ["b"]}"#,
            vec!["5: `b` is not `a`"],
        ),
        (
            "allow if who == \"x\"\ndefault who := \"\"\nwho := input.context.n if is_string(input.context.n)",
            r#"{"n": 1}"#,
            vec!["4: `is_string(input.context.n)` is false"],
        ),
        (
            "allow if level > 1\nlevel := data.levels[input.context.n]",
            r#"{"n": "x"}"#,
            vec!["3: `data.levels[input.context.n]` is undefined"],
        ),
        ("allow := input.context.n == 3", r#"{"n": 4}"#, vec!["2: `input.context.n == 3` is `false`"]),
        (
            "allow if input.context.n == 3 else := false if {\ninput.context.n == 5\n} else if {\ninput.context.n == 6\n}",
            r#"{"n": 4}"#,
            vec!["2: `4` is not `3`", "3: `4` is not `5`", "5: `4` is not `6`"],
        ),
        (
            "decision := {\"allow\": ok}\ndefault ok := false\nok if {\ninput.context.n == 3\n}",
            r#"{"n": 4}"#,
            vec!["5: `4` is not `3`"],
        ),
        (
            "allow if {\ninput.context.n == 3\n}\nallow if {\ninput.action.name == \"read\"\ninput.context.n == 5\n}",
            r#"{"n": 4}"#,
            vec!["7: `4` is not `5`", "3: `4` is not `3`"],
        ),
    ] {
        assert_eq!(missed(rego, context), expected, "{rego}");
    }
}

#[test]
fn tells_of_an_allow_which_rules_held_with_which_values() {
    let rego = "allow if {\nsome r in roles\ngrants(r, input.action.name)\n}\nroles contains r if some r in input.context.n\n\
                grants(role, action) if {\nrole == \"b\"\naction == \"read\"\n}\ngrants(role, _) if role == \"never\"";
    let explanation = explain(rego, r#"{"n": ["a", "b"]}"#);
    assert!(explanation.missed.is_empty());
    let rules: Vec<String> = explanation
        .fired
        .iter()
        .map(|trace| format!("{} {}", trace.rule, trace.position.as_ref().unwrap().line))
        .collect();
    assert_eq!(rules, ["data.p.allow 2", "data.p.roles 6", "data.p.grants 7"]);
    let grants = &explanation.fired[2];
    let arguments: Vec<_> = grants.arguments.iter().map(|seen| seen.value.as_deref().unwrap()).collect();
    assert_eq!(arguments, ["\"b\"", "\"read\""]);
    let values = &explanation.fired[0].conditions[1].values;
    assert!(values.iter().any(|seen| seen.expression == "r" && seen.value.as_deref() == Some("\"b\"")), "{values:?}");
}

#[test]
fn names_a_deny_that_fired_with_its_values() {
    let rego = "default allow := true\ndeny contains {\"code\": \"late\"} if {\ninput.context.hour > 18\n}";
    let explanation = explain(rego, r#"{"hour": 20}"#);
    let deny = explanation.fired.iter().find(|trace| &*trace.rule == "data.p.deny").unwrap();
    assert_eq!(deny.position.as_ref().unwrap().line, 3);
    let seen = &deny.conditions[0].values[0];
    assert_eq!((seen.expression.as_str(), seen.value.as_deref()), ("input.context.hour", Some("20")));
    assert!(explanation.missed.is_empty(), "{:?}", explanation.missed);
}

/// All that an explanation says.
fn said(rego: &str, context: &str) -> String {
    format!("{:?}", explain(rego, context))
}

#[test]
fn hides_secrets_wherever_they_turn_up() {
    let context = r#"{"password": "hunter22", "api": {"client_secret": "s3cr3t-value"}, "n": "x hunter22 y",
                      "keys": ["hunter22"], "accessToken": "abcdefghijklmnop", "part": "cdefghijkl", "user": "bob"}"#;
    for body in [
        "input.context.password == \"x\"",
        "x := input.context.password\nx == \"x\"",
        "input.context.n == \"x\"",
        "upper(input.context.password) == \"x\"",
        "some x in input.context.keys\nx == \"y\"",
        "input.context == 1",
        "input.context.api == 1",
        "sprintf(\"%s!\", [input.context.password]) == \"x\"",
        "x := split(input.context.password, \"t\")\nx == 1",
        "secret_of(input.context.password) == 1",
        "first_of(input.context.password) == 1",
        "through(input.context.password) == 1",
        "held == 1",
        "input.context.part == 1",
        "count(input.context.password) == 99",
        "not startswith(input.context.password, \"h\")",
        "not input.context.password in input.context.keys",
        "not count(input.context.password) == 8",
        "input.context.m == 1 with input.context.m as input.context.password",
        "not input.context.m with input.context.m as {\"a\": input.context.password}",
    ] {
        let rego = format!(
            "allow if {{\n{body}\n}}\nsecret_of(s) := t if {{\nt := concat(\"-\", [s, s])\n}}\n\
             first_of(s) := t if {{\nt := substring(s, 0, 4)\ncount(t) != 4\n}}\nthrough(s) := first_of(s)\n\
             held := x if {{\nx := lower(input.context.password)\n}}"
        );
        let said = said(&rego, context);
        for secret in ["hunt", "HUNTER22", "s3cr3t", "cdefghijkl", "\"hun"] {
            assert!(!said.contains(secret), "{secret} of {body}: {said}");
        }
        assert!(said.contains("[redacted]"), "{body}: {said}");
    }
    assert!(said("allow if input.context.user == \"x\"", context).contains("bob"));
}

#[test]
fn an_error_is_told_without_what_the_text_was_lowered_to() {
    let rego = "allow if x == 2\nx := input.context.a + 1 if not input.context.b in [1]\nx := 5";
    let explanation = explain(rego, r#"{"a": 1, "b": 0}"#);
    let x = explanation.rules.iter().find(|outcome| &*outcome.rule == "data.p.x").unwrap();
    assert!(x.value.as_ref().unwrap_err().contains("p.rego:"), "{x:?}");
    assert!(!format!("{explanation:?}").contains("__verdict"), "{explanation:?}");
}

#[test]
fn what_is_hidden_is_configured() {
    let list: crate::policy::Redaction = "input.context.ssn, data.keys,pin".parse().unwrap();
    assert_eq!(list.to_string(), "input.context.ssn,data.keys,pin");
    for wrong in ["input", "data", "a b", "input..x", "subject.x", "input.x[0]"] {
        assert!(wrong.parse::<crate::policy::Redaction>().is_err(), "{wrong}");
    }
    assert_eq!("".parse::<crate::policy::Redaction>().unwrap().to_string(), "");
    assert_eq!(
        crate::policy::Redaction::default().to_string(),
        "input.token,password,secret,token,authorization,cookie"
    );
}

#[test]
fn an_explanation_that_fails_leaves_the_verdict() {
    // The name is taken, so that nothing is instrumented.
    let explanation = explain("verdict__seen := 1\nallow if input.context.n == verdict__seen", r#"{"n": 1}"#);
    assert!(explanation.fired.is_empty() && explanation.missed.is_empty());
    assert_eq!(explanation.rules.len(), 2);
    assert_eq!(explanation.note, "not told of are the rules of p.rego");
}

#[test]
fn collections_of_many_elements_are_told_of_in_bounds() {
    let numbers: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let context = format!("{{\"n\": [{}]}}", numbers.join(","));
    let rego =
        "allow if {\nsome x in input.context.n\nsome y in input.context.n\nf(x, y)\n}\nf(x, y) if {\nx + y == -1\n}";
    let explanation = explain(rego, &context);
    assert!(explanation.missed.len() <= 64 && !explanation.missed.is_empty());
    assert_eq!(explanation.note, "the evaluation was too long to be followed whole");
    assert!(format!("{explanation:?}").len() < 1 << 20);
}

#[test]
fn gives_the_title_of_a_rules_metadata() {
    let rego = "# METADATA\n# title: Readers read\nallow if input.action.name == \"read\"\n\
                # METADATA\n# title: All of it\n# scope: document\nx := 1";
    assert_eq!(explain(rego, "{}").fired[0].title, "Readers read");
    let missed = explain(&rego.replace("\"read\"", "\"write\""), "{}").missed;
    assert_eq!(missed[0].title, "Readers read");
}
