//! What objects in patterns must look like (`policy/rego/lower/patterns.rs`). In a shape, `null` stands for anything, an array
//! for one of shapes, an object for one with the same keys.

use regorus::Value as Rego;

use super::{super::Failure, pair};

/// The value, if it has the shape; else `false`, which meets no pattern with an object.
pub(super) fn shaped(operands: &[Rego]) -> Result<Rego, Failure> {
    let (value, shape) = pair(operands)?;
    Ok(if has(value, shape) { value.clone() } else { Rego::from(false) })
}

pub(super) fn is_shaped(operands: &[Rego]) -> Result<Rego, Failure> {
    let (value, shape) = pair(operands)?;
    Ok(Rego::from(has(value, shape)))
}

/// The members of a collection whose key and value have these shapes. An array keeps its length, because its elements'
/// numbers are their keys; what is no collection has no members.
pub(super) fn items(operands: &[Rego]) -> Result<Rego, Failure> {
    let [collection, key, value] = operands else { return Err(Failure::Halt("takes three operands".to_owned())) };
    Ok(match collection {
        Rego::Array(items) => {
            let items = items.iter().map(|item| if has(item, value) { item.clone() } else { Rego::from(false) });
            Rego::from(items.collect::<Vec<_>>())
        }
        Rego::Set(items) => {
            let items = items.iter().filter(|item| has(item, key) && has(item, value)).cloned();
            Rego::from(items.collect::<std::collections::BTreeSet<_>>())
        }
        Rego::Object(members) => {
            let members = members.iter().filter(|(name, item)| has(name, key) && has(item, value));
            Rego::from(
                members.map(|(name, item)| (name.clone(), item.clone())).collect::<std::collections::BTreeMap<_, _>>(),
            )
        }
        _ => Rego::new_array(),
    })
}

/// An object of `[key, value]`. OPA makes one of two members with the same key that is not equal to itself; there is no
/// telling what its author meant, so the evaluation ends.
pub(super) fn object(operands: &[Rego]) -> Result<Rego, Failure> {
    let fault = || Failure::Halt("takes an array of pairs".to_owned());
    let [Rego::Array(pairs)] = operands else { return Err(fault()) };
    let mut members = std::collections::BTreeMap::new();
    for member in pairs.iter() {
        let Rego::Array(member) = member else { return Err(fault()) };
        let (Some(key), Some(value), 2) = (member.get(0), member.get(1), member.len()) else { return Err(fault()) };
        if members.insert(key.clone(), value.clone()).is_some() {
            return Err(Failure::Halt(format!("eval_conflict_error: an object has the key {key} twice")));
        }
    }
    Ok(Rego::from(members))
}

/// Whether a value has a shape. It goes no deeper than the shape, which a policy has written.
fn has(value: &Rego, shape: &Rego) -> bool {
    match shape {
        Rego::Array(shapes) => {
            let Rego::Array(items) = value else { return false };
            items.len() == shapes.len() && items.iter().zip(shapes.iter()).all(|(item, shape)| has(item, shape))
        }
        Rego::Object(shapes) => {
            let Rego::Object(members) = value else { return false };
            members.len() == shapes.len()
                && shapes.iter().all(|(key, shape)| members.get(key).is_some_and(|item| has(item, shape)))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Rego {
        Rego::from_json_str(text).unwrap()
    }

    #[test]
    fn a_shape_has_all_keys_of_a_value() {
        for (value, shape, expected) in [
            ("{\"a\": 1}", "{\"a\": null}", true),
            ("{\"a\": 1, \"b\": 2}", "{\"a\": null}", false),
            ("{\"b\": 2}", "{\"a\": null}", false),
            ("{}", "{}", true),
            ("[]", "{}", false),
            ("[{\"a\": {}}, 1]", "[{\"a\": {}}, null]", true),
            ("[{\"a\": {\"b\": 1}}, 1]", "[{\"a\": {}}, null]", false),
            ("[{\"a\": {}}]", "[{\"a\": {}}, null]", false),
        ] {
            assert_eq!(is_shaped(&[json(value), json(shape)]), Ok(Rego::from(expected)), "{value} {shape}");
        }
    }

    #[test]
    fn what_has_another_shape_is_left_out() {
        let (key, value) = (Rego::Null, json("{\"a\": null}"));
        let of = |collection: &str| items(&[json(collection), key.clone(), value.clone()]).unwrap().to_string();
        assert_eq!(of("[{\"a\": 1}, {\"a\": 1, \"b\": 2}]"), "[{\"a\":1},false]");
        assert_eq!(of("{\"x\": {\"a\": 1}, \"y\": {\"a\": 1, \"b\": 2}}"), "{\"x\":{\"a\":1}}");
        assert_eq!(of("1"), "[]");
    }

    #[test]
    fn an_object_has_no_key_twice() {
        assert_eq!(object(&[json("[[\"a\", 1], [\"b\", 2]]")]), Ok(json("{\"a\": 1, \"b\": 2}")));
        assert!(matches!(object(&[json("[[\"a\", 1], [\"a\", 1]]")]), Err(Failure::Halt(_))));
    }
}
