use std::{fmt::Write as _, time::Duration};

use super::*;
use crate::{bundle::Bundle, policy::testing::Options};

const POLICY: &str = "package p\n\nallow if input.x == 1\n";

/// For each reason `case file:line condition | operand = values | …`.
fn whys(text: &str) -> Vec<String> {
    whys_in(text, false)
}

fn whys_in(text: &str, rego_v0: bool) -> Vec<String> {
    let text = format!("package t\n\nimport data.p\n\n{text}\n");
    let policy = if rego_v0 { POLICY.replace(" if input.x == 1", " { input.x == 1 }") } else { POLICY.to_owned() };
    let files = [("p.rego".to_owned(), policy.into_bytes()), ("t_test.rego".to_owned(), text.into_bytes())];
    let bundle = Bundle::from_files(files).unwrap();
    let options = Options {
        rego_v0,
        capabilities: crate::policy::Capabilities::ALL,
        timeout: Duration::from_secs(5),
        coverage: false,
        parallel: 1,
    };
    let mut suite = Suite::compile(&bundle, options).unwrap();
    let tests = suite.tests().to_vec();
    let runs = suite.run_all(&tests, |_, _| ());
    let shown = |why: Why| {
        let mut out = format!("{} {}:{} {}", why.case.join("/"), why.position.line, why.position.column, why.text);
        for value in &why.values {
            let _ = write!(out, " | {} = {}", value.text, value.values.join("; "));
            if value.more > 0 {
                let _ = write!(out, " +{}", value.more);
            }
        }
        out.trim_start().to_owned()
    };
    suite.why(tests.iter().zip(&runs)).into_iter().flatten().map(shown).collect()
}

#[test]
fn tells_the_first_condition_that_did_not_hold_and_its_values() {
    let text = "test_x if {\n\tx := {\"a\": [1, 2]}\n\tcount(x.a) == 2 # so far\n\tcount(x.a) + 1 == limit\n\tfalse\n}\n\nlimit := 7";
    assert_eq!(
        whys(text),
        ["8:2 count(x.a) + 1 == limit | count(x.a) + 1 = 3 | count(x.a) = 2 | x.a = [1, 2] | limit = 7"]
    );
}

#[test]
fn sees_what_the_condition_saw_under_its_with() {
    let text = "test_x if {\n\ty := {\"x\": 2}\n\tp.allow with input as y\n}";
    assert_eq!(whys(text), ["7:2 p.allow with input as y | p.allow =  | y = {\"x\": 2}"]);
    let not = "test_x if not p.allow with input as {\"x\": 1}";
    assert_eq!(whys(not), ["5:11 not p.allow with input as {\"x\": 1} | p.allow = true"]);
}

#[test]
fn tells_each_case_that_failed_its_own() {
    let text =
        "test_c[note] if {\n\tsome note, case in {\"one\": 1, \"two\": 2, \"three\": 3}\n\tcase != 3\n\tcase == 1\n}";
    assert_eq!(whys(text), ["three 7:2 case != 3 | case = 3", "two 8:2 case == 1 | case = 2"]);
    let values = "test_v[note] := ok if some note, ok in {\"one\": true, \"two\": false}";
    assert_eq!(whys(values), ["two 5:17 ok | ok = false"]);
}

#[test]
fn tells_many_values_in_short() {
    let text = "test_s if {\n\tsome i in numbers.range(1, 10)\n\ti > 100\n}";
    assert_eq!(whys(text), ["7:2 i > 100 | i = 1; 2; 3 +7"]);
    let every = "test_e if every k, v in {\"a\": 1, \"b\": 9, \"c\": 10} { k; v < 5 }";
    assert_eq!(
        whys(every),
        ["5:11 every k, v in {\"a\": 1, \"b\": 9, \"c\": 10} { k; v < 5 } | k = \"b\"; \"c\" | v = 9; 10"]
    );
}

#[test]
fn reads_values_facts_and_rego_v0() {
    assert_eq!(whys("test_f := false"), ["5:11 false"]);
    assert_eq!(whys("test_set contains 1"), Vec::<String>::new());
    assert_eq!(whys("test_u if { x = 3; y = x + 1; y == 7 }"), ["5:31 y == 7 | y = 4"]);
    let template = "test_t if { y := 3; $\"a{y}\" == \"a4\" }";
    assert_eq!(whys(template), ["5:21 $\"a{y}\" == \"a4\" | $\"a{y}\" = \"a3\""]);
    let set = "test_s if {\n\ta := [{\"c\": 2}]\n\t{r.c | some r in a} == {1}\n}";
    assert_eq!(whys(set), ["7:2 {r.c | some r in a} == {1} | {r.c | some r in a} = {2}"]);
    assert_eq!(whys_in("test_x {\n\tx := 1\n\tx == input.y\n}", true), ["7:2 x == input.y | x = 1 | input.y = "]);
}

#[test]
fn what_passed_has_no_reason_and_what_cannot_be_told_takes_no_other_along() {
    let text = "test_ok if true\n\ntest_order if {\n\tx > y\n\tx = 1\n\ty = 2\n}\n\ntest_x if 1 == 2";
    assert_eq!(whys(text), ["13:11 1 == 2"]);
}

#[test]
fn a_probe_that_never_ends_is_given_up() {
    let text = "test_long if {\n\tx := count([1 | some a in numbers.range(1, 1000); some b in numbers.range(1, 1000); a + b > 0])\n\tx == 0\n}";
    let bundle = Bundle::from_files([("t_test.rego".to_owned(), format!("package t\n{text}\n").into_bytes())]).unwrap();
    let options = Options {
        rego_v0: false,
        capabilities: crate::policy::Capabilities::ALL,
        timeout: Duration::from_millis(100),
        coverage: false,
        parallel: 1,
    };
    let mut suite = Suite::compile(&bundle, options).unwrap();
    let tests = suite.tests().to_vec();
    let mut run = suite.run(&tests[0]);
    run.outcome = Outcome::Fail;
    let started = std::time::Instant::now();
    let whys = suite.why([(&tests[0], &run)]);
    assert!(whys[0].len() <= 1 && started.elapsed() < Duration::from_secs(5), "{whys:?}");
}

#[test]
fn hides_what_explanations_hide() {
    for text in [
        "test_x if {\n\tx := {\"password\": \"hunter2pass\"}\n\tx.password == \"b\"\n}",
        "test_x if {\n\tx := {\"password\": \"hunter2pass\"}\n\ty := x.password\n\ty == \"b\"\n}",
        "test_x if {\n\tsome x in [{\"api_token\": \"hunter2pass\"}]\n\tsprintf(\"a%s\", [x.api_token]) == \"b\"\n}",
        "test_x if {\n\tx := {\"password\": \"hunter2pass\"}\n\tx == {\"a\": 1}\n}",
    ] {
        let whys = whys(text);
        assert!(whys.len() == 1 && whys[0].contains("[redacted]") && !whys[0].contains("= \"hunter"), "{whys:?}");
        assert!(whys[0].rsplit('|').all(|value| !value.contains("hunter2pass")), "{whys:?}");
    }
}
