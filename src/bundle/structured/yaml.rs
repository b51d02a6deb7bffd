//! YAML as the JSON that OPA makes of it.

use std::borrow::Cow;

use yaml_serde::Value as Yaml;

use super::{super::outside, Unreadable, Value};
use crate::decision::{Number, Value as Read};

/// The longest text: reading it takes a hundred times as much memory, and it need not be signed.
const MAX_BYTES: usize = 16 << 20;

pub(super) fn parse(text: &str) -> Result<Value<'static>, Unreadable> {
    if text.len() > MAX_BYTES {
        return Err(Unreadable("more than 16 MiB of YAML; write it as JSON".to_owned()));
    }
    outside::bounded(text).map_err(Unreadable)?;
    let yaml: Yaml = yaml_serde::from_str(text).map_err(|error| Unreadable(format!("not YAML: {error}")))?;
    plain(&yaml)?;
    let read = outside::value(text).map_err(|cause| Unreadable(format!("not YAML: {cause}")))?;
    Ok(value(read))
}

/// Names that are no texts, names that stand twice, and tags are refused: readers differ about them.
fn plain(yaml: &Yaml) -> Result<(), Unreadable> {
    match yaml {
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::String(_) => Ok(()),
        Yaml::Sequence(items) => items.iter().try_for_each(plain),
        Yaml::Mapping(members) => members.iter().try_for_each(|(name, member)| match name {
            Yaml::String(_) => plain(member),
            _ => Err(Unreadable("a name in YAML is no text; write it in quotes".to_owned())),
        }),
        Yaml::Tagged(tagged) => Err(Unreadable(format!("the tag `{}` in YAML", tagged.tag))),
    }
}

fn value(read: Read) -> Value<'static> {
    let plain = |text: String| Value::Plain(Cow::from(text));
    match read {
        Read::Null => plain("null".to_owned()),
        Read::Bool(truth) => plain(truth.to_string()),
        Read::Number(number @ (Number::Int(_) | Number::UInt(_))) => plain(number.to_string()),
        // An integer beyond 64 bits is a double in YAML.
        Read::Number(number) => plain(double(number.to_f64())),
        Read::String(text) => Value::Text(Cow::from(text)),
        Read::Array(values) => Value::Array(values.into_iter().map(value).collect()),
        Read::Object(members) => {
            Value::Object(members.into_iter().map(|(name, member)| (Cow::from(name), value(member))).collect())
        }
    }
}

/// A double as Go's JSON writes it: with an exponent below 1e-6 and from 1e21 on.
fn double(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{number:e}");
        if text.contains("e-") { text } else { text.replace('e', "e+") }
    } else {
        number.to_string()
    }
}
