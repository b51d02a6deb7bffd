//! Against answers of OPA 1.20.2 (`tests/templates.txt`), and against templates that are made to hurt.

use std::time::{Duration, Instant};

use super::*;

const DATA: &str = r#"{"n": 1, "z": 0, "f": 1.5, "s": "hi", "l": [1, "a", null, {"k": 2}], "nil": null,
    "m": {"b": true, "a": [1, 2]}, "el": [], "es": "", "em": {}}"#;

fn rendered(template: &str, data: &str) -> Result<Rego, Failure> {
    render(&[Rego::from(template), Rego::from_json_str(data).unwrap()])
}

#[test]
fn templates_give_what_opa_gives() {
    for line in include_str!("tests/templates.txt").lines() {
        let (template, expected): (String, Option<String>) = serde_json::from_str(line).unwrap();
        match (rendered(&template, DATA), expected) {
            (Ok(text), Some(expected)) => assert_eq!(text, Rego::from(expected), "{template}"),
            (Err(Failure::Operand(_)), None) => {}
            (result, expected) => panic!("{template}: {result:?}, not {expected:?}"),
        }
    }
}

#[test]
fn data_that_go_does_not_read_back_as_json_fails() {
    for data in [r#"{"s": "a\u0001b"}"#, r#"{"s": "a\u007fb"}"#, r#"{"a\u0007": 1}"#, r#"{"s": "\udb40\udc01"}"#] {
        assert!(matches!(rendered("x", data), Err(Failure::Operand(_))), "{data}");
    }
    let set = Rego::from(std::collections::BTreeSet::from([Rego::from(1_i64)]));
    let data = Rego::from(std::collections::BTreeMap::from([(Rego::from("s"), set)]));
    assert!(matches!(render(&[Rego::from("x"), data]), Err(Failure::Operand(_))));
    assert_eq!(rendered("{{.s}}", r#"{"s": "a\t\f\u200b"}"#), Ok(Rego::from("a\t\u{c}\u{200b}")));
    assert!(matches!(render(&[Rego::from("x"), Rego::from("y")]), Err(Failure::Type(_))));
    assert!(matches!(render(&[Rego::from(1_i64), Rego::new_object()]), Err(Failure::Type(_))));
}

#[test]
fn hostile_templates_halt_soon() {
    let doubling = "{{$x = print $x $x}}".repeat(60);
    for template in [
        "{{range 9000000000000000000}}{{end}}".to_owned(),
        "{{range 9000000000000000000}}{{range 9000000000000000000}}x{{end}}{{end}}".to_owned(),
        format!("{{{{$x := \"abcdefgh\"}}}}{doubling}"),
        r#"{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}"#.to_owned(),
        r#"{{define "a"}}{{template "b" .}}{{template "b" .}}{{end}}{{define "b"}}{{template "a" .}}{{end}}{{template "a" .}}"#
            .to_owned(),
        r#"{{printf "%999999999d" 1}}"#.to_owned(),
        r#"{{range 100000}}{{printf "%9999d" 1}}{{end}}"#.to_owned(),
        r#"{{printf "%*d" 999999999 1}}"#.to_owned(),
        "{{if true}}".repeat(10_000),
        format!("{{{{if .a}}}}{}", "{{else if .a}}".repeat(10_000)),
        format!("{{{{{}1{}}}}}", "(".repeat(50_000), ")".repeat(50_000)),
        "x".repeat(2 << 20),
    ] {
        let started = Instant::now();
        let start: String = template.chars().take(60).collect();
        assert!(matches!(rendered(&template, DATA), Err(Failure::Spent(_))), "{start}");
        assert!(started.elapsed() < Duration::from_secs(20), "{start}");
    }
}
