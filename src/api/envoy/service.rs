//! The service's one method, routed by hand: tonic's generated server has prost's codec, see `codec`.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use envoy_types::ext_authz::v3::pb::CheckResponse;
use futures::future::{BoxFuture, FutureExt as _};
use tonic::{
    Request, Response, Status,
    codegen::{Body, Service as TowerService, StdError, http},
    server::{Grpc, NamedService, UnaryService},
};

use super::{
    Door, Service,
    codec::{Codec, Received},
};
use crate::api::{caller::TooMuch, deadline::Deadline};

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
            let most = Some(door.max_message_bytes);
            let mut grpc = Grpc::new(Codec).apply_max_message_size_config(most, None);
            Ok(grpc.unary(Check(door), request).await)
        }
        .boxed()
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
