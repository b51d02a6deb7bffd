//! What a search comes to, told once: at its end, or when nobody wants the rest of it.

use std::{sync::Arc, time::Instant};

use super::{Found, Search};
use crate::{
    api::{
        Observer,
        settle::{DoorName, Kept, SearchEnded},
        status::CallError,
    },
    decision::SearchSummary,
};

/// A search on its way, and who is told of it.
pub(in crate::api) struct Ending {
    search: Arc<Search>,
    observer: Arc<dyn Observer>,
    door: DoorName,
    id: String,
    request_id: String,
    started: Instant,
    summary: SearchSummary,
    told: bool,
}

impl Ending {
    /// Of a search that begins now.
    pub(in crate::api) fn new(
        search: &Arc<Search>,
        observer: Arc<dyn Observer>,
        door: DoorName,
        (id, request_id): (String, String),
    ) -> Self {
        let summary = SearchSummary {
            searched: search.searched,
            candidates: search.len(),
            decided: 0,
            allowed: 0,
            complete: false,
        };
        let (search, started) = (Arc::clone(search), Instant::now());
        Self { search, observer, door, id, request_id, started, summary, told: false }
    }

    /// The search's id.
    pub(in crate::api) fn id(&self) -> &str {
        &self.id
    }

    /// Counts what a candidate came to.
    pub(in crate::api) fn count(&mut self, found: &Result<Option<Found>, CallError>) {
        self.summary.decided += usize::from(found.is_ok());
        self.summary.allowed += usize::from(matches!(found, Ok(Some(_))));
    }

    /// Tells of it. An error where it had to be recorded and could not be.
    pub(in crate::api) async fn end(mut self, complete: bool) -> Result<(), CallError> {
        self.summary.complete = complete;
        let kept = match self.tell() {
            Kept::Now(kept) => kept,
            Kept::Later(kept) => kept.await,
        };
        let fault = "it could not be recorded, and the decision log is configured to fail closed";
        if kept { Ok(()) } else { Err(CallError::SearchFailed(fault.to_owned())) }
    }

    fn tell(&mut self) -> Kept {
        self.told = true;
        let Search { held, query, asker, .. } = &*self.search;
        let ended = SearchEnded {
            door: self.door,
            id: &self.id,
            request_id: &self.request_id,
            query,
            entry_point: held.entry_point(query),
            summary: self.summary,
            revision: held.revision(),
            took: self.started.elapsed(),
        };
        // What is sent after the call was answered is outside of it.
        asker.say(|| self.observer.searched(&ended))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.told {
            // Nobody is there to be answered.
            let _ = self.tell();
        }
    }
}
