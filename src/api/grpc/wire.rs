//! `google.protobuf.Struct`, decoded straight into the domain's object type.
//!
//! prost's own type would cost a copy, and its recursion limit, which counts four levels for each level of JSON, would
//! refuse as malformed what the contract allows. Here a fault in a Struct is kept and reported with the field's name.

use prost::{
    DecodeError, Message,
    bytes::{Buf, BufMut},
    encoding::{
        DecodeContext, WireType, check_wire_type, decode_key, decode_varint, encode_key, encode_varint,
        encoded_len_varint, key_len, skip_field,
    },
};

use crate::decision::{self, MAX_DEPTH, Number, Value};

/// A Struct on the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    /// Its members.
    pub members: decision::Object,
    /// The first thing about it that the domain can't hold.
    pub defect: Option<Defect>,
}

/// What the domain can't hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// NaN or an infinity, which JSON lacks.
    NotFinite,
    /// A value that is none of null, number, string, boolean, object, list.
    NoKind,
    /// Not the encoding of a Struct.
    Malformed,
}

impl Defect {
    /// In words, for a field violation.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::TooDeep => format!("nested deeper than {MAX_DEPTH} levels"),
            Self::NotFinite => "has a number that is NaN or infinite".to_owned(),
            Self::NoKind => "has a value without a kind".to_owned(),
            Self::Malformed => "is not a well-formed google.protobuf.Struct".to_owned(),
        }
    }
}

impl From<decision::Object> for Object {
    fn from(members: decision::Object) -> Self {
        Self { members, defect: None }
    }
}

// Field numbers of google/protobuf/struct.proto.
const STRUCT_FIELDS: u32 = 1;
const ENTRY_KEY: u32 = 1;
const ENTRY_VALUE: u32 = 2;
const VALUE_NULL: u32 = 1;
const VALUE_NUMBER: u32 = 2;
const VALUE_STRING: u32 = 3;
const VALUE_BOOL: u32 = 4;
const VALUE_STRUCT: u32 = 5;
const VALUE_LIST: u32 = 6;
const LIST_VALUES: u32 = 1;

impl Message for Object {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        encode_members(&self.members, buf);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag != STRUCT_FIELDS {
            return skip_field(wire_type, tag, buf, ctx);
        }
        check_wire_type(WireType::LengthDelimited, wire_type)?;
        let length = decode_varint(buf)?;
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= buf.remaining()) else {
            // Reads on until the buffer ends, and so ends in prost's own error.
            return skip_field(WireType::SixtyFourBit, tag, &mut [].as_slice(), ctx);
        };
        let entry = buf.copy_to_bytes(length);
        match read_entry(&entry, 1) {
            Ok((name, value)) => self.members.insert(name, value),
            Err(defect) => {
                self.defect.get_or_insert(defect);
            }
        }
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        members_len(&self.members)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

type Read<T> = Result<T, Defect>;

impl From<DecodeError> for Defect {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

/// One field of a message: its number, and its content.
enum Content<'a> {
    Varint(u64),
    Double(f64),
    Bytes(&'a [u8]),
    Other,
}

/// Takes one field off the front of `rest`; `None` at its end.
fn next<'a>(rest: &mut &'a [u8]) -> Read<Option<(u32, Content<'a>)>> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (tag, wire_type) = decode_key(rest)?;
    let content = match wire_type {
        WireType::Varint => Content::Varint(decode_varint(rest)?),
        WireType::SixtyFourBit => {
            Content::Double(f64::from_bits(rest.try_get_u64_le().map_err(|_| Defect::Malformed)?))
        }
        WireType::LengthDelimited => {
            let length = usize::try_from(decode_varint(rest)?).map_err(|_| Defect::Malformed)?;
            let (content, after) = rest.split_at_checked(length).ok_or(Defect::Malformed)?;
            *rest = after;
            Content::Bytes(content)
        }
        other => {
            skip_field(other, tag, rest, DecodeContext::default())?;
            Content::Other
        }
    };
    Ok(Some((tag, content)))
}

fn read_text(bytes: &[u8]) -> Read<String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Defect::Malformed)
}

/// A map entry of an object at `depth`. What stands twice is refused, here and in [`read_value`]: protobuf's rules for
/// merging it are followed by few who look at a message on its way here, and nobody writes it.
fn read_entry(mut rest: &[u8], depth: usize) -> Read<(String, Value)> {
    let (mut name, mut value) = (None, None);
    while let Some(field) = next(&mut rest)? {
        match field {
            (ENTRY_KEY, Content::Bytes(bytes)) if name.is_none() => name = Some(read_text(bytes)?),
            (ENTRY_VALUE, Content::Bytes(bytes)) if value.is_none() => value = Some(read_value(bytes, depth)?),
            (ENTRY_KEY | ENTRY_VALUE, _) => return Err(Defect::Malformed),
            _ => {}
        }
    }
    Ok((name.unwrap_or_default(), value.ok_or(Defect::NoKind)?))
}

