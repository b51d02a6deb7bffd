//! Records to JSON: Verdict's own shape, and that of OPA's decision log.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};

use super::{config::Format, event::InputForm, log::Identity, record::Record};
use crate::{
    call::{Peer, SpanName},
    decision::{Asks, Number, Object, SearchSummary, Value},
};

/// The name and version of the record's schema.
pub(super) const SCHEMA: &str = "verdict.decision.v1";

/// A record as one line, without its end.
pub(super) fn line(record: &Record, format: Format, identity: &Identity) -> Vec<u8> {
    let mut line = Vec::with_capacity(1024);
    let written = match format {
        Format::Verdict => serde_json::to_writer(&mut line, &native(record)),
        Format::Opa => serde_json::to_writer(&mut line, &opa(record, identity)),
    };
    // What is written has no errors of its own, and a Vec takes everything; a number that is none would be a bug.
    if written.is_err() {
        line.clear();
    }
    line
}

/// A value's JSON.
pub(super) fn value(value: &Value) -> Vec<u8> {
    serde_json::to_vec(&Json(value)).unwrap_or_default()
}

#[derive(Serialize)]
struct Native<'r> {
    schema: &'static str,
    decision_id: &'r str,
    time: String,
    door: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_point: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'r str>,
    asks: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    strict: bool,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<Search>,
    reasons: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    input_form: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Json<'r>>,
    revision: Revision<'r>,
    duration_ns: u64,
    phases_ns: Phases,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Caller>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    trace_sampled: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    erased: &'r [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    masked: &'r [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    truncated: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<&'static str>,
}

/// How long each part of a decision's way took.
#[derive(Serialize)]
struct Phases {
    #[serde(skip_serializing_if = "Option::is_none")]
    decode: Option<u64>,
    decide: u64,
    log: u64,
}

/// The other end of the connection.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Caller {
    Tcp {
        address: SocketAddr,
    },
    Unix {
        #[serde(skip_serializing_if = "Option::is_none")]
        pid: Option<i32>,
        uid: u32,
        gid: u32,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(truth: &bool) -> bool {
    !truth
}

/// What a search came to.
#[derive(Serialize)]
struct Search {
    r#for: &'static str,
    candidates: usize,
    decided: usize,
    allowed: usize,
    complete: bool,
}

#[derive(Serialize)]
struct Revision<'r> {
    sequence: u64,
    digest: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bundles: &'r BTreeMap<String, String>,
}

fn native(record: &Record) -> Native<'_> {
    let Record {
        decision_id,
        request_id,
        time: _,
        door,
        entry_point,
        policy,
        asks,
        strict,
        form,
        search,
        effect: _,
        reasons,
        input,
        token,
        result,
        diagnostics,
        explanation,
        revision,
        took,
        caller,
        caller_id,
        before,
        logged,
        trace,
        erased,
        masked,
        truncated,
        withheld,
        hidden: _,
    } = record;
    Native {
        schema: SCHEMA,
        decision_id,
        time: record.timestamp(),
        door,
        request_id,
        entry_point: entry_point.as_deref(),
        policy: policy.as_deref(),
        strict: *strict,
        asks: match (search, asks) {
            (Some(_), _) => "search",
            (None, Asks::Verdict) => "verdict",
            (None, Asks::Document) => "document",
        },
        effect: record.effect(),
        search: search.map(|SearchSummary { searched, candidates, decided, allowed, complete }| Search {
            r#for: searched.member(),
            candidates,
            decided,
            allowed,
            complete,
        }),
        reasons,
        input_form: form.map(|form| match form {
            InputForm::Question => "question",
            InputForm::Document => "document",
            InputForm::Undefined => "undefined",
        }),
        input: input.as_ref().map(Json),
        token: token.as_ref().map(Json),
        result: result.as_ref().map(Json),
        diagnostics: diagnostics.as_ref().map(Json),
        explanation: explanation.as_ref().map(Json),
        revision: Revision {
            sequence: revision.sequence,
            digest: revision.digest.to_string(),
            bundles: &revision.bundles,
        },
        duration_ns: nanos(*took),
        phases_ns: Phases { decode: before.map(nanos), decide: nanos(*took), log: nanos(*logged) },
        caller: caller.map(|caller| match caller {
            Peer::Tcp(address) => Caller::Tcp { address },
            Peer::Unix { pid, uid, gid } => Caller::Unix { pid, uid, gid },
        }),
        caller_id: caller_id.as_deref(),
        trace_id: trace.map(|SpanName { trace_id, .. }| format!("{:032x}", u128::from_be_bytes(trace_id))),
        span_id: trace.map(|SpanName { span_id, .. }| format!("{:016x}", u64::from_be_bytes(span_id))),
        trace_sampled: trace.is_some_and(|trace| trace.sampled),
        erased,
        masked,
        truncated,
        withheld: withheld.map(super::record::Withheld::name),
    }
}

