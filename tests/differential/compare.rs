//! Where the two differ.

use std::fmt;

use serde_json::{Map, Value};

use super::{
    canonical::{canonical, decimal},
    oracle::{NO_ANSWER, Opa, Said},
    ours::Ours,
};

/// A kind of difference; a later one of a list is shrunk only into the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Ours has a value, or another value.
    Value,
    /// Ours is undefined, OPA is not.
    Undefined,
    /// Ours has a value where OPA has an error.
    NoError,
    /// Ours has an error where OPA has a value.
    Error,
    /// Ours is a panic.
    Panic,
}

/// A difference.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) class: Class,
    pub(crate) rule: String,
    pub(crate) opa: Said,
    pub(crate) ours: Said,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{:?} at data.g.{}", self.class, self.rule)?;
        writeln!(out, "  opa:  {}", show(&self.opa))?;
        write!(out, "  ours: {}", show(&self.ours))
    }
}

fn show(said: &Said) -> String {
    match said {
        Said::Value(Some(value)) => value.to_string(),
        Said::Value(None) => "undefined".to_owned(),
        Said::Error(error) => format!("error: {error}"),
    }
}

/// What an error of ours is about, without places and values; `None` if we have a value.
pub(crate) fn kind(difference: &Difference) -> Option<String> {
    let Said::Error(error) = &difference.ours else { return None };
    let about = error.splitn(4, ':').last().unwrap_or(error);
    let about = about.split_once("Got").map_or(about, |(about, _)| about);
    Some(about.chars().filter(|letter| !letter.is_numeric()).take(60).collect())
}

/// The differences of a policy that both have loaded, about one input; `None` where OPA takes too long.
pub(crate) fn differences(
    opa: &mut Opa,
    ours: &mut Ours,
    policy: &str,
    input: Option<&str>,
) -> Option<Vec<Difference>> {
    let theirs = opa.ask("g", input);
    if theirs == Said::Error(NO_ANSWER.to_owned()) {
        return None;
    }
    if let (Said::Value(theirs), Said::Value(own)) = (theirs, ours.package(input)) {
        let (theirs, own) = (members(theirs.as_ref()), members(own.as_ref()));
        if theirs == own {
            return Some(Vec::new());
        }
        let names = theirs.keys().chain(own.keys().filter(|name| !theirs.contains_key(*name)));
        let of = |all: &Map<String, Value>, name: &str| Said::Value(all.get(name).cloned());
        return Some(names.filter_map(|name| difference(name, of(&theirs, name), of(&own, name))).collect());
    }
    // An error takes the whole package along; each rule may still have a value.
    let mut found = Vec::new();
    for name in rules(policy) {
        let one = difference(&name, opa.ask(&format!("g/{name}"), input), ours.rule(&name, input));
        // OPA does not find an error in what its index or an early exit skips; we do, and deny.
        found.extend(one.filter(|one| one.class != Class::Error || !opa.errs_in_full(policy, &name, input)));
    }
    Some(found)
}

/// The answers of OPA to each rule, or to the package if nothing errs.
pub(crate) fn difference(name: &str, opa: Said, ours: Said) -> Option<Difference> {
    let class = match (&opa, &ours) {
        (_, Said::Error(error)) if error == "panic" => Class::Panic,
        (Said::Error(_), Said::Error(_)) => return None,
        (Said::Error(error), _) if error == NO_ANSWER => return None,
        (Said::Error(_), Said::Value(_)) => Class::NoError,
        (Said::Value(_), Said::Error(_)) => Class::Error,
        (Said::Value(one), Said::Value(other)) if one.as_ref().map(canonical) == other.as_ref().map(canonical) => {
            return None;
        }
        (Said::Value(Some(one)), Said::Value(Some(other))) if alike(&canonical(one), &canonical(other)) => {
            return None;
        }
        (Said::Value(Some(_)), Said::Value(None)) => Class::Undefined,
        (Said::Value(_), Said::Value(_)) => Class::Value,
    };
    Some(Difference { class, rule: name.to_owned(), opa, ours })
}

/// The names of the rules that are no functions.
fn rules(policy: &str) -> Vec<String> {
    let mut names: Vec<String> = policy
        .lines()
        .map(|line| line.strip_prefix("default ").unwrap_or(line))
        .filter(|line| line.starts_with('r'))
        .filter_map(|line| {
            let end = line.find(|letter: char| !letter.is_alphanumeric())?;
            (!line[end..].starts_with('(')).then(|| line[..end].to_owned())
        })
        .collect();
    names.dedup();
    names
}

fn members(package: Option<&Value>) -> Map<String, Value> {
    match package.map(canonical) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// Whether two values differ in nothing but what is known to differ and written down (`docs/conformance.md`): digits of
/// decimals beyond a double's, and how numbers are written in texts.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) => {
            one == other || near(one, other).unwrap_or_else(|| plain(one) == plain(other))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| member(other, name).is_some_and(|other| alike(one, other)))
        }
        _ => one == other,
    }
}

/// The member with a name, or with one that differs from it as texts may.
fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).or_else(|| members.iter().find(|(other, _)| plain(other) == plain(name)).map(|(_, value)| value))
}

/// Whether two numbers, one of which is a decimal, are nearly the same double; `None` for anything else.
fn near(one: &str, other: &str) -> Option<bool> {
    let (one, other) = (one.strip_prefix("number ")?, other.strip_prefix("number ")?);
    let double = |digits: &str| digits.parse::<f64>().ok().map(|double| format!("{double:.13e}"));
    Some((one.contains("e-") || other.contains("e-")) && double(one)? == double(other)?)
}

/// A text with the numbers in it in one form.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let mut end = 0;
        for (at, letter) in number.char_indices() {
            let next = number[at + 1..].chars().next();
            let digits = next.is_some_and(|next| next.is_ascii_digit());
            match letter {
                '0'..='9' => end = at + 1,
                '.' if digits => {}
                'e' | 'E' if digits || matches!(next, Some('+' | '-')) => {}
                '+' | '-' if digits && number[..at].ends_with(['e', 'E']) => {}
                _ => break,
            }
        }
        let (number, after) = number.split_at(end);
        out += before;
        out += &short(number);
        rest = after;
    }
    out + rest
}

/// A number in a text: a decimal to the digits that doubles agree on.
fn short(number: &str) -> String {
    let exact = decimal(number);
    let double = exact.contains("e-").then(|| exact.parse::<f64>().ok()).flatten();
    double.map_or(exact, |double| format!("{double:.12e}"))
}

#[test]
fn numbers_in_texts_have_one_form() {
    assert_eq!(plain("x 1.0, 1e2;2.50"), plain("x 1, 100;2.5"));
    assert_ne!(plain("1.05"), plain("1.5"));
    assert_eq!(plain("x 5.8823529411764705884e-19"), plain("x 0.000000000000000000588235294117647"));
    assert_eq!(plain("e 1.e"), "e 1e0.e");
    let keyed = |key: &str| Value::Object([(key.to_owned(), Value::Null)].into_iter().collect());
    assert!(alike(&keyed("\"number 27027027027027027026e-20\""), &keyed("\"number 2702702702702703e-16\"")));
    assert!(!alike(&keyed("\"number 27e-2\""), &keyed("\"number 28e-2\"")));
    assert!(alike(&"number 17000000000000000005e-1".into(), &"number 17e17".into()));
    assert!(!alike(&"number 17e17".into(), &"number 16e17".into()));
}
