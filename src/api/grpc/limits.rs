//! tonic's own refusals, put into the words of our contract and counted: no service of ours sees these calls.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{Either, FutureExt as _, Map, Ready, ready};
use tonic::codegen::{
    Service,
    http::{self, Method, StatusCode, Version, header::CONTENT_TYPE},
};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::api::{Observer, status::CallError};

/// What is no gRPC is refused; a message over the limit is `RESOURCE_EXHAUSTED` with an `ErrorInfo`, where tonic says `OUT_OF_RANGE` with none.
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
    type Future = Either<Ready<Result<Response, Infallible>>, Map<S::Future, Rewrite>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if let Some(refused) = no_grpc(&request) {
            let mut response = Response::new(tonic::body::Body::empty());
            *response.status_mut() = refused;
            return Either::Left(ready(Ok(response)));
        }
        let (limit, observer) = (self.max_message_bytes, self.observer.clone());
        let rewrite: Rewrite =
            Box::new(move |response| response.map(|response| rewritten(response, limit, observer.as_deref())));
        Either::Right(self.inner.call(request).map(rewrite))
    }
}

/// What a request gets that is not gRPC ("PROTOCOL-HTTP2.md": HTTP/2, POST, and 415 for another content type). tonic would
/// answer it; but what can send it is a browser, made to by any page that its user visits.
fn no_grpc<B>(request: &http::Request<B>) -> Option<StatusCode> {
    if request.version() != Version::HTTP_2 {
        return Some(StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    }
    if request.method() != Method::POST {
        return Some(StatusCode::METHOD_NOT_ALLOWED);
    }
    let content_type = request.headers().get(CONTENT_TYPE);
    let is_grpc = content_type.is_some_and(|content_type| content_type.as_bytes().starts_with(b"application/grpc"));
    (!is_grpc).then_some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
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
        let error = CallError::MessageTooLarge { limit, setting: "grpc.max_message_bytes" };
        let reason = error.code().1;
        return (error.into(), Some(reason));
    }
    let (_, malformed) = CallError::MalformedMessage(String::new()).code();
    let is_malformed = status.code() == Code::InvalidArgument
        && status.get_details_error_info().is_some_and(|info| info.reason == malformed);
    (status, is_malformed.then_some(malformed))
}
