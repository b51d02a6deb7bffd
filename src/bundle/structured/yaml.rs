//! YAML as the JSON that OPA makes of it.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize as _;
use yaml_serde::Value as Yaml;

use super::{super::outside, Unreadable, Value};

/// The longest text: reading it takes a hundred times as much memory, and it need not be signed.
const MAX_BYTES: usize = 16 << 20;

pub(super) fn parse(text: &str) -> Result<Value<'static>, Unreadable> {
    if text.len() > MAX_BYTES {
        return Err(Unreadable("more than 16 MiB of YAML; write it as JSON".to_owned()));
    }
    let reader = outside::yaml(text).map_err(|cause| Unreadable(format!("not YAML: {cause}")))?;
    let yaml = Yaml::deserialize(reader).map_err(|error| Unreadable(format!("not YAML: {error}")))?;
    value(yaml)
}

/// Names that are no texts and tags are refused, because what is loaded has them otherwise than OPA.
fn value(yaml: Yaml) -> Result<Value<'static>, Unreadable> {
    let plain = |text: String| Ok(Value::Plain(Cow::from(text)));
    match yaml {
        Yaml::Null => plain("null".to_owned()),
        Yaml::Bool(truth) => plain(truth.to_string()),
        Yaml::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => plain(number.to_string()),
            (_, Some(number), _) => plain(number.to_string()),
            (.., Some(number)) if number.is_finite() => plain(double(number)),
            _ => Err(Unreadable(format!("the number `{number}` is none in JSON"))),
        },
        Yaml::String(text) => Ok(Value::Text(Cow::from(text))),
        Yaml::Sequence(values) => values.into_iter().map(value).collect::<Result<_, _>>().map(Value::Array),
        Yaml::Mapping(mapping) => {
            let mut members = BTreeMap::new();
            for (name, member) in mapping {
                let Yaml::String(name) = name else {
                    return Err(Unreadable("a name in YAML is no text; write it in quotes".to_owned()));
                };
                members.insert(Cow::from(name), value(member)?);
            }
            Ok(Value::Object(members))
        }
        Yaml::Tagged(tagged) => Err(Unreadable(format!("the tag `{}` in YAML", tagged.tag))),
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
