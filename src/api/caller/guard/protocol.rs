//! How gRPC and HTTP name calls, and refuse them.

use axum::http::{
    HeaderValue, Method, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use bytes::Bytes;
use hyper::body::Body;
use tonic::Status;

use super::PREFIX;
use crate::api::{
    caller::{
        route::{self, Route},
        unsent::Unsent,
    },
    status::CallError,
};

/// How a protocol names calls, and refuses them.
pub trait Protocol: Clone + Send + Sync + 'static {
    /// What answers are made of.
    type Body: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static;

    /// An answer that is followed until it was sent.
    #[doc(hidden)]
    fn body(of: Unsent<Self::Body>) -> Self::Body;

    /// What a call is for; `None` for what everyone may.
    #[doc(hidden)]
    fn route(method: &Method, path: &str) -> Option<Routed>;

    /// How the question of a call comes.
    #[doc(hidden)]
    fn comes(method: &Method, path: &str) -> Comes;

    /// The largest message, in bytes, of a call that everyone may make; `None` where their messages are others' to bound.
    #[doc(hidden)]
    const FREE: Option<u64>;

    /// Whether its doors say in their own words that a message took too long to come.
    #[doc(hidden)]
    const TELLS_LATE: bool;

    /// What is told to a call whose message is larger than `most` bytes; `None` where its door says so, which reads it.
    #[doc(hidden)]
    fn too_large(most: u64) -> Option<CallError>;

    /// The answer to a call that is refused.
    fn refusal(error: CallError, shown: bool) -> Response<Self::Body>;
}

/// What a call is for.
#[doc(hidden)]
pub struct Routed(pub(super) Route);

/// How the question of a call comes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comes {
    /// As one message, which is waited for.
    Whole,
    /// As messages one after the other.
    Streamed,
    /// In the address: its door reads no message.
    InAddress,
}

/// gRPC.
#[derive(Clone, Copy, Debug)]
pub struct Grpc;

/// HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Http;

impl Protocol for Grpc {
    type Body = tonic::body::Body;

    fn body(of: Unsent<Self::Body>) -> Self::Body {
        tonic::body::Body::new(of)
    }

    const TELLS_LATE: bool = false;

    fn too_large(most: u64) -> Option<CallError> {
        let limit = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(PREFIX);
        Some(CallError::MessageTooLarge { limit, setting: "grpc.max_message_bytes" })
    }

    fn route(_: &Method, path: &str) -> Option<Routed> {
        route::of_grpc(path).map(Routed)
    }

    // Whatever its method is: its door looks at the path alone.
    fn comes(_: &Method, path: &str) -> Comes {
        if route::is_streamed(path) { Comes::Streamed } else { Comes::Whole }
    }

    // The name of a service.
    const FREE: Option<u64> = Some(1 << 10);

    fn refusal(error: CallError, _: bool) -> Response<Self::Body> {
        Status::from(error).into_http()
    }
}

impl Protocol for Http {
    type Body = axum::body::Body;

    fn body(of: Unsent<Self::Body>) -> Self::Body {
        axum::body::Body::new(of)
    }

    const TELLS_LATE: bool = true;

    fn too_large(_: u64) -> Option<CallError> {
        None
    }

    fn route(method: &Method, path: &str) -> Option<Routed> {
        route::of_http(method, path).map(Routed)
    }

    fn comes(method: &Method, _: &str) -> Comes {
        if method == Method::GET || method == Method::HEAD { Comes::InAddress } else { Comes::Whole }
    }

    const FREE: Option<u64> = None;

    fn refusal(error: CallError, shown: bool) -> Response<Self::Body> {
        let body = serde_json::json!({ "code": error.code().1, "message": error.to_string() });
        let mut response = Response::new(axum::body::Body::from(format!("{body}\n")));
        *response.status_mut() = error.http_status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let CallError::Overloaded(again) | CallError::RateLimited(again) = error {
            // Whole seconds (RFC 9110 §10.2.3), and not none.
            headers.insert(RETRY_AFTER, HeaderValue::from(again.as_secs().max(1)));
        }
        if error == CallError::Unauthenticated {
            // RFC 6750 §3: an error only where something was shown.
            let challenge =
                if shown { "Bearer realm=\"verdict\", error=\"invalid_token\"" } else { "Bearer realm=\"verdict\"" };
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
