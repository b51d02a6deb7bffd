//! Types of what is written, as far as they are certain, and of OPA's built-ins.

use std::{collections::HashMap, sync::OnceLock};

use serde_json::{Value, json};

use crate::policy::rego::ast::{Term, TermKind};

/// The built-ins of OPA 1.20.2 (`opa capabilities --current`), a line each: `name: argument, … -> result`.
const BUILT_INS: &str = include_str!("built_ins.txt");

/// A type; the value may be of any of its kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Any,
    Null,
    Boolean,
    Number,
    String,
    /// Members of one type, how many is not known.
    Array(Box<Type>),
    /// These members.
    Tuple(Vec<Type>),
    Object,
    Set(Box<Type>),
    /// A set that has members of these types.
    Members(Vec<Type>),
    OneOf(Vec<Type>),
}

/// What a built-in takes and gives.
pub(super) struct Signature {
    /// `None` for `print`, which takes any.
    pub(super) arguments: Option<Vec<Type>>,
    pub(super) result: Type,
}

/// A built-in of OPA.
pub(super) fn signature(name: &str) -> Option<&'static Signature> {
    table().get(name)
}

/// The names of OPA's built-ins.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BUILT_INS.lines().filter_map(|line| Some(line.split_once(": ")?.0))
}

fn table() -> &'static HashMap<&'static str, Signature> {
    static TABLE: OnceLock<HashMap<&'static str, Signature>> = OnceLock::new();
    TABLE.get_or_init(|| BUILT_INS.lines().filter_map(line).collect())
}

fn line(line: &'static str) -> Option<(&'static str, Signature)> {
    let (name, rest) = line.split_once(": ")?;
    let (arguments, result) = rest.split_once("-> ")?;
    let arguments = match arguments.trim() {
        "..." => None,
        "" => Some(Vec::new()),
        types => Some(types.split(", ").map(|text| Type::read(&mut text.trim().chars().peekable())).collect()),
    };
    Some((name, Signature { arguments, result: Type::read(&mut result.chars().peekable()) }))
}

