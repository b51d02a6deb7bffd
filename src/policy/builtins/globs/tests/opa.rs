//! Globs and texts made at random, asked of OPA itself: `VERDICT_GLOB_TRIPLES` is how many, `VERDICT_GLOB_SEED` where the
//! generator starts.

use std::collections::BTreeMap;

use super::*;
use crate::policy::builtins::opa::{self, Dice, number};

const POLICY: &str = "r[i] := glob.match(c[0], c[1], c[2]) if some i, c in input\n";
/// How many are asked at once.
const BATCH: usize = 20_000;
/// Texts of one glob.
const TEXTS: usize = 12;

const PIECES: &[&str] = &[
    "a", "b", "/", ".", "ab", "a/", "é", "日", "*", "*", "**", "?", "/**/", "/**", "**/", "*.", "{a,b}", "{a*,b}",
    "{,a}", "{a/**,b}", "{*.,}", "{*,a}", "{a,*b}", "{?,b}", "{ab,a}", "{", "{", "}", "}", ",", ",", "[ab]", "[!ab]",
    "[!/]", "[a-b]", "[!a-b]", "[é日]", "[!é]", "[!.]", "[/]", "[", "]", "!", "\\", "\\*", "\\{", "a-b", "{}", "\0",
    "b*", "*a",
];
const TEXT_PIECES: &[&str] = &["a", "b", "/", ".", "ab", "a/b", "/a", "é", "日", "c", "\u{fffd}", "\0"];
const DELIMITERS: &[&str] = &[
    "null",
    "[]",
    "[\"/\"]",
    "[\"/\"]",
    "[\".\"]",
    "[\"/\",\".\"]",
    "[\".\",\"/\"]",
    "[\"a\"]",
    "[\"é\"]",
    "[\"é\",\"/\"]",
    "[\"日\",\"a\"]",
    "[\"/\",\"/\"]",
];

/// A text that the pattern may be about.
fn like(dice: &mut Dice, pattern: &str) -> String {
    let mut text = String::new();
    for letter in pattern.chars() {
        match letter {
            '*' | '?' => text.push_str(&dice.text(TEXT_PIECES, 2)),
            '{' | '}' | ',' | '[' | ']' | '!' | '\\' if dice.below(8) > 0 => {}
            _ if dice.below(8) == 0 => {}
            letter => text.push(letter),
        }
    }
    text
}

/// A pattern, delimiters and a text.
type Triple = (String, Rego, String);

fn opas(program: &str, triples: &[Triple]) -> Result<BTreeMap<usize, bool>, String> {
    let triples = triples.iter().map(|(pattern, delimiters, text)| {
        Rego::from(vec![Rego::from(pattern.as_str()), delimiters.clone(), Rego::from(text.as_str())])
    });
    let input = Rego::from(triples.collect::<Vec<_>>()).to_json_str().unwrap();
    let answer = opa::eval(program, POLICY, &input)?;
    let answers = answer["r"].as_object().unwrap().iter();
    Ok(answers.map(|(at, answer)| (at.parse().unwrap(), answer.as_bool().unwrap())).collect())
}

