//! YAML to the value that OPA makes of it: YAML 1.1 in part, through JSON.
//!
//! `yaml_serde` has the grammar, but says of words and numbers what YAML 1.2 does. So a text is read twice: for its shape,
//! then for the texts of its scalars, which `scalar` resolves as OPA does. Whether a scalar has quotes or a tag is
//! seen in the text around it. What can't be told is refused, and never read as something else.

mod doubt;
mod scalar;

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use yaml_serde::Deserializer as Reader;

use self::{doubt::Facts, scalar::Scalar};
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

    fn of(error: &yaml_serde::Error) -> Self {
        let cause = error.to_string();
        let may_have_value = ["limit exceeded", "invalid value", UNSURE].iter().any(|one| cause.contains(one));
        let place = error.location().map(|place| (place.line(), place.column()));
        Self { cause: cause.replace(UNSURE, ""), place, may_have_value }
    }
}

/// How many more values than bytes a text may have, which only aliases can make.
const ALIASED: usize = 100_000;

/// Marks an error that says nothing of OPA's.
const UNSURE: &str = "not told apart: ";

/// The value of the first document, as OPA reads it; what comes after it is not looked at.
///
/// # Errors
///
/// Where the text is no YAML, no JSON can be made of it, or it nests deeper than 127 levels.
pub fn parse(text: &str) -> Result<Value, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let facts = doubt::facts(text)?;
    let Some(document) = Reader::from_str(text).next() else { return Ok(Value::Null) };
    let left = Cell::new(text.len().saturating_add(ALIASED));
    let shape = ShapeVisitor { left: &left }.deserialize(document).map_err(|error| Unreadable::of(&error))?;
    let Some(document) = Reader::from_str(text).next() else { return Ok(Value::Null) };
    let node = Filled { text, facts, shape: &shape }.deserialize(document).map_err(|error| Unreadable::of(&error))?;
    value(node)
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

/// What a text has in it, but for its scalars.
enum Shape {
    /// There is nothing.
    Nothing,
    /// Whether it is a text by its tag or its quotes, or by what YAML 1.2 says.
    Scalar(bool),
    Sequence(Vec<Shape>),
    Mapping(Vec<(Shape, Shape)>),
}

/// Reads the shape of as many values as are left.
#[derive(Clone, Copy)]
struct ShapeVisitor<'a> {
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for ShapeVisitor<'_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| D::Error::custom(format!("{UNSURE}aliases stand for too much")))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ShapeVisitor<'_> {
    type Value = Shape;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_none<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(false))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar(false))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar(false))
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Shape, E> {
        Ok(Shape::Scalar(false))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar(false))
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Shape, E> {
        Ok(Shape::Scalar(false))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar(false))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar(true))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            all.push(item);
        }
        Ok(Shape::Sequence(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Shape, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry_seed(self, self)? {
            all.push(member);
        }
        Ok(Shape::Mapping(all))
    }

    /// A tag of the author's own says nothing to OPA.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Shape, A::Error> {
        tagged.variant::<String>()?.1.newtype_variant_seed(self)
    }
}

