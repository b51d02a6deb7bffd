//! Annotations: what a `# METADATA` comment says of the rule or the package after it.
//!
//! <https://www.openpolicyagent.org/docs/policy-language#annotations>
#![allow(dead_code, unused_imports, reason = "the lowering comes to ask for the chain; not all of a block is used")]

mod block;
mod chain;

use serde_json::{Map, Value, json};

use super::ast::{Module, Span};
use super::parser::SyntaxError;

pub(crate) use chain::{chain, redeclared, rule};

/// One block.
#[derive(Clone, Debug)]
pub(crate) struct Annotation {
    /// From `# METADATA` to the end of the last comment of the block.
    pub(crate) span: Span,
    pub(crate) target: Target,
    pub(crate) scope: Scope,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) organizations: Vec<String>,
    pub(crate) authors: Vec<Author>,
    pub(crate) related_resources: Vec<RelatedResource>,
    pub(crate) schemas: Vec<Schema>,
    pub(crate) entrypoint: bool,
    pub(crate) compile: Option<Value>,
    pub(crate) custom: Map<String, Value>,
    pub(crate) labels: Map<String, Value>,
}

/// The statement below a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Package,
    /// The rule of this span.
    Rule(Span),
}

/// What a block speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The one rule below it.
    Rule,
    /// All rules of the name of that below it.
    Document,
    /// The package, in this file and all others.
    Package,
    /// The package and those below it.
    Subpackages,
}

/// Who wrote it: one of the two is not empty.
#[derive(Clone, Debug)]
pub(crate) struct Author {
    pub(crate) name: String,
    pub(crate) email: String,
}

/// Where to read on.
#[derive(Clone, Debug)]
pub(crate) struct RelatedResource {
    pub(crate) reference: String,
    pub(crate) description: String,
}

/// The schema of a document.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    /// The document, its root first.
    pub(crate) path: Vec<Value>,
    /// `schema.a.b`, with `schema` first; empty if it has a definition.
    pub(crate) names: Vec<Value>,
    pub(crate) definition: Option<Value>,
}

/// Reads the blocks of a module and attaches them to the statements below.
pub(super) fn attach(module: &mut Module, text: &str) -> Result<(), Vec<SyntaxError>> {
    let (mut annotations, mut faults) = (Vec::new(), Vec::new());
    for read in block::all(module, text) {
        match read {
            Ok(annotation) => annotations.push(annotation),
            Err(fault) => faults.push(fault),
        }
    }
    module.annotations = annotations;
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

impl Scope {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Document => "document",
            Self::Package => "package",
            Self::Subpackages => "subpackages",
        }
    }
}

impl Annotation {
    /// As `rego.metadata.rule()` gives it: without what is empty, and without `compile`.
    pub(crate) fn to_json(&self) -> Value {
        let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        let fields = [
            ("scope", self.scope.name().into()),
            ("title", text(&self.title)),
            ("description", text(&self.description)),
            ("entrypoint", if self.entrypoint { true.into() } else { Value::Null }),
            ("organizations", list(&self.organizations, |name| name.as_str().into())),
            ("authors", list(&self.authors, Author::to_json)),
            ("related_resources", list(&self.related_resources, RelatedResource::to_json)),
            ("schemas", list(&self.schemas, Schema::to_json)),
            ("custom", object(&self.custom)),
            ("labels", object(&self.labels)),
        ];
        let said = fields.into_iter().filter(|(_, value)| !value.is_null());
        Value::Object(said.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

impl Author {
    fn to_json(&self) -> Value {
        without_empty([("name", &self.name), ("email", &self.email)])
    }
}

impl RelatedResource {
    fn to_json(&self) -> Value {
        without_empty([("ref", &self.reference), ("description", &self.description)])
    }
}

impl Schema {
    fn to_json(&self) -> Value {
        let path = &self.path;
        match &self.definition {
            Some(definition) => json!({ "path": path, "definition": definition }),
            None => json!({ "path": path, "schema": self.names }),
        }
    }
}

fn without_empty(fields: [(&str, &String); 2]) -> Value {
    let said = fields.into_iter().filter(|(_, text)| !text.is_empty());
    Value::Object(said.map(|(name, text)| (name.to_owned(), text.as_str().into())).collect())
}

fn list<T>(items: &[T], to_json: impl Fn(&T) -> Value) -> Value {
    if items.is_empty() { Value::Null } else { items.iter().map(to_json).collect() }
}

fn object(map: &Map<String, Value>) -> Value {
    if map.is_empty() { Value::Null } else { Value::Object(map.clone()) }
}

#[cfg(test)]
mod tests;
