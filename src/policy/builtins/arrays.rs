//! `array.*`, and what v0 has for collections: `any`, `all`, `set_diff`, the casts.

use regorus::Value as Rego;

use super::{
    Function,
    operand::{Answer, any, array, array_of, int, items, mismatch, set, set_of},
};

pub(super) const ALL: &[Function] = &[
    Function { name: "array.concat", arity: 2, call: concat },
    Function { name: "array.flatten", arity: 1, call: flatten },
    Function { name: "array.reverse", arity: 1, call: reverse },
    Function { name: "array.slice", arity: 3, call: slice },
    Function { name: "all", arity: 1, call: all },
    Function { name: "any", arity: 1, call: some },
    Function { name: "set_diff", arity: 2, call: difference },
    Function { name: "cast_array", arity: 1, call: |arguments| Ok(array_of(items(arguments, 0)?.iter().cloned())) },
    Function { name: "cast_set", arity: 1, call: |arguments| Ok(set_of(items(arguments, 0)?.iter().cloned())) },
    Function { name: "cast_string", arity: 1, call: |arguments| cast(arguments, "string") },
    Function { name: "cast_boolean", arity: 1, call: |arguments| cast(arguments, "boolean") },
    Function { name: "cast_null", arity: 1, call: |arguments| cast(arguments, "null") },
    Function { name: "cast_object", arity: 1, call: |arguments| cast(arguments, "object") },
];

fn concat(arguments: &[Rego]) -> Answer {
    Ok(array_of(array(arguments, 0)?.iter().chain(array(arguments, 1)?.iter()).cloned()))
}

fn flatten(arguments: &[Rego]) -> Answer {
    let mut flat = Vec::new();
    for item in array(arguments, 0)?.as_slice() {
        match item {
            Rego::Array(nested) => flat.extend(nested.iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
    Ok(Rego::from(flat))
}

fn reverse(arguments: &[Rego]) -> Answer {
    Ok(array_of(array(arguments, 0)?.as_slice().iter().rev().cloned()))
}

fn slice(arguments: &[Rego]) -> Answer {
    let items = array(arguments, 0)?.as_slice();
    let index = |at: usize| int(arguments, at).map(|index| usize::try_from(index.max(0)).unwrap_or(usize::MAX));
    let (start, stop) = (index(1)?, index(2)?.min(items.len()));
    Ok(array_of(items.get(start.min(stop)..stop).unwrap_or_default().iter().cloned()))
}

fn all(arguments: &[Rego]) -> Answer {
    Ok(Rego::from(items(arguments, 0)?.iter().all(|item| *item == Rego::Bool(true))))
}

fn some(arguments: &[Rego]) -> Answer {
    Ok(Rego::from(items(arguments, 0)?.contains(&Rego::Bool(true))))
}

fn difference(arguments: &[Rego]) -> Answer {
    Ok(set(arguments, 0)?.difference(set(arguments, 1)?).into_value())
}

/// The operand, if it is of this type already.
fn cast(arguments: &[Rego], kind: &str) -> Answer {
    let value = any(arguments, 0);
    if super::operand::type_name(value) == kind { Ok(value.clone()) } else { mismatch(arguments, 0, kind) }
}