/// A value with the types that YAML has.
enum Node {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

/// Reads a node of that shape.
#[derive(Clone, Copy)]
struct Filled<'a, 'de> {
    text: &'de str,
    facts: Facts,
    shape: &'a Shape,
}

impl<'de> DeserializeSeed<'de> for Filled<'_, 'de> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self.shape {
            Shape::Nothing => Ok(Node::Scalar(Scalar::Null)),
            Shape::Scalar(_) => deserializer.deserialize_str(self),
            Shape::Sequence(_) => deserializer.deserialize_seq(self),
            Shape::Mapping(_) => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Filled<'_, 'de> {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    /// It stands in the text as it is.
    fn visit_borrowed_str<E: Error>(self, found: &'de str) -> Result<Node, E> {
        let start = found.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        let read = scalar::read(self.text, self.facts, start, found.len());
        read.map(Node::Scalar).map_err(|fault| E::custom(marked(fault)))
    }

    /// It is written otherwise: with escapes, or over several lines.
    fn visit_str<E: Error>(self, found: &str) -> Result<Node, E> {
        let read = scalar::written_otherwise(self.facts, found, matches!(self.shape, Shape::Scalar(true)));
        read.map(Node::Scalar).map_err(|fault| E::custom(marked(fault)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let Shape::Sequence(shapes) = self.shape else { return Err(A::Error::custom("a sequence of another shape")) };
        let mut all = Vec::with_capacity(shapes.len());
        for shape in shapes {
            let item = items.next_element_seed(Filled { shape, ..self })?;
            all.push(item.ok_or_else(|| A::Error::custom("a sequence of another length"))?);
        }
        // The end is read, too.
        match items.next_element_seed(Filled { shape: &Shape::Nothing, ..self })? {
            None => Ok(Node::Sequence(all)),
            Some(_) => Err(A::Error::custom("a sequence of another length")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let Shape::Mapping(shapes) = self.shape else { return Err(A::Error::custom("a mapping of another shape")) };
        let mut all = Vec::with_capacity(shapes.len());
        for (key, item) in shapes {
            let member = members.next_entry_seed(Filled { shape: key, ..self }, Filled { shape: item, ..self })?;
            all.push(member.ok_or_else(|| A::Error::custom("a mapping of another length"))?);
        }
        match members.next_key_seed(Filled { shape: &Shape::Nothing, ..self })? {
            None => Ok(Node::Mapping(all)),
            Some(_) => Err(A::Error::custom("a mapping of another length")),
        }
    }
}

fn marked(fault: Unreadable) -> String {
    if fault.may_have_value { format!("{UNSURE}{}", fault.cause) } else { fault.cause }
}

/// The JSON of a node, as a value.
fn value(node: Node) -> Result<Value, Unreadable> {
    Ok(match node {
        Node::Scalar(Scalar::Null) => Value::Null,
        Node::Scalar(Scalar::Bool(truth)) => Value::Bool(truth),
        Node::Scalar(Scalar::Int(number)) => Value::Number(Number::Int(number)),
        Node::Scalar(Scalar::UInt(number)) => Value::Number(Number::UInt(number)),
        Node::Scalar(Scalar::Float(number)) => Value::Number(float(number)?),
        Node::Scalar(Scalar::Text(text)) => Value::String(text),
        Node::Scalar(Scalar::Merge) => Value::String("<<".to_owned()),
        Node::Sequence(items) => Value::Array(items.into_iter().map(value).collect::<Result<_, _>>()?),
        Node::Mapping(members) => {
            let mut all = Vec::new();
            gather(members, &mut all)?;
            object(all)?
        }
    })
}

/// The members of a mapping and of what is merged into it, in the order in which OPA sets them.
fn gather(members: Vec<(Node, Node)>, all: &mut Vec<(Scalar, Node)>) -> Result<(), Unreadable> {
    let not_mergeable = || Unreadable::invalid("map merge requires map or sequence of maps as the value");
    for (key, item) in members {
        match (key, item) {
            (Node::Scalar(Scalar::Merge), Node::Mapping(members)) => gather(members, all)?,
            (Node::Scalar(Scalar::Merge), Node::Sequence(items)) => {
                // Those that come first count more.
                for item in items.into_iter().rev() {
                    let Node::Mapping(members) = item else { return Err(not_mergeable()) };
                    gather(members, all)?;
                }
            }
            (Node::Scalar(Scalar::Merge), Node::Scalar(_)) => return Err(not_mergeable()),
            (Node::Scalar(key), item) => all.push((key, item)),
            (Node::Mapping(members), _) if members.is_empty() => {
                return Err(Unreadable::unsure("an empty mapping as a key"));
            }
            _ => return Err(Unreadable::invalid("a key of a mapping is no scalar")),
        }
    }
    Ok(())
}

/// Of equal keys the last counts; keys that are not equal and become equal names have no order in OPA.
fn object(members: Vec<(Scalar, Node)>) -> Result<Value, Unreadable> {
    let (mut object, mut keys) = (Object::new(), std::collections::BTreeMap::new());
    for (key, item) in members {
        let name = key.name().ok_or_else(|| Unreadable::invalid("a key that can't be a name in JSON"))?;
        let item = value(item)?;
        if keys.get(&name).is_some_and(|known| *known != key) {
            return Err(Unreadable::unsure(format!("two keys become the name `{name}`")));
        }
        keys.insert(name.clone(), key);
        object.insert(name, item);
    }
    Ok(Value::Object(object))
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
