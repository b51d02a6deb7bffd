//! A module as the JSON of OPA's own tree, which `rego.parse_module` gives: without places, but of comments.

mod conditions;
mod order;
mod terms;

use serde_json::{Map, Value, json};

use super::ast::{Else, Head, Import, Module, Rule, Span, Term, TermKind};

/// The module of the file of this name; `None` if it has a number that JSON can't have, as `.5`, where OPA fails too.
pub(crate) fn module(module: &Module, file: &str, text: &str) -> Option<Value> {
    let not_body = module.imports.iter().any(imports_not);
    let mut writer = Writer { module, wildcards: 0, not_body, head: Map::new(), is_json: true };
    let mut result = Map::new();
    let path = module.package.path.iter().map(|name| string(&name.text));
    let path: Vec<Value> = std::iter::once(variable("data")).chain(path).collect();
    result.insert("package".to_owned(), json!({ "path": path }));
    let imports: Vec<Value> = module.imports.iter().map(|import| writer.import(import)).collect();
    let rules: Vec<Value> = module.rules.iter().map(|rule| writer.rule(rule)).collect();
    let comments = comments(module, file, text);
    for (name, list) in [("imports", imports), ("rules", rules), ("comments", comments)] {
        if !list.is_empty() {
            result.insert(name.to_owned(), Value::Array(list));
        }
    }
    writer.is_json.then_some(Value::Object(result))
}

/// One `_` after the other gets a name of its own, in the order of the text.
struct Writer<'m> {
    module: &'m Module,
    wildcards: usize,
    /// Whether `not` has a body always.
    not_body: bool,
    /// The head of the rule before, which a further body repeats.
    head: Map<String, Value>,
    is_json: bool,
}

impl Writer<'_> {
    fn rule(&mut self, rule: &Rule) -> Value {
        let mut result = Map::new();
        if rule.default {
            result.insert("default".to_owned(), true.into());
        }
        if rule.chained {
            result.insert("body".to_owned(), self.rule_body(rule.body.as_ref()));
            self.head = self.repeated(&rule.head, &self.head.clone());
        } else {
            self.head = self.head(rule);
            result.insert("body".to_owned(), self.rule_body(rule.body.as_ref()));
        }
        let head = self.head.clone();
        if let Some(otherwise) = self.otherwise(&rule.head, &head, &rule.otherwise) {
            result.insert("else".to_owned(), otherwise);
        }
        result.insert("head".to_owned(), Value::Object(head));
        Value::Object(result)
    }

    /// A head once more: each argument `_` is another one.
    fn repeated(&mut self, head: &Head, written: &Map<String, Value>) -> Map<String, Value> {
        let mut result = written.clone();
        if let (Some(arguments), Some(Value::Array(written))) = (&head.arguments, result.get_mut("args")) {
            for (_, argument) in arguments.iter().zip(written).filter(|(argument, _)| is_wildcard(argument)) {
                *argument = self.wildcard();
            }
        }
        result
    }

    fn import(&mut self, import: &Import) -> Value {
        let mut path = import.path.iter().map(|name| name.text.as_str());
        let root = variable(path.next().unwrap_or_default());
        let path: Vec<Value> = std::iter::once(root).chain(path.map(string)).collect();
        let path = term("ref", path);
        match &import.alias {
            Some(alias) => {
                let alias = self.name(&alias.text).get("value").cloned();
                json!({ "path": path, "alias": alias })
            }
            None => json!({ "path": path }),
        }
    }

    fn head(&mut self, rule: &Rule) -> Map<String, Value> {
        let head = &rule.head;
        let mut result = Map::new();
        let reference = self.reference_parts(&head.reference);
        let arguments = head.arguments.as_ref().map(|arguments| self.terms(arguments));
        let key = head.key.as_ref().map(|key| self.term(key));
        let value = head.value.as_ref().map(|value| self.term(value));
        let parts = reference.len();
        let has_arguments = head.arguments.as_ref().is_some_and(|arguments| !arguments.is_empty());
        // A fact is no function only without parentheses, a rule with a body also with none in them.
        let is_function = if rule.body.is_none() { head.arguments.is_some() } else { has_arguments };
        let is_indexed = parts == 2 && !is_function && !head.contains && !rule.default;
        let is_named = parts == 1
            || (head.if_ && !head.contains && parts == 2 && (head.value.is_some() || has_arguments))
            || (is_indexed && !head.if_);
        let index = is_indexed && (!head.if_ || super::parser::is_variable_index(&head.reference));
        let key = key.or_else(|| if index { reference.last().cloned() } else { None });
        if is_named && let Some(name) = reference.first().and_then(|name| name.get("value")) {
            result.insert("name".to_owned(), name.clone());
        }
        let value = match value {
            None if head.contains || (head.key.is_some() && !head.if_) => None,
            None => Some(boolean(true)),
            value => value,
        };
        result.insert("ref".to_owned(), Value::Array(reference));
        let arguments = arguments.filter(|_| has_arguments).map(Value::Array);
        for (name, part) in [("args", arguments), ("key", key), ("value", value)] {
            if let Some(part) = part {
                result.insert(name.to_owned(), part);
            }
        }
        if head.assigned {
            result.insert("assign".to_owned(), true.into());
        }
        result
    }

    /// All `else`, each in the one before.
    fn otherwise(&mut self, head: &Head, written: &Map<String, Value>, all: &[Else]) -> Option<Value> {
        let mut done = Vec::new();
        for other in all {
            let mut result = self.repeated(head, written);
            let value = match &other.value {
                Some(value) => {
                    result.remove("assign");
                    if other.assigned {
                        result.insert("assign".to_owned(), true.into());
                    }
                    self.term(value)
                }
                None => boolean(true),
            };
            result.insert("value".to_owned(), value);
            done.push((result, self.rule_body(other.body.as_ref())));
        }
        done.into_iter().rev().fold(None, |inner, (head, body)| {
            let mut rule = Map::from_iter([("head".to_owned(), Value::Object(head)), ("body".to_owned(), body)]);
            if let Some(inner) = inner {
                rule.insert("else".to_owned(), inner);
            }
            Some(Value::Object(rule))
        })
    }
}

