//! `verdict.v1.PolicyService` over [`Administration`]: limits, deadlines, and what each refusal is on the wire.

mod message;
mod request;
mod upload;

use std::{panic::AssertUnwindSafe, pin::Pin, sync::Arc, time::Duration};

use futures::{FutureExt as _, Stream, StreamExt as _, future, stream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataMap, service::Routes};

use super::{
    deadline::{self, Deadline},
    limits::Limits,
    proto::{
        ActivateRequest, ActivateResponse, GetStatusRequest, GetStatusResponse, ListRevisionsRequest,
        ListRevisionsResponse, PatchDataRequest, PatchDataResponse, PutBundleRequest, PutBundleResponse,
        ReleaseRequest, ReleaseResponse, RollbackRequest, RollbackResponse, WatchStatusRequest, WatchStatusResponse,
        policy_service_server::{PolicyService, PolicyServiceServer},
    },
    revocation::Revocations,
};
use crate::api::{
    Observer,
    administration::{Administration, Publication, Refusal, Report, Target},
    place::Place,
    status::CallError,
};

/// How many bundles may be on their way in at once: each is held whole.
const UPLOADS: usize = 2;

/// The least that a message may have: chunks of clients that do not know the configuration.
const LEAST_MESSAGE_BYTES: usize = 1 << 20;

/// Settings of the policy service.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub place: Place,
    /// The largest bundle that can be put, in bytes.
    pub max_bundle_bytes: usize,
    /// The longest that a command may take, whatever the client's own deadline.
    pub request_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { place: Place::Default, max_bundle_bytes: 64 << 20, request_timeout: Duration::from_secs(120) }
    }
}

/// The policy service.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    administration: Arc<dyn Administration>,
    observer: Arc<dyn Observer>,
    config: Config,
    max_message_bytes: usize,
    uploads: Semaphore,
    draining: CancellationToken,
}

impl Service {
    /// A service over `administration`; once `draining` is cancelled, watches end.
    pub fn new(
        administration: Arc<dyn Administration>,
        observer: Arc<dyn Observer>,
        config: Config,
        max_message_bytes: usize,
        draining: CancellationToken,
    ) -> Self {
        let (uploads, max_message_bytes) = (Semaphore::new(UPLOADS), max_message_bytes.max(LEAST_MESSAGE_BYTES));
        Self(Arc::new(Inner { administration, observer, config, max_message_bytes, uploads, draining }))
    }

    /// The routes of its door: nothing but itself and the revocation service.
    #[must_use]
    pub fn routes(self, revocations: Revocations) -> Limits<Routes> {
        let (limit, observer) = (self.0.max_message_bytes, Arc::clone(&self.0.observer));
        let service = PolicyServiceServer::new(self).max_decoding_message_size(limit);
        let routes = Routes::new(service).add_service(revocations.service(limit));
        Limits::new(routes.prepare(), limit).observed(observer)
    }
}

impl Inner {
    fn failed(&self, error: CallError) -> Status {
        self.observer.failed(error.code().1);
        error.into()
    }

    /// What `work` gives by the deadline. A panic in it is an error of this call alone.
    async fn answer<T>(
        &self,
        metadata: &MetadataMap,
        work: impl AsyncFnOnce(Deadline) -> Result<T, CallError>,
    ) -> Result<Response<T>, Status> {
        let deadline = Deadline::of(metadata, self.config.request_timeout);
        let result = match deadline.left() {
            Ok(left) => match tokio::time::timeout(left, AssertUnwindSafe(work(deadline)).catch_unwind()).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(broken()),
                Err(_) => Err(CallError::DeadlineExceeded),
            },
            Err(passed) => Err(passed),
        };
        result.map(Response::new).map_err(|error| self.failed(error))
    }

    async fn activate(&self, target: Target, request: request::Expecting) -> Result<Publication, CallError> {
        let expected = request::expected(request)?;
        tracing::info!(%target, %expected, "asked to activate a revision");
        Ok(self.administration.activate(target, expected).await?)
    }

    async fn put(&self, mut messages: Streaming<PutBundleRequest>) -> Result<Report, CallError> {
        // Held until the command is done: its archive is in memory for as long.
        let _permit = self.uploads.try_acquire().map_err(|_| CallError::from(Refusal::Busy))?;
        let put = upload::read(&mut messages, self.config.max_bundle_bytes, self.max_message_bytes).await?;
        tracing::info!(bundle = put.name, bytes = put.archive.len(), dry_run = put.dry_run, "a bundle is put");
        Ok(self.administration.put(put).await?)
    }
}

