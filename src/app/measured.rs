//! A decision as telemetry sees it: counted, timed by its phases, and in its trace.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use crate::{
    api::settle::Decided,
    call::SpanName,
    decision::{Evaluator, Verdict, code},
    telemetry::{
        metrics::{Metrics, Phase},
        spans::{Decision, Spans, Traced},
    },
};

/// The most reasons of one decision that are counted.
const MOST_REASONS: usize = 8;

/// The most names that are taken from the policies, and their greatest length.
const MOST_NAMES: usize = 10_000;
const LONGEST: usize = 64;

/// What stands in the policies' texts: a reason that does not was made of what was asked, and may be a secret.
#[derive(Default)]
pub(super) struct Names(HashSet<Box<str>>);

/// A decision that is about to be answered.
pub(super) struct Measured {
    metrics: Metrics,
    traced: Traced,
    decided: Instant,
    took: Duration,
}

impl Names {
    /// The strings in the texts of a snapshot's policies that could be codes.
    pub(super) fn of(snapshot: &dyn Evaluator) -> Self {
        let mut names: HashSet<Box<str>> = code::ALL.into_iter().map(Box::from).collect();
        for (_, text) in snapshot.policies() {
            let strings = text.split(['"', '`']).filter(|text| is_code(text));
            names.extend(strings.take(MOST_NAMES.saturating_sub(names.len())).map(Box::from));
        }
        Self(names)
    }
}

fn is_code(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-/".contains(&byte))
}

impl Measured {
    pub(super) fn begin(
        metrics: &Metrics,
        spans: &Spans,
        names: &Names,
        decided: &Decided<'_>,
        verdict: &Verdict,
    ) -> Self {
        let failure = verdict.diagnostics.first().map(|diagnostic| known(&diagnostic.code));
        let traced = spans.decided(&Decision {
            door: decided.door.0,
            decision_id: decided.decision_id,
            entry_point: verdict.entry_point.as_deref(),
            allowed: verdict.is_allow(),
            revision: verdict.revision.sequence,
            failure,
            took: decided.took,
        });
        for reason in verdict.reasons.iter().take(MOST_REASONS) {
            metrics.reason(names.0.get(reason.code.as_str()).map(|code| &**code));
        }
        if let Some(failure) = failure {
            metrics.failure(failure);
        }
        Self { metrics: metrics.clone(), traced, decided: Instant::now(), took: decided.took }
    }

    /// The span that the decision belongs to.
    pub(super) fn trace(&self) -> Option<SpanName> {
        self.traced.name
    }

    /// Whether there is a span of it alone.
    pub(super) fn is_traced(&self) -> bool {
        self.traced.span.is_some()
    }

    /// The verdict is answered now. `recorded` says whether its record is where it must be, if it must be anywhere.
    pub(super) fn settled(self, verdict: &Verdict, recorded: Option<bool>) {
        let Self { metrics, traced, decided, took } = self;
        let entry = verdict.entry_point.as_deref();
        metrics.decision(entry, verdict.is_allow(), took);
        if let Some(decode) = traced.decode {
            metrics.phase(entry, Phase::Decode, decode);
        }
        if let Some(kept) = recorded {
            metrics.phase(entry, Phase::Record, decided.elapsed());
            if !kept {
                metrics.failure(code::NOT_RECORDED);
            }
        }
        if let Some(span) = traced.span {
            span.settled(recorded);
        }
    }
}

/// A code of Verdict's own.
fn known(code: &str) -> &'static str {
    code::ALL.into_iter().find(|known| *known == code).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_be_a_code_is_one() {
        for text in ["role_grants_action", "a", "A-1.2:x/y"] {
            assert!(is_code(text), "{text}");
        }
        for text in ["", " := ", "two words", "é", &"x".repeat(65)] {
            assert!(!is_code(text), "{text}");
        }
        assert_eq!((known(code::BUDGET_EXCEEDED), known("anything")), (code::BUDGET_EXCEEDED, "other"));
    }
}
