//! Texts made of what YAML is made of, read by us and by the real `opa`: the same value, or a refusal that says why.
//!
//! `VERDICT_TEST_OPA` names the program; without it the test is skipped with a word. `VERDICT_YAML_TEXTS` is how many
//! texts are made, `VERDICT_YAML_SEED` where the generator starts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what is wrong by ending")]

use std::{collections::BTreeMap, env, fs, process::Command};

use verdict::decision::{Number, Value, json, yaml};

/// Texts with OPA's answers, as JSON and a tab before each answer.
const ANSWERS: &str = include_str!("../src/decision/yaml/answers.txt");

const POLICY: &str = "package p\nr[i] := json.marshal(yaml.unmarshal(t)) if some i, t in input.texts\n";

const PIECES: &[&str] = &[
    " ",
    "  ",
    "\n",
    "\n ",
    "\n  ",
    "\n\n",
    "\t",
    ": ",
    ":",
    ", ",
    ",",
    "[",
    "]",
    "{",
    "}",
    "- ",
    "-",
    "? ",
    "?",
    " # c\n",
    "#",
    "# \"!\n",
    "&x ",
    "*x",
    "&y ",
    "*y ",
    "!!str ",
    "!!int ",
    "!!float ",
    "!foo ",
    "! ",
    "!",
    "<<: ",
    "<<",
    "|\n  ",
    ">\n  ",
    "|-\n ",
    "\"",
    "'",
    "\\",
    "\\n",
    "\\/",
    "---\n",
    "--- ",
    "...\n",
    "%YAML 1.1\n",
    "\r\n",
    "\r",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{a0}",
    "@",
    "`",
    "%",
    "=",
    "a: ",
    "b: ",
    "- a\n",
    "- 1\n",
    "''",
    "\"\"",
    "{}",
    "[]",
    "!<x> ",
    "a",
    "b",
    "1",
    "yes",
    "no",
    "010",
    "1.5",
    "null",
    "~",
    "'a'",
    "\"a\"",
    "\"x\\ny\"",
    "x y",
    "0x1f",
    "é",
    "a#b",
    "a:b",
    "b?",
    "http://x/?q=1",
    "\"a: b\"",
    "'[1]'",
    "2001-01-01",
    ".inf",
    "a\"b",
    "a'b",
    "{a: 1, b: yes}",
    "base: &x {a: 1}\n",
    "c: &y [1]\n",
    "*x : ",
];

/// What begins or ends a plain scalar that may be a number or a date.
const AFFIXES: &[&str] = &[
    "",
    "-",
    "+",
    "0x",
    "0X",
    "0o",
    "0O",
    "0b",
    "0b-",
    "00",
    "e",
    "E",
    "e+",
    "E-",
    ".",
    "_",
    "1_000",
    ".5",
    "5.",
    ".inf",
    "+.inf",
    ".nan",
    "12e03",
    "1e400",
    "1e-400",
    "2001-01-01",
    "T",
    "Z",
    ":30",
    "1:30",
    " ",
    ": 1",
    "f",
    "0e0",
];

/// Of what numbers are made, and hashes.
const LETTERS: &[&str] =
    &["0123456789", "0123456789e", "0123456789.eE+-_", "0123456789abcdef", "01234567", "01", "0123456789:-TZ"];

/// As many numbers as are asked for (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % bound.max(1)
    }

    fn piece(&mut self) -> &'static str {
        PIECES[self.below(PIECES.len())]
    }

    /// A plain scalar that may be a number.
    fn scalar(&mut self) -> String {
        let letters = LETTERS[self.below(LETTERS.len())].as_bytes();
        let mut text = AFFIXES[self.below(AFFIXES.len())].to_owned();
        let most = [40, 20, 6][self.below(3)];
        for _ in 0..self.below(most) {
            text.push(char::from(letters[self.below(letters.len())]));
        }
        text + AFFIXES[self.below(2 * AFFIXES.len()).saturating_sub(AFFIXES.len())]
    }

    fn text(&mut self, known: &[String]) -> String {
        let mut letters: Vec<char> = match self.below(4) {
            0 => return (0..=self.below(8)).map(|_| self.piece()).collect(),
            1 => format!("{}\n{}", known[self.below(known.len())], known[self.below(known.len())]).chars().collect(),
            _ => known[self.below(known.len())].chars().collect(),
        };
        for _ in 0..=self.below(3) {
            let at = self.below(letters.len() + 1);
            match self.below(4) {
                0 if at < letters.len() => drop(letters.remove(at)),
                1 => {
                    let end = letters.len().min(at + 5);
                    let again = letters[at..end].to_vec();
                    let to = self.below(letters.len() + 1);
                    letters.splice(to..to, again);
                }
                _ => drop(letters.splice(at..at, self.piece().chars())),
            }
        }
        letters.into_iter().collect()
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn opas(program: &str, texts: &[String]) -> BTreeMap<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let [policy, input] = ["p.rego", "input.json"].map(|name| folder.path().join(name));
    fs::write(&policy, POLICY).unwrap();
    fs::write(&input, serde_json::json!({ "texts": texts }).to_string()).unwrap();
    let mut command = Command::new(program);
    command.args(["eval", "--format", "raw", "--data"]).arg(&policy).arg("--input").arg(&input).arg("data.p.r");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
    answers.into_iter().map(|(at, answer)| (at.parse().unwrap(), answer)).collect()
}

#[test]
fn made_texts_have_opas_values_or_are_refused() {
    let Ok(program) = env::var("VERDICT_TEST_OPA") else {
        println!("skipped: no opa (name it in VERDICT_TEST_OPA)");
        return;
    };
    let known: Vec<String> = ANSWERS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| serde_json::from_str(line.split_once('\t').unwrap().0).unwrap())
        .collect();
    let mut dice = Dice(number("VERDICT_YAML_SEED").unwrap_or(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let count = number("VERDICT_YAML_TEXTS").unwrap_or(5_000);
    compare(&program, (0..count).map(|_| dice.text(&known)));
    compare(&program, (0..count).map(|_| dice.scalar()));
}

fn compare(program: &str, texts: impl Iterator<Item = String>) {
    // A zero's sign is no question of YAML.
    let texts: Vec<String> = texts.filter(|text| !text.contains("-0") && !text.contains("-.0")).collect();
    let answers = opas(program, &texts);
    let (mut equal, mut refused, mut faults) = (0, 0, Vec::new());
    for (at, text) in texts.iter().enumerate() {
        let opas = answers.get(&at);
        match (yaml::parse(text), opas) {
            (Err(fault), _) if fault.may_have_value => refused += 1,
            (Err(_), None) => equal += 1,
            (Ok(value), Some(opas)) if json::parse(opas.as_bytes()).as_ref() == Ok(&value) => equal += 1,
            // The same double, of which Go and Rust show another last digit.
            (Ok(Value::Number(Number::Float(ours))), Some(opas)) if opas.parse() == Ok(ours) => equal += 1,
            (ours, opas) => faults.push(format!("{text:?}: {ours:?}, there {opas:?}")),
        }
    }
    println!("{equal} alike, {refused} refused, {} otherwise", faults.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(equal * 4 > texts.len(), "too few have an answer");
}