/// What a caller is told of a panic; the log has its place.
fn broken() -> CallError {
    Refusal::Internal("a defect in Verdict; the log says where".to_owned()).into()
}

#[tonic::async_trait]
impl PolicyService for Service {
    async fn get_status(&self, request: Request<GetStatusRequest>) -> Result<Response<GetStatusResponse>, Status> {
        let work = async |_| {
            let status = message::status(self.0.administration.status());
            Ok(GetStatusResponse { status: Some(status) })
        };
        self.0.answer(request.metadata(), work).await
    }

    type WatchStatusStream = Pin<Box<dyn Stream<Item = Result<WatchStatusResponse, Status>> + Send>>;

    async fn watch_status(
        &self,
        request: Request<WatchStatusRequest>,
    ) -> Result<Response<Self::WatchStatusStream>, Status> {
        let inner = Arc::clone(&self.0);
        let updates = self.0.answer(request.metadata(), async |_| Ok(inner.administration.watch())).await?.into_inner();
        // A watch is as long as its client wants, unlike a command.
        let asked = deadline::timeout(request.metadata()).map(|asked| tokio::time::Instant::now() + asked);
        let expired = async move {
            match asked {
                Some(asked) => tokio::time::sleep_until(asked).await,
                None => future::pending().await,
            }
        };
        let updates = AssertUnwindSafe(updates).catch_unwind().map(|status| match status {
            Ok(status) => Ok(WatchStatusResponse { status: Some(message::status(status)) }),
            Err(_) => Err(broken().into()),
        });
        let draining = inner.draining.clone();
        let closing = move || {
            let passed = asked.is_some_and(|asked| tokio::time::Instant::now() >= asked);
            Err(inner.failed(if passed { CallError::DeadlineExceeded } else { CallError::Draining }))
        };
        let updates = updates.take_until(draining.cancelled_owned()).take_until(Box::pin(expired));
        Ok(Response::new(Box::pin(updates.chain(stream::once(async move { closing() })))))
    }

    async fn list_revisions(
        &self,
        request: Request<ListRevisionsRequest>,
    ) -> Result<Response<ListRevisionsResponse>, Status> {
        let work = async |_| {
            let publications = self.0.administration.revisions();
            Ok(ListRevisionsResponse { publications: publications.into_iter().map(message::publication).collect() })
        };
        self.0.answer(request.metadata(), work).await
    }

    async fn put_bundle(
        &self,
        request: Request<Streaming<PutBundleRequest>>,
    ) -> Result<Response<PutBundleResponse>, Status> {
        let metadata = request.metadata().clone();
        let work = async move |_| Ok(message::report(self.0.put(request.into_inner()).await?));
        self.0.answer(&metadata, work).await
    }

    async fn activate(&self, request: Request<ActivateRequest>) -> Result<Response<ActivateResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async move |_| {
            let ActivateRequest { target, expected } = request;
            let active = self.0.activate(request::target(target)?, expected).await?;
            Ok(ActivateResponse { active: Some(message::publication(active)) })
        };
        self.0.answer(&metadata, work).await
    }

    async fn rollback(&self, request: Request<RollbackRequest>) -> Result<Response<RollbackResponse>, Status> {
        let (metadata, _, RollbackRequest { expected }) = request.into_parts();
        let work = async move |_| {
            let active = self.0.activate(Target::Previous, expected).await?;
            Ok(RollbackResponse { active: Some(message::publication(active)) })
        };
        self.0.answer(&metadata, work).await
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let (metadata, _, ReleaseRequest { expected }) = request.into_parts();
        let work = async move |_| {
            let expected = request::expected(expected)?;
            tracing::info!(%expected, "asked to let sources take over");
            let active = self.0.administration.release(expected).await?;
            Ok(ReleaseResponse { active: Some(message::publication(active)) })
        };
        self.0.answer(&metadata, work).await
    }

    async fn patch_data(&self, request: Request<PatchDataRequest>) -> Result<Response<PatchDataResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let work = async move |_| {
            let patch = request::patch(request)?;
            tracing::info!(operations = patch.operations.len(), expected = %patch.expected, "asked to patch data");
            let active = self.0.administration.patch(patch).await?;
            Ok(PatchDataResponse { active: Some(message::publication(active)) })
        };
        self.0.answer(&metadata, work).await
    }
}