/// OPA's event (`EventV1` of its decision log). What OPA has no place for is in `custom`, which is free there.
#[derive(Serialize)]
struct Opa<'r> {
    labels: BTreeMap<&'static str, &'r str>,
    decision_id: &'r str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bundles: BTreeMap<&'r str, BundleRevision<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Json<'r>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    erased: &'r [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    masked: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    trace_sampled: bool,
    timestamp: String,
    metrics: BTreeMap<&'static str, u64>,
    custom: Custom<'r>,
}

#[derive(Serialize)]
struct BundleRevision<'r> {
    revision: &'r str,
}

#[derive(Serialize)]
struct Custom<'r> {
    door: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry_point: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'r str>,
    asks: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    strict: bool,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<Search>,
    reasons: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    input_form: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Json<'r>>,
    revision: Revision<'r>,
    phases_ns: Phases,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<Caller>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diagnostics: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Json<'r>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    truncated: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<&'static str>,
}

fn opa<'r>(record: &'r Record, identity: &'r Identity) -> Opa<'r> {
    let Native {
        schema: _,
        decision_id,
        time,
        door,
        request_id,
        entry_point,
        policy,
        asks,
        strict,
        effect,
        search,
        reasons,
        input_form,
        input,
        token,
        result,
        diagnostics,
        explanation,
        revision,
        duration_ns,
        phases_ns,
        caller,
        caller_id,
        trace_id,
        span_id,
        trace_sampled,
        erased,
        masked,
        truncated,
        withheld,
    } = native(record);
    let bundles = record.revision.bundles.iter();
    Opa {
        labels: BTreeMap::from([("id", identity.id.as_str()), ("version", identity.version)]),
        decision_id,
        bundles: bundles.map(|(name, revision)| (name.as_str(), BundleRevision { revision })).collect(),
        path: record.path(),
        requested_by: match record.caller {
            Some(Peer::Tcp(address)) => Some(address.to_string()),
            _ => None,
        },
        input,
        result,
        erased,
        masked,
        trace_id,
        span_id,
        trace_sampled,
        timestamp: time,
        metrics: BTreeMap::from([("timer_server_handler_ns", duration_ns)]),
        custom: Custom {
            door,
            request_id,
            entry_point,
            policy,
            asks,
            strict,
            effect,
            search,
            reasons,
            input_form,
            token,
            revision,
            phases_ns,
            caller,
            caller_id,
            diagnostics,
            explanation,
            truncated,
            withheld,
        },
    }
}

impl Record {
    /// The record as OPA's rules see it: `input.input`, `input.result`, `input.path` and so on.
    pub(super) fn event(&self) -> Value {
        let mut event = Object::new();
        let mut put = |name: &str, value: Value| event.insert(name.to_owned(), value);
        put("decision_id", self.decision_id.as_str().into());
        put("timestamp", Value::String(self.timestamp()));
        put("door", self.door.into());
        put("effect", self.effect().into());
        put("reasons", Value::Array(self.reasons.iter().map(|reason| reason.as_str().into()).collect()));
        if let Some(path) = self.path() {
            put("path", Value::String(path));
        }
        if let Some(input) = &self.input {
            put("input", input.clone());
        }
        if let Some(token) = &self.token {
            put("token", token.clone());
        }
        if let Some(result) = &self.result {
            put("result", result.clone());
        }
        if !self.revision.bundles.is_empty() {
            let bundle = |revision: &String| {
                Value::Object([("revision".to_owned(), Value::String(revision.clone()))].into_iter().collect())
            };
            let bundles = self.revision.bundles.iter().map(|(name, revision)| (name.clone(), bundle(revision)));
            put("bundles", Value::Object(bundles.collect()));
        }
        Value::Object(event)
    }
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A value as JSON, no digit lost.
struct Json<'v>(&'v Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => to.serialize_unit(),
            Value::Bool(truth) => to.serialize_bool(*truth),
            Value::Number(Number::Int(number)) => to.serialize_i64(*number),
            Value::Number(Number::UInt(number)) => to.serialize_u64(*number),
            Value::Number(Number::Float(number)) => to.serialize_f64(*number),
            Value::Number(Number::Decimal(digits)) => {
                let number: serde_json::Number = digits.parse().map_err(S::Error::custom)?;
                number.serialize(to)
            }
            Value::String(text) => to.serialize_str(text),
            Value::Array(items) => to.collect_seq(items.iter().map(Json)),
            Value::Object(object) => {
                let mut map = to.serialize_map(Some(object.len()))?;
                for (name, value) in object.iter() {
                    map.serialize_entry(name, &Json(value))?;
                }
                map.end()
            }
        }
    }
}
