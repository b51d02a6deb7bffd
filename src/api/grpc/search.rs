//! `verdict.v1.SearchService`: the searches of [`crate::api::search`], each result a message.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt as _, stream};
use tokio::task::JoinSet;
use tonic::{Request, Response, Status};

use super::{
    Config, DecisionIds, caught,
    deadline::Deadline,
    proto::{
        self, SearchActionsRequest, SearchActionsResponse, SearchResourcesRequest, SearchResourcesResponse,
        SearchSubjectsRequest, SearchSubjectsResponse, search_service_server::SearchService,
    },
    question, response,
};
use crate::{
    api::{
        Observer,
        caller::Carried,
        search::{self, Ending, Found, Search},
        settle::DoorName,
        status::{CallError, FieldViolation},
    },
    decision::{Decider, Query, Searched},
};

/// The search service.
#[derive(Clone)]
pub struct Searches(Arc<Inner>);

struct Inner {
    decider: Arc<Decider>,
    observer: Arc<dyn Observer>,
    ids: DecisionIds,
    config: Config,
    search: search::Config,
}

type Results<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Searches {
    /// A service that asks `decider`.
    pub fn new(
        decider: Arc<Decider>,
        observer: Arc<dyn Observer>,
        ids: DecisionIds,
        config: Config,
        search: search::Config,
    ) -> Self {
        Self(Arc::new(Inner { decider, observer, ids, config, search }))
    }

    async fn search<T: Send + 'static>(
        &self,
        query: Result<Query, Vec<FieldViolation>>,
        searched: Searched,
        deadline: Deadline,
        message: fn(Found, proto::Revision) -> T,
    ) -> Result<Response<Results<T>>, Status> {
        let inner = Arc::clone(&self.0);
        let call = inner.observer.in_flight();
        let begun = async {
            let query = query.map_err(CallError::InvalidQuery)?;
            let held = inner.decider.hold().ok_or(CallError::PoliciesNotReady)?;
            Search::begin(held, query, searched, &inner.search, deadline).await
        };
        let search = caught(&*inner.observer, begun).await?.into_inner();
        let revision = response::revision(search.revision().clone());
        let id = (inner.ids)();
        let header = id.parse();
        let ending = Ending::new(&search, Arc::clone(&inner.observer), DoorName::GRPC, (id, String::new()));
        let asker = search.asker().clone();
        let decided = Box::pin(search.decided(0, deadline));
        let running =
            Running { inner, asker, deadline, decided: Some(decided), ready: VecDeque::new(), ending, _call: call };
        // The first error is the end.
        let results = stream::unfold(Some(running), move |running| {
            let revision = revision.clone();
            async move {
                let (result, rest) = running?.next().await?;
                Some((result.map(|found| message(found, revision)), rest))
            }
        });
        let mut response = Response::new(Box::pin(results) as Results<T>);
        // An id has nothing that metadata can't hold.
        let _ = header.map(|id| response.metadata_mut().insert("verdict-decision-id", id));
        Ok(response)
    }
}

/// What a candidate came to.
type Decided = Result<Option<Found>, CallError>;

/// Candidates, each with its position.
type Candidates = Pin<Box<dyn Stream<Item = (usize, Decided)> + Send>>;

/// How many candidates are decided before their results are sent.
const AT_ONCE: usize = 256;
/// For how long, where something is found.
const SOON: Duration = Duration::from_millis(10);

/// Decides several candidates; gives what is left.
async fn several(mut decided: Candidates) -> (Option<Candidates>, VecDeque<Decided>) {
    let (began, mut came, mut any) = (Instant::now(), VecDeque::new(), false);
    while came.len() < AT_ONCE && !(any && began.elapsed() > SOON) {
        let Some((_, found)) = decided.next().await else { return (None, came) };
        // An error is the end.
        any |= !matches!(found, Ok(None));
        came.push_back(found);
    }
    (Some(decided), came)
}

/// A search whose results are being sent.
struct Running {
    inner: Arc<Inner>,
    asker: Carried,
    deadline: Deadline,
    /// The candidates that are still to be decided, if there are some.
    decided: Option<Candidates>,
    /// What others came to, in their order.
    ready: VecDeque<Decided>,
    ending: Ending,
    _call: Box<dyn Send + Sync>,
}

