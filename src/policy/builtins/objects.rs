//! `object.*`, `json.filter` and `json.remove`, and the graph built-ins.

use std::collections::{BTreeMap, BTreeSet};

use regorus::{Value as Rego, value::Object};

use super::{
    Failure, Function,
    operand::{Answer, any, array, array_of, items, mismatch, object, object_of, set_of, string},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "object.filter", arity: 2, call: |arguments| kept(arguments, true) },
    Function { name: "object.remove", arity: 2, call: |arguments| kept(arguments, false) },
    Function { name: "object.subset", arity: 2, call: subset },
    Function { name: "object.union_n", arity: 1, call: union_n },
    Function { name: "json.filter", arity: 2, call: json_filter },
    Function { name: "json.remove", arity: 2, call: json_remove },
    Function { name: "graph.reachable_paths", arity: 2, call: reachable_paths },
];

fn kept(arguments: &[Rego], listed: bool) -> Answer {
    let members = object(arguments, 0)?;
    let keys: BTreeSet<Rego> = match any(arguments, 1) {
        Rego::Object(keys) => keys.keys().cloned().collect(),
        Rego::Array(_) | Rego::Set(_) => items(arguments, 1)?.iter().cloned().collect(),
        _ => return mismatch(arguments, 1, "object, set, array"),
    };
    let members = members.iter().filter(|(key, _)| keys.contains(key) == listed);
    Ok(object_of(members.map(|(key, value)| (key.clone(), value.clone()))))
}

/// Whether the second is part of the first.
fn subset(arguments: &[Rego]) -> Answer {
    match (any(arguments, 0), any(arguments, 1)) {
        (outer @ Rego::Object(_), inner @ Rego::Object(_))
        | (outer @ Rego::Set(_), inner @ Rego::Set(_))
        | (outer @ Rego::Array(_), inner @ Rego::Array(_)) => Ok(Rego::from(has(outer, inner))),
        (Rego::Array(outer), Rego::Set(inner)) => {
            // As in OPA, an item that comes twice counts twice, and an empty array has nothing, not even the empty set.
            let mut missing = inner.len();
            let met = outer.iter().any(|item| {
                missing = missing.saturating_sub(usize::from(inner.contains(item)));
                missing == 0
            });
            Ok(Rego::from(met))
        }
        _ => Err(Failure::Type("both arguments object.subset must be of the same type or array and set".to_owned())),
    }
}

fn has(outer: &Rego, inner: &Rego) -> bool {
    match (outer, inner) {
        (Rego::Object(outer), Rego::Object(inner)) => {
            inner.iter().all(|(key, value)| outer.get(key).is_some_and(|member| member == value || has(member, value)))
        }
        (Rego::Set(outer), Rego::Set(inner)) => inner.is_subset(outer),
        (Rego::Array(outer), Rego::Array(inner)) => {
            let (outer, inner) = (outer.as_slice(), inner.as_slice());
            inner.is_empty() || outer.windows(inner.len()).any(|window| window == inner)
        }
        _ => false,
    }
}

fn union_n(arguments: &[Rego]) -> Answer {
    let mut union = Object::new();
    for item in array(arguments, 0)?.as_slice() {
        let Rego::Object(members) = item else { return mismatch(arguments, 0, "array of objects") };
        union = merged(&union, members);
    }
    Ok(union.into_value())
}

fn merged(one: &Object, other: &Object) -> Object {
    let mut union = one.clone();
    for (key, value) in other.iter() {
        let value = match (one.get(key), value) {
            (Some(Rego::Object(one)), Rego::Object(other)) => merged(one, other).into_value(),
            _ => value.clone(),
        };
        union.insert(key.clone(), value);
    }
    union
}

/// Paths, those with a common beginning together. Where one ends, what is longer counts no more.
enum Paths {
    End,
    On(BTreeMap<Rego, Paths>),
}

impl Paths {
    fn read(arguments: &[Rego], at: usize) -> Result<Self, Failure> {
        let mut root = BTreeMap::new();
        for path in items(arguments, at)?.iter() {
            let path = segments(path)?;
            let Some((last, first)) = path.split_last() else { continue };
            let mut node = Some(&mut root);
            for segment in first {
                node = node.and_then(|node| {
                    match node.entry(segment.clone()).or_insert_with(|| Self::On(BTreeMap::new())) {
                        Self::End => None,
                        Self::On(node) => Some(node),
                    }
                });
            }
            if let Some(node) = node {
                node.insert(last.clone(), Self::End);
            }
        }
        Ok(Self::On(root))
    }

