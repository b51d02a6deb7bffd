//! Inputs: the members that policies look at, mostly of their kind, some of another, some missing.

use super::{expressions::MEMBERS, tape::Tape, words::Kind};

/// What every policy finds at `data.base`.
pub(crate) const BASE: &str = r#"{"base": {
    "a": {"a": 1, "b": [1, 2, {"a": "x"}]}, "b": "b", "n": 2, "m": 2.5, "s": "ab", "u": "a/b/c", "xs": [3, 1, 2, "a", null],
    "ss": ["a", "b", "ab"], "o": {"a": 1, "b": {"a": true, "c": [1]}, "é": "x", "1": 2}, "p": {"a": ["b", "c"], "b": ["c"], "c": []}, "f": false
}}"#;

/// The JSON of `choices`; `None` is no input at all.
pub(crate) fn input(choices: &[u16]) -> Option<String> {
    let mut tape = Tape::new(choices);
    match tape.weighted(&[96, 2, 2]) {
        1 => return None,
        // OPA's server takes `null` for no input at all.
        2 => return Some(value(&mut tape, 'a', 2)).filter(|input| input != "null"),
        _ => {}
    }
    let mut members = Vec::new();
    for (name, kind) in MEMBERS {
        if tape.chance(88) {
            let kind = if tape.chance(12) { tape.one(&['a', 'n', 's', 'r', 'o', 'b', '0']) } else { *kind };
            members.push(format!("\"{name}\": {}", value(&mut tape, kind, 2)));
        }
    }
    Some(format!("{{{}}}", members.join(", ")))
}

fn value(tape: &mut Tape<'_>, kind: Kind, depth: usize) -> String {
    const NUMBERS: &[&str] = &[
        "1",
        "0",
        "2",
        "-1",
        "3",
        "10",
        "0.5",
        "1.0",
        "2.5",
        "1e2",
        "-0.0",
        "1700000000000000000",
        "9007199254740993",
        "123456789012345678901234567890",
        "0.1",
        "9223372036854775807",
        "1e-20",
        "-0.5",
    ];
    const TEXTS: &[&str] = &[
        "a",
        "",
        "b",
        "ab",
        "a.b",
        "é",
        "日本",
        "a b",
        "a/b/c",
        "1",
        "10.1.2.3",
        "ABC",
        "2024-02-29T12:00:00Z",
        "😀x",
        "<&>",
        "x,y",
        "{\\\"a\\\": 1}",
        "1.2.3",
        "YWI=",
        "e\\u0301",
        "a\\nb",
    ];
    match kind {
        '0' => "null".to_owned(),
        'b' => tape.one(&["true", "false"]).to_owned(),
        'n' => tape.one(NUMBERS).to_owned(),
        's' => format!("\"{}\"", tape.one(TEXTS)),
        'r' | 'S' => {
            let inner = if kind == 'S' { 's' } else { 'a' };
            let items: Vec<String> = (0..tape.below(4)).map(|_| value(tape, inner, depth.saturating_sub(1))).collect();
            format!("[{}]", items.join(", "))
        }
        'o' => {
            let mut items = Vec::new();
            for name in ["a", "b", "é", "1"] {
                if tape.chance(45) {
                    items.push(format!("\"{name}\": {}", value(tape, 'a', depth.saturating_sub(1))));
                }
            }
            format!("{{{}}}", items.join(", "))
        }
        _ => {
            let kinds = if depth == 0 { &['n', 's', 'b', '0'][..] } else { &['n', 's', 'b', '0', 'r', 'o'][..] };
            let kind = tape.one(kinds);
            value(tape, kind, depth)
        }
    }
}
