//! What a policy's result says beside allow or deny: opa-envoy-plugin's members, each checked before it is passed on.

use std::collections::HashMap;

use envoy_types::{
    ext_authz::v3::pb::HttpStatusCode,
    pb::google::protobuf::{Struct, Value as Dynamic, value::Kind},
};
use tonic::codegen::http::{HeaderName, HeaderValue};

use super::{dynamic, parameters::Parameters, string};
use crate::decision::{Number, Object, Obligation, Value};

/// What else Envoy is to do. Which of it counts depends on the verdict, and only that is read.
#[derive(Debug, Default, PartialEq)]
pub(in crate::api::envoy) struct Extras {
    /// For the service if the request is allowed, for the client if it is denied.
    pub(super) headers: Vec<(String, Vec<String>)>,
    /// For the client, with the service's own response.
    pub(super) response_headers: Vec<(String, Vec<String>)>,
    /// Headers that the service does not get.
    pub(super) remove: Vec<String>,
    /// Parameters of the query that the service gets, or does not get.
    pub(super) parameters: Parameters,
    /// The status of a refusal.
    pub(super) status: Option<i32>,
    /// The body of a refusal.
    pub(super) body: Option<String>,
    /// For the filters that come later.
    pub(super) metadata: Struct,
    /// What must be done along with the answer, for whoever reads metadata: Envoy itself does none of it.
    pub(super) obligations: Vec<Dynamic>,
}

/// How deep metadata may nest: Envoy could not read an answer with more than a hundred messages inside each other, of
/// which each level takes three, and would then take the check for failed.
const MAX_DEPTH: usize = 24;

/// Pseudo-headers that a policy may set for the service, to send a request elsewhere.
const PSEUDO: [&str; 4] = [":authority", ":method", ":path", ":scheme"];

/// Headers that say where a message ends, which is Envoy's to say.
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

type Headers = Vec<(String, Vec<String>)>;

