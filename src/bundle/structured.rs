//! The values of a file whose layout does not matter, and what is hashed of them: members sorted by name (OPA's
//! documentation on bundles, "Signing", and its `bundle/hash.go`).
//!
//! Numbers count as they are written: `1.0` is not `1`. YAML is turned into JSON first, where they are not.

use std::{borrow::Cow, collections::BTreeMap, fmt};

mod json;
mod yaml;

/// A value, with numbers and words as they are written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// `null`, `true`, `false` or a number.
    Plain(Cow<'a, str>),
    Text(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(BTreeMap<Cow<'a, str>, Value<'a>>),
}

/// Why a file has no values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) String);

/// Whether a file of this path is hashed by its values. OPA takes `data.yml` as it is.
pub(super) fn is_structured(path: &str) -> bool {
    matches!(name(path), "data.json" | "data.yaml" | ".manifest")
}

/// What is hashed of a structured file.
pub(super) fn canonical(path: &str, bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let value = parse(path, bytes)?;
    let mut out = Vec::with_capacity(bytes.len());
    value.write(&mut out);
    Ok(out)
}

/// The value in a file: JSON, or also YAML if its name says so.
fn parse<'a>(path: &str, bytes: &'a [u8]) -> Result<Value<'a>, Unreadable> {
    let is_yaml = name(path) == "data.yaml";
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| Unreadable(format!("not UTF-8: {error}")))?;
    match json::parse(text) {
        Err(error) if !is_yaml => Err(error),
        // In YAML these end a line, so that two texts that are the same JSON would not be the same YAML.
        Ok(_) if is_yaml && text.contains(['\u{85}', '\u{2028}', '\u{2029}']) => {
            Err(Unreadable("a line separator in JSON that is read as YAML; escape it".to_owned()))
        }
        Ok(value) => Ok(value),
        Err(_) => yaml::parse(text),
    }
}

impl Value<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(text) => out.extend_from_slice(text.as_bytes()),
            Self::Text(text) => write_text(text, out),
            Self::Array(values) => {
                out.push(b'[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    value.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_text(name, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }
}

fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A string as Go's encoder has it, which escapes two characters more than JSON demands.
fn write_text(text: &str, out: &mut Vec<u8>) {
    let quoted = serde_json::Value::from(text).to_string();
    if quoted.contains(['\u{2028}', '\u{2029}']) {
        out.extend_from_slice(quoted.replace('\u{2028}', r"\u2028").replace('\u{2029}', r"\u2029").as_bytes());
    } else {
        out.extend_from_slice(quoted.as_bytes());
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn of(path: &str, text: &str) -> Result<String, Unreadable> {
        canonical(path, text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn json_is_sorted_and_its_numbers_are_kept() {
        let text = "\u{feff} { \"b\" : [1.0, 1E+5, -0 , 1e400], \"a\": {\"y\":null,\"x\":true}, \"b\": [1.00]} ";
        assert_eq!(of("x/data.json", text).unwrap(), r#"{"a":{"x":true,"y":null},"b":[1.00]}"#);
        assert_eq!(of("data.json", "[1.0,1E+5,-0,1e400]").unwrap(), "[1.0,1E+5,-0,1e400]");
    }

    #[test]
    fn strings_are_written_as_go_writes_them() {
        let text = r#"["\u003c<>&\/","\b\f\n\r\t\u001B","\u2028\u007f\"\\","é\u00e9\ud83d\ude00"]"#;
        let wanted = "[\"<<>&/\",\"\\b\\f\\n\\r\\t\\u001b\",\"\\u2028\u{7f}\\\"\\\\\",\"éé😀\"]";
        assert_eq!(of(".manifest", text).unwrap(), wanted);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "{\"a\" 1}", "[1,]", "01", "1.", "nul", "\"a", "\"\\ud800\"", "1 2", "{1:2}", "[\"\t\"]"]
        {
            assert!(of("data.json", text).is_err(), "{text}");
        }
        assert!(of("data.json", &"[".repeat(1_000_000)).is_err());
        assert!(canonical("data.json", b"\"\xff\"").is_err());
    }

    #[test]
    fn a_name_that_a_library_keeps_for_itself_is_a_name() {
        let text = r#"{"$serde_json::private::Number":"1"}"#;
        assert_eq!(of("data.json", text).unwrap(), text);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            (-1e300..1e300).prop_map(serde_json::Value::from),
            "\\PC{0,6}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
                prop::collection::hash_map(".{0,4}", inner, 0..5).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn layout_is_no_part_of_a_value(value in any_json()) {
            let (compact, pretty) = (value.to_string(), format!("{value:#}"));
            let canonical = of("data.json", &pretty).unwrap();
            prop_assert_eq!(&canonical, &of("data.json", &compact).unwrap());
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&canonical).unwrap(), value);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[\\[\\]{}:,\"\\\\ue0-9a-f \n.-]{0,60}") {
            for path in ["data.json", "data.yaml"] {
                let _ = canonical(path, &bytes);
                if let Ok(once) = canonical(path, text.as_bytes()) {
                    // What is hashed is JSON, and is its own canonical form.
                    prop_assert_eq!(canonical("data.json", &once), Ok(once));
                }
            }
        }
    }

    #[test]
    fn yaml_becomes_json() {
        let text = "b: 1.0\na: [1e30, 0.0000001, 123456.5, -0.0, 1e20, 18446744073709551615]\nc: |\n  x\n  y\nd: ~\n";
        let wanted =
            r#"{"a":[1e+30,1e-7,123456.5,-0,100000000000000000000,18446744073709551615],"b":1,"c":"x\ny\n","d":null}"#;
        assert_eq!(of("data.yaml", text).unwrap(), wanted);
        assert_eq!(of("data.yaml", r#"{"b":1.0}"#).unwrap(), r#"{"b":1.0}"#);
        for text in ["1: x", "a: .inf", "a: !t x", "a: 1\na: 2", "{\"a\":\"\u{2028}\"}"] {
            assert!(of("data.yaml", text).is_err(), "{text}");
        }
        assert!(of("data.yaml", &"[".repeat(1_000_000)).is_err());
    }
}
