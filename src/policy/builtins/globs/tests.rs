//! Held against OPA 1.20.2: its answers in `answers.jsonl` (pattern, delimiters, text, what `glob.match` gives; `null` if
//! that is undefined), and OPA itself, asked about what is made at random.

mod opa;

use std::time::{Duration, Instant};

use super::*;
use crate::policy::builtins::tests::value;

fn ask(pattern: &str, delimiters: &Rego, text: &str) -> Answer {
    matches(&[Rego::from(pattern), delimiters.clone(), Rego::from(text)])
}

#[test]
fn answers_are_those_of_opa() {
    for line in include_str!("tests/answers.jsonl").lines() {
        let Rego::Array(case) = Rego::from_json_str(line).unwrap() else { panic!("{line}") };
        let [Rego::String(pattern), delimiters, Rego::String(text), expected] = case.as_slice() else {
            panic!("{line}");
        };
        match ask(pattern, delimiters, text) {
            Ok(answer) => assert_eq!(answer, *expected, "{line}"),
            Err(Failure::Operand(_)) => assert_eq!(*expected, Rego::Null, "{line}"),
            Err(failure) => panic!("{line}: {failure:?}"),
        }
    }
}

#[test]
fn globs_meet_where_they_meet_for_opa() {
    for (one, other, meet) in [
        // Which glob is first counts, and `[a]` is not `a`: both faults of OPA's.
        ("a*b", "b+b+", true),
        ("b+b+", "a*b", false),
        ("a*.*", "b+a", true),
        ("b+a", "a*.*", false),
        ("a+[a]*", "a", false),
        ("a+a*", "a", true),
        ("b*a", "a+[a]*", false),
    ] {
        assert_eq!(globs_match(&[Rego::from(one), Rego::from(other)]), Ok(Rego::from(meet)), "{one} {other}");
    }
}

#[test]
fn what_ends_opa_itself_halts_the_decision() {
    let none = Rego::Null;
    for (pattern, text) in [("a{}", "a"), ("{}{}", ""), ("[ab]{,}", "b")] {
        assert!(matches!(ask(pattern, &none, text), Err(Failure::Halt(_))), "{pattern}");
    }
    assert_eq!(ask("a{}", &none, "b"), Ok(Rego::from(false)));
    // Also where the built-in would otherwise only be undefined, which `not` takes for true.
    assert!(value(r#"{1 | not glob.match("a{}", [], s)}"#, "a").is_err());
}

#[test]
fn what_takes_too_long_or_too_deep_is_an_error() {
    let (stars, alternatives) = ("*a".repeat(100), "{a,ab,b}".repeat(40));
    let list: Vec<String> = (0..200).map(|n| format!("{n}*{{a,{n}}}")).collect();
    let list = format!("{{{}}}", list.join(","));
    let text = "ab".repeat(4_000);
    for pattern in [&*stars, &*alternatives, &*list, "*{a,b}*{a,b}*{a,b}*c", &format!("{stars}?b")] {
        let started = Instant::now();
        let _ = ask(pattern, &Rego::Null, &text);
        let _ = ask(pattern, &Rego::from(vec![Rego::from("/")]), &text);
        assert!(started.elapsed() < Duration::from_secs(20), "{pattern}");
    }
    for pattern in [
        "{".repeat(100_000),
        "{*".repeat(10_000),
        "*a".repeat(10_000),
        "{a,b*}".repeat(10_000),
        "{{a*,b},".repeat(1_000),
    ] {
        let started = Instant::now();
        let answer = ask(&pattern, &Rego::from(vec![Rego::from("/")]), "ab");
        assert!(matches!(answer, Err(Failure::Spent(_))), "{answer:?}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    let deep = format!("{}a{}", "{".repeat(120), "}".repeat(120));
    assert_eq!(ask(&deep, &Rego::Null, "a"), Ok(Rego::from(true)));
    assert!(ask(&text.repeat(50), &Rego::Null, "a").is_ok());
}

#[test]
fn delimiters_are_kept_apart_from_the_pattern() {
    let delimiters = |all: &str| Rego::from(all.chars().map(|one| Rego::from(one.to_string())).collect::<Vec<_>>());
    assert_eq!(ask("*", &delimiters("/a"), "a"), Ok(Rego::from(false)));
    assert_eq!(ask("a*", &delimiters("/"), "a"), Ok(Rego::from(true)));
    assert_eq!(ask("*", &delimiters("\0"), "\0"), Ok(Rego::from(false)));
    assert_eq!(ask("\0*", &delimiters("."), ""), Ok(Rego::from(true)));
}
