//! tonic's own refusals, put into the words of our contract and counted: no service of ours sees these calls.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{FutureExt as _, Map};
use tonic::codegen::{Service, http};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::api::{Observer, status::CallError};

/// A message over the limit is `RESOURCE_EXHAUSTED` with an `ErrorInfo`, where tonic says `OUT_OF_RANGE` with none.
#[derive(Clone)]
pub struct Limits<S> {
    inner: S,
    max_message_bytes: usize,
    observer: Option<Arc<dyn Observer>>,
}

type Response = http::Response<tonic::body::Body>;
type Rewrite = Box<dyn FnOnce(Result<Response, Infallible>) -> Result<Response, Infallible> + Send>;

impl<S> Limits<S> {
    pub(super) fn new(inner: S, max_message_bytes: usize) -> Self {
        Self { inner, max_message_bytes, observer: None }
    }

    /// Tells `observer` of the calls that are refused here.
    #[must_use]
    pub fn observed(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }
}

impl<S, B> Service<http::Request<B>> for Limits<S>
where
    S: Service<http::Request<B>, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Map<S::Future, Rewrite>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (limit, observer) = (self.max_message_bytes, self.observer.clone());
        let rewrite: Rewrite =
            Box::new(move |response| response.map(|response| rewritten(response, limit, observer.as_deref())));
        self.inner.call(request).map(rewrite)
    }
}

fn rewritten(response: Response, limit: usize, observer: Option<&dyn Observer>) -> Response {
    // Only a call that failed before its first answer has its status here.
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    let (status, reason) = in_our_words(status, limit);
    let Some(reason) = reason else { return response };
    if let Some(observer) = observer {
        observer.failed(reason);
    }
    status.into_http()
}

/// What a failed read of a message is called in our contract, and the reason to count; none if it is not from here.
pub(super) fn in_our_words(status: Status, limit: usize) -> (Status, Option<&'static str>) {
    // Our own services never answer `OUT_OF_RANGE`.
    if status.code() == Code::OutOfRange && status.message().contains("length too large") {
        let error = CallError::MessageTooLarge(limit);
        let reason = error.code().1;
        return (error.into(), Some(reason));
    }
    let (_, malformed) = CallError::MalformedMessage(String::new()).code();
    let is_malformed = status.code() == Code::InvalidArgument
        && status.get_details_error_info().is_some_and(|info| info.reason == malformed);
    (status, is_malformed.then_some(malformed))
}