#[test]
fn made_globs_match_what_they_match_for_opa() {
    let Some(program) = opa::program() else { return };
    let mut dice = Dice::new("VERDICT_GLOB_SEED");
    let mut left = number("VERDICT_GLOB_TRIPLES").unwrap_or(10_000);
    let (mut halted, mut trues, mut undefined, mut faults) = (Vec::new(), 0, 0, Vec::new());
    while left > 0 {
        let (mut triples, mut ours) = (Vec::new(), Vec::new());
        while triples.len() < BATCH.min(left) {
            let most = 1 + dice.below(7);
            let pattern = dice.text(PIECES, most);
            let delimiters = Rego::from_json_str(DELIMITERS[dice.below(DELIMITERS.len())]).unwrap();
            for number in 0..TEXTS {
                let text = if number % 3 == 0 { dice.text(TEXT_PIECES, 5) } else { like(&mut dice, &pattern) };
                let triple = (pattern.clone(), delimiters.clone(), text);
                match ask(&triple.0, &triple.1, &triple.2) {
                    Err(Failure::Halt(_)) => halted.push(triple),
                    answer => {
                        ours.push(match answer {
                            Ok(answer) => Some(answer == Rego::from(true)),
                            Err(Failure::Operand(_)) => None,
                            Err(failure) => panic!("{triple:?}: {failure:?}"),
                        });
                        triples.push(triple);
                    }
                }
            }
        }
        left = left.saturating_sub(triples.len());
        let opas = opas(&program, &triples).unwrap();
        for (at, (triple, ours)) in triples.iter().zip(ours).enumerate() {
            trues += usize::from(ours == Some(true));
            undefined += usize::from(ours.is_none());
            if opas.get(&at).copied() != ours {
                faults.push(format!("{triple:?}: {ours:?}, there {:?}", opas.get(&at)));
            }
        }
    }
    println!("{trues} true, {undefined} undefined, {} end OPA, {} otherwise", halted.len(), faults.len());
    faults.sort_by_key(String::len);
    faults.truncate(40);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for triple in halted.iter().step_by(1 + halted.len() / 8) {
        let fault = opas(&program, std::slice::from_ref(triple));
        assert!(
            fault.as_ref().is_err_and(|fault| fault.contains("slice bounds out of range")),
            "{triple:?}: {fault:?}"
        );
    }
}

const MEETING_PIECES: &[&str] = &[
    "a", "b", "c", ".", "a", "b", "a*", "b*", "a+", "b+", ".*", ".+", "[ab]", "[a-c]", "[b-c]*", "[ab]+", "[bc]+",
    "[a]*", "\\*", "\\a", "é", "[é-ë]*", "[\\]]", "[abc]*",
];
/// What is seldom well formed.
const BROKEN_PIECES: &[&str] = &[
    "[", "]", "-", "\\", "*", "+", "[b-a]", "[b-a]*", "[]", "[]*", "[^a]", "a-b]", "[a", "[a-", "[-a]", "[a-\\c]", "?",
    "[ab-]", "[a-b-c]",
];

#[test]
fn made_globs_meet_where_they_meet_for_opa() {
    let Some(program) = opa::program() else { return };
    let mut dice = Dice::new("VERDICT_GLOB_SEED");
    let mut glob = |broken: bool| {
        let mut glob = String::new();
        for _ in 0..dice.below(7) {
            let pieces = if broken && dice.below(4) == 0 { BROKEN_PIECES } else { MEETING_PIECES };
            glob.push_str(pieces[dice.below(pieces.len())]);
        }
        glob
    };
    let mut left = number("VERDICT_GLOB_PAIRS").unwrap_or(10_000);
    let (mut trues, mut undefined, mut faults) = (0, 0, Vec::new());
    while left > 0 {
        let pairs: Vec<[String; 2]> =
            (0..BATCH.min(left)).map(|number| [glob(number % 8 == 0), glob(number % 8 == 1)]).collect();
        left -= pairs.len();
        let given = pairs.iter().map(|pair| Rego::from(pair.each_ref().map(|glob| Rego::from(glob.as_str())).to_vec()));
        let input = Rego::from(given.collect::<Vec<_>>()).to_json_str().unwrap();
        let policy = "r[i] := regex.globs_match(c[0], c[1]) if some i, c in input\n";
        let opas = opa::eval(&program, policy, &input).unwrap();
        for (at, pair) in pairs.iter().enumerate() {
            let opas = opas["r"].get(at.to_string()).and_then(serde_json::Value::as_bool);
            let ours = match intersection::exists(&pair[0], &pair[1]) {
                Ok(answer) => Some(answer.unwrap()),
                Err(_) => None,
            };
            trues += usize::from(ours == Some(true));
            undefined += usize::from(ours.is_none());
            if opas != ours {
                faults.push(format!("{pair:?}: {ours:?}, there {opas:?}"));
            }
        }
    }
    println!("{trues} true, {undefined} undefined, {} otherwise", faults.len());
    faults.sort_by_key(String::len);
    faults.truncate(40);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
