//! A decision record: what is written down, after what must not be is gone.
//!
//! `docs/decision-record.schema.json` is its schema, `docs/decision-log.md` tells of it.

pub(super) mod answer;

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    config::Mask,
    event::{Event, InputForm},
    mask,
    redact::{HIDDEN, Secrets},
    rules::{self, Rule, Rules, Ruling},
};
use crate::{
    call::{Peer, SpanName},
    decision::{Asks, Effect, EntryPoint, Revision, SearchSummary, SensitiveNames, Value, code, credential_code},
};

/// One record.
pub(super) struct Record {
    pub(super) decision_id: String,
    pub(super) request_id: String,
    pub(super) time: SystemTime,
    pub(super) door: &'static str,
    /// What answered, or what was asked and does not exist.
    pub(super) entry_point: Option<String>,
    /// The rule or package that the question named.
    pub(super) policy: Option<String>,
    pub(super) asks: Asks,
    pub(super) strict: bool,
    pub(super) form: Option<InputForm>,
    /// What a search came to; it has no effect.
    pub(super) search: Option<SearchSummary>,
    pub(super) effect: Effect,
    pub(super) reasons: Vec<String>,
    pub(super) input: Option<Value>,
    /// Whose token it was.
    pub(super) token: Option<Value>,
    pub(super) result: Option<Value>,
    pub(super) diagnostics: Option<Value>,
    pub(super) explanation: Option<Value>,
    pub(super) revision: Revision,
    pub(super) took: Duration,
    pub(super) caller: Option<Peer>,
    /// Who asked, where that was proven.
    pub(super) caller_id: Option<String>,
    /// From the request's beginning until deciding began.
    pub(super) before: Option<Duration>,
    /// From the decision until this was made of it.
    pub(super) logged: Duration,
    /// The span that the decision belongs to.
    pub(super) trace: Option<SpanName>,
    pub(super) erased: Vec<String>,
    pub(super) masked: Vec<String>,
    pub(super) truncated: Vec<String>,
    /// Why there is no payload.
    pub(super) withheld: Option<Withheld>,
    /// What rules took away or changed.
    pub(super) hidden: Vec<Value>,
}

/// Why a record has no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Withheld {
    /// A mask rule failed.
    MaskFailed,
    /// It has more secrets than can be looked for.
    TooManySecrets,
}

impl Withheld {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::MaskFailed => "mask_failed",
            Self::TooManySecrets => "too_many_secrets",
        }
    }
}

/// What became of a record that was to be made.
pub(super) enum Made {
    /// This.
    Record(Box<Record>),
    /// A policy does not want it.
    Dropped,
}

/// What a sink does to its records.
pub(super) struct Masking<'a> {
    pub(super) mask: &'a Mask,
    pub(super) names: &'a SensitiveNames,
    pub(super) rules: &'a dyn Rules,
    /// Told of rules that fail.
    pub(super) failed: &'a dyn Fn(Rule, &str),
}

impl Record {
    /// Makes the record of an event, without anything that must not be in it.
    pub(super) fn make(event: Event, masking: &Masking<'_>) -> Made {
        let mut record = Self::from(event);
        let mut secrets = Secrets::new(masking.names);
        record.redact(&mut secrets);
        if masking.mask.policies && record.dropped(masking) {
            return Made::Dropped;
        }
        mask::apply(masking.mask, &mut record);
        if masking.mask.policies && record.withheld.is_none() {
            record.ask_mask(masking);
        }
        record.tidy(masking.names);
        Made::Record(Box::new(record))
    }

    /// The time as RFC 3339 has it.
    pub(super) fn timestamp(&self) -> String {
        DateTime::<Utc>::from(self.time).to_rfc3339_opts(SecondsFormat::Nanos, true)
    }

