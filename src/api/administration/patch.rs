//! JSON Patch (RFC 6902): reading the operations. What they do to data is for whoever has the data.

use serde_json::{Map, Value};

/// The most operations in one patch.
const MOST: usize = 10_000;

/// One operation (RFC 6902 §4). Paths are JSON pointers (RFC 6901), whole: `/users/alice`, or empty for all.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Puts a value there; into an array, before what is there (§4.1).
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Takes away what is there (§4.2).
    Remove {
        /// Where.
        path: String,
    },
    /// Puts a value in place of what is there (§4.3).
    Replace {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Takes what is at one place to another (§4.4).
    Move {
        /// From where.
        from: String,
        /// Where to.
        path: String,
    },
    /// Puts what is at one place at another too (§4.5).
    Copy {
        /// From where.
        from: String,
        /// Where to.
        path: String,
    },
    /// Fails the patch unless that value is there (§4.6).
    Test {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
}

/// Why bytes are no patch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPatch(String);

impl Operation {
    /// Every path that it reads or writes.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Add { path, .. } | Self::Remove { path } | Self::Replace { path, .. } | Self::Test { path, .. } => {
                (path, None)
            }
            Self::Move { from, path } | Self::Copy { from, path } => (path, Some(from)),
        };
        std::iter::once(first).chain(second).map(String::as_str)
    }
}

/// Reads a JSON array of operations.
pub fn operations(json: &[u8]) -> Result<Vec<Operation>, InvalidPatch> {
    let value: Value = serde_json::from_slice(json).map_err(|error| InvalidPatch(format!("is no JSON: {error}")))?;
    let Value::Array(items) = value else {
        return Err(InvalidPatch("is no array of operations (RFC 6902)".to_owned()));
    };
    if !(1..=MOST).contains(&items.len()) {
        return Err(InvalidPatch(format!("has {} operations; a patch has from 1 to {MOST}", items.len())));
    }
    let read = |(at, item)| operation(item).map_err(|why| InvalidPatch(format!("operation {at} {why}")));
    items.into_iter().enumerate().map(read).collect()
}

fn operation(item: Value) -> Result<Operation, String> {
    let Value::Object(mut members) = item else { return Err("is no object".to_owned()) };
    let op = text(&mut members, "op")?;
    let path = pointer(&mut members, "path")?;
    // §4: members that the operation does not define are ignored.
    Ok(match op.as_str() {
        "add" => Operation::Add { path, value: value(&mut members)? },
        "remove" => Operation::Remove { path },
        "replace" => Operation::Replace { path, value: value(&mut members)? },
        "move" => {
            let from = pointer(&mut members, "from")?;
            // §4.4: nothing moves into itself.
            if path.strip_prefix(from.as_str()).is_some_and(|rest| rest.starts_with('/')) {
                return Err(format!("moves `{from}` into itself"));
            }
            Operation::Move { from, path }
        }
        "copy" => Operation::Copy { from: pointer(&mut members, "from")?, path },
        "test" => Operation::Test { path, value: value(&mut members)? },
        _ => return Err(format!("has the op `{op}`; RFC 6902 has add, remove, replace, move, copy and test")),
    })
}

fn value(members: &mut Map<String, Value>) -> Result<Value, String> {
    members.remove("value").ok_or_else(|| "has no `value`".to_owned())
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<String, String> {
    match members.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("has a `{name}` that is no string")),
        None => Err(format!("has no `{name}`")),
    }
}

/// A JSON pointer (RFC 6901 §3): empty, or `/` before each part, with `~` only in `~0` and `~1`.
fn pointer(members: &mut Map<String, Value>, name: &str) -> Result<String, String> {
    let text = text(members, name)?;
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if escapes && (text.is_empty() || text.starts_with('/')) {
        Ok(text)
    } else {
        Err(format!("has a `{name}` that is no JSON pointer (RFC 6901), such as `/users/alice`"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_every_operation() {
        let text = br#"[{"op": "add", "path": "/a/-", "value": 1.10, "more": 1}, {"op": "remove", "path": "/a~1b"},
            {"op": "replace", "path": "", "value": null}, {"op": "move", "from": "/a", "path": "/ab"},
            {"op": "copy", "from": "/a", "path": "/a/b"}, {"op": "test", "path": "/a~0", "value": {"x": []}}]"#;
        let read = operations(text).unwrap();
        let path = |text: &str| text.to_owned();
        let number: Value = serde_json::from_str("1.10").unwrap();
        assert_eq!(
            read,
            [
                Operation::Add { path: path("/a/-"), value: number },
                Operation::Remove { path: path("/a~1b") },
                Operation::Replace { path: path(""), value: Value::Null },
                Operation::Move { from: path("/a"), path: path("/ab") },
                Operation::Copy { from: path("/a"), path: path("/a/b") },
                Operation::Test { path: path("/a~0"), value: json!({"x": []}) },
            ]
        );
        assert_eq!(read[4].paths().collect::<Vec<_>>(), ["/a/b", "/a"]);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, why) in [
            ("", "is no JSON"),
            ("{}", "is no array"),
            ("[]", "has 0 operations"),
            ("[1]", "operation 0 is no object"),
            (r#"[{"path": ""}]"#, "has no `op`"),
            (r#"[{"op": 1, "path": ""}]"#, "`op` that is no string"),
            (r#"[{"op": "upsert", "path": ""}]"#, "has the op `upsert`"),
            (r#"[{"op": "remove"}]"#, "has no `path`"),
            (r#"[{"op": "remove", "path": "a"}]"#, "no JSON pointer"),
            (r#"[{"op": "remove", "path": "/a~"}]"#, "no JSON pointer"),
            (r#"[{"op": "remove", "path": "/a~2"}]"#, "no JSON pointer"),
            (r#"[{"op": "add", "path": "/a"}]"#, "has no `value`"),
            (r#"[{"op": "copy", "path": "/a"}]"#, "has no `from`"),
            (r#"[{"op": "move", "from": "/a", "path": "/a/b"}]"#, "into itself"),
        ] {
            let told = operations(text.as_bytes()).unwrap_err().to_string();
            assert!(told.contains(why), "{text}: {told}");
        }
        let many = format!("[{}]", vec![r#"{"op":"remove","path":"/a"}"#; MOST + 1].join(","));
        assert!(operations(many.as_bytes()).is_err());
        assert!(operations("[".repeat(100_000).as_bytes()).is_err());
    }
}
