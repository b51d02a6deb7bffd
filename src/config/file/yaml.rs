//! YAML text to a [`Node`]. Keys that are there twice are kept, so that they are reported with every other fault.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor},
};

use super::{Invalid, Node};
use crate::config::shape::Raw;

/// Reads the text, one document, or says where its syntax fails.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Invalid>> {
    yaml_serde::from_str(text).map_err(|error| {
        let at = error.location().map(|location| (location.line(), location.column()));
        let mut problem = error.to_string();
        if let Some((line, column)) = at {
            problem = problem.replacen(&format!(" at line {line} column {column}"), "", 1);
        }
        vec![Invalid { at, problem }]
    })
}

struct Tree;

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

impl<'de> Visitor<'de> for Tree {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("settings")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Value(Raw::Empty))
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Value(Raw::Empty))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Value(Raw::Switch(value)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Value(Raw::Integer(value.into())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Value(Raw::Integer(value.into())))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Value(Raw::Integer(value)))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Value(i128::try_from(value).map_or(Raw::Other("a number out of all range"), Raw::Integer)))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Value(Raw::Other("a number with a fraction")))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Value(Raw::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut texts = Some(Vec::new());
        while let Some(item) = items.next_element::<Node>()? {
            texts = match (texts, item) {
                (Some(mut texts), Node::Value(Raw::Text(text))) => {
                    texts.push(text);
                    Some(texts)
                }
                _ => None,
            };
        }
        Ok(Node::Value(texts.map_or(Raw::Other("a list"), Raw::List)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry::<Node, Node>()? {
            entries.push((name(entry.0), entry.1));
        }
        Ok(Node::Table(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (IgnoredAny, contents) = tagged.variant()?;
        contents.newtype_variant::<IgnoredAny>()?;
        Ok(Node::Value(Raw::Other("a value with a tag")))
    }
}

/// A key as text; what is no text is no key of ours either, and is shown as it stands.
fn name(key: Node) -> String {
    match key {
        Node::Value(Raw::Text(text)) => text,
        Node::Value(Raw::Integer(number)) => number.to_string(),
        Node::Value(Raw::Switch(value)) => value.to_string(),
        Node::Value(raw) => raw.to_string(),
        Node::Table(_) => "a table".to_owned(),
    }
}
