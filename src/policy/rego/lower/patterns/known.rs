//! What a pattern's text tells of it.

use std::collections::BTreeSet;

use super::super::super::{
    ast::{Span, Term, TermKind},
    visit::{self, Node},
};

/// Without its parentheses.
pub(super) fn bare(term: &Term) -> &Term {
    match &term.kind {
        TermKind::Parenthesised(inner) => bare(inner),
        _ => term,
    }
}

/// Whether a term is `_`.
pub(super) fn is_wildcard(term: &Term) -> bool {
    matches!(&term.kind, TermKind::Var(name) if name == "_")
}

/// What is held against what, inside of arrays, and of objects with the same keys.
pub(in super::super) fn leaves_of<'t>(left: &'t Term, right: &'t Term, into: &mut Vec<(&'t Term, &'t Term)>) {
    let (left, right) = (bare(left), bare(right));
    match (&left.kind, &right.kind) {
        (TermKind::Array(ours), TermKind::Array(theirs)) if ours.len() == theirs.len() => {
            ours.iter().zip(theirs).for_each(|(left, right)| leaves_of(left, right, into));
        }
        (TermKind::Object(ours), TermKind::Object(theirs)) => match same_keys(ours, theirs) {
            Some(pairs) => pairs.into_iter().for_each(|(left, right)| leaves_of(left, right, into)),
            None => into.push((left, right)),
        },
        _ => into.push((left, right)),
    }
}

/// Whether an object is in a pattern.
pub(super) fn has_object(pattern: &Term) -> bool {
    match &pattern.kind {
        TermKind::Object(_) => true,
        TermKind::Array(items) => items.iter().any(has_object),
        TermKind::Parenthesised(inner) => has_object(inner),
        _ => false,
    }
}

/// Whether two keys of an object may turn out to be the same.
pub(super) fn may_repeat(members: &[(Term, Term)]) -> bool {
    members.len() > 1 && members.iter().any(|(key, _)| scalar(key).is_none())
}

/// Where a key in a pattern has one of these variables.
pub(super) fn key_of(pattern: &Term, variables: &[&str]) -> Option<Span> {
    match &pattern.kind {
        TermKind::Parenthesised(inner) => key_of(inner, variables),
        TermKind::Array(items) => items.iter().find_map(|item| key_of(item, variables)),
        TermKind::Object(members) => members.iter().find_map(|(key, value)| {
            let mut found = false;
            visit::term(key, &mut |node, _| {
                found |= matches!(node, Node::Name(name, _) if variables.contains(&name));
            });
            if found { Some(key.span) } else { key_of(value, variables) }
        }),
        _ => None,
    }
}

/// What a constant is, with its kind.
pub(super) fn scalar(term: &Term) -> Option<(u8, &str)> {
    match &term.kind {
        TermKind::Null => Some((0, "")),
        TermKind::Bool(value) => Some((1, if *value { "true" } else { "false" })),
        TermKind::Number(text) => Some((2, text)),
        TermKind::String { value, .. } => Some((3, value)),
        TermKind::Parenthesised(inner) => scalar(inner),
        _ => None,
    }
}

/// What a key is, where two can be told to be the same: a constant, or a variable.
pub(super) fn known_key(term: &Term) -> Option<(u8, &str)> {
    match &term.kind {
        TermKind::Var(name) if name != "_" => Some((4, name)),
        TermKind::Parenthesised(inner) => known_key(inner),
        _ => scalar(term),
    }
}

/// The values of two objects with the same keys, each there once, by their keys. Where there are several, none is a
/// variable: it may be another of them.
pub(super) fn same_keys<'t>(ours: &'t [(Term, Term)], theirs: &'t [(Term, Term)]) -> Option<Vec<(&'t Term, &'t Term)>> {
    let keys = |members: &'t [(Term, Term)]| {
        let keys: Option<BTreeSet<(u8, &str)>> = members.iter().map(|(key, _)| known_key(key)).collect();
        keys.filter(|keys| keys.len() == members.len() && !may_repeat(members))
    };
    if keys(ours)? != keys(theirs)? {
        return None;
    }
    let other =
        |key: &Term| theirs.iter().find(|(their, _)| known_key(their) == known_key(key)).map(|(_, value)| value);
    ours.iter().map(|(key, value)| Some((value, other(key)?))).collect()
}