impl Extras {
    /// Those of a refusal for a credential that is not good (RFC 6750 §3), or that nothing can be told of now.
    pub(in crate::api::envoy) fn unproven(is_outage: bool) -> Self {
        if is_outage {
            return Self { status: Some(503), ..Self::default() };
        }
        let challenge = ("www-authenticate".to_owned(), vec![r#"Bearer error="invalid_token""#.to_owned()]);
        Self { headers: vec![challenge], status: Some(401), ..Self::default() }
    }

    /// Reads a result that is a boolean, or an object with members; `query` is what the client sent.
    pub(in crate::api::envoy) fn read(result: &Value, allowed: bool, query: &str) -> Result<Self, String> {
        let Value::Object(members) = result else { return Ok(Self::default()) };
        let mut extras = Self::default();
        if let Some(value) = members.get("dynamic_metadata") {
            let Value::Object(metadata) = value else { return Err("`dynamic_metadata` is no object".to_owned()) };
            extras.metadata = struct_of("dynamic_metadata", metadata)?;
        }
        let headers = |name: &str, pseudo: &[&str]| {
            members.get(name).map_or(Ok(Headers::new()), |value| headers(name, value, pseudo))
        };
        if allowed {
            extras.headers = headers("headers", &PSEUDO)?;
            extras.response_headers = headers("response_headers_to_add", &[])?;
            extras.remove = strings(members, "request_headers_to_remove")?;
            // No value takes the place of what the client sent, too.
            for (name, _) in extras.headers.iter().filter(|(_, values)| values.is_empty()) {
                if name.starts_with(':') || name.eq_ignore_ascii_case("host") {
                    return Err(format!("`headers.{name}` has no value, and can't be removed"));
                }
                extras.remove.push(name.clone());
            }
            if let Some(wrong) = extras.remove.iter().find(|name| HeaderName::from_bytes(name.as_bytes()).is_err()) {
                return Err(format!("`request_headers_to_remove` has `{wrong}`, which is no name of a header"));
            }
            extras.parameters = Parameters::read(members, query)?;
        } else {
            extras.headers = headers("headers", &[])?;
            if extras.headers.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("grpc-")) {
                return Err("`headers` of a deny has a `grpc-` header, which is Envoy's to say".to_owned());
            }
            extras.status = members.get("http_status").map(status).transpose()?;
            extras.body = match members.get("body") {
                None => None,
                Some(Value::String(body)) => Some(body.clone()),
                Some(_) => return Err("`body` is no string".to_owned()),
            };
        }
        Ok(extras)
    }
}

impl Extras {
    /// The same, with these obligations.
    pub(in crate::api::envoy) fn obliging(mut self, obligations: &[Obligation]) -> Result<Self, String> {
        for Obligation { id, kind, properties } in obligations {
            let member = |name: &str, value| (name.to_owned(), value);
            let mut fields = struct_of("obligations", properties)
                .map(|properties| [member("properties", Dynamic { kind: Some(Kind::StructValue(properties)) })])?
                .into_iter()
                .collect::<HashMap<_, _>>();
            fields.extend([member("id", string(id.clone())), member("type", string(kind.clone()))]);
            self.obligations.push(Dynamic { kind: Some(Kind::StructValue(Struct { fields })) });
        }
        Ok(self)
    }
}

/// An object of names and values, or a list of such objects; a value is a string or a list of strings.
fn headers(member: &str, value: &Value, pseudo: &[&str]) -> Result<Headers, String> {
    let objects: Vec<&Object> = match value {
        Value::Object(object) => vec![object],
        Value::Array(items) => items
            .iter()
            .map(|item| match item {
                Value::Object(object) => Ok(object),
                _ => Err(format!("`{member}` has an item that is no object")),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(format!("`{member}` is no object")),
    };
    let mut headers = Headers::new();
    for (name, value) in objects.into_iter().flat_map(Object::iter) {
        let lower = name.to_ascii_lowercase();
        let is_known = HeaderName::from_bytes(name.as_bytes()).is_ok() || pseudo.contains(&lower.as_str());
        if !is_known || FRAMING.contains(&lower.as_str()) {
            return Err(format!("`{member}` has `{name}`, which is no header that a policy may set"));
        }
        let values = texts(value).ok_or_else(|| format!("`{member}.{name}` is neither a string nor a list of them"))?;
        // What a pseudo-header says becomes the request's line, where a space ends it.
        let is_fit = |value: &String| match lower.strip_prefix(':') {
            Some(_) => !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic()),
            None => HeaderValue::from_bytes(value.as_bytes()).is_ok(),
        };
        if !values.iter().all(is_fit) {
            return Err(format!("`{member}.{name}` has a line break, or another character that ends it"));
        }
        match headers.iter_mut().find(|(known, _)| *known == lower) {
            Some((_, known)) => known.extend(values),
            None => headers.push((lower, values)),
        }
    }
    Ok(headers)
}

pub(super) fn strings(members: &Object, name: &str) -> Result<Vec<String>, String> {
    match members.get(name) {
        None => Ok(Vec::new()),
        Some(list @ Value::Array(_)) => texts(list).ok_or_else(|| format!("`{name}` has an item that is no string")),
        Some(_) => Err(format!("`{name}` is no list")),
    }
}

/// A string, or a list of strings.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| if let Value::String(text) = value { Some(text.clone()) } else { None };
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        _ => Some(vec![text(value)?]),
    }
}

/// A status that Envoy knows, and that nobody takes for a success.
fn status(value: &Value) -> Result<i32, String> {
    let Value::Number(Number::Int(number)) = value else { return Err("`http_status` is no whole number".to_owned()) };
    let status = i32::try_from(*number).ok().filter(|status| (300..=599).contains(status));
    status
        .filter(|status| HttpStatusCode::try_from(*status).is_ok())
        .ok_or_else(|| format!("`http_status` is {number}, which is no status of a refusal (300 to 599)"))
}

fn struct_of(member: &str, object: &Object) -> Result<Struct, String> {
    let fields = object.iter().map(|(name, value)| Some((name.to_owned(), dynamic(value, MAX_DEPTH)?)));
    let fields = fields.collect::<Option<_>>();
    Ok(Struct { fields: fields.ok_or_else(|| format!("`{member}` nests deeper than {MAX_DEPTH} levels"))? })
}
