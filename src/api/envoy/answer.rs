//! From a verdict, or from what went wrong, to what Envoy is told.
//!
//! Envoy lets a request through if `status.code` is 0, and only then; nothing else here makes it do so.

mod extras;
mod parameters;

use envoy_types::{
    ext_authz::v3::pb::{
        CheckResponse, DeniedHttpResponse, HeaderValue, HeaderValueOption, HttpResponse, HttpStatus, OkHttpResponse,
        QueryParameter,
    },
    pb::google::{
        protobuf::{BoolValue, ListValue, Struct, Value as Dynamic, value::Kind},
        rpc,
    },
};
use tonic::Code;

pub(super) use self::extras::Extras;
use super::config::Config;
use crate::{
    api::status::CallError,
    decision::{Effect, Value, Verdict},
};

/// What came of a check.
pub(super) enum Outcome {
    /// A verdict, and what the policy wants done along with it.
    Decided(Box<(Verdict, Extras)>),
    /// There is none.
    Failed(CallError),
    /// A bug.
    Panicked,
}

impl Outcome {
    /// Whether the request would be let through.
    pub(super) fn effect(&self) -> Effect {
        match self {
            Self::Decided(decided) => decided.0.effect,
            Self::Failed(_) | Self::Panicked => Effect::Deny,
        }
    }

    /// The codes that say why.
    pub(super) fn reasons(&self) -> Vec<&str> {
        match self {
            Self::Decided(decided) => decided.0.reasons.iter().map(|reason| reason.code.as_str()).collect(),
            Self::Failed(error) => vec![error.code().1],
            Self::Panicked => vec!["INTERNAL_ERROR"],
        }
    }
}

/// The answer.
pub(super) fn response(outcome: Outcome, id: &str, config: &Config) -> CheckResponse {
    let mut metadata = Struct::default();
    let mut told = vec![
        ("effect", string(outcome.effect().to_string())),
        ("reasons", list(outcome.reasons().into_iter().map(|code| string(code.to_owned())))),
    ];
    if config.dry_run {
        told.push(("dry_run", kind(Kind::BoolValue(true))));
    }
    let effect = outcome.effect();
    let (status, extras, body) = match outcome {
        Outcome::Decided(decided) => {
            let (verdict, mut extras) = *decided;
            let Verdict { reasons, revision, .. } = verdict;
            told.push(("revision", string(format!("{} {}", revision.sequence, revision.digest))));
            if !extras.obligations.is_empty() {
                told.push(("obligations", list(std::mem::take(&mut extras.obligations).into_iter())));
            }
            metadata = std::mem::take(&mut extras.metadata);
            let told: Vec<String> =
                reasons.into_iter().map(|reason| reason.user_message).filter(|text| !text.is_empty()).collect();
            let body = config.reasons_in_body.then(|| told.join("\n"));
            (extras.status.unwrap_or(FORBIDDEN), extras, body.unwrap_or_default())
        }
        Outcome::Failed(error) => {
            if let CallError::InvalidQuery(_) | CallError::MalformedMessage(_) = &error {
                told.push(("fault", string(error.to_string())));
            }
            (i32::from(error.http_status().as_u16()), Extras::default(), String::new())
        }
        Outcome::Panicked => (500, Extras::default(), String::new()),
    };
    let told = told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    metadata.fields.insert("verdict".to_owned(), kind(Kind::StructValue(Struct { fields: told })));
    metadata.fields.insert("decision_id".to_owned(), string(id.to_owned()));
    let id_header = config.decision_id_header.0.as_deref();
    let (code, http) = match effect {
        Effect::Allow => (Code::Ok, HttpResponse::OkResponse(ok(extras, id_header, id))),
        Effect::Deny if config.dry_run => (Code::Ok, HttpResponse::OkResponse(ok(Extras::default(), id_header, id))),
        Effect::Deny => {
            (Code::PermissionDenied, HttpResponse::DeniedResponse(denied(status, extras, body, (id_header, id))))
        }
    };
    CheckResponse {
        status: Some(rpc::Status { code: code.into(), ..rpc::Status::default() }),
        dynamic_metadata: Some(metadata),
        http_response: Some(http),
    }
}

