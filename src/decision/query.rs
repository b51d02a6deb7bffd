//! The question: OpenID AuthZEN Authorization API 1.0 §5, and the entry point that it is put to.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use super::value::{Object, Value};

/// Who asks (AuthZEN §5.1).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subject {
    /// The kind of identity; not empty.
    pub kind: String,
    /// The identity within its kind; not empty.
    pub id: String,
    /// Attributes.
    pub properties: Object,
}

/// What is to be done (AuthZEN §5.3).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Action {
    /// The action; not empty.
    pub name: String,
    /// Parameters.
    pub properties: Object,
}

/// What it is done to (AuthZEN §5.2).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// The kind of resource; not empty.
    pub kind: String,
    /// The resource within its kind; not empty.
    pub id: String,
    /// Attributes.
    pub properties: Object,
}

/// One question, valid by construction of the door that built it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Who asks.
    pub subject: Subject,
    /// What is to be done.
    pub action: Action,
    /// What it is done to.
    pub resource: Resource,
    /// The circumstances (AuthZEN §5.4).
    pub context: Object,
    /// Whom to ask; `None` for the server's default policy.
    pub policy: Option<EntryPoint>,
    /// Whether the verdict says what each rule answered.
    pub explain: bool,
    /// The claims of the caller's token: `input.token`. Whoever builds the question sets it, and must have verified them
    /// (`identity::Verifier`).
    pub token: Option<Object>,
    /// How long the answer may be reused at most, whatever the policy says: what it rests on is not good for longer.
    pub good_for: Option<Duration>,
    /// Who asks, where that is proven: `input.caller`. The [`super::Gate`]'s alone to say.
    pub caller: Option<Object>,
    /// What the policy sees as `input`.
    pub input: Input,
    /// What is asked of the policy.
    pub asks: Asks,
    /// Whether a built-in that fails is an error, where it else is undefined (OPA's `strict-builtin-errors`).
    pub strict: bool,
    /// The time that policies are told, for what is decided again; `None` for that of the clock.
    pub time: Option<SystemTime>,
}

/// What a policy sees as `input`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Input {
    /// Subject, action, resource, context and, where there is one, the token's claims, under these names.
    #[default]
    Parts,
    /// A document of another protocol, in their place: they then only say for the record what is asked.
    Document(Value),
    /// Nothing: `input` is undefined.
    Undefined,
}

/// What is asked of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asks {
    /// A verdict, by the decision contract: a package stands for its `decision`, or its `allow` and `deny`.
    #[default]
    Verdict,
    /// The document at the entry point, as OPA's data API gives it: the value of that rule, of a part of it, of all
    /// rules of a package, or base data. It comes as [`super::Verdict::value`]; the effect is what the decision
    /// contract makes of that value.
    Document,
}

/// A reference to a rule or a package, e.g. `data.authz.decision` or `data.authz["v1.2"]`: resolved by its parts,
/// never spliced into Rego.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryPoint {
    parts: Vec<String>,
    canonical: String,
}

/// Why a text is no entry point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no reference to a rule or package: {cause}; write it like `data.authz` or `data.authz.decision`")]
pub struct InvalidEntryPoint {
    text: String,
    cause: &'static str,
}

impl EntryPoint {
    /// The longest reference that is read, in bytes.
    pub const MAX_LEN: usize = 512;

    /// The reference with these parts below `data`.
    pub fn from_parts<I: IntoIterator<Item = String>>(parts: I) -> Self {
        let parts: Vec<String> = parts.into_iter().collect();
        let mut canonical = String::from("data");
        for part in &parts {
            if is_identifier(part) {
                canonical.push('.');
                canonical.push_str(part);
            } else {
                canonical.push('[');
                canonical.push_str(&serde_json::Value::from(part.as_str()).to_string());
                canonical.push(']');
            }
        }
        Self { parts, canonical }
    }

    /// The names below `data`, in order.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The reference in its one canonical spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.canonical
    }
}

impl FromStr for EntryPoint {
    type Err = InvalidEntryPoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown: String = text.chars().take(80).collect();
        let fault = |cause| InvalidEntryPoint { text: shown.clone(), cause };
        if text.len() > Self::MAX_LEN {
            return Err(fault("it is longer than 512 bytes"));
        }
        let mut rest = text.strip_prefix("data").ok_or_else(|| fault("it does not start with `data`"))?;
        let mut parts = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (name, tail) = after.split_at(end);
                if !is_identifier(name) {
                    return Err(fault("a name after a dot is letters, digits and `_` (others go in [\"…\"])"));
                }
                parts.push(name.to_owned());
                rest = tail;
            } else if let Some(after) = rest.strip_prefix('[') {
                let mut strings = serde_json::Deserializer::from_str(after).into_iter::<String>();
                let Some(Ok(name)) = strings.next() else {
                    return Err(fault("brackets hold a string in double quotes"));
                };
                let tail = after.get(strings.byte_offset()..).unwrap_or_default();
                rest = tail.strip_prefix(']').ok_or_else(|| fault("a bracket is not closed"))?;
                parts.push(name);
            } else {
                return Err(fault("names are joined by dots or brackets"));
            }
        }
        if parts.is_empty() {
            return Err(fault("it names nothing below `data`"));
        }
        Ok(Self::from_parts(parts))
    }
}

impl fmt::Display for EntryPoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.canonical)
    }
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<EntryPoint, InvalidEntryPoint> {
        text.parse()
    }

    #[test]
    fn reads_references_by_their_parts() {
        let entry = parse(r#"data.authz["v1.2"].allow"#).unwrap();
        assert_eq!(entry.parts(), ["authz", "v1.2", "allow"]);
        assert_eq!(entry.as_str(), r#"data.authz["v1.2"].allow"#);
        assert_eq!(parse(r#"data["authz"]"#).unwrap(), parse("data.authz").unwrap());
    }

    #[test]
    fn refuses_what_is_no_reference() {
        for text in [
            "",
            "data",
            "authz",
            "data.",
            "data..a",
            "dataa.b",
            "data.a b",
            "data[1]",
            "data[\"a\"",
            "data.a[\"b\"]c",
            "data.a;true",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
