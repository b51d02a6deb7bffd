//! Which built-ins and features policies may use: OPA's capabilities
//! (<https://www.openpolicyagent.org/docs/deployments#capabilities>).

use std::{collections::BTreeSet, path::Path};

use serde::Deserialize;
use serde_json::{Value, json};

use super::types;
use crate::policy::builtins::{self, Hosts};

/// What policies may use. It lives as long as the process, so that making one is for once a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Capabilities {
    allowed: Option<&'static Allowed>,
    repeatable: bool,
}

#[derive(Debug)]
struct Allowed {
    built_ins: BTreeSet<String>,
    features: BTreeSet<String>,
    keywords: BTreeSet<String>,
    hosts: Option<BTreeSet<String>>,
}

/// Why a text has no capabilities.
#[derive(Debug, thiserror::Error)]
#[error("no capabilities in OPA's format (`opa capabilities --current`): {0}")]
pub struct InvalidCapabilities(String);

#[derive(Deserialize)]
struct File {
    builtins: Option<Vec<BuiltIn>>,
    #[serde(default)]
    features: Vec<String>,
    #[serde(default)]
    future_keywords: Vec<String>,
    allow_net: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct BuiltIn {
    name: String,
}

impl Capabilities {
    /// All that there is.
    pub const ALL: Self = Self { allowed: None, repeatable: false };

    /// Reads OPA's format. A list without `builtins` allows none.
    pub fn read(text: &str) -> Result<Self, InvalidCapabilities> {
        let file: File = serde_json::from_str(text).map_err(|error| InvalidCapabilities(error.to_string()))?;
        let Some(built_ins) = file.builtins else {
            return Err(InvalidCapabilities("it has no `builtins`".to_owned()));
        };
        let allowed = Box::leak(Box::new(Allowed {
            built_ins: built_ins.into_iter().map(|built_in| built_in.name).collect(),
            features: file.features.into_iter().collect(),
            keywords: file.future_keywords.into_iter().collect(),
            hosts: file.allow_net.map(|hosts| hosts.into_iter().collect()),
        }));
        Ok(Self { allowed: Some(allowed), repeatable: false })
    }

    /// Reads a file of that format.
    pub fn open(path: &Path) -> Result<Self, InvalidCapabilities> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| InvalidCapabilities(format!("`{}`: {error}", path.display())))?;
        Self::read(&text)
            .map_err(|InvalidCapabilities(cause)| InvalidCapabilities(format!("`{}`: {cause}", path.display())))
    }

    /// Of these, what answers the same however often it is asked: policies that keep to it may be asked once for all
    /// questions that are the same.
    #[must_use]
    pub fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    /// Whether policies may call this built-in.
    pub(super) fn allows(self, built_in: &str) -> bool {
        let is_listed = self.allowed.is_none_or(|allowed| {
            allowed.built_ins.contains(built_in)
                || (built_in == "print" && allowed.built_ins.contains("internal.print"))
        });
        is_listed && !(self.repeatable && builtins::UNREPEATABLE.contains(&built_in))
    }

    /// Whether policies may use this feature of the language.
    pub(super) fn has_feature(self, feature: &str) -> bool {
        self.allowed.is_none_or(|allowed| allowed.features.contains(feature))
    }

    /// Whether policies may import this keyword; the four that Rego v1 has are always there.
    pub(super) fn has_keyword(self, keyword: &str) -> bool {
        let is_v1 = matches!(keyword, "contains" | "every" | "if" | "in");
        is_v1 || self.allowed.is_none_or(|allowed| allowed.keywords.contains(keyword))
    }

    /// Whether policies may ask this host.
    pub(super) fn allows_host(self, host: &str) -> bool {
        self.allowed.and_then(|allowed| allowed.hosts.as_ref()).is_none_or(|hosts| hosts.contains(host))
    }

    /// Of the hosts that the configuration lists, those that policies may ask: all, without `allow_net`.
    #[must_use]
    pub fn hosts(self, hosts: Hosts) -> Hosts {
        match self.allowed.and_then(|allowed| allowed.hosts.as_ref()) {
            Some(listed) => hosts.only(|host| listed.contains(host)),
            None => hosts,
        }
    }

    /// What this build has, in OPA's format.
    #[must_use]
    pub fn current() -> Value {
        let available = |name: &&str| builtins::arity(name).is_some() || is_language(name);
        let built_ins = types::names().filter(available).filter_map(|name| {
            let signature = types::signature(name)?;
            Some(json!({"name": name, "decl": signature.json()}))
        });
        json!({
            "builtins": built_ins.collect::<Value>(),
            "future_keywords": ["and", "not", "or"],
            "features": ["keywords_in_refs", "rego_v1", "template_strings"],
        })
    }
}

/// Whether a built-in is part of the language: an operator, or `print`.
fn is_language(name: &str) -> bool {
    matches!(
        name,
        "and"
            | "assign"
            | "div"
            | "eq"
            | "equal"
            | "gt"
            | "gte"
            | "lt"
            | "lte"
            | "minus"
            | "mul"
            | "neq"
            | "or"
            | "plus"
            | "rem"
            | "rego.metadata.chain"
            | "rego.metadata.rule"
            | "print"
            | "internal.print"
            | "internal.member_2"
            | "internal.member_3"
            | "internal.template_string"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let current = Capabilities::current();
        let read = Capabilities::read(&current.to_string()).unwrap();
        for name in ["count", "print", "plus", "internal.member_2", "io.jwt.decode_verify"] {
            assert!(read.allows(name), "{name}");
        }
        assert!(!read.allows("internal.test_case"));
        assert!(read.has_feature("template_strings") && read.has_keyword("not") && read.has_keyword("in"));
        assert!(read.allows_host("example.com"));
    }

    #[test]
    fn what_is_no_list_allows_nothing() {
        for text in ["", "{}", "[]", "{\"builtins\": [1]}", "{\"builtins\": {}}"] {
            assert!(Capabilities::read(text).is_err(), "{text}");
        }
        let none = Capabilities::read("{\"builtins\": [], \"allow_net\": []}").unwrap();
        assert!(!none.allows("count") && !none.has_feature("rego_v1") && !none.allows_host("example.com"));
    }
}
