//! The service's one method, routed by hand: tonic's generated server has prost's codec, see `codec`.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use envoy_types::ext_authz::v3::pb::CheckResponse;
use futures::future::{BoxFuture, FutureExt as _};
use http_body_util::Full;
use tonic::{
    Code, Request, Response, Status,
    codegen::{Body, Service as TowerService, StdError, http},
    server::{Grpc, NamedService, UnaryService},
};

use super::{
    Door, Service,
    codec::{Codec, Received},
};
use crate::api::{
    caller::{PREFIX, TooMuch},
    deadline::Deadline,
    status::CallError,
};

/// How long after its deadline a check may still be answered by itself.
const TO_ANSWER: Duration = Duration::from_millis(500);

/// The path of the one method.
const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

impl NamedService for Service {
    const NAME: &'static str = "envoy.service.auth.v3.Authorization";
}

impl<B> TowerService<http::Request<B>> for Service
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if request.uri().path() != CHECK {
            return async { Ok(Status::unimplemented("this service has `Check` only").into_http()) }.boxed();
        }
        let door = Arc::clone(&self.0);
        async move {
            let refused = request.extensions().get().cloned();
            let most = Some(door.max_message_bytes);
            let mut grpc = Grpc::new(Codec).apply_max_message_size_config(most, None);
            let answer = grpc.unary(Check(Arc::clone(&door)), request);
            let error = match tokio::time::timeout(door.request_timeout + TO_ANSWER, answer).await {
                Ok(answer) => match Status::from_header_map(answer.headers()) {
                    None => return Ok(answer),
                    Some(status) if status.code() == Code::Ok => return Ok(answer),
                    Some(status) => unreadable(&status, door.max_message_bytes),
                },
                Err(_) => CallError::DeadlineExceeded,
            };
            let refused = refused.unwrap_or(TooMuch(error));
            Ok(self::refused(door, refused).await)
        }
        .boxed()
    }
}

/// A failed call is no deny for Envoy, and may let a request through (`failure_mode_allow`): what has no answer gets a denied
/// response.
async fn refused(door: Arc<Door>, why: TooMuch) -> http::Response<tonic::body::Body> {
    // A message without a field, which is not looked at.
    let mut request = http::Request::new(Full::new(Bytes::from_static(&[0; PREFIX])));
    request.extensions_mut().insert(why);
    Grpc::new(Codec).unary(Check(door), request).await
}

/// What is told of a message that tonic did not read.
fn unreadable(status: &Status, limit: usize) -> CallError {
    match status.code() {
        Code::ResourceExhausted | Code::OutOfRange => {
            CallError::MessageTooLarge { limit, setting: "grpc.max_message_bytes" }
        }
        _ => CallError::MalformedMessage(status.message().to_owned()),
    }
}

struct Check(Arc<Door>);

impl UnaryService<Received> for Check {
    type Response = CheckResponse;
    type Future = BoxFuture<'static, Result<Response<CheckResponse>, Status>>;

    fn call(&mut self, request: Request<Received>) -> Self::Future {
        let door = Arc::clone(&self.0);
        async move {
            let deadline = Deadline::of(request.metadata(), door.request_timeout);
            if let Some(TooMuch(error)) = request.extensions().get().cloned() {
                return Ok(Response::new(door.refuse(error)));
            }
            Ok(Response::new(door.check(request.into_inner(), deadline).await))
        }
        .boxed()
    }
}