    /// Where `key` leads; an array's items are named by text.
    fn at(&self, key: &Rego) -> Option<&Self> {
        match self {
            Self::End => None,
            Self::On(node) => node.get(key),
        }
    }

    fn filter(&self, value: &Rego) -> Rego {
        if matches!(self, Self::End) {
            return value.clone();
        }
        match value {
            Rego::Object(members) => {
                object_of(members.iter().filter_map(|(key, item)| Some((key.clone(), self.at(key)?.filter(item)))))
            }
            Rego::Array(items) => {
                array_of(items.iter().enumerate().filter_map(|(at, item)| Some(self.at(&index(at))?.filter(item))))
            }
            Rego::Set(items) => set_of(items.iter().filter_map(|item| Some(self.at(item)?.filter(item)))),
            scalar => scalar.clone(),
        }
    }

    fn remove(paths: Option<&Self>, value: &Rego) -> Option<Rego> {
        let paths = match paths {
            None => return Some(value.clone()),
            Some(Self::End) => return None,
            Some(paths) => paths,
        };
        Some(match value {
            Rego::Object(members) => object_of(
                members.iter().filter_map(|(key, item)| Some((key.clone(), Self::remove(paths.at(key), item)?))),
            ),
            Rego::Array(items) => {
                array_of(items.iter().enumerate().filter_map(|(at, item)| Self::remove(paths.at(&index(at)), item)))
            }
            Rego::Set(items) => set_of(items.iter().filter_map(|item| Self::remove(paths.at(item), item))),
            scalar => scalar.clone(),
        })
    }
}

fn index(at: usize) -> Rego {
    string(at.to_string())
}

/// A path: JSON pointer (RFC 6901 §3), with or without the first `/`, or an array.
fn segments(path: &Rego) -> Result<Vec<Rego>, Failure> {
    match path {
        Rego::String(text) if text.is_empty() => Ok(Vec::new()),
        Rego::String(text) => {
            let segments = text.trim_start_matches('/').split('/');
            Ok(segments.map(|segment| string(segment.replace("~1", "/").replace("~0", "~"))).collect())
        }
        Rego::Array(segments) => Ok(segments.iter().cloned().collect()),
        other => Err(Failure::Type(format!(
            "operand 2 must be one of {{set, array}} containing string paths or array of path segments but got {}",
            super::operand::type_name(other)
        ))),
    }
}

fn json_filter(arguments: &[Rego]) -> Answer {
    object(arguments, 0)?;
    Ok(Paths::read(arguments, 1)?.filter(any(arguments, 0)))
}

fn json_remove(arguments: &[Rego]) -> Answer {
    object(arguments, 0)?;
    Ok(Paths::remove(Some(&Paths::read(arguments, 1)?), any(arguments, 0)).unwrap_or(Rego::Undefined))
}

fn reachable_paths(arguments: &[Rego]) -> Answer {
    let (graph, starts) = (object(arguments, 0)?, items(arguments, 1)?);
    let mut found = BTreeSet::new();
    for start in starts.iter() {
        let Some(edges) = graph.get(start) else { continue };
        let path = vec![start.clone()];
        let edges = vertices(edges);
        if edges.is_empty() {
            found.insert(Rego::from(path));
            continue;
        }
        for next in edges {
            follow(graph, next, path.clone(), &mut found);
        }
    }
    Ok(Rego::from(found))
}

fn vertices(edges: &Rego) -> Vec<&Rego> {
    match edges {
        Rego::Array(items) => items.iter().collect(),
        Rego::Set(items) => items.iter().collect(),
        _ => Vec::new(),
    }
}

/// Adds every path that goes on from `path` to `node`. The bound on edges keeps both depth and number small.
fn follow(graph: &Object, node: &Rego, mut path: Vec<Rego>, found: &mut BTreeSet<Rego>) {
    let Some(edges) = graph.get(node) else {
        found.insert(Rego::from(path));
        return;
    };
    path.push(node.clone());
    let edges = vertices(edges);
    if edges.is_empty() {
        found.insert(Rego::from(path));
        return;
    }
    for next in edges {
        if path.contains(next) {
            found.insert(Rego::from(path.clone()));
        } else {
            follow(graph, next, path.clone(), found);
        }
    }
}
