//! A search: with which subjects, resources or actions a question would be allowed (AuthZEN Authorization API 1.0 §8).

use std::pin::Pin;

use super::{query::Query, value::Value};

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

/// What a search, or a page of one, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchSummary {
    /// What was searched for.
    pub searched: Searched,
    /// How many candidates there are.
    pub candidates: usize,
    /// How many of them were decided.
    pub decided: usize,
    /// How many of these are allowed.
    pub allowed: usize,
    /// Whether the last candidate was decided.
    pub complete: bool,
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

impl Query {
    /// The type of what is searched for; empty for actions.
    #[must_use]
    pub fn kind_of(&self, searched: Searched) -> &str {
        match searched {
            Searched::Subject => &self.subject.kind,
            Searched::Resource => &self.resource.kind,
            Searched::Action => "",
        }
    }
}

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
