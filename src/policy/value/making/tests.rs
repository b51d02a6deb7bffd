use proptest::prelude::*;

use super::*;
use crate::{
    decision::{Action, Input, Number, Query, Resource, Subject},
    policy::value::Names,
};

/// Few names and few values, so that many are the same.
fn value() -> impl Strategy<Value = Value> {
    let long = "x".repeat(2 * NODE);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (0..3_i64).prop_map(|number| Value::Number(Number::Int(number))),
        prop_oneof![Just(String::new()), Just("a".to_owned()), Just(long)].prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            object_of(inner).prop_map(Value::Object),
        ]
    })
}

fn object_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Object> {
    proptest::collection::vec(("[ab]{1,2}", value), 0..4).prop_map(Object::from_iter)
}

fn query() -> impl Strategy<Value = Query> {
    let object = || object_of(value());
    let parts = (object(), object(), object(), object(), "[ab]", "[ab]");
    let proven = (proptest::option::of(object()), proptest::option::of(object()));
    let input = prop_oneof![
        6 => Just(Input::Parts),
        1 => value().prop_map(Input::Document),
        1 => Just(Input::Undefined),
    ];
    (parts, proven, input).prop_map(|((by, asks, on, context, kind, id), (token, caller), input)| Query {
        subject: Subject { kind: kind.clone(), id: id.clone(), properties: by },
        action: Action { name: kind.clone(), properties: asks },
        resource: Resource { kind, id, properties: on },
        context,
        token,
        caller,
        input,
        ..Query::default()
    })
}

proptest! {
    #[test]
    fn what_was_asked_before_is_not_seen(queries in proptest::collection::vec((query(), any::<bool>(), 0..60_usize), 1..8)) {
        let mut names = Names::new();
        let (mut before, mut held) = (Rego::Undefined, Vec::new());
        for (query, hold, most) in queries {
            let expected = Names::new().input(&query, most, Rego::Undefined);
            let input = names.input(&query, most, std::mem::replace(&mut before, Rego::Undefined));
            prop_assert_eq!(&input, &expected);
            before = input.unwrap_or(Rego::Undefined);
            if hold {
                let copy = expected.unwrap_or(Rego::Undefined);
                held.push((before.clone(), copy));
            }
            for (held, copy) in &held {
                prop_assert_eq!(held, copy, "what somebody holds does not change");
            }
        }
    }
}

#[test]
fn a_question_like_the_last_one_takes_its_place() {
    let query = |id: &str, group: &str| Query {
        subject: Subject {
            kind: "user".to_owned(),
            id: id.to_owned(),
            properties: Object::from_iter([("groups".to_owned(), Value::Array(vec![group.into()]))]),
        },
        ..Query::default()
    };
    let place = |input: &Rego| match input {
        Rego::Object(members) => Arc::as_ptr(members).addr(),
        _ => 0,
    };
    let mut names = Names::new();
    let first = names.input(&query("alice", "a"), 100, Rego::Undefined).unwrap();
    let (at, properties) = (place(&first), place(&first["subject"]["properties"]));
    let next = names.input(&query("bob", "b"), 100, first).unwrap();
    assert_eq!((place(&next), place(&next["subject"]["properties"])), (at, properties));
    assert_eq!(next["subject"]["id"], Rego::from("bob"));
    let held = next["subject"].clone();
    let next = names.input(&query("carol", "b"), 100, next).unwrap();
    assert_eq!((held["id"].clone(), next["subject"]["id"].clone()), (Rego::from("bob"), Rego::from("carol")));
}
