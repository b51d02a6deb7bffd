//! Policies that are hostile to whoever reads them: a diagnostic, or they work; never an abort.

use std::{fmt::Write as _, fs};

use crate::support::{Folder, run, verdict};

/// `verdict lint` on that one file: its exit code, which is none if it was killed.
fn lint(what: &str, text: &str) -> i32 {
    let folder = Folder::empty();
    fs::write(folder.join("p.rego"), text).unwrap();
    let ended = run(verdict().args(["lint", folder.path().to_str().unwrap()]));
    println!("{what}: {:?} {}", ended.code, ended.stderr.chars().take(200).collect::<String>());
    let code = ended.code.unwrap_or_else(|| panic!("{what} ended the process: {}", ended.stderr));
    assert!(!ended.stderr.contains("panicked"), "{what}: {}", ended.stderr);
    code
}

fn rules(count: usize, body: impl Fn(usize) -> String) -> String {
    let mut text = String::from("package p\n\n");
    for number in 0..count {
        let _ = writeln!(text, "{}\n", body(number));
    }
    text
}

#[test]
fn what_never_ends_is_refused() {
    for (what, text) in [
        ("a rule of itself", "package p\n\nx if x\n".to_owned()),
        ("rules of each other", "package p\n\nx if y\n\ny if z\n\nz if x\n".to_owned()),
        ("a function of itself", "package p\n\nf(n) := f(n - 1)\n\nx := f(9)\n".to_owned()),
        ("functions of each other", "package p\n\nf(n) := g(n)\n\ng(n) := f(n)\n\nx := f(9)\n".to_owned()),
        ("1,000 brackets", format!("package p\n\nx := {}1{}\n", "[".repeat(1_000), "]".repeat(1_000))),
        ("1,000 braces", format!("package p\n\nx := {}1{}\n", "{".repeat(1_000), "}".repeat(1_000))),
        ("1,000 parentheses", format!("package p\n\nx := {}1{}\n", "(".repeat(1_000), ")".repeat(1_000))),
        ("100,000 open brackets", format!("package p\n\nx := {}", "[".repeat(100_000))),
        ("a chain of 10,000 rules", rules(10_000, |n| format!("r{n} := [r{}]", n + 1)) + "r10000 := 1\n"),
    ] {
        assert_ne!(lint(what, &text), 0, "{what}");
    }
}

#[test]
fn what_is_only_large_is_read_or_refused() {
    for (what, text) in [
        ("10,000 rules", rules(10_000, |n| format!("r{n} if input.a == {n}"))),
        ("a line of 2 MB", format!("package p\n\nx := \"{}\"\n", "a".repeat(2 << 20))),
        ("a comment of 2 MB", format!("package p\n\n# {}\nx := 1\n", "a".repeat(2 << 20))),
        ("a sum of 10,000 terms", format!("package p\n\nx := 1{}\n", " + 1".repeat(10_000))),
        ("a regex of 10 MB", format!("package p\n\nx if regex.match(`{}`, input.a)\n", "[a-z]*".repeat(1_750_000))),
        ("10,000 negations", format!("package p\n\nx if {}input.a\n", "not ".repeat(10_000))),
        ("a reference of 1,000 parts", format!("package p\n\nx := input{}\n", ".a".repeat(1_000))),
        ("10,000 calls in each other", format!("package p\n\nx := {}1{}\n", "abs(".repeat(10_000), ")".repeat(10_000))),
    ] {
        lint(what, &text);
    }
}
