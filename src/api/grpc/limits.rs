//! tonic's own refusals, put into the words of our contract.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use futures::future::{FutureExt as _, Map};
use tonic::codegen::{Service, http};
use tonic::{Code, Status};

use crate::api::status::CallError;

/// A message over the limit is `RESOURCE_EXHAUSTED` with an `ErrorInfo`, where tonic says `OUT_OF_RANGE` with none.
#[derive(Clone)]
pub struct Limits<S> {
    inner: S,
    max_message_bytes: usize,
}

type Response = http::Response<tonic::body::Body>;
type Rewrite = Box<dyn FnOnce(Result<Response, Infallible>) -> Result<Response, Infallible> + Send>;

impl<S> Limits<S> {
    pub(super) fn new(inner: S, max_message_bytes: usize) -> Self {
        Self { inner, max_message_bytes }
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
        let limit = self.max_message_bytes;
        let rewrite: Rewrite = Box::new(move |response| response.map(|response| rewritten(response, limit)));
        self.inner.call(request).map(rewrite)
    }
}

fn rewritten(response: Response, limit: usize) -> Response {
    match Status::from_header_map(response.headers()) {
        Some(status) if is_too_large(&status) => Status::from(CallError::MessageTooLarge(limit)).into_http(),
        _ => response,
    }
}

/// Whether tonic refused a message for its size; our own services never answer `OUT_OF_RANGE`.
pub(super) fn is_too_large(status: &Status) -> bool {
    status.code() == Code::OutOfRange && status.message().contains("length too large")
}