    /// `allow` or `deny`; `search` of a search.
    pub(super) fn effect(&self) -> &'static str {
        match (self.search, self.effect) {
            (Some(_), _) => "search",
            (None, Effect::Allow) => "allow",
            (None, Effect::Deny) => "deny",
        }
    }

    /// The parts of the entry point below `data`.
    pub(super) fn path(&self) -> Option<String> {
        let entry: EntryPoint = self.entry_point.as_ref()?.parse().ok()?;
        Some(entry.parts().join("/"))
    }

    fn redact(&mut self, secrets: &mut Secrets<'_>) {
        for (value, at) in [(&mut self.input, "/input"), (&mut self.token, "/token"), (&mut self.result, "/result")] {
            if let Some(value) = value {
                secrets.take(value, &mut at.to_owned());
            }
        }
        for (value, at) in [(&mut self.diagnostics, "/diagnostics"), (&mut self.explanation, "/explanation")] {
            if let Some(value) = value {
                secrets.take(value, &mut at.to_owned());
            }
        }
        let texts = self.reasons.iter_mut().chain([&mut self.request_id]);
        for text in texts.chain(&mut self.entry_point).chain(&mut self.policy) {
            if secrets.credential(text) {
                HIDDEN.clone_into(text);
            }
        }
        if secrets.too_many() {
            self.withhold(Withheld::TooManySecrets);
        } else if !secrets.is_empty() {
            self.scrub(secrets);
        }
        self.erased.append(&mut secrets.erased);
        self.masked.append(&mut secrets.masked);
    }

    fn scrub(&mut self, secrets: &mut Secrets<'_>) {
        // Not the token's: it says who asked, and nobody may blank that by calling it a secret in the question.
        let parts = [
            (&mut self.input, "/input"),
            (&mut self.result, "/result"),
            (&mut self.diagnostics, "/diagnostics"),
            (&mut self.explanation, "/explanation"),
        ];
        for (value, at) in parts {
            if let Some(value) = value {
                secrets.scrub(value, &mut at.to_owned());
            }
        }
        let texts = self.reasons.iter_mut().chain([&mut self.request_id]);
        for text in texts.chain(&mut self.entry_point).chain(&mut self.policy) {
            secrets.scrub_text(text);
        }
    }

    fn dropped(&self, masking: &Masking<'_>) -> bool {
        let sequence = self.revision.sequence;
        if !masking.rules.any(sequence, Rule::Drop) {
            return false;
        }
        match masking.rules.ask(sequence, Rule::Drop, self.event()) {
            Ruling::Value(Value::Bool(truth)) => truth,
            Ruling::Value(_) => {
                (masking.failed)(Rule::Drop, "its value is neither true nor false");
                false
            }
            Ruling::Undefined => false,
            // Evidence is kept where in doubt.
            Ruling::Failed(cause) => {
                (masking.failed)(Rule::Drop, &cause);
                false
            }
        }
    }

    fn ask_mask(&mut self, masking: &Masking<'_>) {
        let sequence = self.revision.sequence;
        if !masking.rules.any(sequence, Rule::Mask) {
            return;
        }
        let outcome = match masking.rules.ask(sequence, Rule::Mask, self.event()) {
            Ruling::Undefined => Ok(()),
            Ruling::Value(said) => rules::mask(self, &said),
            Ruling::Failed(cause) => Err(cause),
        };
        if let Err(cause) = outcome {
            (masking.failed)(Rule::Mask, &cause);
            self.withhold(Withheld::MaskFailed);
        }
    }

    /// What rules hid is not told by what the policy said about it either.
    fn tidy(&mut self, names: &SensitiveNames) {
        let hidden = std::mem::take(&mut self.hidden);
        if !hidden.is_empty() {
            if self.explanation.take().is_some() {
                self.erased.push("/explanation".to_owned());
            }
            let mut secrets = Secrets::new(names);
            for value in &hidden {
                secrets.collect(value, true);
            }
            if secrets.too_many() {
                self.withhold(Withheld::TooManySecrets);
            }
            let parts =
                [(&mut self.token, "/token"), (&mut self.result, "/result"), (&mut self.diagnostics, "/diagnostics")];
            for (value, at) in parts {
                if let Some(value) = value {
                    secrets.scrub(value, &mut at.to_owned());
                }
            }
            for text in self.reasons.iter_mut().chain([&mut self.request_id]) {
                secrets.scrub_text(text);
            }
            self.erased.append(&mut secrets.erased);
            self.masked.append(&mut secrets.masked);
        }
        for places in [&mut self.erased, &mut self.masked, &mut self.truncated] {
            places.sort_unstable();
            places.dedup();
        }
    }

    /// Keeps who decided what and when, and nothing that came from a question or a policy.
    fn withhold(&mut self, why: Withheld) {
        self.withheld = Some(why);
        (self.input, self.token, self.result) = (None, None, None);
        (self.diagnostics, self.explanation) = (None, None);
        self.reasons.retain(|reason| code::ALL.into_iter().chain(credential_code::ALL).any(|ours| ours == reason));
        self.request_id.clear();
        self.erased.clear();
        self.masked.clear();
        self.hidden.clear();
    }
}

impl From<Event> for Record {
    fn from(event: Event) -> Self {
        let Event {
            door,
            decision_id,
            request_id,
            time,
            took,
            caller,
            caller_id,
            before,
            at,
            trace,
            policy,
            asks,
            strict,
            form,
            search,
            input,
            token,
            verdict,
            truncated,
            size: _,
        } = event;
        let entry_point = verdict.entry_point.as_deref().map(str::to_owned);
        let reasons = verdict.reasons.iter().map(|reason| reason.code.clone()).collect();
        let mut record = Self {
            decision_id,
            request_id,
            time,
            door,
            entry_point: entry_point.or_else(|| policy.as_ref().map(EntryPoint::to_string)),
            policy: policy.map(|policy| policy.to_string()),
            asks,
            strict,
            form,
            search,
            effect: verdict.effect,
            reasons,
            input,
            token,
            result: None,
            diagnostics: answer::diagnostics(&verdict.diagnostics),
            explanation: verdict.explanation.as_deref().map(answer::explanation),
            revision: verdict.revision.clone(),
            took,
            caller,
            caller_id,
            before,
            logged: at.elapsed(),
            trace,
            erased: Vec::new(),
            masked: Vec::new(),
            truncated,
            withheld: None,
            hidden: Vec::new(),
        };
        let whole = record.truncated.is_empty();
        record.result = match asks {
            _ if search.is_some() => None,
            Asks::Verdict => Some(answer::contract(verdict, whole)),
            Asks::Document => verdict.value.map(|value| *value),
        };
        if !whole {
            // What was left out can't be looked for in what the policy says about it.
            record.diagnostics = None;
            record.explanation = None;
        }
        record
    }
}
