//! Searches, for every door: the policies name candidates, each is decided as any question, what is allowed is found.
//!
//! All on one snapshot. Several candidates are decided at once; what is found comes in the candidates' order.

mod candidate;
mod data;
mod ending;

use std::sync::Arc;

use futures::{Stream, StreamExt as _, stream};
use tokio::task::JoinSet;

pub(super) use self::ending::Ending;
pub use self::{
    candidate::Candidate,
    data::{DataPath, DataPaths},
};
use super::{caller::Carried, deadline::Deadline, status::CallError};
use crate::decision::{Held, Obligation, Query, Revision, Searched};

/// How many candidates of one search are decided at once.
const AT_ONCE: usize = 8;

/// Settings of searches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The most candidates of one search.
    pub max_candidates: usize,
    /// The most results on one page.
    pub page_size: usize,
    /// Data that names candidates in the place of the policies' rules.
    pub candidates: Arc<DataPaths>,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_candidates: 10_000, page_size: 1_000, candidates: Arc::default() }
    }
}

/// A search, and its candidates.
pub(super) struct Search {
    held: Held,
    query: Query,
    searched: Searched,
    candidates: Vec<Candidate>,
    asker: Carried,
}

/// A candidate that is allowed.
pub(super) struct Found {
    pub(super) candidate: Candidate,
    /// What must be done along with it.
    pub(super) obligations: Vec<Obligation>,
}

impl Search {
    /// Asks for the candidates on the snapshot that `held` holds.
    pub(super) async fn begin(
        held: Held,
        query: Query,
        searched: Searched,
        config: &Config,
        deadline: Deadline,
    ) -> Result<Arc<Self>, CallError> {
        if !held.passes(&query) {
            return Err(CallError::PermissionDenied);
        }
        let path = config.candidates.of(held.entry_point(&query), searched, query.kind_of(searched));
        let (named, by) = match path {
            Some(path) => (data::named(&held, path, deadline).await?, path.as_str()),
            None => (held.candidates(query.clone(), searched, deadline.left()?).await?, searched.rule()),
        };
        let most = config.max_candidates;
        if named.len() > most {
            let count = named.len();
            let fault =
                format!("`{by}` names {count} candidates, and a search has at most {most} (`search.max_candidates`)");
            return Err(CallError::SearchFailed(fault));
        }
        let candidates = candidate::read(named, searched, &query, by).map_err(CallError::SearchFailed)?;
        Ok(Arc::new(Self { held, query, searched, candidates, asker: Carried::here() }))
    }

    /// Who searches.
    pub(super) fn asker(&self) -> &Carried {
        &self.asker
    }

    /// How many candidates there are.
    pub(super) fn len(&self) -> usize {
        self.candidates.len()
    }

    /// What is searched on.
    pub(super) fn revision(&self) -> &Revision {
        self.held.revision()
    }

    /// The candidates from a position on, each with that position and whether it is found. An error is one that was
    /// not decided in time.
    pub(super) fn decided(
        self: Arc<Self>,
        from: usize,
        deadline: Deadline,
    ) -> impl Stream<Item = (usize, Result<Option<Found>, CallError>)> + Send + use<> {
        let last = self.candidates.len();
        stream::iter(from..last)
            .map(move |at| {
                let search = Arc::clone(&self);
                // On a task of its own, so that a search can use every core; a task that dies finds nothing.
                let asker = self.asker.clone();
                let mut task = JoinSet::new();
                task.spawn(asker.scope(async move { search.decide(at, deadline).await }));
                async move { (at, task.join_next().await.and_then(Result::ok).unwrap_or(Ok(None))) }
            })
            .buffered(AT_ONCE)
    }

    async fn decide(&self, at: usize, deadline: Deadline) -> Result<Option<Found>, CallError> {
        let Some(candidate) = self.candidates.get(at) else { return Ok(None) };
        let verdict = self.held.decide(&candidate.asked(&self.query, self.searched), deadline.left()?).await;
        if verdict.is_allow() {
            return Ok(Some(Found { candidate: candidate.clone(), obligations: verdict.obligations }));
        }
        // A deny for want of the caller's time is none.
        deadline.left().map(|_| None)
    }
}
