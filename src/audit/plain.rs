//! Records of decisions that have nothing to hide, written at once from the decision itself: no copy, no masking, no
//! value in between. That is most of them.
//!
//! What is written is byte for byte what [`super::record::Record`] and [`super::encode`] make of the same decision;
//! where anything might differ, because there is a secret, a rule, or too much of something, nothing is written, and
//! the decision goes the long way. A test holds both to the same.

mod answer;
mod names;
mod writer;

use std::{cell::RefCell, sync::Arc};

use self::{names::Names, writer::Writer};
use super::{
    config::{Format, Mask},
    encode::{self, SCHEMA},
    event::Decision,
    rules::Rules,
};
use crate::{
    call::{Peer, SpanName},
    decision::{Asks, Input, Named, Object, Query, Revision, SensitiveNames, Value, Verdict},
};

/// Something stands in the way; the long way does it.
#[derive(Debug)]
struct NotPlain;

type Written = Result<(), NotPlain>;

/// Writes a sink's records at once, where that can be done.
pub(super) struct Plain {
    /// Whether it can be done of any.
    possible: bool,
    names: Names,
    /// Whose policies may have a say; `None` if none is asked.
    rules: Option<Arc<dyn Rules>>,
    /// The longest line.
    most: usize,
}

/// The names that records have by themselves. One that is called sensitive is not to be seen at all.
const OWN_NAMES: [&str; 31] = [
    "action",
    "resource",
    "subject",
    "context",
    "id",
    "name",
    "type",
    "properties",
    "allow",
    "reasons",
    "obligations",
    "required_scopes",
    "step_up",
    "acr_values",
    "max_age",
    "ttl",
    "code",
    "message",
    "user_message",
    "rule",
    "position",
    "file",
    "line",
    "column",
    "client_id",
    "iss",
    "issuer",
    "jti",
    "kind",
    "sid",
    "sub",
];

/// How many bytes [`super::copy::Copier`] counts for one that is written here, at most: an item of a list costs 16
/// there, and is two bytes long here.
const COPIED: usize = 8;

thread_local! {
    static REVISION: RefCell<(Revision, Vec<u8>)> = RefCell::default();
}

impl Plain {
    pub(super) fn new(
        format: Format,
        mask: &Mask,
        names: SensitiveNames,
        rules: &Arc<dyn Rules>,
        max_record_bytes: usize,
    ) -> Self {
        let own = OWN_NAMES.iter().all(|name| names.find(name) == Named::No);
        let possible = format == Format::Verdict && mask.fields.is_empty() && own;
        let rules = mask.policies.then(|| Arc::clone(rules));
        Self { possible, names: Names::new(names), rules, most: max_record_bytes / COPIED }
    }

    /// Writes the record's line without its end, or says that it takes the long way; then what is written is worth
    /// nothing.
    pub(super) fn write(&self, decision: &Decision<'_>, verdict: &Verdict, out: &mut Vec<u8>) -> bool {
        let unasked = || self.rules.as_ref().is_none_or(|rules| rules.is_silent(verdict.revision.sequence));
        let usual = decision.search.is_none() && verdict.diagnostics.is_empty() && verdict.explanation.is_none();
        if !self.possible || !usual || !unasked() {
            return false;
        }
        let mut writer = Writer::new(out, &self.names, self.most);
        record(&mut writer, decision, verdict).is_ok() && writer.fits()
    }
}

