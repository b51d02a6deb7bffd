//! A search: with which subjects, resources or actions a question would be allowed (AuthZEN Authorization API 1.0 §8).

use std::pin::Pin;

use super::value::Value;

/// The part of a question that is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Searched {
    /// Who may.
    Subject,
    /// What on.
    Resource,
    /// What may be done.
    Action,
}

/// Why a search found nothing out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// The policies name no candidates.
    #[error("{0}")]
    Unsupported(String),
    /// The rule that names them gave none that can be used.
    #[error("{0}")]
    Failed(String),
}

/// Candidates to come, in the policy's order; no value of the rule is as an empty list.
pub type PendingCandidates = Pin<Box<dyn Future<Output = Result<Vec<Value>, SearchError>> + Send>>;

impl Searched {
    /// The question's member.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Resource => "resource",
            Self::Action => "action",
        }
    }

    /// The rule that names the candidates, in the package of the entry point.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Subject => "subjects",
            Self::Resource => "resources",
            Self::Action => "actions",
        }
    }
}
