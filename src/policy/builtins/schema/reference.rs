//! `$id` and `$ref`: what each stands for within one schema. Nothing is looked up elsewhere.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};
use url::Url;

use super::super::{
    Failure,
    operand::failed,
    uri::{rewritten, unescaped},
};

/// The schema, its `$ref`s absolute, and its parts that have names.
pub(super) struct Pool {
    root: Json,
    /// The pointers of named parts.
    named: HashMap<String, Vec<String>>,
}

impl Pool {
    pub(super) fn new(mut root: Json) -> Result<Self, Failure> {
        let mut named = HashMap::from([(String::new(), Vec::new())]);
        let mut path = Vec::new();
        name(&mut root, "", &mut path, &mut named)?;
        Ok(Self { root, named })
    }

    pub(super) fn root(&self) -> &Json {
        &self.root
    }

    /// The part that an absolute reference points at.
    pub(super) fn find(&self, reference: &str) -> Result<&Json, Failure> {
        if let Some(path) = self.named.get(reference) {
            return follow(&self.root, path.iter().map(String::as_str));
        }
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let Some(path) = self.named.get(document) else {
            return if Url::parse(document).is_ok_and(|url| url.has_host() || url.scheme() == "file") {
                Err(Failure::Halt(format!("the schema refers to `{reference}`, and must not refer to others")))
            } else {
                failed(format!("Reference {reference} must be canonical"))
            };
        };
        let part = follow(&self.root, path.iter().map(String::as_str))?;
        let fragment = unescaped(fragment)?;
        // What is no pointer points at the whole.
        let Some(pointer) = fragment.strip_prefix('/') else { return Ok(part) };
        follow(part, pointer.split('/'))
    }
}

/// RFC 6901 §4, with `gojsonpointer`'s words.
fn follow<'a, 'b>(mut part: &'a Json, names: impl Iterator<Item = &'b str>) -> Result<&'a Json, Failure> {
    for name in names {
        part = match part {
            Json::Object(members) => {
                let key = name.replace("~1", "/").replace("~0", "~");
                members.get(&key).ok_or_else(|| Failure::Operand(format!("Object has no key '{key}'")))?
            }
            Json::Array(items) => {
                let Ok(at) = name.parse::<i64>() else { return failed(format!("Invalid array index '{name}'")) };
                let item = usize::try_from(at).ok().and_then(|at| items.get(at));
                item.ok_or_else(|| Failure::Operand(format!("Out of bound array[0,{}] index '{at}'", items.len())))?
            }
            _ => return failed(format!("Invalid token reference '{name}'")),
        };
    }
    Ok(part)
}

/// RFC 3986 §5.2. Below a schema without a name of its own, paths stay paths.
fn resolved(base: &str, reference: &str) -> String {
    let own = Url::parse(reference).or_else(|_| Url::parse(base).and_then(|base| base.join(reference)));
    let text = if let Ok(url) = own {
        url.to_string()
    } else {
        let (document, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let document = match document {
            "" => base.split('#').next().unwrap_or_default().to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("/{path}"),
        };
        format!("{document}#{fragment}")
    };
    match text.strip_suffix('#') {
        Some(bare) => bare.to_owned(),
        None => text,
    }
}

/// A reference as Go writes it: `#/a b` and `#/a%20b` are one, `#/%61` and `#/a` are two.
fn written(reference: &str) -> String {
    let Some((document, fragment)) = reference.split_once('#') else { return reference.to_owned() };
    rewritten(fragment).map_or_else(|_| reference.to_owned(), |fragment| format!("{document}#{fragment}"))
}

/// Names the parts of `part` that have an id, and makes its references absolute.
fn name(
    part: &mut Json,
    base: &str,
    path: &mut Vec<String>,
    named: &mut HashMap<String, Vec<String>>,
) -> Result<(), Failure> {
    match part {
        Json::Array(items) => {
            for (number, item) in items.iter_mut().enumerate() {
                within(&number.to_string(), item, base, path, named)?;
            }
            Ok(())
        }
        Json::Object(members) => members_named(members, base, path, named),
        _ => Ok(()),
    }
}

fn members_named(
    members: &mut Map<String, Json>,
    base: &str,
    path: &mut Vec<String>,
    named: &mut HashMap<String, Vec<String>>,
) -> Result<(), Failure> {
    let id = members.get("id").or_else(|| members.get("$id")).and_then(Json::as_str);
    let own = id.map(|id| written(&resolved(base, id)));
    if let Some(id) = &own
        && named.insert(id.clone(), path.clone()).is_some()
    {
        return failed(format!("Reference already exists: \"{id}\""));
    }
    let base = own.as_deref().unwrap_or(base);
    if let Some(Json::String(reference)) = members.get_mut("$ref") {
        *reference = written(&resolved(base, reference));
    }
    for (key, value) in members.iter_mut() {
        match (key.as_str(), value) {
            // No schema itself, but its members are.
            ("properties" | "dependencies" | "patternProperties", Json::Object(schemas)) => {
                path.push(key.clone());
                for (key, schema) in schemas.iter_mut() {
                    within(key, schema, base, path, named)?;
                }
                path.pop();
            }
            // Taken literally, or no schemas at all.
            ("const" | "enum" | "properties" | "dependencies" | "patternProperties", _) => {}
            (_, value) => within(key, value, base, path, named)?,
        }
    }
    Ok(())
}

fn within(
    key: &str,
    part: &mut Json,
    base: &str,
    path: &mut Vec<String>,
    named: &mut HashMap<String, Vec<String>>,
) -> Result<(), Failure> {
    path.push(key.replace('~', "~0").replace('/', "~1"));
    name(part, base, path, named)?;
    path.pop();
    Ok(())
}
