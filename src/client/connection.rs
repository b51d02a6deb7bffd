//! Calls within a deadline, again where the server was not there.

use std::{
    error::Error as _,
    hash::{BuildHasher as _, RandomState},
    iter::successors,
    sync::Arc,
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout_at};
use tonic::{
    Code, Request, Response, Status, TimeoutExpired,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use super::{Fault, Settings};
use crate::{api::grpc::proto::decision_service_client::DecisionServiceClient, clock};

/// The service at the other end.
pub(super) type Service = DecisionServiceClient<InterceptedService<Channel, Shown>>;

/// What the client shows of itself with each call.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown(pub(super) Option<MetadataValue<Ascii>>);

impl Interceptor for Shown {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(shown) = &self.0 {
            request.metadata_mut().insert("authorization", shown.clone());
        }
        Ok(request)
    }
}

/// A connection, and how it is used.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    service: Service,
    settings: Settings,
}

impl Connection {
    pub(super) fn new(channel: Channel, shown: Shown, settings: Settings) -> Self {
        Self { service: Service::new(InterceptedService::new(channel, shown)), settings }
    }

    /// Calls until there is an answer, the deadline has come or the retries are used up. With the answer comes the time
    /// ([`clock::uptime`]) at which the attempt began that got it.
    pub(super) async fn ask<T, F>(
        &self,
        limit: Duration,
        mut call: impl FnMut(Service, Duration) -> F,
    ) -> Result<(T, Duration), Fault>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let Settings { deadline, retries, pause, .. } = self.settings;
        let limit = limit.min(deadline);
        let end = Instant::now() + limit;
        let attempts = async {
            let mut pause = pause;
            let mut left = retries;
            loop {
                let began = clock::uptime();
                match call(self.service.clone(), end.saturating_duration_since(Instant::now())).await {
                    Ok(response) => return Ok((response.into_inner(), began)),
                    Err(status) if left > 0 && is_unavailable(&status) => sleep(some_of(pause)).await,
                    Err(status) => return Err(status),
                }
                left -= 1;
                pause = pause.saturating_mul(2);
            }
        };
        match timeout_at(end, attempts).await {
            Ok(Ok(answered)) => Ok(answered),
            Ok(Err(status)) if is_timeout(&status) => Err(Fault::Deadline(limit)),
            Ok(Err(status)) if is_unavailable(&status) => Err(Fault::Unavailable(Arc::new(status))),
            Ok(Err(status)) => Err(Fault::Refused(Arc::new(status))),
            Err(_) => Err(Fault::Deadline(limit)),
        }
    }
}

/// A call that tells the server, too, how long it has.
pub(super) fn limited<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// Whether the server was not there. That is `UNAVAILABLE`; and since tonic has other names for a connection that is lost
/// under a call, also these, if they are not what a server said: what came over the wire has no source.
fn is_unavailable(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => true,
        Code::Unknown | Code::Cancelled => status.source().is_some() && !is_timeout(status),
        _ => false,
    }
}

/// Whether the server, or the connection, saw first that the time is over: the header that tells them how long a call
/// may take is cut to whole units, so their clocks may run out a moment before ours. The connection says `CANCELLED`.
fn is_timeout(status: &Status) -> bool {
    let mut causes = successors(status.source(), |&cause| cause.source());
    causes.any(<dyn std::error::Error>::is::<TimeoutExpired>) || status.code() == Code::DeadlineExceeded
}

/// Half of `pause` and a random part of the other half, so that clients that lost one server do not come back at once.
fn some_of(pause: Duration) -> Duration {
    let part = u32::try_from(RandomState::new().hash_one(0_u8) % 1_000).unwrap_or_default();
    pause / 2 + pause / 2 / 1_000 * part
}