fn record(to: &mut Writer<'_>, decision: &Decision<'_>, verdict: &Verdict) -> Written {
    let Decision { door, decision_id, request_id, query, search: _, took, time, caller, caller_id, before, trace } =
        *decision;
    to.raw(r#"{"schema":""#);
    to.raw(SCHEMA);
    to.raw(r#"","decision_id":"#);
    to.trusted(decision_id);
    to.raw(r#","time":""#);
    to.time(time)?;
    to.raw(r#"","door":"#);
    to.trusted(door);
    if !request_id.is_empty() {
        to.raw(r#","request_id":"#);
        to.text(request_id)?;
    }
    let policy = query.and_then(|query| query.policy.as_ref()).map(crate::decision::EntryPoint::as_str);
    if let Some(entry_point) = verdict.entry_point.as_deref().or(policy) {
        to.raw(r#","entry_point":"#);
        to.text(entry_point)?;
    }
    if let Some(policy) = policy {
        to.raw(r#","policy":"#);
        to.text(policy)?;
    }
    let asks = query.map_or(Asks::Verdict, |query| query.asks);
    to.raw(match asks {
        Asks::Verdict => r#","asks":"verdict""#,
        Asks::Document => r#","asks":"document""#,
    });
    if query.is_some_and(|query| query.strict) {
        to.raw(r#","strict":true"#);
    }
    to.raw(if verdict.is_allow() { r#","effect":"allow","reasons":["# } else { r#","effect":"deny","reasons":["# });
    for (number, reason) in verdict.reasons.iter().enumerate() {
        to.comma(number > 0);
        to.text(&reason.code)?;
    }
    to.raw("]");
    if let Some(query) = query {
        question(to, query)?;
    }
    match asks {
        Asks::Verdict => {
            to.raw(r#","result":"#);
            answer::contract(to, verdict)?;
        }
        Asks::Document => {
            if let Some(value) = &verdict.value {
                to.raw(r#","result":"#);
                to.value(value)?;
            }
        }
    }
    revision(to, &verdict.revision);
    to.raw(r#","duration_ns":"#);
    to.nanos(took);
    to.raw(r#","phases_ns":{"#);
    if let Some(before) = before {
        to.raw(r#""decode":"#);
        to.nanos(before);
        to.raw(",");
    }
    to.raw(r#""decide":"#);
    to.nanos(took);
    // This is made at once.
    to.raw(r#","log":0}"#);
    connection(to, caller);
    if let Some(caller_id) = caller_id {
        to.raw(r#","caller_id":"#);
        to.trusted(caller_id);
    }
    if let Some(SpanName { trace_id, span_id, sampled }) = trace {
        to.raw(r#","trace_id":""#);
        to.hex(&trace_id);
        to.raw(r#"","span_id":""#);
        to.hex(&span_id);
        to.raw(if sampled { r#"","trace_sampled":true"# } else { r#"""# });
    }
    to.raw("}");
    Ok(())
}

/// What was asked, and whose token was shown.
fn question(to: &mut Writer<'_>, query: &Query) -> Written {
    let Query { subject, action, resource, context, input, token, .. } = query;
    match input {
        Input::Parts => {
            to.raw(r#","input_form":"question","input":{"action":{"name":"#);
            to.text(&action.name)?;
            to.properties(&action.properties)?;
            to.raw("}");
            if !context.is_empty() {
                to.raw(r#","context":"#);
                to.object(context)?;
            }
            to.raw(r#","resource":"#);
            entity(to, &resource.kind, &resource.id, &resource.properties)?;
            if !subject.kind.is_empty() || !subject.id.is_empty() {
                to.raw(r#","subject":"#);
                entity(to, &subject.kind, &subject.id, &subject.properties)?;
            }
            to.raw("}");
        }
        Input::Document(document) => {
            to.raw(r#","input_form":"document","input":"#);
            to.value(document)?;
        }
        Input::Undefined => to.raw(r#","input_form":"undefined""#),
    }
    if let Some(claims) = token {
        whose(to, claims)?;
    }
    Ok(())
}

/// Whose token it was: what [`super::event`] keeps of it.
fn whose(to: &mut Writer<'_>, claims: &Object) -> Written {
    let verified = match claims.get("verified") {
        Some(Value::Object(verified)) => Some(verified),
        _ => None,
    };
    to.raw(r#","token":"#);
    let mut members = to.members();
    for (head, of, name) in [
        (r#""client_id":"#, Some(claims), "client_id"),
        (r#""iss":"#, Some(claims), "iss"),
        (r#""issuer":"#, verified, "issuer"),
        (r#""jti":"#, Some(claims), "jti"),
        (r#""kind":"#, verified, "kind"),
        (r#""sid":"#, Some(claims), "sid"),
        (r#""sub":"#, Some(claims), "sub"),
    ] {
        if let Some(Value::String(text)) = of.and_then(|of| of.get(name)) {
            members.next(to, head);
            to.text(text)?;
        }
    }
    to.raw("}");
    Ok(())
}

fn entity(to: &mut Writer<'_>, kind: &str, id: &str, properties: &Object) -> Written {
    to.raw(r#"{"id":"#);
    to.text(id)?;
    to.properties(properties)?;
    to.raw(r#","type":"#);
    to.text(kind)?;
    to.raw("}");
    Ok(())
}

/// The same as of the decision before, as a rule.
fn revision(to: &mut Writer<'_>, revision: &Revision) {
    REVISION.with_borrow_mut(|(known, text)| {
        if text.is_empty() || known != revision {
            known.clone_from(revision);
            *text = encode::revision(revision);
        }
        to.raw(r#","revision":"#);
        to.bytes(text);
    });
}

fn connection(to: &mut Writer<'_>, caller: Option<Peer>) {
    match caller {
        None => {}
        Some(Peer::Tcp(address)) => {
            to.raw(r#","caller":{"kind":"tcp","address":""#);
            to.address(address);
            to.raw(r#""}"#);
        }
        Some(Peer::Unix { pid, uid, gid }) => {
            to.raw(r#","caller":{"kind":"unix""#);
            if let Some(pid) = pid {
                to.raw(r#","pid":"#);
                to.number(pid);
            }
            to.raw(r#","uid":"#);
            to.number(uid);
            to.raw(r#","gid":"#);
            to.number(gid);
            to.raw("}");
        }
    }
}

#[cfg(test)]
mod tests;