impl Running {
    /// The next that is found.
    async fn find(&mut self) -> Result<Option<Found>, CallError> {
        loop {
            while let Some(found) = self.ready.pop_front() {
                self.ending.count(&found);
                if let Some(found) = found? {
                    return Ok(Some(found));
                }
            }
            let Some(decided) = self.decided.take() else { return Ok(None) };
            // The call was answered when its stream began, and gave its place back: this has another. On a task of its own, as nobody
            // goes on with a stream whose client does not read, which is to keep no place.
            let (asker, left) = (self.asker.clone(), self.deadline.left()?);
            let mut task = JoinSet::new();
            task.spawn(async move { asker.rest(left, several(decided)).await });
            let fault = || CallError::SearchFailed("its task ended without an answer".to_owned());
            (self.decided, self.ready) = task.join_next().await.and_then(Result::ok).ok_or_else(fault)??;
        }
    }

    /// The next result, and what sends those after it.
    async fn next(mut self) -> Option<(Result<Found, Status>, Option<Self>)> {
        match self.find().await {
            Ok(Some(found)) => return Some((Ok(found), Some(self))),
            Ok(None) => {}
            Err(error) => return Some((Err(self.inner.failed(error)), None)),
        }
        let Self { inner, ending, .. } = self;
        let error = ending.end(true).await.err()?;
        Some((Err(inner.failed(error)), None))
    }
}

impl Inner {
    fn failed(&self, error: CallError) -> Status {
        self.observer.failed(error.code().1);
        error.into()
    }
}

#[tonic::async_trait]
impl SearchService for Searches {
    type SearchSubjectsStream = Results<SearchSubjectsResponse>;

    async fn search_subjects(
        &self,
        request: Request<SearchSubjectsRequest>,
    ) -> Result<Response<Self::SearchSubjectsStream>, Status> {
        let deadline = Deadline::of(request.metadata(), self.0.config.request_timeout);
        let SearchSubjectsRequest { subject, action, resource, context, policy } = request.into_inner();
        let query = question::search((subject, action, resource, context), &policy, Searched::Subject);
        let message = |Found { candidate, obligations }: Found, revision| SearchSubjectsResponse {
            subject: Some(proto::Subject {
                r#type: candidate.kind,
                id: candidate.id,
                properties: response::object(candidate.properties),
            }),
            obligations: obligations.into_iter().map(response::obligation).collect(),
            revision: Some(revision),
        };
        self.search(query, Searched::Subject, deadline, message).await
    }

    type SearchResourcesStream = Results<SearchResourcesResponse>;

    async fn search_resources(
        &self,
        request: Request<SearchResourcesRequest>,
    ) -> Result<Response<Self::SearchResourcesStream>, Status> {
        let deadline = Deadline::of(request.metadata(), self.0.config.request_timeout);
        let SearchResourcesRequest { subject, action, resource, context, policy } = request.into_inner();
        let query = question::search((subject, action, resource, context), &policy, Searched::Resource);
        let message = |Found { candidate, obligations }: Found, revision| SearchResourcesResponse {
            resource: Some(proto::Resource {
                r#type: candidate.kind,
                id: candidate.id,
                properties: response::object(candidate.properties),
            }),
            obligations: obligations.into_iter().map(response::obligation).collect(),
            revision: Some(revision),
        };
        self.search(query, Searched::Resource, deadline, message).await
    }

    type SearchActionsStream = Results<SearchActionsResponse>;

    async fn search_actions(
        &self,
        request: Request<SearchActionsRequest>,
    ) -> Result<Response<Self::SearchActionsStream>, Status> {
        let deadline = Deadline::of(request.metadata(), self.0.config.request_timeout);
        let SearchActionsRequest { subject, resource, context, policy } = request.into_inner();
        let query = question::search((subject, None, resource, context), &policy, Searched::Action);
        let message = |Found { candidate, obligations }: Found, revision| SearchActionsResponse {
            action: Some(proto::Action { name: candidate.id, properties: response::object(candidate.properties) }),
            obligations: obligations.into_iter().map(response::obligation).collect(),
            revision: Some(revision),
        };
        self.search(query, Searched::Action, deadline, message).await
    }
}
