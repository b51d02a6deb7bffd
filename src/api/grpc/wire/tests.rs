//! The hand-written codec against prost's own `Struct`.

use proptest::prelude::*;
use prost_types::{ListValue, Struct, Value as Proto, value::Kind};

use super::*;

fn arbitrary() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(|number| Value::Number(Number::from_f64(number).unwrap())),
        ".*".prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((".*", inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn to_proto(value: &Value) -> Proto {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::Number(number) => Kind::NumberValue(number.to_f64()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.iter().map(to_proto).collect() }),
        Value::Object(object) => Kind::StructValue(to_struct(object)),
    };
    Proto { kind: Some(kind) }
}

fn to_struct(object: &decision::Object) -> Struct {
    Struct { fields: object.iter().map(|(name, value)| (name.to_owned(), to_proto(value))).collect() }
}

/// Built from the inside out by hand: prost's own encoder recurses.
fn nested(depth: usize) -> Vec<u8> {
    let field = |tag: u32, content: &[u8]| {
        let mut bytes = Vec::new();
        encode_head(tag, content.len(), &mut bytes);
        bytes.extend_from_slice(content);
        bytes
    };
    let mut value = vec![0x20, 1];
    let mut object = Vec::new();
    for _ in 0..depth {
        let entry = [field(ENTRY_KEY, b"a"), field(ENTRY_VALUE, &value)].concat();
        object = field(STRUCT_FIELDS, &entry);
        value = field(VALUE_STRUCT, &object);
    }
    object
}

proptest! {
    #[test]
    fn agrees_with_prost_in_both_directions(value in arbitrary()) {
        let object: decision::Object = [("k".to_owned(), value)].into_iter().collect();
        let theirs = to_struct(&object);
        let read = Object::decode(theirs.encode_to_vec().as_slice()).unwrap();
        prop_assert_eq!(read.defect, None);
        prop_assert_eq!(&read.members, &object);
        prop_assert_eq!(Struct::decode(read.encode_to_vec().as_slice()).unwrap(), theirs);
    }

    #[test]
    fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = Object::decode(bytes.as_slice());
    }
}

#[test]
fn holds_64_levels_and_names_the_65th() {
    assert_eq!(Object::decode(nested(64).as_slice()).unwrap().defect, None);
    assert_eq!(Object::decode(nested(65).as_slice()).unwrap().defect, Some(Defect::TooDeep));
    assert_eq!(Object::decode(nested(5_000).as_slice()).unwrap().defect, Some(Defect::TooDeep));
}

#[test]
fn keeps_what_is_wrong() {
    let defect = |kind: Option<Kind>| {
        let object = Struct { fields: [("a".to_owned(), Proto { kind })].into() };
        Object::decode(object.encode_to_vec().as_slice()).unwrap().defect
    };
    assert_eq!(defect(None), Some(Defect::NoKind));
    assert_eq!(defect(Some(Kind::NumberValue(f64::NAN))), Some(Defect::NotFinite));
    assert_eq!(defect(Some(Kind::NumberValue(f64::INFINITY))), Some(Defect::NotFinite));
}

#[test]
fn a_number_that_a_double_would_round_is_sent_as_its_digits() {
    let object: decision::Object = [("n".to_owned(), Value::from((1 << 53) + 1))].into_iter().collect();
    let read = Struct::decode(Object::from(object).encode_to_vec().as_slice()).unwrap();
    assert_eq!(read.fields["n"].kind, Some(Kind::StringValue("9007199254740993".to_owned())));
}

#[test]
fn a_length_beyond_the_message_is_an_error() {
    assert!(Object::decode([0x0a, 0x7f, 0x01].as_slice()).is_err());
    assert!(Object::decode([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f].as_slice()).is_err());
}
