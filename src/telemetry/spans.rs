//! Spans: that of a call, and those of its decisions (OpenTelemetry's semantic conventions 1.42, "RPC" and "HTTP").
//!
//! Nothing of a request is in them but its trace: methods, routes, entry points and reasons are those that the program and
//! the policies know. `tracestate` (W3C Trace Context §3.3) goes on as it came, as it must.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use hyper::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    propagation::TextMapPropagator as _,
    trace::{
        Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
        Tracer as _,
    },
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{SdkTracer, Span},
};

use crate::{
    call::{self, Call, SpanName},
    clock,
};

/// The most of a `tracestate` that is taken along (W3C Trace Context §3.3.1.5).
const MAX_STATE: usize = 512;

/// What makes spans, if anything does.
#[derive(Clone, Default)]
pub struct Spans {
    tracer: Option<SdkTracer>,
    propagates: bool,
}

/// What a decision's span says.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// Where it was asked.
    pub door: &'static str,
    /// The answer's id.
    pub decision_id: &'a str,
    /// What answered, if the policies have it.
    pub entry_point: Option<&'a str>,
    /// Whether it is an allow.
    pub allowed: bool,
    /// The revision that it was decided on.
    pub revision: u64,
    /// What went wrong, by a code of the program's own.
    pub failure: Option<&'static str>,
    /// How long deciding took, until now.
    pub took: Duration,
}

/// The span of a decision that is being recorded.
pub struct Deciding(Span);

/// Which span a decision's record names.
pub struct Traced {
    /// The span of the decision, if its trace is recorded.
    pub span: Option<Deciding>,
    /// The span that it belongs to: that one, or the call's, or the caller's.
    pub name: Option<SpanName>,
    /// How long the call took until the question was read; of its first question only.
    pub decode: Option<Duration>,
}

impl Spans {
    /// Makes them with `tracer`; without one, calls still belong to the trace that they come from, if that is taken up.
    #[must_use]
    pub fn new(tracer: Option<SdkTracer>, propagates: bool) -> Self {
        Self { tracer, propagates }
    }

    /// The span of a call that came with these headers, begun now.
    pub(super) fn begin(&self, headers: &HeaderMap, kind: SpanKind) -> Context {
        let parent = match remote(headers).filter(|_| self.propagates) {
            Some(remote) => Context::new().with_remote_span_context(remote),
            None => Context::new(),
        };
        match &self.tracer {
            None => parent,
            Some(tracer) => {
                let span = tracer.span_builder("call").with_kind(kind).start_with_context(tracer, &parent);
                parent.with_span(span)
            }
        }
    }

    /// The span of a decision of the calling task's call.
    #[must_use]
    pub fn decided(&self, decision: &Decision<'_>) -> Traced {
        call::current(|call| self.decided_in(call, decision)).unwrap_or(Traced { span: None, name: None, decode: None })
    }

    fn decided_in(&self, call: &Call, decision: &Decision<'_>) -> Traced {
        let begun = call.first();
        let waited = begun.map(|begun| begun.elapsed());
        let decode = waited.map(|waited| waited.saturating_sub(decision.took));
        let recorded = call.context().span().span_context().is_sampled();
        let span = self.tracer.as_ref().filter(|_| recorded).map(|tracer| {
            let now = clock::now();
            let before = |time: Duration| now.checked_sub(time).unwrap_or(now);
            let begun = before(decision.took);
            let span = tracer.span_builder("verdict.decide").with_start_time(before(waited.unwrap_or(decision.took)));
            let mut span = span.start_with_context(tracer, call.context());
            span.set_attributes(attributes(decision));
            if waited.is_some() {
                span.add_event_with_timestamp("decoded", begun, Vec::new());
            }
            span.add_event_with_timestamp("evaluated", now, Vec::new());
            if let Some(code) = decision.failure {
                span.set_status(Status::error(code));
            }
            Deciding(span)
        });
        let name = match &span {
            Some(Deciding(span)) => call::name(&Context::new().with_remote_span_context(span.span_context().clone())),
            None => call.span(),
        };
        Traced { span, name, decode }
    }
}

fn attributes(decision: &Decision<'_>) -> Vec<KeyValue> {
    let Decision { door, decision_id, entry_point, allowed, revision, failure, took: _ } = *decision;
    let mut attributes = vec![
        KeyValue::new("verdict.door", door),
        KeyValue::new("verdict.decision_id", decision_id.to_owned()),
        KeyValue::new("verdict.effect", if allowed { "allow" } else { "deny" }),
        KeyValue::new("verdict.revision", i64::try_from(revision).unwrap_or(i64::MAX)),
    ];
    attributes.extend(entry_point.map(|entry| KeyValue::new("verdict.entry_point", entry.to_owned())));
    attributes.extend(failure.map(|code| KeyValue::new("error.type", code)));
    attributes
}

impl Deciding {
    /// The decision is recorded where it must be, or is not, and answered now.
    pub fn settled(mut self, recorded: Option<bool>) {
        match recorded {
            Some(true) => self.0.add_event("recorded", Vec::new()),
            Some(false) => {
                self.0.add_event("not_recorded", Vec::new());
                self.0.set_status(Status::error("not_recorded"));
            }
            None => {}
        }
        self.0.end();
    }
}

/// A delivery to one whom Verdict calls, under way.
pub struct Delivering {
    span: Span,
    headers: Vec<(String, String)>,
}

