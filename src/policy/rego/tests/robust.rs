//! Texts that nobody would write: every one is read or refused, soon, and without a panic.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::parser::{parse, parse_query};
use super::corpus;

/// Runs it with 8 MiB of stack, of which the deepest texts take half without optimisation; the workers have more.
fn with_stack(body: fn()) {
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(body).unwrap();
    thread.join().unwrap();
}

/// What can be nested in itself.
const NESTS: [(&str, &str); 16] = [
    ("[", "]"),
    ("{", "}"),
    ("(", ")"),
    ("{1: ", "}"),
    ("{", ": 1}"),
    ("[1 | ", "]"),
    ("{1 | ", "}"),
    ("{1: 2 | ", "}"),
    ("f(", ")"),
    ("a[", "]"),
    ("$\"{", "}\""),
    ("[1 | every x in [2] { ", " }]"),
    ("[a | ", ", c]"),
    ("{a: b | ", ", c: d}"),
    ("([", ", 2])"),
    ("-f(", ")"),
];

#[test]
fn what_nests_too_deep_is_a_fault() {
    with_stack(|| {
        for (open, close) in NESTS {
            for depth in [20, 50, 1_000, 100_000] {
                let text = format!("package p\nx := {}1{}", open.repeat(depth), close.repeat(depth));
                let read = parse(&text, true);
                assert_eq!(read.is_ok(), depth <= 50, "{open} {depth}: {:?}", read.err());
            }
        }
        for chain in [" + 1", " | 1", " in [1]", ".x(1)"] {
            let chained = |length| parse(&format!("package p\nx := f(1){}", chain.repeat(length)), true).is_ok();
            assert!(chained(100) && !chained(100_000), "{chain}");
        }
        for (open, close) in [("(", ") or b"), ("not (a or ", ")"), ("{", "} or b"), ("([1 | ", "])"), ("not {", "}")] {
            for depth in [50, 100_000] {
                let condition = format!("{}a{}", open.repeat(depth), close.repeat(depth));
                let read = parse(&format!("package p\nimport future.keywords\nx if {{ {condition} }}"), true);
                assert_eq!(read.is_ok(), depth == 50, "{open} {depth}: {:?}", read.err());
            }
        }
    });
}

#[test]
fn chains_that_nest_in_each_other_are_not_higher_than_allowed() {
    with_stack(|| {
        let chain = " + 1".repeat(300);
        let mut text = "1".to_owned();
        for _ in 0..200 {
            text = format!("({text}{chain})");
        }
        assert!(parse(&format!("package p\nx := {text}"), true).is_err());
    });
}

#[test]
fn a_long_text_takes_time_in_proportion() {
    with_stack(|| {
        let many = |line: &str| format!("package p\n{}", line.repeat(10_000));
        for text in [
            many("x := [1, {\"a\": f(b)}, {c | some c in d}] if { not e with input as 1 }\n"),
            many("x if {\n"),
            many("x := [\n"),
            many("x := $\"{\n"),
            many("x := \"\n"),
            many("# METADATA\n"),
            many("# METADATA\n# title: a\n# scope: document\nx := 1\n"),
            many("?\n"),
            format!("package p\nx := [{}]", "1,".repeat(100_000)),
            format!("package p\nx if {{ {}a }}", "a;".repeat(100_000)),
            format!("package p\nx := a{}", ".b".repeat(100_000)),
            format!("package p\nx := 1 if {{ a }} {}", "else := 1 if { b } ".repeat(10_000)),
        ] {
            let start = Instant::now();
            let _ = parse(&text, true);
            assert!(start.elapsed() < Duration::from_secs(20), "{}: {:?}", &text[..40], start.elapsed());
        }
    });
}

/// Pieces that texts of policies are made of.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "package p\n",
        "import data.a\n",
        "import future.keywords\n",
        "import rego.v1\n",
        "x",
        "_",
        "if",
        "contains",
        "in",
        "every",
        "some",
        "not",
        "with",
        "as",
        "default",
        "else",
        "and",
        "or",
        "null",
        "true",
        "input",
        "data",
        "set()",
        "1",
        ".5",
        "1e9",
        "\"s\"",
        "`r`",
        "$\"",
        "$`",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        ",",
        ":",
        ";",
        ".",
        "|",
        "&",
        "-",
        "+",
        "*",
        ":=",
        "=",
        "==",
        "!=",
        "<",
        " ",
        "\n",
        "\n\n",
        "\t",
        "# c\n",
        "# METADATA\n# title: x\n",
        "\\",
        "\"",
        "`",
        "é",
        "\0",
    ];
    let known = prop::sample::select(PIECES).prop_map(str::to_owned);
    prop_oneof![8 => known, 1 => any::<char>().prop_map(String::from)]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), v1 in any::<bool>()) {
        check(&text, v1);
        check(&format!("package p\n{text}"), v1);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes), true);
    }

    #[test]
    fn any_pieces_are_read_or_refused(pieces in prop::collection::vec(piece(), 0..60), v1 in any::<bool>()) {
        check(&format!("package p\n{}", pieces.concat()), v1);
        check(&format!("package p\nimport future.keywords\nx if {{ {} }}", pieces.concat()), v1);
    }
}

#[test]
fn a_policy_with_pieces_elsewhere_is_read_or_refused() {
    let corpus = corpus();
    let strategy = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        0_usize..20,
        prop::collection::vec(piece(), 0..4),
        any::<bool>(),
    );
    proptest!(ProptestConfig::with_cases(2_000), |((from, at, cut, pieces, v1) in strategy)| {
        let text: Vec<char> = from.get(&corpus).1.chars().collect();
        let at = at.index(text.len() + 1);
        let before = text[..at].iter().collect::<String>();
        let after = text[(at + cut).min(text.len())..].iter().collect::<String>();
        check(&format!("{before}{}{after}", pieces.concat()), v1);
    });
}

/// Reads it; what is refused has a place in the text.
fn check(text: &str, v1: bool) {
    for fault in parse(text, v1).err().into_iter().chain(parse_query(text).err()).flatten() {
        assert!(text.get(fault.span.range()).is_some(), "{fault:?} in {text:?}");
        assert!(!fault.cause.is_empty());
    }
}
