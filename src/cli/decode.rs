//! AuthZEN JSON to a question.

// SEAM: this whole file stands in for `verdict::api::json::query(&[u8]) -> Result<Query, Vec<FieldViolation>>`; only
// `eval.rs` calls it.

use serde_json::{Map, Value as Json};
use verdict::decision::{Action, MAX_DEPTH, Number, Object, Query, Resource, Subject, Value};

/// The question in `bytes`, or everything that is wrong with it: field and cause.
pub(super) fn query(bytes: &[u8]) -> Result<Query, Vec<String>> {
    let json: Json =
        serde_json::from_slice(bytes).map_err(|error| vec![format!("the question is not JSON: {error}")])?;
    let mut faults = Vec::new();
    let mut root = Fields::new("", Some(json), &mut faults);
    let mut entity = |name: &'static str, texts: [&'static str; 2]| {
        let json = root.take(name);
        if json.is_none() {
            root.faults.push(format!("`{name}` is missing"));
        }
        let mut fields = Fields::new(name, json.or_else(|| Some(Json::Object(Map::new()))), root.faults);
        let texts = texts.map(|text| if text.is_empty() { String::new() } else { fields.text(text) });
        let properties = fields.object("properties");
        fields.end();
        (texts, properties)
    };
    let ([kind, id], properties) = entity("subject", ["type", "id"]);
    let subject = Subject { kind, id, properties };
    let ([name, _], properties) = entity("action", ["name", ""]);
    let action = Action { name, properties };
    let ([kind, id], properties) = entity("resource", ["type", "id"]);
    let resource = Resource { kind, id, properties };
    let context = root.object("context");
    root.end();
    faults.dedup();
    if faults.is_empty() {
        Ok(Query { subject, action, resource, context, policy: None, explain: false })
    } else {
        Err(faults)
    }
}

struct Fields<'a> {
    at: &'a str,
    members: Map<String, Json>,
    missing: bool,
    faults: &'a mut Vec<String>,
}

impl<'a> Fields<'a> {
    fn new(at: &'a str, json: Option<Json>, faults: &'a mut Vec<String>) -> Self {
        let missing = json.as_ref().is_none_or(|json| json.as_object().is_none_or(Map::is_empty));
        let members = match json {
            Some(Json::Object(members)) => members,
            _ => {
                faults.push(if at.is_empty() {
                    "the question is not an object".to_owned()
                } else {
                    format!("`{at}` is not an object")
                });
                Map::new()
            }
        };
        Self { at, members, missing: missing && !at.is_empty(), faults }
    }

    fn path(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    fn take(&mut self, name: &str) -> Option<Json> {
        self.members.remove(name)
    }

    fn text(&mut self, name: &str) -> String {
        let path = self.path(name);
        match self.take(name) {
            Some(Json::String(text)) if !text.is_empty() => return text,
            Some(Json::String(_)) => self.faults.push(format!("`{path}` is empty")),
            Some(_) => self.faults.push(format!("`{path}` is not a string")),
            // One fault for the whole is enough.
            None if self.missing => {}
            None => self.faults.push(format!("`{path}` is missing")),
        }
        String::new()
    }

    fn object(&mut self, name: &str) -> Object {
        let path = self.path(name);
        match self.take(name) {
            None => Object::new(),
            Some(json @ Json::Object(_)) => match value(json, 0) {
                Some(Value::Object(object)) => object,
                _ => {
                    self.faults.push(format!("`{path}` nests more than {MAX_DEPTH} deep, or has a number too large"));
                    Object::new()
                }
            },
            Some(_) => {
                self.faults.push(format!("`{path}` is not an object"));
                Object::new()
            }
        }
    }

    fn end(&mut self) {
        for name in std::mem::take(&mut self.members).keys() {
            let path = self.path(name);
            self.faults.push(format!("`{path}` is no member of a question"));
        }
    }
}

fn value(json: Json, depth: usize) -> Option<Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(digits) => Value::Number(number(&digits.to_string())?),
        Json::String(text) => Value::String(text),
        Json::Array(items) => {
            Value::Array(items.into_iter().map(|item| value(item, depth + 1)).collect::<Option<_>>()?)
        }
        Json::Object(members) => {
            let member = |(name, json)| Some((name, value(json, depth + 1)?));
            Value::Object(members.into_iter().map(member).collect::<Option<_>>()?)
        }
    })
}

fn number(digits: &str) -> Option<Number> {
    if let Ok(number) = digits.parse() {
        return Some(Number::Int(number));
    }
    if let Ok(number) = digits.parse() {
        return Some(Number::UInt(number));
    }
    let double: f64 = digits.parse().ok().filter(|double: &f64| double.is_finite())?;
    Some(if double.to_string() == digits { Number::Float(double) } else { Number::Decimal(digits.into()) })
}