impl Spans {
    /// A delivery to `sink` of what belongs to these spans: in the trace of the first, with links to the others.
    #[must_use]
    pub fn delivery(&self, sink: &str, spans: &[SpanName]) -> Option<Delivering> {
        let (tracer, (first, others)) = (self.tracer.as_ref()?, spans.split_first()?);
        let context = |name: &SpanName| {
            let flags = TraceFlags::default().with_sampled(name.sampled);
            let (trace, span) = (TraceId::from_bytes(name.trace_id), SpanId::from_bytes(name.span_id));
            SpanContext::new(trace, span, flags, false, TraceState::default())
        };
        let parent = Context::new().with_remote_span_context(context(first));
        let links = others.iter().map(|other| Link::with_context(context(other))).collect();
        let attributes = [KeyValue::new("verdict.sink", sink.to_owned())];
        let span = tracer.span_builder("verdict.deliver").with_kind(SpanKind::Client).with_links(links);
        let span = span.with_attributes(attributes).start_with_context(tracer, &parent);
        let mut headers = HashMap::new();
        if self.propagates {
            let own = Context::new().with_remote_span_context(span.span_context().clone());
            TraceContextPropagator::new().inject_context(&own, &mut headers);
        }
        let headers = headers.into_iter().filter(|(_, value): &(_, String)| !value.is_empty()).collect();
        Some(Delivering { span, headers })
    }
}

impl Delivering {
    /// What the request says of its span.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// It ended; whether it was taken.
    pub fn end(mut self, taken: bool) {
        if !taken {
            self.span.set_status(Status::error("not_taken"));
        }
        self.span.end();
    }
}

/// Says of a call's span what it was and how it ended, and ends it.
pub(super) fn end(context: &Context, name: Cow<'static, str>, attributes: Vec<KeyValue>, failed: Option<&'static str>) {
    let span = context.span();
    if span.is_recording() {
        span.update_name(name);
        span.set_attributes(attributes);
        if let Some(failed) = failed {
            span.set_attribute(KeyValue::new("error.type", failed));
            span.set_status(Status::error(failed));
        }
        span.end();
    }
}

/// Whether it is worth to say anything of a call's span.
pub(super) fn is_recording(context: &Context) -> bool {
    context.span().is_recording()
}

/// The span that a caller says it asks from (W3C Trace Context §3.2, §3.3). What is malformed is none.
fn remote(headers: &HeaderMap) -> Option<SpanContext> {
    let mut parents = headers.get_all("traceparent").iter();
    let parent = parents.next()?.to_str().ok()?;
    if parents.next().is_some() {
        return None;
    }
    let (trace, span, flags) = parts(parent)?;
    let mut state = String::new();
    for part in headers.get_all("tracestate") {
        if !state.is_empty() {
            state.push(',');
        }
        state.push_str(part.to_str().ok()?);
    }
    let state = if state.len() > MAX_STATE { TraceState::default() } else { state.parse().unwrap_or_default() };
    let context = SpanContext::new(trace, span, flags, true, state);
    context.is_valid().then_some(context)
}

/// `00-TRACE-SPAN-FLAGS`, in small hexadecimal digits. A later version may have more after a dash.
fn parts(parent: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let mut fields = parent.split('-');
    let mut field = |length: usize| {
        let digits =
            |text: &&str| text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fields.next().filter(digits)
    };
    let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    if version == "ff" || (version == "00" && fields.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    Some((TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn read(parents: &[&str], states: &[&str]) -> Option<SpanContext> {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append("traceparent", parent.parse().unwrap());
        }
        for state in states {
            headers.append("tracestate", state.parse().unwrap());
        }
        remote(&headers)
    }

    #[test]
    fn reads_the_callers_span() {
        let context = read(&[&format!("00-{TRACE}-{SPAN}-01")], &["a=1", "b=2"]).unwrap();
        assert_eq!((context.trace_id().to_string(), context.span_id().to_string()), (TRACE.into(), SPAN.into()));
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.trace_state().header(), "a=1,b=2");
        assert!(!read(&[&format!("00-{TRACE}-{SPAN}-02")], &[]).unwrap().is_sampled(), "other flags are none of ours");
        assert!(read(&[&format!("cc-{TRACE}-{SPAN}-01-what-comes-later")], &[]).is_some());
        let large = "x".repeat(250);
        let state =
            read(&[&format!("00-{TRACE}-{SPAN}-01")], &[&format!("a={large}"), &format!("b={large},c={large}")]);
        assert_eq!(state.unwrap().trace_state().header(), "");
    }

    #[test]
    fn takes_nothing_from_what_is_malformed() {
        let zeros = "0".repeat(32);
        for parent in [
            "",
            "00",
            &format!("00-{TRACE}-{SPAN}"),
            &format!("00-{TRACE}-{SPAN}-01-"),
            &format!("00-{TRACE}-{SPAN}-01-x"),
            &format!("ff-{TRACE}-{SPAN}-01"),
            &format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            &format!("00-{zeros}-{SPAN}-01"),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{}-{SPAN}-01", &TRACE[1..]),
            &format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            &format!("0x-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(read(&[parent], &[]), None, "{parent}");
        }
        let parent = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(read(&[&parent, &parent], &[]), None, "two");
        assert_eq!(read(&[], &["a=1"]), None);
    }
}