const FORBIDDEN: i32 = 403;

fn ok(extras: Extras, id_header: Option<&str>, id: &str) -> OkHttpResponse {
    let Extras { headers, response_headers, remove, parameters, status: _, body: _, metadata: _, obligations: _ } =
        extras;
    // The first value takes the place of what the client sent, the others follow it. Said in full: Envoy has changed
    // what it does where this is left out.
    let request = headers.iter().flat_map(|(name, values)| {
        values.iter().enumerate().map(move |(number, value)| header(name, value.clone(), Some(number > 0)))
    });
    let id = id_header.map(|name| header(name, id.to_owned(), Some(false)));
    let set = parameters.set.into_iter().map(|(key, value)| QueryParameter { key, value });
    OkHttpResponse {
        headers: request.chain(id).collect(),
        headers_to_remove: remove,
        response_headers_to_add: each(&response_headers),
        query_parameters_to_set: set.collect(),
        query_parameters_to_remove: parameters.remove,
        ..OkHttpResponse::default()
    }
}

fn denied(status: i32, extras: Extras, body: String, (id_header, id): (Option<&str>, &str)) -> DeniedHttpResponse {
    let Extras { headers, body: own, .. } = extras;
    // The first takes the place of what Envoy sets; each further one is a line of its own, as `set-cookie` must be.
    let options = headers.iter().flat_map(|(name, values)| {
        let place = |number| (number == 0).then_some(false);
        values.iter().enumerate().map(move |(number, value)| header(name, value.clone(), place(number)))
    });
    DeniedHttpResponse {
        status: Some(HttpStatus { code: status }),
        headers: options.chain(id_header.map(|name| header(name, id.to_owned(), Some(false)))).collect(),
        body: own.unwrap_or(body),
    }
}

fn each(headers: &[(String, Vec<String>)]) -> Vec<HeaderValueOption> {
    headers.iter().flat_map(|(name, values)| values.iter().map(|value| header(name, value.clone(), None))).collect()
}

/// A header that follows those of its name, or takes their place; `None` for what Envoy does by itself.
#[expect(deprecated, reason = "every Envoy reads `append`; older ones do not read what is to replace it")]
fn header(name: &str, value: String, append: Option<bool>) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value, raw_value: Vec::new() }),
        append: append.map(|value| BoolValue { value }),
        ..HeaderValueOption::default()
    }
}

/// A value as metadata, whose numbers are doubles; `None` where it nests deeper than `depth`.
fn dynamic(value: &Value, depth: usize) -> Option<Dynamic> {
    let depth = depth.checked_sub(1)?;
    Some(kind(match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(truth) => Kind::BoolValue(*truth),
        Value::Number(number) => Kind::NumberValue(Some(number.to_f64()).filter(|number| number.is_finite())?),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => {
            let values = items.iter().map(|item| dynamic(item, depth)).collect::<Option<_>>()?;
            Kind::ListValue(ListValue { values })
        }
        Value::Object(members) => {
            let fields = members.iter().map(|(name, value)| Some((name.to_owned(), dynamic(value, depth)?)));
            Kind::StructValue(Struct { fields: fields.collect::<Option<_>>()? })
        }
    }))
}

fn string(text: String) -> Dynamic {
    kind(Kind::StringValue(text))
}

fn list(values: impl Iterator<Item = Dynamic>) -> Dynamic {
    kind(Kind::ListValue(ListValue { values: values.collect() }))
}

fn kind(kind: Kind) -> Dynamic {
    Dynamic { kind: Some(kind) }
}

#[cfg(test)]
mod tests;
