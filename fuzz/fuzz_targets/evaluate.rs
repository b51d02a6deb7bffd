//! A small policy made of pieces, asked about an input: an answer within its budget.

#![no_main]

use std::fmt::Write as _;

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use verdict::{
    decision::{EntryPoint, Number, Object, Query, Value},
    policy::Options,
};
use verdict_fuzz::policies;

const TERMS: &[&str] = &[
    "input.context",
    "input.context.a",
    "input.context[_]",
    "input.context[k]",
    "input.context.a[i]",
    "input.context.a[i][j]",
    "input",
    "data.d",
    "data.d[_]",
    "data.authz.r0",
    "data.authz.r1[_]",
    "data.authz[k]",
    "r2",
    "r1[k]",
    "k",
    "i",
    "x",
    "y",
    "_",
    "0",
    "-1",
    "1e3",
    "12345678901234567890123",
    "\"a\"",
    "\"\"",
    "null",
    "true",
    "false",
    "set()",
    "{}",
    "[]",
    "{1, \"a\", null}",
    "{\"a\": 1, \"b\": [2]}",
    "[1, [2, {\"c\": 3}]]",
    "numbers.range(0, 1000)",
    "[T, T]",
    "{T, T}",
    "{T: T}",
    "[T | C]",
    "{T | C}",
    "{T: T | C}",
    "[T | C; C]",
    "T + T",
    "T - T",
    "T * T",
    "T / T",
    "T % T",
    "(T | T)",
    "(T & T)",
    "count(T)",
    "f(T)",
    "g(T, T)",
    "sprintf(\"%v %d\", [T, T])",
    "$\"{T}x{T}\"",
    "concat(\",\", T)",
    "object.get(T, T, T)",
    "json.marshal(T)",
    "regex.replace(T, T, T)",
    "walk(T)",
    "T[T]",
    "array.concat(T, T)",
    "object.union(T, T)",
    "sort(T)",
    "split(T, T)",
    "to_number(T)",
];

const CONDITIONS: &[&str] = &[
    "T",
    "T == T",
    "T = T",
    "x := T",
    "y := T",
    "T != T",
    "T < T",
    "not T",
    "not T == T",
    "some k, x in T",
    "some x in T",
    "T in T",
    "T, T in T",
    "some i",
    "every x in T { C }",
    "every k, y in T { C; C }",
    "T with input as T",
    "T with input.context.a as T",
    "T with data.d as T",
    "T with count as T",
    "not f(T) with f as g",
    "walk(T, [k, x])",
    "f(T) == T",
    "[x, y] = T",
    "print(T, T)",
];

const RULES: &[&str] = &[
    "N := T",
    "N := T if { C }",
    "N := T if { C; C; C }",
    "N if C",
    "N contains T if { C; C }",
    "N[T] := T if { C; C }",
    "N.a.b := T if C",
    "N := T if { C } else := T if { C } else := T",
    "default N := false",
    "f(x) := T if C",
    "f(x) := T",
    "g(x, y) if { C; C }",
    "g(T, y) := T if { C }",
    "N[T] if { C }",
];

/// Fills the holes of a piece: `T` a term, `C` a condition, `N` the name of a rule.
fn fill(piece: &str, depth: usize, from: &mut Unstructured<'_>, out: &mut String) -> Result<()> {
    for (at, c) in piece.char_indices() {
        let hole = |c: char| {
            let around = |other: Option<char>| other.is_some_and(|other| other.is_alphanumeric() || other == '_');
            !around(piece[..at].chars().next_back()) && !around(piece[at + c.len_utf8()..].chars().next())
        };
        match c {
            'T' if hole(c) => {
                // The first are leaves.
                let choice = if depth > 3 { &TERMS[..34] } else { TERMS };
                let term = *from.choose(choice)?;
                fill(term, depth + 1, from, out)?;
            }
            'C' if hole(c) => {
                let choice = if depth > 3 { &CONDITIONS[..4] } else { CONDITIONS };
                let condition = *from.choose(choice)?;
                fill(condition, depth + 1, from, out)?;
            }
            'N' if hole(c) => {
                let _ = write!(out, "r{}", from.int_in_range(0..=3)?);
            }
            c => out.push(c),
        }
    }
    Ok(())
}

fn value(depth: usize, from: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match from.int_in_range(0..=if depth > 4 { 4 } else { 6 })? {
        0 => Value::Null,
        1 => Value::Bool(from.arbitrary()?),
        2 => Value::Number(Number::Int(from.arbitrary()?)),
        3 => Number::from_f64(from.arbitrary()?).map_or(Value::Null, Value::Number),
        4 => Value::String(from.arbitrary::<&str>()?.chars().take(40).collect()),
        5 => {
            let length = from.int_in_range(0..=5)?;
            Value::Array((0..length).map(|_| value(depth + 1, from)).collect::<Result<_>>()?)
        }
        _ => Value::Object(object(depth + 1, from)?),
    })
}

fn object(depth: usize, from: &mut Unstructured<'_>) -> Result<Object> {
    let length = from.int_in_range(0..=4)?;
    let names = ["a", "b", "k", "\u{e9}", ""];
    (0..length).map(|_| Ok(((*from.choose(&names)?).to_owned(), value(depth, from)?))).collect()
}

fn policy(from: &mut Unstructured<'_>) -> Result<String> {
    let mut text = String::from("package authz\n\nimport rego.v1\n\nf(_) := 1\n\nr0 := 1\n\nr1 contains 2\n\nr2 := [3]\n\n");
    for number in 0..from.int_in_range(1..=5)? {
        let _ = number;
        let rule = *from.choose(RULES)?;
        fill(rule, 0, from, &mut text)?;
        text.push_str("\n\n");
    }
    text.push_str("decision := {\"allow\": true, \"context\": {\"x\": ");
    fill("T", 1, from, &mut text)?;
    text.push_str("}} if { ");
    fill("C; C", 0, from, &mut text)?;
    text.push_str(" }\n");
    Ok(text)
}

fuzz_target!(|bytes: &[u8]| {
    let mut from = Unstructured::new(bytes);
    let (Ok(text), Ok(context)) = (policy(&mut from), object(0, &mut from)) else { return };
    if std::env::var_os("SHOW").is_some() {
        eprintln!("{text}\n{context:?}");
    }
    let files = [("authz.rego", text.as_bytes()), ("d/data.json", br#"{"a": [1, 2], "b": {"c": null}}"#.as_slice())];
    let Some(bundle) = policies::bundle(&files) else { return };
    let Some(snapshot) = policies::compile(&bundle, Options::default()) else { return };
    let query = Query { context, ..Query::default() };
    let entry = EntryPoint::from_parts(["authz".to_owned()]);
    let first = policies::ask(&snapshot, &query, &entry);
    let again = policies::ask(&snapshot, &query, &entry);
    let spent = |verdict: &verdict::decision::Verdict| verdict.reasons.iter().any(|reason| reason.code == "budget_exceeded");
    assert!(first.effect == again.effect || spent(&first) || spent(&again), "{first:?}\n{again:?}");
});
