//! YAML to the value that OPA makes of it: YAML 1.1 in part, through JSON.
//!
//! `yaml_serde` has the grammar, but says of words and numbers what YAML 1.2 does. So a text is read twice: for its shape,
//! then for the texts of its scalars, which `scalar` resolves as OPA does. What the two readers take otherwise, tags
//! above all, `doubt` finds, if need be by a reading of the text with other letters in its place; it is refused, and
//! never read as something else.

mod doubt;
mod node;
mod scalar;

use std::collections::BTreeMap;

use yaml_serde::Deserializer as Reader;

use self::{
    node::{Node, Shape},
    scalar::Scalar,
};
use super::{Number, Object, Value, json};

/// Why a text has no value.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong, in words.
    pub cause: String,
    /// Line and column, counted from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// Whether OPA may have a value for it.
    pub may_have_value: bool,
}

impl Unreadable {
    fn invalid(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), place: None, may_have_value: false }
    }

    fn unsure(cause: impl Into<String>) -> Self {
        Self { may_have_value: true, ..Self::invalid(cause) }
    }

    /// What the reader of `text` says.
    fn of(error: &yaml_serde::Error, text: &str) -> Self {
        let cause = error.to_string();
        let may_have_value = cause.contains(UNSURE) || !doubt::is_broken(text, &cause);
        let place = error.location().map(|place| (place.line(), place.column()));
        Self { cause: cause.replace(UNSURE, ""), place, may_have_value }
    }
}

/// Marks an error that says nothing of OPA's.
const UNSURE: &str = "not told apart: ";

/// The value of the first document, as OPA reads it; what comes after it is not looked at.
///
/// # Errors
///
/// Where the text is no YAML, no JSON can be made of it, or it nests deeper than 127 levels.
pub fn parse(text: &str) -> Result<Value, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let has_alias = doubt::refuse(text)?;
    let shape = Shape::of(text)?;
    let node = shape.fill(text)?;
    if has_alias && node.repeats() {
        return Err(Unreadable::unsure("aliases stand for too much"));
    }
    doubt::refuse_unlike(text, &node, &shape)?;
    value(text, node)
}

/// The same where there must be no second document.
///
/// # Errors
///
/// As [`parse`], and where there is a second document.
pub fn parse_only(text: &str) -> Result<Value, Unreadable> {
    // What is broken is told of with its place.
    let value = parse(text)?;
    if Reader::from_str(text).nth(1).is_some() {
        return Err(Unreadable::unsure("more than one document"));
    }
    Ok(value)
}

/// The JSON of a node, as a value.
fn value(text: &str, node: Node) -> Result<Value, Unreadable> {
    Ok(match node {
        Node::Nothing => Value::Null,
        Node::Scalar(raw) => match scalar::read(text, &raw, false)? {
            Scalar::Null => Value::Null,
            Scalar::Bool(truth) => Value::Bool(truth),
            Scalar::Int(number) => Value::Number(Number::Int(number)),
            Scalar::UInt(number) => Value::Number(Number::UInt(number)),
            Scalar::Float(number) => Value::Number(float(number)?),
            Scalar::Text(text) => Value::String(text),
            Scalar::Merge { .. } => return Err(Unreadable::unsure("`<<` that is no key")),
        },
        Node::Sequence(items) => {
            Value::Array(items.into_iter().map(|item| value(text, item)).collect::<Result<_, _>>()?)
        }
        Node::Mapping(members) => {
            let mut all = Vec::new();
            gather(text, members, &mut all)?;
            object(text, all)?
        }
    })
}

/// The members of a mapping and of what is merged into it, in the order in which OPA sets them.
fn gather<'de>(
    text: &str,
    members: Vec<(Node<'de>, Node<'de>)>,
    all: &mut Vec<(Scalar, Node<'de>)>,
) -> Result<(), Unreadable> {
    let not_mergeable = || Unreadable::invalid("map merge requires map or sequence of maps as the value");
    for (key, item) in members {
        let key = match key {
            Node::Scalar(raw) => scalar::read(text, &raw, true)?,
            Node::Mapping(members) if members.is_empty() => {
                return Err(Unreadable::unsure("an empty mapping as a key"));
            }
            Node::Sequence(items) if items.is_empty() => {
                return Err(Unreadable::unsure("an empty sequence as a key"));
            }
            _ => return Err(Unreadable::invalid("a key of a mapping is no scalar")),
        };
        match (key, item) {
            (Scalar::Merge { .. }, Node::Mapping(members)) => gather(text, members, all)?,
            (Scalar::Merge { list: true }, Node::Sequence(items)) => {
                // Those that come first count more.
                for item in items.into_iter().rev() {
                    let Node::Mapping(members) = item else { return Err(not_mergeable()) };
                    gather(text, members, all)?;
                }
            }
            // OPA takes no alias to a list.
            (Scalar::Merge { .. }, Node::Sequence(_)) => {
                return Err(Unreadable::unsure("`<<` and a list that is not in brackets"));
            }
            (Scalar::Merge { .. }, _) => return Err(not_mergeable()),
            (key, item) => all.push((key, item)),
        }
    }
    Ok(())
}

/// Of equal keys the last counts; keys that are not equal and become equal names have no order in OPA.
fn object(text: &str, members: Vec<(Scalar, Node)>) -> Result<Value, Unreadable> {
    let (mut object, mut keys) = (Object::new(), BTreeMap::new());
    let (mut is_twice, mut fault) = (false, None);
    for (key, item) in members {
        let name = key.name().ok_or_else(|| Unreadable::invalid("a key that can't be a name in JSON"))?;
        match keys.get(&name) {
            Some(known) if *known != key => {
                return Err(Unreadable::unsure(format!("two keys become the name `{name}`")));
            }
            known => is_twice |= known.is_some(),
        }
        match value(text, item) {
            Ok(item) => object.insert(name.clone(), item),
            Err(unreadable) if fault.is_none() => fault = Some(unreadable),
            Err(_) => {}
        }
        keys.insert(name, key);
    }
    if keys.contains_key("0") && keys.contains_key("-0") {
        return Err(Unreadable::unsure("two keys that are zeros"));
    }
    match fault {
        // What a later member replaces need not be JSON.
        Some(fault) if is_twice => Err(Unreadable { may_have_value: true, ..fault }),
        Some(fault) => Err(fault),
        None => Ok(Value::Object(object)),
    }
}

fn float(number: f64) -> Result<Number, Unreadable> {
    if number == 0.0 && number.is_sign_negative() {
        return Ok(Number::Float(number));
    }
    if !number.is_finite() {
        return Err(Unreadable::invalid("a number that JSON lacks"));
    }
    json::number(&format!("{number:e}")).map_err(Unreadable::unsure)
}

#[cfg(test)]
mod tests;
