//! `verdict.v1.SearchService`: the searches of [`crate::api::search`], each result a message.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt as _, future};
use tonic::{Request, Response, Status};

use super::{
    Config,
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
        search::{self, Found, Search},
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
    config: Config,
    search: search::Config,
}

type Results<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Searches {
    /// A service that asks `decider`.
    pub fn new(decider: Arc<Decider>, observer: Arc<dyn Observer>, config: Config, search: search::Config) -> Self {
        Self(Arc::new(Inner { decider, observer, config, search }))
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
            Search::begin(search::hold(&inner.decider)?, query, searched, inner.search, deadline).await
        };
        let search = begun.await.map_err(|error| inner.failed(error))?;
        let revision = response::revision(search.revision().clone());
        let results = search.decided(0, deadline).filter_map(move |(_, found)| {
            let _call = &call;
            let message = match found {
                Ok(found) => found.map(|found| Ok(message(found, revision.clone()))),
                Err(error) => Some(Err(error)),
            };
            future::ready(message)
        });
        // The first error is the end.
        let results = results.scan(false, move |over, result| {
            if *over {
                return future::ready(None);
            }
            *over = result.is_err();
            future::ready(Some(result.map_err(|error| inner.failed(error))))
        });
        Ok(Response::new(Box::pin(results)))
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
