//! From a request that Envoy asks about to a question: what the policy sees as `input`, or subject, action, resource and
//! context.

use std::{borrow::Cow, collections::BTreeMap};

use envoy_types::{
    ext_authz::v3::pb::CheckRequest,
    pb::envoy::service::auth::v3::{AttributeContext, attribute_context::HttpRequest},
};
use prost_reflect::DescriptorPool;

use super::{
    attributes,
    body::{self, Given, Parsed},
    config::{Config, Form, SubjectFrom},
    mcp, path,
};
use crate::{
    api::status::{CallError, FieldViolation},
    decision::{Action, Asks, Input, Object, Query, Resource, Subject, Value},
};

/// The longest id of a request that goes into the record, in bytes.
const MAX_ID: usize = 256;

/// The subject's type, and its id, where the request names none.
const ANONYMOUS: &str = "anonymous";

/// A request's headers, by their names in small letters, as Envoy writes them. Nothing is copied before it is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Headers<'a>(&'a HttpRequest);

impl<'a> Headers<'a> {
    /// Those of that request.
    pub(super) fn of(http: &'a HttpRequest) -> Self {
        Self(http)
    }

    /// The value of that header. What stood there more than once is joined by commas: by Envoy, or here where Envoy hands
    /// headers over as they came.
    pub(super) fn text(self, name: &str) -> Option<Cow<'a, str>> {
        if let Some(value) = self.0.headers.get(name) {
            return Some(Cow::Borrowed(value));
        }
        let mut values = self.raw().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let mut joined = values.next()?;
        for value in values {
            joined.to_mut().extend([",", &value]);
        }
        Some(joined)
    }

    /// All of them, each name once.
    fn object(self) -> Object {
        let mut headers = BTreeMap::new();
        for (name, value) in self.raw() {
            headers
                .entry(name.to_ascii_lowercase())
                .and_modify(|joined: &mut String| joined.extend([",", &value]))
                .or_insert_with(|| value.clone().into_owned());
        }
        headers.extend(self.0.headers.clone());
        headers.into_iter().map(|(name, value)| (name, Value::String(value))).collect()
    }

    fn raw(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        self.0.header_map.iter().flat_map(|map| &map.headers).map(|header| {
            let raw = &header.raw_value;
            let value =
                if raw.is_empty() { Cow::Borrowed(header.value.as_str()) } else { String::from_utf8_lossy(raw) };
            (header.key.as_str(), value)
        })
    }
}

/// The request's id: what it has in `x-request-id`, which Envoy gives it, or else what Envoy calls it within itself.
pub(super) fn request_id(request: &CheckRequest) -> String {
    let Some(http) = http_of(request) else { return String::new() };
    let ids = [http.headers.get("x-request-id"), Some(&http.id)];
    ids.into_iter().flatten().find(|id| (1..=MAX_ID).contains(&id.len())).cloned().unwrap_or_default()
}

/// The query, as the client sent it.
pub(super) fn query_sent(request: &CheckRequest) -> String {
    let target = http_of(request).map_or("", |http| http.path.as_str());
    target.split_once('?').map_or("", |(_, query)| query).to_owned()
}

fn http_of(request: &CheckRequest) -> Option<&HttpRequest> {
    request.attributes.as_ref()?.request.as_ref()?.http.as_ref()
}

/// The question that the request is, without the entry point.
pub(super) async fn query(
    request: CheckRequest,
    config: &Config,
    descriptors: Option<&DescriptorPool>,
) -> Result<Query, CallError> {
    read(request, config, descriptors).await.map_err(|violation| CallError::InvalidQuery(vec![violation]))
}

