//! `grpc.health.v1`: tonic's service, but its watches end when the server does.

use std::pin::Pin;

use futures::{Stream, StreamExt as _, future, stream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::{
    ServingStatus,
    pb::{
        HealthCheckRequest, HealthCheckResponse,
        health_check_response::ServingStatus as Sent,
        health_server::{self, HealthServer},
    },
    server::HealthService,
};

use super::{MCP_SERVICE_NAME, SERVICE_NAME};

/// The longest question, in bytes: it is the name of a service.
const QUESTION: usize = 1 << 10;

/// The health service, and the handle that says how it goes.
pub struct Health(HealthReporter);

/// Says how the services go.
#[derive(Clone)]
pub struct HealthReporter {
    statuses: tonic_health::server::HealthReporter,
    ended: CancellationToken,
}

/// What is served.
pub(super) struct Service {
    inner: HealthService,
    ended: CancellationToken,
}

impl Health {
    /// A health service that says `NOT_SERVING` until told otherwise.
    pub async fn new() -> Self {
        let (statuses, _) = tonic_health::server::health_reporter();
        let reporter = HealthReporter { statuses, ended: CancellationToken::new() };
        reporter.set_serving(false).await;
        Self(reporter)
    }

    /// The handle.
    #[must_use]
    pub fn reporter(&self) -> HealthReporter {
        self.0.clone()
    }

    pub(super) fn service(self) -> HealthServer<Service> {
        let HealthReporter { statuses, ended } = self.0;
        let service = Service { inner: HealthService::from_health_reporter(statuses), ended };
        HealthServer::new(service).max_decoding_message_size(QUESTION)
    }
}

impl HealthReporter {
    /// Sets the status of the server as a whole, of the decision service and of the MCP service.
    pub async fn set_serving(&self, serving: bool) {
        for name in ["", SERVICE_NAME, MCP_SERVICE_NAME] {
            let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
            self.statuses.set_service_status(name, status).await;
        }
    }

    /// Says `NOT_SERVING` for good, and ends every watch with that: one that goes on would keep its connection, and so
    /// the process, until the drain timeout.
    pub async fn end(&self) {
        self.set_serving(false).await;
        self.ended.cancel();
    }
}

#[tonic::async_trait]
impl health_server::Health for Service {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.inner.check(request).await
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let updates = self.inner.watch(request).await?.into_inner();
        let last = Ok(HealthCheckResponse { status: Sent::NotServing.into() });
        let watch = updates.take_until(self.ended.clone().cancelled_owned()).chain(stream::once(future::ready(last)));
        Ok(Response::new(Box::pin(watch)))
    }
}
