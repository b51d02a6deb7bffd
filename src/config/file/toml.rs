//! TOML text to a [`Node`].

use toml::de::{DeInteger, DeTable, DeValue};

use super::{Invalid, Node};
use crate::config::shape::Raw;

/// Reads the text, or says everything that is wrong with its syntax; a key that is there twice is that, too.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Invalid>> {
    let (table, mut errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(node(DeValue::Table(table.into_inner())));
    }
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    Err(errors
        .into_iter()
        .map(|error| Invalid {
            at: error.span().map(|span| position(text, span.start)),
            problem: error.message().replace('\n', ", "),
        })
        .collect())
}

fn node(value: DeValue<'_>) -> Node {
    let raw = match value {
        DeValue::Table(entries) => {
            // The table is sorted by name; faults are told in the order of the file.
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_by_key(|(name, _)| name.span().start);
            return Node::Table(
                entries
                    .into_iter()
                    .map(|(name, value)| (name.into_inner().into_owned(), node(value.into_inner())))
                    .collect(),
            );
        }
        DeValue::String(text) => Raw::Text(text.into_owned()),
        DeValue::Integer(number) => integer(&number),
        DeValue::Float(_) => Raw::Other("a number with a fraction"),
        DeValue::Boolean(value) => Raw::Switch(value),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Array(items) => {
            let text = |item: toml::Spanned<DeValue<'_>>| match item.into_inner() {
                DeValue::String(text) => Some(text.into_owned()),
                _ => None,
            };
            items.into_iter().map(text).collect::<Option<_>>().map_or(Raw::Other("a list"), Raw::List)
        }
    };
    Node::Value(raw)
}

fn integer(number: &DeInteger<'_>) -> Raw {
    i128::from_str_radix(number.as_str(), number.radix()).map_or(Raw::Other("a number out of all range"), Raw::Integer)
}

/// The line and column of a byte, from 1, columns in characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
