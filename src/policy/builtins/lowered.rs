//! The functions that lowering puts in the place of syntax (`policy/rego/lower.rs`): operators, template strings, the
//! collections of `some … in`. No policy can call them by name.

mod elements;
mod merged;
mod shapes;

pub(super) use elements::of_base;
pub(super) use merged::merged_with_base;

use std::{cmp::Ordering, fmt::Write as _};

use regorus::Value as Rego;

use super::{Failure, Function, arithmetic::arithmetic};
use crate::policy::{
    order::{compare, sorted},
    rego::lower::{
        BASE_ELEMENT, BASE_MERGED, COLLECTION, COPIED, ELEMENT, HOLDS, IS_SHAPED, MADE, MEMBER, MEMBER_WITH_KEY,
        MERGED, OBJECT, SHAPED, SHAPED_ITEMS, TEMPLATE, WALK,
    },
};

/// The family.
pub(super) const ALL: &[Function] = &[
    Function { name: "__verdict__.plus", arity: 2, call: |operands| arithmetic(operands, "+") },
    Function { name: "__verdict__.minus", arity: 2, call: minus },
    Function { name: "__verdict__.multiply", arity: 2, call: |operands| arithmetic(operands, "*") },
    Function { name: "__verdict__.divide", arity: 2, call: |operands| arithmetic(operands, "/") },
    Function { name: "__verdict__.remainder", arity: 2, call: |operands| arithmetic(operands, "%") },
    Function { name: "__verdict__.intersection", arity: 2, call: |operands| sets(operands, "&") },
    Function { name: "__verdict__.union", arity: 2, call: |operands| sets(operands, "|") },
    Function { name: "__verdict__.less", arity: 2, call: |operands| ordered(operands, Ordering::is_lt) },
    Function { name: "__verdict__.less_or_equal", arity: 2, call: |operands| ordered(operands, Ordering::is_le) },
    Function { name: "__verdict__.greater", arity: 2, call: |operands| ordered(operands, Ordering::is_gt) },
    Function { name: "__verdict__.greater_or_equal", arity: 2, call: |operands| ordered(operands, Ordering::is_ge) },
    Function { name: TEMPLATE, arity: 1, call: template },
    #[cfg(test)]
    Function { name: "tests.panic", arity: 1, call: |_| panic!("as a test asked for") },
    Function { name: MERGED, arity: 1, call: merged },
    Function { name: MEMBER, arity: 2, call: member },
    Function { name: MEMBER_WITH_KEY, arity: 3, call: member_with_key },
    Function { name: ELEMENT, arity: 2, call: elements::element },
    Function { name: BASE_ELEMENT, arity: 3, call: elements::without_data },
    Function { name: BASE_MERGED, arity: 4, call: merged::without_data },
    Function { name: COPIED, arity: 1, call: elements::copied },
    Function { name: MADE, arity: 2, call: |operands| pair(operands).map(|(of, key)| of[key].clone()) },
    Function { name: WALK, arity: 1, call: walk },
    Function { name: COLLECTION, arity: 1, call: collection },
    Function { name: HOLDS, arity: 1, call: holds },
    Function { name: SHAPED, arity: 2, call: shapes::shaped },
    Function { name: IS_SHAPED, arity: 2, call: shapes::is_shaped },
    Function { name: SHAPED_ITEMS, arity: 3, call: shapes::items },
    Function { name: OBJECT, arity: 1, call: shapes::object },
];

/// The most names in all paths of a walk.
const MAX_STEPS: usize = 10_000_000;

pub(super) fn pair(operands: &[Rego]) -> Result<(&Rego, &Rego), Failure> {
    match operands {
        [left, right] => Ok((left, right)),
        _ => Err(Failure::Halt("takes two operands".to_owned())),
    }
}

fn ordered(operands: &[Rego], holds: fn(Ordering) -> bool) -> Result<Rego, Failure> {
    let (left, right) = pair(operands)?;
    Ok(Rego::from(holds(compare(left, right))))
}

fn minus(operands: &[Rego]) -> Result<Rego, Failure> {
    match pair(operands)? {
        (Rego::Set(_), _) | (_, Rego::Set(_)) => sets(operands, "-"),
        _ => arithmetic(operands, "-"),
    }
}

fn sets(operands: &[Rego], operator: &str) -> Result<Rego, Failure> {
    let (Rego::Set(left), Rego::Set(right)) = pair(operands)? else {
        return Err(Failure::Type(format!("`{operator}` takes two sets")));
    };
    Ok(Rego::from(match operator {
        "&" => left.iter().filter(|item| right.contains(item)).cloned().collect(),
        "-" => left.iter().filter(|item| !right.contains(item)).cloned().collect(),
        _ => left.iter().chain(right.iter()).cloned().collect::<std::collections::BTreeSet<_>>(),
    }))
}

/// All members of an array of objects.
fn merged(operands: &[Rego]) -> Result<Rego, Failure> {
    let [Rego::Array(objects)] = operands else { return Err(Failure::Halt("takes an array".to_owned())) };
    let members = objects
        .iter()
        .filter_map(|object| object.as_object().ok())
        .flat_map(|object| object.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>());
    Ok(Rego::from(members.collect::<std::collections::BTreeMap<_, _>>()))
}

fn member(operands: &[Rego]) -> Result<Rego, Failure> {
    let (item, collection) = pair(operands)?;
    Ok(Rego::from(match collection {
        Rego::Array(items) => items.contains(item),
        Rego::Set(items) => items.contains(item),
        Rego::Object(members) => members.iter().any(|(_, value)| value == item),
        _ => false,
    }))
}