impl Type {
    /// `string|[number]|{any}|(any object)`
    fn read(text: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Self {
        let mut kinds = Vec::new();
        loop {
            let kind = match text.peek() {
                Some('[') => Self::Array(Box::new(Self::inner(text, ']'))),
                Some('{') => Self::Set(Box::new(Self::inner(text, '}'))),
                Some('(') => {
                    let mut members = Vec::new();
                    // The parenthesis, and then the spaces.
                    while text.next().is_some_and(|before| before != ')') {
                        members.push(Self::read(text));
                    }
                    Self::Tuple(members)
                }
                _ => {
                    let mut word = String::new();
                    while let Some(letter) = text.next_if(char::is_ascii_alphabetic) {
                        word.push(letter);
                    }
                    match word.as_str() {
                        "null" => Self::Null,
                        "boolean" => Self::Boolean,
                        "number" => Self::Number,
                        "string" => Self::String,
                        "object" => Self::Object,
                        _ => Self::Any,
                    }
                }
            };
            kinds.push(kind);
            if text.next_if_eq(&'|').is_none() {
                break;
            }
        }
        if kinds.len() == 1 { kinds.pop().unwrap_or(Self::Any) } else { Self::OneOf(kinds) }
    }

    fn inner(text: &mut std::iter::Peekable<std::str::Chars<'_>>, end: char) -> Self {
        text.next();
        let inner = Self::read(text);
        text.next_if_eq(&end);
        inner
    }

    /// What is certain of a term; `built_in` says the name of the built-in that a call calls.
    pub(super) fn of(term: &Term, built_in: &dyn Fn(&Term) -> Option<String>) -> Self {
        let all = |terms: &[Term]| terms.iter().map(|term| Self::of(term, built_in)).collect();
        match &term.kind {
            TermKind::Null => Self::Null,
            TermKind::Bool(_) | TermKind::MemberWithKey { .. } => Self::Boolean,
            TermKind::Number(_) | TermKind::Minus(_) => Self::Number,
            TermKind::String { .. } | TermKind::Template { .. } => Self::String,
            TermKind::Array(items) if items.is_empty() => Self::Array(Box::new(Self::Any)),
            TermKind::Array(items) => Self::Tuple(all(items)),
            TermKind::Set(items) if items.is_empty() => Self::Set(Box::new(Self::Any)),
            TermKind::Set(items) => Self::Members(all(items)),
            TermKind::ArrayComprehension(..) => Self::Array(Box::new(Self::Any)),
            TermKind::SetComprehension(..) => Self::Set(Box::new(Self::Any)),
            TermKind::Object(_) | TermKind::ObjectComprehension(..) => Self::Object,
            TermKind::Parenthesised(inner) => Self::of(inner, built_in),
            TermKind::Call { .. } => {
                let signature = built_in(term).and_then(|name| signature(&name));
                signature.map_or(Self::Any, |signature| signature.result.clone())
            }
            TermKind::Infix { operator, .. } => {
                let signature = operator.builtin().and_then(signature);
                signature.map_or(Self::Any, |signature| signature.result.clone())
            }
            TermKind::Var(_) | TermKind::Ref(_) => Self::Any,
        }
    }

    /// Whether a value can be of both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) | (Self::Array(_), Self::Array(_)) => true,
            (Self::OneOf(kinds), one) | (one, Self::OneOf(kinds)) => kinds.iter().any(|kind| kind.meets(one)),
            (Self::Tuple(ours), Self::Tuple(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(one, other)| one.meets(other))
            }
            (Self::Tuple(members), Self::Array(each))
            | (Self::Array(each), Self::Tuple(members))
            | (Self::Members(members), Self::Set(each))
            | (Self::Set(each), Self::Members(members)) => members.iter().all(|member| member.meets(each)),
            // Both may be empty.
            (Self::Set(_) | Self::Members(_), Self::Set(_) | Self::Members(_)) => true,
            _ => self == other,
        }
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Boolean => "a boolean".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::String => "a string".to_owned(),
            Self::Array(each) => Self::plural("an array", each),
            Self::Tuple(_) => "an array".to_owned(),
            Self::Object => "an object".to_owned(),
            Self::Set(each) => Self::plural("a set", each),
            Self::Members(_) => "a set".to_owned(),
            Self::OneOf(kinds) => kinds.iter().map(Self::name).collect::<Vec<_>>().join(" or "),
        }
    }

    fn plural(whole: &str, each: &Self) -> String {
        match each {
            Self::String => format!("{whole} of strings"),
            Self::Number => format!("{whole} of numbers"),
            Self::Object => format!("{whole} of objects"),
            Self::Array(_) => format!("{whole} of arrays"),
            Self::Set(_) => format!("{whole} of sets"),
            _ => whole.to_owned(),
        }
    }

    /// As OPA's capabilities write it.
    fn json(&self) -> Value {
        let all = |types: &[Self]| types.iter().map(Self::json).collect::<Value>();
        match self {
            Self::Any => json!({"type": "any"}),
            Self::Null => json!({"type": "null"}),
            Self::Boolean => json!({"type": "boolean"}),
            Self::Number => json!({"type": "number"}),
            Self::String => json!({"type": "string"}),
            Self::Array(each) => json!({"type": "array", "dynamic": each.json()}),
            Self::Tuple(members) | Self::Members(members) => json!({"type": "array", "static": all(members)}),
            Self::Object => {
                json!({"type": "object", "dynamic": {"key": {"type": "any"}, "value": {"type": "any"}}})
            }
            Self::Set(each) => json!({"type": "set", "of": each.json()}),
            Self::OneOf(kinds) => json!({"type": "any", "of": all(kinds)}),
        }
    }
}

impl Signature {
    /// As OPA's capabilities write it.
    pub(super) fn json(&self) -> Value {
        match &self.arguments {
            Some(arguments) => {
                let arguments: Value = arguments.iter().map(Type::json).collect();
                json!({"type": "function", "args": arguments, "result": self.result.json()})
            }
            None => json!({"type": "function", "variadic": {"type": "any"}}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        assert_eq!(table().len(), BUILT_INS.lines().count());
        let concat = signature("concat").unwrap();
        let strings = |of: fn(Box<Type>) -> Type| of(Box::new(Type::String));
        let expected = vec![Type::String, Type::OneOf(vec![strings(Type::Array), strings(Type::Set)])];
        assert_eq!(concat.arguments, Some(expected));
        let diff = signature("net.cidr_contains_matches").unwrap();
        assert_eq!(diff.result, Type::Set(Box::new(Type::Tuple(vec![Type::Any, Type::Any]))));
        assert_eq!(signature("opa.runtime").unwrap().arguments, Some(Vec::new()));
        assert!(signature("print").unwrap().arguments.is_none());
    }
}
