//! A part of a reference to base data, looked up as OPA does (`policy/rego/lower/elements.rs`).

use std::collections::BTreeMap;

use regorus::{Rc, Value as Rego};

use super::{super::Failure, pair};
use crate::policy::{paths::arrays, rego::lower::names};

/// What a value has for a key: an array an element also for a text with its number, an object a member also for a number
/// whose digits are its name.
pub(super) fn element(operands: &[Rego]) -> Result<Rego, Failure> {
    let (of, key) = pair(operands)?;
    Ok(looked_up(of, key, || true))
}

/// The same where `of` may be no base data: then it is one that a path leads to in `data`, or only what it has for that key.
pub(in super::super) fn of_base(data: &Rego, operands: &[Rego]) -> Result<Rego, Failure> {
    let [of, key, Rego::Array(path)] = operands else { return Err(Failure::Halt("takes a path".to_owned())) };
    let is_base = || {
        let path: Vec<Option<String>> =
            path.iter().map(|name| name.as_string().ok().map(ToString::to_string)).collect();
        arrays::leads(data, &path, &|value| is_same(value, of))
    };
    Ok(looked_up(of, key, is_base))
}

/// Without data nothing is base data.
pub(super) fn without_data(operands: &[Rego]) -> Result<Rego, Failure> {
    of_base(&Rego::Undefined, operands)
}

fn looked_up(of: &Rego, key: &Rego, is_base: impl FnOnce() -> bool) -> Rego {
    let found = match (of, key) {
        (Rego::Array(items), Rego::String(text)) => {
            names::number_of(text).and_then(|number| items.get(number)).filter(|_| is_base())
        }
        (Rego::Object(members), Rego::Number(_)) => {
            members.get(key).or_else(|| members.get(&Rego::from(key.to_string())).filter(|_| is_base()))
        }
        _ => None,
    };
    found.map_or_else(|| of[key].clone(), Clone::clone)
}

/// The same value, with arrays and objects of its own.
pub(super) fn copied(operands: &[Rego]) -> Result<Rego, Failure> {
    let [value] = operands else { return Err(Failure::Halt("takes one operand".to_owned())) };
    Ok(copy(value))
}

fn copy(value: &Rego) -> Rego {
    match value {
        Rego::Array(items) => Rego::from(items.iter().map(copy).collect::<Vec<Rego>>()),
        Rego::Object(members) => {
            let members = members.iter().map(|(key, value)| (key.clone(), copy(value)));
            Rego::from(members.collect::<BTreeMap<Rego, Rego>>())
        }
        _ => value.clone(),
    }
}

/// Whether two arrays or objects are the same memory: another one was made by a rule or a `with`.
fn is_same(one: &Rego, other: &Rego) -> bool {
    match (one, other) {
        (Rego::Array(one), Rego::Array(other)) => Rc::ptr_eq(one, other),
        (Rego::Object(one), Rego::Object(other)) => Rc::ptr_eq(one, other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Rego {
        Rego::from_json_str(text).unwrap()
    }

    #[test]
    fn a_text_is_a_number_of_an_array() {
        let items = json("[\"a\", \"b\"]");
        let of = |key: &str| element(&[items.clone(), json(key)]).unwrap();
        // OPA's answers.
        for key in ["\"1\"", "\"01\"", "\"+1\"", "\"1.0\"", "\"1.\"", "1", "\"0000000000000000001\""] {
            assert_eq!(of(key), Rego::from("b"), "{key}");
        }
        for key in ["\"0\"", "\"-0\"", "\"+0\"", "\".\"", "\"-.0\"", "0"] {
            assert_eq!(of(key), Rego::from("a"), "{key}");
        }
        for key in [
            "\"\"",
            "\"-1\"",
            "\"2\"",
            "\"1 \"",
            "\" 1\"",
            "\"1e0\"",
            "\"0x1\"",
            "\"1_0\"",
            "\"1.5\"",
            "\"1.0.0\"",
            "\"+\"",
            "\"-\"",
            "\"٠\"",
            "\"１\"",
            "\"99999999999999999999\"",
            "\"9223372036854775808\"",
            "\"00000000000000000001\"",
            "-1",
            "2",
            "1.5",
            "null",
            "true",
            "[\"1\"]",
        ] {
            assert_eq!(of(key), Rego::Undefined, "{key}");
        }
    }

    #[test]
    fn a_number_is_a_name_of_an_object() {
        let members = json("{\"1\": \"a\", \"1.5\": \"b\", \"x\": \"c\"}");
        for (key, expected) in [("1", "a"), ("\"1\"", "a"), ("1.5", "b"), ("\"x\"", "c")] {
            assert_eq!(element(&[members.clone(), json(key)]), Ok(Rego::from(expected)));
        }
        assert_eq!(element(&[members, json("\"01\"")]), Ok(Rego::Undefined));
        assert_eq!(element(&[json("\"text\""), json("0")]), Ok(Rego::Undefined));
    }

    #[test]
    fn only_base_data_is_asked_by_texts() {
        let data = json("{\"a\": {\"x\": [\"b\"]}, \"c\": [\"b\"]}");
        let (base, key, path) = (data["a"]["x"].clone(), json("\"0\""), json("[\"a\", null]"));
        assert_eq!(of_base(&data, &[base.clone(), key.clone(), path.clone()]), Ok(Rego::from("b")));
        assert_eq!(of_base(&data, &[base, json("0"), json("[\"c\"]")]), Ok(Rego::from("b")));
        for other in [data["c"].clone(), json("[\"b\"]")] {
            assert_eq!(of_base(&data, &[other.clone(), key.clone(), path.clone()]), Ok(Rego::Undefined));
            assert_eq!(of_base(&data, &[other, json("0"), path.clone()]), Ok(Rego::from("b")));
        }
    }
}
