//! Verdict's own shape: `docs/decision-record.schema.json`.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Serialize;

use super::{SCHEMA, json::Json};
use crate::{
    audit::{
        event::InputForm,
        record::{Record, Withheld},
    },
    call::{Peer, SpanName},
    decision::{self, Asks, SearchSummary},
};

#[derive(Serialize)]
pub(super) struct Native<'r> {
    pub(super) schema: &'static str,
    pub(super) decision_id: &'r str,
    pub(super) time: String,
    pub(super) door: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) request_id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) entry_point: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<&'r str>,
    pub(super) asks: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) strict: bool,
    pub(super) effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) search: Option<Search>,
    pub(super) reasons: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input_form: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) diagnostics: Option<Json<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) explanation: Option<Json<'r>>,
    pub(super) revision: Revision<'r>,
    pub(super) duration_ns: u64,
    pub(super) phases_ns: Phases,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<Caller>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) caller_id: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) span_id: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) trace_sampled: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) erased: &'r [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) masked: &'r [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) truncated: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) withheld: Option<&'static str>,
}

/// How long each part of a decision's way took.
#[derive(Serialize)]
pub(super) struct Phases {
    #[serde(skip_serializing_if = "Option::is_none")]
    decode: Option<u64>,
    decide: u64,
    log: u64,
}

/// The other end of the connection.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Caller {
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
pub(super) fn is_false(truth: &bool) -> bool {
    !truth
}

/// What a search came to.
#[derive(Serialize)]
pub(super) struct Search {
    r#for: &'static str,
    candidates: usize,
    decided: usize,
    allowed: usize,
    complete: bool,
}

#[derive(Serialize)]
pub(super) struct Revision<'r> {
    sequence: u64,
    digest: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bundles: &'r BTreeMap<String, String>,
}

impl<'r> Revision<'r> {
    pub(super) fn of(revision: &'r decision::Revision) -> Self {
        let decision::Revision { sequence, digest, bundles } = revision;
        Self { sequence: *sequence, digest: digest.to_string(), bundles }
    }
}

pub(super) fn native(record: &Record) -> Native<'_> {
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
        revision: Revision::of(revision),
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
        withheld: withheld.map(Withheld::name),
    }
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
