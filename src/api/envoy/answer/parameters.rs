//! Parameters of a query that a policy sets or removes.
//!
//! Envoy compares and writes them as they are spelled: `%74oken` is not `token` to it, as it is to the service; and what is
//! in a value would end it, or the request's line. So each spelling that the client used is removed, and values are encoded.

use std::fmt::Write as _;

use url::form_urlencoded;

use super::extras::{strings, texts};
use crate::decision::{Object, Value};

/// What Envoy is to write, and which spellings it is to remove.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parameters {
    pub(super) set: Vec<(String, String)>,
    pub(super) remove: Vec<String>,
}

impl Parameters {
    /// Reads the members of a result; `query` is what the client sent.
    pub(super) fn read(members: &Object, query: &str) -> Result<Self, String> {
        let mut parameters = Self::default();
        for name in strings(members, "query_parameters_to_remove")? {
            parameters.remove.extend(spellings(&name, query));
            parameters.remove.push(name);
        }
        let Some(value) = members.get("query_parameters_to_set") else { return Ok(parameters) };
        let Value::Object(object) = value else { return Err("`query_parameters_to_set` is no object".to_owned()) };
        for (name, value) in object.iter() {
            let values = texts(value)
                .ok_or_else(|| format!("`query_parameters_to_set.{name}` is neither a string nor a list of them"))?;
            let key = encoded(name);
            parameters.remove.extend(spellings(name, query).filter(|spelling| *spelling != key));
            // Of several parameters of one name Envoy would keep the last, so they are written as one.
            let values: Vec<String> = values.iter().map(|value| encoded(value)).collect();
            if values.is_empty() {
                parameters.remove.push(key);
            } else {
                let values = values.join(&format!("&{key}="));
                parameters.set.push((key, values));
            }
        }
        Ok(parameters)
    }
}

/// How the client spelled that name, where it is not spelled out.
fn spellings<'a>(name: &'a str, query: &'a str) -> impl Iterator<Item = String> + 'a {
    let keys = query.split('&').map(|part| part.split_once('=').map_or(part, |(key, _)| key));
    let is_it = move |key: &&str| {
        *key != name && form_urlencoded::parse(key.as_bytes()).next().is_some_and(|(read, _)| read == name)
    };
    keys.filter(is_it).map(str::to_owned)
}

/// A name or a value that can end nothing. What is percent-encoded already stays, as policies do that for
/// opa-envoy-plugin, which writes them as they are.
fn encoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut encoded = String::with_capacity(text.len());
    for (at, byte) in bytes.iter().enumerate() {
        let is_hex = |offset| bytes.get(at + offset).is_some_and(u8::is_ascii_hexdigit);
        if byte.is_ascii_alphanumeric() || b"-._~!*'(),:@/?$+".contains(byte) || *byte == b'%' && is_hex(1) && is_hex(2)
        {
            encoded.push(char::from(*byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::json;

    fn read(members: &str, query: &str) -> Parameters {
        Parameters::read(&json::object(members.as_bytes()).unwrap(), query).unwrap()
    }

    #[test]
    fn every_spelling_of_a_name_is_removed() {
        let members =
            r#"{"query_parameters_to_remove": ["token"], "query_parameters_to_set": {"who": "a", "x y": []}}"#;
        let found = read(members, "token=1&%74oken=2&t%6Fken&tokens=3&who=4&%77ho=5&x+y=6&x%20y=7&=8&&%zz");
        assert_eq!(found.remove, ["%74oken", "t%6Fken", "token", "%77ho", "x+y", "x%20y"]);
        assert_eq!(found.set, [("who".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn values_end_nothing() {
        for (value, wanted) in [
            ("a&admin=1 b#c", "a%26admin%3D1%20b%23c"),
            ("a\r\nb\0", "a%0D%0Ab%00"),
            ("caf\u{e9} 100% %2F%2", "caf%C3%A9%20100%25%20%2F%252"),
            ("user@example.com/a?b:c,d", "user@example.com/a?b:c,d"),
        ] {
            assert_eq!(encoded(value), wanted);
        }
        let set = read(r#"{"query_parameters_to_set": {"a&b": ["x", "y=z"]}}"#, "").set;
        assert_eq!(set, [("a%26b".to_owned(), "x&a%26b=y%3Dz".to_owned())]);
    }
}