async fn read(
    request: CheckRequest,
    config: &Config,
    descriptors: Option<&DescriptorPool>,
) -> Result<Query, FieldViolation> {
    let CheckRequest { attributes } = request;
    let attributes = attributes.ok_or_else(|| FieldViolation::new("attributes", "is missing"))?;
    let http = attributes.request.as_ref().and_then(|request| request.http.as_ref());
    // A connection that Envoy's network filter asks about has none.
    let connection = HttpRequest::default();
    let http = http.unwrap_or(&connection);
    let headers = Headers::of(http);
    let target = path::parsed(&http.path, config)?;
    let body = if http.body.is_empty() { &http.raw_body } else { http.body.as_bytes() };
    let parsed = if config.parse_body {
        let given = Given { headers, body, raw_body: &http.raw_body, segments: &target.segments };
        Some(body::parsed(given, descriptors).await?)
    } else {
        None
    };
    let mcp = match &parsed {
        Some(parsed) if config.mcp => mcp::message(headers, body, parsed)?,
        _ => None,
    };
    let subject = subject(&attributes, headers, config);
    let action = Action { name: name_or(&http.method, "connect"), properties: Object::new() };
    let id = name_or(&target.path, &name_or(&http.host, "-"));
    let resource = Resource { kind: config.resource_type.clone(), id, properties: Object::new() };
    let mut query = Query { subject, action, resource, ..Query::default() };

    let mut extra = Object::new();
    let mut put = |name: &str, value: Value| extra.insert(name.to_owned(), value);
    if let Some(Parsed { value, truncated }) = parsed {
        put("parsed_body", value);
        put("truncated_body", truncated.into());
    }
    if let Some(mcp) = mcp {
        put("mcp", mcp);
    }
    let segments = Value::Array(target.segments.into_iter().map(Value::String).collect());
    match config.form {
        Form::Attributes => {
            put("parsed_path", segments);
            put("parsed_query", target.query.into());
            let principal = |peer: &Option<envoy_types::pb::envoy::service::auth::v3::attribute_context::Peer>| {
                peer.as_ref().map(|peer| peer.principal.clone()).filter(|principal| !principal.is_empty())
            };
            for (name, peer) in
                [("source_principal", &attributes.source), ("destination_principal", &attributes.destination)]
            {
                if let Some(principal) = principal(peer) {
                    put(name, Value::String(principal));
                }
            }
            let version = [("ext_authz", "v3"), ("encoding", "protojson")];
            put("version", object_of(version.map(|(name, text)| (name, Value::from(text)))).into());
            put("attributes", attributes::object(attributes)?.into());
            query.input = Input::Document(extra.into());
            query.asks = Asks::Document;
        }
        Form::Question => {
            let scheme = Value::String(http.scheme.clone());
            let host = Value::String(http.host.clone());
            query.resource.properties =
                object_of([("host", host), ("scheme", scheme), ("segments", segments), ("query", target.query.into())]);
            put("headers", headers.object().into());
            circumstances(attributes::object(attributes)?, &mut extra);
            query.context = extra;
        }
    }
    Ok(query)
}

/// Adds what else is known about a request to its context.
fn circumstances(mut attributes: Object, context: &mut Object) {
    for name in ["source", "destination", "contextExtensions", "tlsSession"] {
        if let Some(value) = attributes.remove(name) {
            context.insert(name.to_owned(), value);
        }
    }
    if let Some(Value::Object(mut request)) = attributes.remove("request") {
        if let Some(time) = request.remove("time") {
            context.insert("time".to_owned(), time);
        }
        if let Some(Value::Object(mut http)) = request.remove("http")
            && let Some(protocol) = http.remove("protocol")
        {
            context.insert("protocol".to_owned(), protocol);
        }
    }
    if let Some(Value::Object(mut metadata)) = attributes.remove("metadataContext")
        && let Some(filters) = metadata.remove("filterMetadata")
    {
        context.insert("metadata".to_owned(), filters);
    }
}

/// Who asks. Without an identity it is a type of its own, which no rule for users matches by chance.
fn subject(attributes: &AttributeContext, headers: Headers<'_>, config: &Config) -> Subject {
    let id = match &config.subject {
        SubjectFrom::Principal => attributes.source.as_ref().map(|source| source.principal.clone()),
        SubjectFrom::Header(name) => headers.text(name).map(Cow::into_owned),
        SubjectFrom::Metadata { filter, path } => in_metadata(attributes, filter, path),
    };
    let (kind, id) = match id.filter(|id| !id.is_empty()) {
        Some(id) => (config.subject_type.clone(), id),
        None => (ANONYMOUS.to_owned(), ANONYMOUS.to_owned()),
    };
    Subject { kind, id, properties: Object::new() }
}

fn in_metadata(attributes: &AttributeContext, filter: &str, path: &[String]) -> Option<String> {
    use envoy_types::pb::google::protobuf::value::Kind;

    let (last, outer) = path.split_last()?;
    let mut members = attributes.metadata_context.as_ref()?.filter_metadata.get(filter)?;
    for name in outer {
        let Some(Kind::StructValue(inner)) = &members.fields.get(name)?.kind else { return None };
        members = inner;
    }
    match &members.fields.get(last)?.kind {
        Some(Kind::StringValue(text)) => Some(text.clone()),
        _ => None,
    }
}

fn name_or(name: &str, other: &str) -> String {
    (if name.is_empty() { other } else { name }).to_owned()
}

fn object_of<const N: usize>(members: [(&str, Value); N]) -> Object {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests;