/// Whether it makes a body of what is after `not`.
fn imports_not(import: &Import) -> bool {
    let path: Vec<&str> = import.path.iter().map(|name| name.text.as_str()).collect();
    match path.as_slice() {
        ["future", "keywords", keyword] => *keyword == "not",
        ["future", "keywords", ..] => true,
        _ => false,
    }
}

fn comments(module: &Module, file: &str, text: &str) -> Vec<Value> {
    let mut place = Places::new(text);
    let comment = |comment: &super::ast::Name| {
        let (row, col) = place.of(comment.span);
        let bytes = comment.text.as_bytes().get(1..).unwrap_or_default();
        json!({ "Location": { "file": file, "row": row, "col": col }, "Text": base64(bytes) })
    };
    module.comments.iter().map(comment).collect()
}

/// Lines and columns, from 1, of places in the order of the text.
pub(super) struct Places<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    column: usize,
}

impl<'t> Places<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, line: 1, column: 1 }
    }

    /// The line and the column, in characters, of the start of a span that is not before the last asked for.
    pub(super) fn of(&mut self, span: Span) -> (usize, usize) {
        let start = span.start as usize;
        for character in self.text.get(self.at..start).unwrap_or_default().chars() {
            if character == '\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else {
                self.column += 1;
            }
        }
        self.at = start;
        (self.line, self.column)
    }
}

/// Padded, with the standard alphabet (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4_usize {
            let at = (bits >> (18 - 6 * digit)) & 63;
            let known = ALPHABET.get(at as usize).copied().map_or('=', char::from);
            text.push(if digit <= chunk.len() { known } else { '=' });
        }
    }
    text
}

fn is_wildcard(term: &Term) -> bool {
    matches!(&term.kind, TermKind::Var(name) if name == "_")
}

fn term(kind: &str, value: impl Into<Value>) -> Value {
    Value::Object(Map::from_iter([("type".to_owned(), kind.into()), ("value".to_owned(), value.into())]))
}

fn variable(name: &str) -> Value {
    term("var", name)
}

fn string(text: &str) -> Value {
    term("string", text)
}

fn boolean(value: bool) -> Value {
    term("boolean", value)
}

#[cfg(test)]
mod tests;
