//! `verdict.v1.RevocationService` over the [`Registry`].

mod message;
mod request;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{
    deadline::Deadline,
    proto::{
        ListRevocationsRequest, ListRevocationsResponse, RevokeRequest, RevokeResponse, UnrevokeRequest,
        UnrevokeResponse,
        revocation_service_server::{RevocationService, RevocationServiceServer},
    },
};
use crate::{
    api::{Observer, administration::Refusal, status::CallError},
    revocation::{Change, Registry},
};

/// The revocation service.
#[derive(Clone)]
pub struct Revocations(Arc<Inner>);

struct Inner {
    registry: Registry,
    observer: Arc<dyn Observer>,
    request_timeout: Duration,
}

impl Revocations {
    /// A service over `registry`; no call takes longer than `request_timeout`.
    #[must_use]
    pub fn new(registry: Registry, observer: Arc<dyn Observer>, request_timeout: Duration) -> Self {
        Self(Arc::new(Inner { registry, observer, request_timeout }))
    }

    /// As a service of a door that reads messages up to that size.
    pub(super) fn service(self, max_message_bytes: usize) -> RevocationServiceServer<Self> {
        RevocationServiceServer::new(self).max_decoding_message_size(max_message_bytes)
    }
}

impl Inner {
    /// What `work` gives by the deadline. A panic in it is an error of this call alone.
    async fn answer<T>(
        &self,
        metadata: &MetadataMap,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<Response<T>, Status> {
        let result = match Deadline::of(metadata, self.request_timeout).left() {
            Ok(left) => match tokio::time::timeout(left, AssertUnwindSafe(work).catch_unwind()).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(Refusal::Internal("a defect in Verdict; the log says where".to_owned()).into()),
                Err(_) => Err(CallError::DeadlineExceeded),
            },
            Err(passed) => Err(passed),
        };
        result.map(Response::new).map_err(|error| {
            self.observer.failed(error.code().1);
            error.into()
        })
    }

    async fn revoke(&self, request: RevokeRequest) -> Result<RevokeResponse, CallError> {
        let add = request::revocations(request, &self.registry)?;
        tracing::info!(revocations = add.len(), author = add.first().map(|first| first.author.as_str()), "revoking");
        let done = self.registry.change(Change { add: add.clone(), ..Change::default() }).await?;
        let revocations = done.added.into_iter().zip(add).map(message::revocation).collect();
        Ok(RevokeResponse { revocations })
    }

    async fn unrevoke(&self, request: UnrevokeRequest) -> Result<UnrevokeResponse, CallError> {
        let registry = self.registry.clone();
        let named = tokio::task::spawn_blocking(move || request::ids(request, &registry)).await;
        let remove = named.map_err(|_| Refusal::Internal("the file could not be read".to_owned()))??;
        tracing::info!(revocations = remove.len(), "ending revocations");
        let done = self.registry.change(Change { remove, ..Change::default() }).await?;
        Ok(UnrevokeResponse { revocations: done.removed.into_iter().map(message::revocation).collect() })
    }

    async fn list(&self, request: ListRevocationsRequest) -> Result<ListRevocationsResponse, CallError> {
        let (filter, after, most) = request::listing(request, &self.registry)?;
        let registry = self.registry.clone();
        let page = tokio::task::spawn_blocking(move || registry.list(&filter, after, most)).await;
        let page = page.map_err(|_| Refusal::Internal("the list could not be read".to_owned()))??;
        Ok(ListRevocationsResponse {
            revocations: page.revocations.into_iter().map(message::revocation).collect(),
            next_page_token: page.next.map(|id| id.to_string()).unwrap_or_default(),
        })
    }
}

#[tonic::async_trait]
impl RevocationService for Revocations {
    async fn revoke(&self, request: Request<RevokeRequest>) -> Result<Response<RevokeResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.0.answer(&metadata, self.0.revoke(request)).await
    }

    async fn unrevoke(&self, request: Request<UnrevokeRequest>) -> Result<Response<UnrevokeResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.0.answer(&metadata, self.0.unrevoke(request)).await
    }

    async fn list_revocations(
        &self,
        request: Request<ListRevocationsRequest>,
    ) -> Result<Response<ListRevocationsResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        self.0.answer(&metadata, self.0.list(request)).await
    }
}
