//! The shape of OPA's decision log, as a record and as OPA's rules are asked about one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    json::Json,
    native::{Caller, Native, Phases, Revision, Search, is_false, native},
};
use crate::{
    audit::{log::Identity, record::Record},
    call::Peer,
    decision::{Object, Value},
};

/// OPA's event (`EventV1` of its decision log). What OPA has no place for is in `custom`, which is free there.
#[derive(Serialize)]
pub(super) struct Opa<'r> {
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

pub(super) fn opa<'r>(record: &'r Record, identity: &'r Identity) -> Opa<'r> {
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
    pub(in crate::audit) fn event(&self) -> Value {
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
