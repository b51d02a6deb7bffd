//! JSON-like values, as questions and answers carry them. Knows no wire format and no policy language.

use std::{
    collections::{BTreeMap, btree_map},
    fmt,
};

/// How deep a question's values may nest: an object in an object is two deep.
pub const MAX_DEPTH: usize = 64;

/// An attribute's value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// JSON `null`.
    #[default]
    Null,
    /// JSON `true` or `false`.
    Bool(bool),
    /// A JSON number.
    Number(Number),
    /// A JSON string.
    String(String),
    /// A JSON array.
    Array(Vec<Value>),
    /// A JSON object.
    Object(Object),
}

/// A number that loses no digit between a question and a policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// A signed integer.
    Int(i64),
    /// An unsigned integer beyond `i64`.
    UInt(u64),
    /// A finite double.
    Float(f64),
    /// A JSON number's text, where none of the above holds it exactly.
    Decimal(Box<str>),
}

/// An object: names and values, in ascending order of names, each name once.
///
/// A map and not a sorted list: callers choose the names and their order, and no order may cost the square of the size.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    members: BTreeMap<String, Value>,
}

impl Number {
    /// A double as the shortest of these that equals it; `None` for NaN and the infinities, which JSON lacks.
    #[must_use]
    pub fn from_f64(number: f64) -> Option<Self> {
        // 2^53: below it, each integral double is one integer.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !number.is_finite() {
            return None;
        }
        if number.fract() == 0.0 && number.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2^53, checked above")]
            return Some(Self::Int(number as i64));
        }
        Some(Self::Float(number))
    }

    /// The nearest double, for formats that have no other number.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "callers ask `is_exact_f64` first")]
            Self::Int(number) => *number as f64,
            #[expect(clippy::cast_precision_loss, reason = "callers ask `is_exact_f64` first")]
            Self::UInt(number) => *number as f64,
            Self::Float(number) => *number,
            Self::Decimal(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    /// Whether a double holds it without loss.
    #[must_use]
    pub fn is_exact_f64(&self) -> bool {
        const EXACT: u64 = 1 << 53;
        match self {
            Self::Int(number) => number.unsigned_abs() <= EXACT,
            Self::UInt(number) => *number <= EXACT,
            Self::Float(_) => true,
            Self::Decimal(_) => false,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(out),
            Self::UInt(number) => number.fmt(out),
            Self::Float(number) => number.fmt(out),
            Self::Decimal(text) => text.fmt(out),
        }
    }
}

impl Object {
    /// An empty object.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a member; of two values for one name the later stays.
    pub fn insert(&mut self, name: String, value: Value) {
        self.members.insert(name, value);
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Takes the member of that name out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name)
    }

    /// The members in ascending order of names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.members.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The same, to be changed in place.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value)> {
        self.members.iter_mut().map(|(name, value)| (name.as_str(), value))
    }

    /// The member of that name, to be changed in place.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.members.get_mut(name)
    }

    /// Whether it has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }
}

impl FromIterator<(String, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        Self { members: members.into_iter().collect() }
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = btree_map::IntoIter<String, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Object> for Value {
    fn from(members: Object) -> Self {
        Self::Object(members)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Number::Int(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_members_sorted_and_the_last_of_equal_names() {
        let object: Object = [("b", 1), ("a", 2), ("c", 3), ("a", 4)]
            .map(|(name, n)| (name.to_owned(), Value::from(n)))
            .into_iter()
            .collect();
        let names: Vec<&str> = object.iter().map(|member| member.0).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(object.get("a"), Some(&Value::from(4)));
    }

    #[test]
    fn reads_an_integral_double_as_an_integer_only_where_that_is_exact() {
        assert_eq!(Number::from_f64(3.0), Some(Number::Int(3)));
        assert_eq!(Number::from_f64(-0.5), Some(Number::Float(-0.5)));
        assert_eq!(Number::from_f64(1e300), Some(Number::Float(1e300)));
        assert_eq!(Number::from_f64(f64::NAN), None);
    }
}