/// A value in a container at `depth`.
fn read_value(mut rest: &[u8], depth: usize) -> Read<Value> {
    let mut value = None;
    while let Some(field) = next(&mut rest)? {
        let kind = match field {
            (VALUE_NULL..=VALUE_LIST, _) if value.is_some() => return Err(Defect::Malformed),
            (VALUE_NULL, Content::Varint(_)) => Value::Null,
            (VALUE_NUMBER, Content::Double(number)) => {
                Value::Number(Number::from_f64(number).ok_or(Defect::NotFinite)?)
            }
            (VALUE_STRING, Content::Bytes(bytes)) => Value::String(read_text(bytes)?),
            (VALUE_BOOL, Content::Varint(truth)) => Value::Bool(truth != 0),
            (VALUE_STRUCT, Content::Bytes(bytes)) => Value::Object(read_object(bytes, depth + 1)?),
            (VALUE_LIST, Content::Bytes(bytes)) => Value::Array(read_list(bytes, depth + 1)?),
            (VALUE_NULL..=VALUE_LIST, _) => return Err(Defect::Malformed),
            _ => continue,
        };
        value = Some(kind);
    }
    value.ok_or(Defect::NoKind)
}

fn read_object(mut rest: &[u8], depth: usize) -> Read<decision::Object> {
    if depth > MAX_DEPTH {
        return Err(Defect::TooDeep);
    }
    let mut object = decision::Object::new();
    while let Some(field) = next(&mut rest)? {
        match field {
            (STRUCT_FIELDS, Content::Bytes(bytes)) => {
                let (name, value) = read_entry(bytes, depth)?;
                object.insert(name, value);
            }
            (STRUCT_FIELDS, _) => return Err(Defect::Malformed),
            _ => {}
        }
    }
    Ok(object)
}

fn read_list(mut rest: &[u8], depth: usize) -> Read<Vec<Value>> {
    if depth > MAX_DEPTH {
        return Err(Defect::TooDeep);
    }
    let mut items = Vec::new();
    while let Some(field) = next(&mut rest)? {
        match field {
            (LIST_VALUES, Content::Bytes(bytes)) => items.push(read_value(bytes, depth)?),
            (LIST_VALUES, _) => return Err(Defect::Malformed),
            _ => {}
        }
    }
    Ok(items)
}

/// A length-delimited field's size, with its key.
fn field_len(tag: u32, content: usize) -> usize {
    key_len(tag) + encoded_len_varint(content as u64) + content
}

fn members_len(object: &decision::Object) -> usize {
    object.iter().map(|(name, value)| field_len(STRUCT_FIELDS, entry_len(name, value))).sum()
}

fn entry_len(name: &str, value: &Value) -> usize {
    field_len(ENTRY_KEY, name.len()) + field_len(ENTRY_VALUE, value_len(value))
}

fn value_len(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 2,
        Value::Number(number) if number.is_exact_f64() => 9,
        Value::Number(number) => field_len(VALUE_STRING, number.to_string().len()),
        Value::String(text) => field_len(VALUE_STRING, text.len()),
        Value::Array(items) => field_len(VALUE_LIST, list_len(items)),
        Value::Object(object) => field_len(VALUE_STRUCT, members_len(object)),
    }
}

fn list_len(items: &[Value]) -> usize {
    items.iter().map(|item| field_len(LIST_VALUES, value_len(item))).sum()
}

fn encode_head(tag: u32, length: usize, buf: &mut impl BufMut) {
    encode_key(tag, WireType::LengthDelimited, buf);
    encode_varint(length as u64, buf);
}

fn encode_text(tag: u32, text: &str, buf: &mut impl BufMut) {
    encode_head(tag, text.len(), buf);
    buf.put_slice(text.as_bytes());
}

fn encode_members(object: &decision::Object, buf: &mut impl BufMut) {
    for (name, value) in object.iter() {
        encode_head(STRUCT_FIELDS, entry_len(name, value), buf);
        encode_text(ENTRY_KEY, name, buf);
        encode_head(ENTRY_VALUE, value_len(value), buf);
        encode_value(value, buf);
    }
}

fn encode_value(value: &Value, buf: &mut impl BufMut) {
    match value {
        Value::Null => {
            encode_key(VALUE_NULL, WireType::Varint, buf);
            encode_varint(0, buf);
        }
        Value::Bool(truth) => {
            encode_key(VALUE_BOOL, WireType::Varint, buf);
            encode_varint(u64::from(*truth), buf);
        }
        Value::Number(number) if number.is_exact_f64() => {
            encode_key(VALUE_NUMBER, WireType::SixtyFourBit, buf);
            buf.put_f64_le(number.to_f64());
        }
        // A double would round it: its digits, as the contract says.
        Value::Number(number) => encode_text(VALUE_STRING, &number.to_string(), buf),
        Value::String(text) => encode_text(VALUE_STRING, text, buf),
        Value::Array(items) => {
            encode_head(VALUE_LIST, list_len(items), buf);
            for item in items {
                encode_head(LIST_VALUES, value_len(item), buf);
                encode_value(item, buf);
            }
        }
        Value::Object(object) => {
            encode_head(VALUE_STRUCT, members_len(object), buf);
            encode_members(object, buf);
        }
    }
}

#[cfg(test)]
mod tests;
