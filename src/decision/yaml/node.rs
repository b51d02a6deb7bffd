//! What a text has in it, as `yaml_serde` reads it: its shape, then the texts of its scalars.

use std::{borrow::Cow, cell::Cell, collections::BTreeSet, fmt};

use serde::{
    Deserialize as _,
    de::{DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use yaml_serde::Deserializer as Reader;

use super::{UNSURE, Unreadable};

/// How many more values than bytes a text may have, which only aliases can make.
const ALIASED: usize = 100_000;

/// So many values may be as they like.
const FEW: usize = 1_000;

/// More values than these have no aliases among them.
const MANY: usize = 300_000;

/// The most values for one that has a place of its own.
const ALIASES_EACH: usize = 99;

/// A node with its scalars as texts.
#[derive(Debug)]
pub(super) enum Node<'de> {
    /// There is nothing.
    Nothing,
    Scalar(Raw<'de>),
    Sequence(Vec<Node<'de>>),
    Mapping(Vec<(Node<'de>, Node<'de>)>),
}

/// A scalar without a type.
#[derive(Debug)]
pub(super) struct Raw<'de> {
    pub(super) text: Cow<'de, str>,
    /// Where it is, if it is there as it is: without escapes, and on one line.
    pub(super) start: Option<usize>,
    /// Whether it is a text by its quotes, or by what YAML 1.2 says.
    pub(super) is_text: bool,
}

impl Node<'_> {
    /// Whether aliases may stand for too much: OPA takes 99 values of theirs for one of the text's, of many values fewer.
    pub(super) fn repeats(&self) -> bool {
        Repeated::default().is_too_much(self)
    }

    /// Whether the other has the same texts in the same places, but for what `change` changes.
    pub(super) fn is_like(&self, other: &Node<'_>, change: fn(&str) -> String) -> bool {
        match (self, other) {
            (Node::Nothing, Node::Nothing) => true,
            (Node::Scalar(one), Node::Scalar(other)) => change(&one.text) == change(&other.text),
            (Node::Sequence(one), Node::Sequence(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.is_like(other, change))
            }
            (Node::Mapping(one), Node::Mapping(other)) => {
                let alike = |(one, other): (&(Node, Node), &(Node, Node))| {
                    one.0.is_like(&other.0, change) && one.1.is_like(&other.1, change)
                };
                one.len() == other.len() && one.iter().zip(other).all(alike)
            }
            _ => false,
        }
    }
}

/// How many values there are, and how many of them have a place of their own, at least.
#[derive(Default)]
struct Repeated {
    values: usize,
    starts: BTreeSet<usize>,
    collections: usize,
}

impl Repeated {
    fn is_too_much(&mut self, node: &Node<'_>) -> bool {
        self.values += 1;
        let before = self.starts.len();
        let is_below = match node {
            Node::Nothing => false,
            Node::Scalar(raw) => {
                self.starts.extend(raw.start);
                false
            }
            Node::Sequence(items) => items.iter().any(|item| self.is_too_much(item)),
            Node::Mapping(members) => members.iter().any(|(key, item)| self.is_too_much(key) || self.is_too_much(item)),
        };
        if !matches!(node, Node::Scalar(_)) && self.starts.len() > before {
            self.collections += 1;
        }
        let own = self.starts.len() + self.collections;
        is_below || self.values > MANY || (self.values > FEW && self.values / ALIASES_EACH > own)
    }
}

/// What a text has in it, but for its scalars.
pub(super) enum Shape {
    Nothing,
    /// Whether it is a text by its quotes, or by what YAML 1.2 says.
    Scalar(bool),
    Sequence(Vec<Shape>),
    Mapping(Vec<(Shape, Shape)>),
}

impl Shape {
    /// The shape of the first document, which has no tags.
    pub(super) fn of(text: &str) -> Result<Self, Unreadable> {
        let mut documents = Reader::from_str(text);
        let Some(document) = documents.next() else { return Ok(Self::Nothing) };
        let left = Cell::new(text.len().saturating_add(ALIASED));
        let shape = ShapeVisitor { left: &left }.deserialize(document).map_err(|error| Unreadable::of(&error, text))?;
        // OPA's reader, too, looks at what comes next, and may find that it can't begin anything.
        match documents.next().map(IgnoredAny::deserialize) {
            Some(Err(error)) if error.to_string().contains("<document start>") => {
                Err(Unreadable::unsure("what stands behind the document does not belong to it"))
            }
            _ => Ok(shape),
        }
    }

    /// The first document, which must have this shape.
    pub(super) fn fill<'de>(&self, text: &'de str) -> Result<Node<'de>, Unreadable> {
        let Some(document) = Reader::from_str(text).next() else { return Ok(Node::Nothing) };
        Filled { text, shape: self }.deserialize(document).map_err(|error| Unreadable::of(&error, text))
    }
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

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Shape, A::Error> {
        Err(A::Error::custom(format!("{UNSURE}a tag; write it without")))
    }
}

/// Reads a node of that shape.
#[derive(Clone, Copy)]
struct Filled<'a, 'de> {
    text: &'de str,
    shape: &'a Shape,
}

impl<'de> Filled<'_, 'de> {
    fn scalar(self, text: Cow<'de, str>, start: Option<usize>) -> Node<'de> {
        Node::Scalar(Raw { text, start, is_text: matches!(self.shape, Shape::Scalar(true)) })
    }
}

impl<'de> DeserializeSeed<'de> for Filled<'_, 'de> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        match self.shape {
            Shape::Nothing => Ok(Node::Nothing),
            Shape::Scalar(_) => deserializer.deserialize_str(self),
            Shape::Sequence(_) => deserializer.deserialize_seq(self),
            Shape::Mapping(_) => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Filled<'_, 'de> {
    type Value = Node<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_borrowed_str<E: Error>(self, found: &'de str) -> Result<Node<'de>, E> {
        let start = found.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        Ok(self.scalar(Cow::Borrowed(found), Some(start)))
    }

    fn visit_str<E: Error>(self, found: &str) -> Result<Node<'de>, E> {
        Ok(self.scalar(Cow::Owned(found.to_owned()), None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
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

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node<'de>, A::Error> {
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
