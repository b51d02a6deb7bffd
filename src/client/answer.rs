//! What comes of a question: a permit, or a refusal.

use std::{fmt, sync::Arc};

use super::Fault;
use crate::{
    api::grpc::{proto, received, wire},
    decision::{Obligation, Verdict, code},
};

/// What a server answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The decision's id: what the server's decision log has it under.
    pub decision_id: String,
    /// The verdict.
    pub verdict: Verdict,
}

/// An allow, all of whose obligations the caller says that it meets. Only a server's answer makes one. Clones are cheap.
#[derive(Clone, Debug)]
#[must_use = "its obligations must be met"]
pub struct Permit {
    pub(super) answer: Arc<Answer>,
    pub(super) reused: bool,
}

/// Why the action may not be taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The server denied it.
    #[error("denied: {} (decision `{}`)", Codes(&.0.verdict), .0.decision_id)]
    Denied(Arc<Answer>),
    /// The server allowed it with an obligation that nobody here meets.
    #[error("allowed with the obligation `{}`, which is not met here (decision `{}`)", named(.obligation), .answer.decision_id)]
    Unmet {
        /// The first such obligation.
        obligation: Box<Obligation>,
        /// What the server answered.
        answer: Arc<Answer>,
    },
    /// The request makes no question, says the mapping of [`super::layer`].
    #[error("nothing can be asked about the request: {0}")]
    Unasked(String),
    /// There is no answer.
    #[error("there is no answer: {0}")]
    Fault(#[from] Fault),
}

impl Answer {
    /// Reads what came. What a server of ours would not say is no answer.
    pub(super) fn read(message: proto::Verdict) -> Result<Self, Fault> {
        if message.decision_id.is_empty() || message.revision.is_none() {
            return Err(Fault::Malformed("it has no decision id or no revision"));
        }
        // An obligation of which a part can't be read can't be met.
        let objects = message.obligations.iter().map(|obligation| &obligation.properties);
        let objects = objects.chain(message.reasons.iter().map(|reason| &reason.properties)).chain([&message.context]);
        let sound = |object: &Option<wire::Object>| object.as_ref().is_none_or(|object| object.defect.is_none());
        if !objects.into_iter().all(sound) {
            return Err(Fault::Malformed("it has properties or a context that can't be read"));
        }
        Ok(Self { decision_id: message.decision_id.clone(), verdict: received::verdict(message) })
    }
}

impl Permit {
    /// What must be done along with the action. The caller said that it meets each of these.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.answer.verdict.obligations
    }

    /// The decision's id; of an answer that was reused, that of the first time.
    #[must_use]
    pub fn decision_id(&self) -> &str {
        &self.answer.decision_id
    }

    /// The whole verdict.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.answer.verdict
    }

    /// Whether the answer was reused, as its `ttl` permits, and not asked for anew.
    #[must_use]
    pub fn is_reused(&self) -> bool {
        self.reused
    }
}

impl Refusal {
    /// A stable code: of a deny, its first reason's; else one of `unmet_obligation`, `no_question`, and those of
    /// [`Fault::code`].
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Denied(answer) => {
                answer.verdict.reasons.first().map_or(code::POLICY_DENIED, |reason| reason.code.as_str())
            }
            Self::Unmet { .. } => "unmet_obligation",
            Self::Unasked(_) => "no_question",
            Self::Fault(fault) => fault.code(),
        }
    }

    /// What the policy has to say to the person who was refused; it is safe to show, all else is not.
    pub fn user_messages(&self) -> impl Iterator<Item = &str> {
        let reasons = match self {
            Self::Denied(answer) => answer.verdict.reasons.as_slice(),
            Self::Unmet { .. } | Self::Unasked(_) | Self::Fault(_) => &[],
        };
        reasons.iter().map(|reason| reason.user_message.as_str()).filter(|message| !message.is_empty())
    }

    /// The decision's id, if there was one.
    #[must_use]
    pub fn decision_id(&self) -> Option<&str> {
        match self {
            Self::Denied(answer) | Self::Unmet { answer, .. } => Some(&answer.decision_id),
            Self::Unasked(_) | Self::Fault(_) => None,
        }
    }

    /// Whether asking again later may help: there was no answer.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Fault(_))
    }
}

/// The codes of a verdict's reasons.
struct Codes<'v>(&'v Verdict);

impl fmt::Display for Codes<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, reason) in self.0.reasons.iter().enumerate() {
            write!(out, "{}`{}`", if number == 0 { "" } else { ", " }, reason.code)?;
        }
        Ok(())
    }
}

/// What an obligation is called.
fn named(obligation: &Obligation) -> &str {
    if obligation.id.is_empty() { &obligation.kind } else { &obligation.id }
}