fn member_with_key(operands: &[Rego]) -> Result<Rego, Failure> {
    let [key, item, collection] = operands else { return Err(Failure::Halt("takes three operands".to_owned())) };
    Ok(Rego::from(match collection {
        Rego::Array(items) => {
            let at = key.as_u64().ok().and_then(|at| usize::try_from(at).ok());
            at.and_then(|at| items.get(at)).is_some_and(|value| value == item)
        }
        Rego::Set(items) => key == item && items.contains(item),
        Rego::Object(members) => members.get(key).is_some_and(|value| value == item),
        _ => false,
    }))
}

/// What is no collection has no elements.
#[expect(clippy::unnecessary_wraps, reason = "every built-in has this type")]
fn collection(operands: &[Rego]) -> Result<Rego, Failure> {
    match operands {
        [one @ (Rego::Array(_) | Rego::Set(_) | Rego::Object(_))] => Ok(one.clone()),
        _ => Ok(Rego::new_array()),
    }
}

/// What holds for nothing is undefined, and not false.
fn holds(operands: &[Rego]) -> Result<Rego, Failure> {
    match operands {
        [Rego::Array(items)] if items.is_empty() => Ok(Rego::Undefined),
        [Rego::Array(_)] => Ok(Rego::from(true)),
        _ => Err(Failure::Halt("takes an array".to_owned())),
    }
}

/// `[path, value]` of a value and of everything in it, in order, as OPA's `walk`.
fn walk(operands: &[Rego]) -> Result<Rego, Failure> {
    let [whole] = operands else { return Err(Failure::Halt("takes one operand".to_owned())) };
    let mut found = Vec::new();
    let mut steps = 0_usize;
    let mut open = vec![(Vec::new(), whole)];
    while let Some((path, value)) = open.pop() {
        // A path has as many names as its value is deep, so long paths count for more.
        steps = steps.saturating_add(path.len() + 1);
        if steps > MAX_STEPS {
            return Err(Failure::Spent(format!("walking takes more than {MAX_STEPS} steps")));
        }
        let below = |key: Rego| path.iter().cloned().chain([key]).collect::<Vec<Rego>>();
        let first = open.len();
        match value {
            Rego::Array(items) => {
                open.extend(items.iter().enumerate().map(|(number, item)| (below(Rego::from(number)), item)));
            }
            Rego::Set(items) => open.extend(sorted(items).into_iter().map(|item| (below(item.clone()), item))),
            Rego::Object(members) => {
                open.extend(members.iter_sorted().map(|(key, item)| (below(key.clone()), item)));
            }
            _ => {}
        }
        // What was found last is looked at first.
        if let Some(children) = open.get_mut(first..) {
            children.reverse();
        }
        found.push(Rego::from(vec![Rego::from(path), value.clone()]));
    }
    Ok(Rego::from(found))
}

/// Strings as they are, of a set its only element, `<undefined>` for an empty one.
fn template(operands: &[Rego]) -> Result<Rego, Failure> {
    let [Rego::Array(parts)] = operands else { return Err(Failure::Halt("no parts of a template".to_owned())) };
    let mut text = String::new();
    for part in parts.iter() {
        match part {
            Rego::String(literal) => text.push_str(literal),
            Rego::Set(values) => {
                let mut values = values.iter();
                match (values.next(), values.next()) {
                    (None, _) => text.push_str("<undefined>"),
                    (Some(Rego::String(value)), None) => text.push_str(value),
                    (Some(value), None) => print(value, &mut text),
                    _ => {
                        return Err(Failure::Halt(
                            "eval_conflict_error: an expression of a template string has more than one value"
                                .to_owned(),
                        ));
                    }
                }
            }
            _ => return Err(Failure::Halt("a part of a template that is none".to_owned())),
        }
    }
    Ok(Rego::from(text))
}

/// A value as Rego shows it: `{"a": 1}`, `{1, 2}`, `set()`.
fn print(value: &Rego, out: &mut String) {
    match value {
        Rego::Array(items) => list("[", items.iter(), "]", out),
        Rego::Set(items) if items.is_empty() => out.push_str("set()"),
        Rego::Set(items) => list("{", sorted(items).into_iter(), "}", out),
        Rego::Object(members) => {
            out.push('{');
            for (number, (key, item)) in members.iter_sorted().enumerate() {
                out.push_str(if number > 0 { ", " } else { "" });
                print(key, out);
                out.push_str(": ");
                print(item, out);
            }
            out.push('}');
        }
        scalar => {
            // Writing to a string does not fail.
            let _ = write!(out, "{scalar}");
        }
    }
}

fn list<'a>(open: &str, items: impl Iterator<Item = &'a Rego>, close: &str, out: &mut String) {
    out.push_str(open);
    for (number, item) in items.enumerate() {
        out.push_str(if number > 0 { ", " } else { "" });
        print(item, out);
    }
    out.push_str(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_show_values_as_rego_does() {
        let set = |items: &[Rego]| Rego::from(items.iter().cloned().collect::<std::collections::BTreeSet<_>>());
        let object = Rego::from_json_str("{\"b\": [null, \"x\", 1.5], \"a\": {}}").unwrap();
        let parts = vec![Rego::from("a "), set(&[]), set(&[Rego::from("x")]), set(&[object]), set(&[set(&[])])];
        assert_eq!(
            template(&[Rego::from(parts)]),
            Ok(Rego::from("a <undefined>x{\"a\": {}, \"b\": [null, \"x\", 1.5]}set()"))
        );
        let two = Rego::from(vec![set(&[Rego::from(1_i64), Rego::from(2_i64)])]);
        assert!(matches!(template(&[two]), Err(Failure::Halt(_))));
    }
}
