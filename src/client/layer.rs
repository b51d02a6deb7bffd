//! A tower layer that asks before each request, for services of tonic, axum and hyper.
//!
//! The inner service is called only with a [`Permit`], which it finds in the request's extensions. Everyone else gets
//! gRPC `PERMISSION_DENIED` or HTTP 403; where there was no answer, `UNAVAILABLE` or 503. The [`Refusal`] is in that
//! response's extensions, for layers outside this one that want to say more.

mod response;

use std::{
    fmt, mem,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::http::{Request, Response, request::Parts};
use bytes::Bytes;
use futures::FutureExt as _;
use http_body_util::{Either, Full};
use tonic::server::NamedService;
use tower::{Layer, Service};

use super::{Client, Fault, Permit, Question, Refusal};

/// Why no question can be made of a request, for the log: the request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoQuestion(pub String);

/// Asks before each request. `mapping` makes the question out of the request's head.
pub struct Guard<M> {
    client: Client,
    mapping: Arc<M>,
}

/// A service behind a [`Guard`].
pub struct Guarded<S, M> {
    inner: S,
    guard: Guard<M>,
}

/// The body of a response: the inner service's, or that of a refusal.
pub type Body<B> = Either<B, Full<Bytes>>;

impl<M> Guard<M>
where
    M: Fn(&Parts) -> Result<Question, NoQuestion>,
{
    /// A guard that asks `client` what `mapping` makes of a request. If `mapping` panics, the request is refused.
    pub fn new(client: Client, mapping: M) -> Self {
        Self { client, mapping: Arc::new(mapping) }
    }

    /// Asks.
    async fn permit(&self, parts: &Parts) -> Result<Permit, Refusal> {
        let asked = AssertUnwindSafe(async {
            let question = (self.mapping)(parts).map_err(|no| Refusal::Unasked(no.0))?;
            self.client.check(&question).await
        });
        asked.catch_unwind().await.unwrap_or(Err(Refusal::Fault(Fault::Panicked)))
    }
}

impl<S, M> Layer<S> for Guard<M> {
    type Service = Guarded<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded { inner, guard: self.clone() }
    }
}

impl<S, M, B, R> Service<Request<B>> for Guarded<S, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    M: Fn(&Parts) -> Result<Question, NoQuestion> + Send + Sync + 'static,
    B: Send + 'static,
{
    type Response = Response<Body<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready goes along; the clone, which may not be, stays.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let guard = self.guard.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match guard.permit(&parts).await {
                Ok(permit) => {
                    parts.extensions.insert(permit);
                    Ok(inner.call(Request::from_parts(parts, body)).await?.map(Either::Left))
                }
                Err(refusal) => {
                    log(&refusal);
                    Ok(response::refused(refusal, &parts).map(Either::Right))
                }
            }
        })
    }
}

/// A deny is in the server's decision log; the rest is known here alone.
fn log(refusal: &Refusal) {
    match refusal {
        Refusal::Denied(_) => tracing::debug!(code = refusal.code(), "request refused: {refusal}"),
        Refusal::Unmet { .. } | Refusal::Unasked(_) | Refusal::Fault(_) => {
            tracing::warn!(code = refusal.code(), "request refused: {refusal}");
        }
    }
}

impl<S: NamedService, M> NamedService for Guarded<S, M> {
    const NAME: &'static str = S::NAME;
}

// Derived, these would ask for a mapping that is `Clone` and `Debug`.
impl<M> Clone for Guard<M> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), mapping: Arc::clone(&self.mapping) }
    }
}

impl<S: Clone, M> Clone for Guarded<S, M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), guard: self.guard.clone() }
    }
}

impl<M> fmt::Debug for Guard<M> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Guard").field("client", &self.client).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, M> fmt::Debug for Guarded<S, M> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Guarded").field("inner", &self.inner).field("guard", &self.guard).finish()
    }
}
