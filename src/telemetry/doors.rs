//! Around a door: each call gets its span, and is measured to the end of its answer.

mod answer;

use std::{
    borrow::Cow,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Task, Poll},
    time::Instant,
};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    http::{Extensions, request::Parts},
};
use opentelemetry::{Context, KeyValue, trace::SpanKind};
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;
use tower::Service;

pub use self::answer::Answer;
use super::{
    metrics::{Metrics, UNKNOWN, status_name},
    spans::{self, Spans},
};
use crate::call::{self, Call};

/// gRPC's code of a call that nobody waits for any more.
const CANCELLED: usize = 1;
/// That of what is no gRPC.
const INTERNAL: usize = 13;

/// A door whose calls are followed.
#[derive(Clone)]
pub struct Followed<S> {
    inner: S,
    follows: Arc<Follows>,
}

struct Follows {
    metrics: Metrics,
    spans: Spans,
    protocol: Protocol,
}

/// What a door speaks.
#[derive(Clone, Copy)]
pub enum Protocol {
    /// gRPC; this says whether there is such a method.
    Rpc(fn(&str) -> bool),
    /// HTTP; this finds the route of a request, as the program has it.
    Http(fn(&Extensions) -> Option<&str>),
}

/// Puts [`Followed`] around a door.
#[derive(Clone)]
pub struct Layer(Arc<Follows>);

/// A call that is followed. Ends once: with its answer, or where it is dropped.
pub(super) struct Following {
    follows: Arc<Follows>,
    arrived: Instant,
    context: Context,
    what: What,
    ended: bool,
}

enum What {
    Rpc { method: Option<Box<str>> },
    Http { method: &'static str, route: Option<Box<str>>, status: Option<StatusCode> },
}

pin_project! {
    /// An answer to come.
    pub struct Answering<F> {
        #[pin]
        inner: TaskLocalFuture<Call, F>,
        following: Option<Following>,
    }
}

impl Layer {
    /// Measures in `metrics`, and makes spans with `spans`.
    #[must_use]
    pub fn new(metrics: Metrics, spans: Spans, protocol: Protocol) -> Self {
        Self(Arc::new(Follows { metrics, spans, protocol }))
    }
}

impl<S> tower::Layer<S> for Layer {
    type Service = Followed<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Followed { inner, follows: Arc::clone(&self.0) }
    }
}

impl<S, B, R> Service<Request<B>> for Followed<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: hyper::body::Body,
{
    type Response = Response<Answer<R>>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, task: &mut Task<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let following = Following::begin(&self.follows, &parts);
        let call = Call::traced(following.context.clone());
        let inner = call::within(call, self.inner.call(Request::from_parts(parts, body)));
        Answering { inner, following: Some(following) }
    }
}

impl<F, R, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: hyper::body::Body,
{
    type Output = Result<Response<Answer<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(answered) = this.inner.poll(task) else { return Poll::Pending };
        let following = this.following.take();
        Poll::Ready(answered.map(|response| {
            let (head, body) = response.into_parts();
            let following = following.and_then(|following| following.head(head.status, &head.headers));
            Response::from_parts(head, Answer::new(body, following))
        }))
    }
}

impl Following {
    fn begin(follows: &Arc<Follows>, parts: &Parts) -> Self {
        let arrived = Instant::now();
        let context = follows.spans.begin(&parts.headers, SpanKind::Server);
        let what = match follows.protocol {
            // A path may be anything; what there is not has no name.
            Protocol::Rpc(is_known) => {
                let path = parts.uri.path().trim_start_matches('/');
                What::Rpc { method: is_known(path).then(|| path.into()) }
            }
            Protocol::Http(route) => What::Http {
                method: method(&parts.method),
                route: route(&parts.extensions).map(Into::into),
                status: None,
            },
        };
        Self { follows: Arc::clone(follows), arrived, context, what, ended: false }
    }

    /// The answer's head is there. Gives this back where the answer is not known to be whole yet.
    fn head(mut self, code: StatusCode, headers: &HeaderMap) -> Option<Self> {
        if let What::Http { status, .. } = &mut self.what {
            *status = Some(code);
            return Some(self);
        }
        match (grpc_status(headers), code) {
            (Some(status), _) => self.end_rpc(status),
            // What is no gRPC has no status of gRPC.
            (None, code) if code != StatusCode::OK => self.end_rpc(INTERNAL),
            (None, _) => return Some(self),
        }
        None
    }

    /// The answer's end is there.
    pub(super) fn end(&mut self, trailers: Option<&HeaderMap>) {
        match &self.what {
            What::Rpc { .. } => {
                self.end_rpc(trailers.and_then(grpc_status).unwrap_or(0));
            }
            What::Http { status, .. } => self.end_http(*status),
        }
    }

    /// The answer failed, or nobody waits for it.
    fn cut(&mut self) {
        match &self.what {
            What::Rpc { .. } => self.end_rpc(CANCELLED),
            What::Http { status, .. } => self.end_http(*status),
        }
    }

    fn end_rpc(&mut self, status: usize) {
        let What::Rpc { method } = &self.what else { return };
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let method = method.as_deref();
        self.follows.metrics.rpc(method, status, self.arrived.elapsed());
        if spans::is_recording(&self.context) {
            let name = method.unwrap_or(UNKNOWN).to_owned();
            let attributes = vec![
                KeyValue::new("rpc.system.name", "grpc"),
                KeyValue::new("rpc.method", name.clone()),
                KeyValue::new("rpc.response.status_code", status_name(status)),
            ];
            // What is the caller's own fault is no error of a server ("Semantic conventions for gRPC").
            let failed = matches!(status, 2 | 4 | 12 | 13 | 14 | 15).then(|| status_name(status));
            spans::end(&self.context, Cow::Owned(name), attributes, failed);
        }
    }

    fn end_http(&mut self, status: Option<StatusCode>) {
        let What::Http { method, route, .. } = &self.what else { return };
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        // nginx's code of a request that nobody waits for any more.
        let code = status.map_or(499, |status| status.as_u16());
        self.follows.metrics.http(method, route.as_deref(), code, self.arrived.elapsed());
        if spans::is_recording(&self.context) {
            let name = match (route, *method) {
                (Some(route), UNKNOWN) => format!("HTTP {route}"),
                (Some(route), method) => format!("{method} {route}"),
                (None, UNKNOWN) => "HTTP".to_owned(),
                (None, method) => method.to_owned(),
            };
            let mut attributes = vec![
                KeyValue::new("http.request.method", *method),
                KeyValue::new("url.scheme", "http"),
                KeyValue::new("http.response.status_code", i64::from(code)),
            ];
            attributes.extend(route.as_deref().map(|route| KeyValue::new("http.route", route.to_owned())));
            let failed = status.is_none().then_some("cancelled").or((code >= 500).then_some("server_error"));
            spans::end(&self.context, Cow::Owned(name), attributes, failed);
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if !self.ended {
            self.cut();
        }
    }
}

fn grpc_status(headers: &HeaderMap) -> Option<usize> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// The methods that the conventions know; whoever asks may write any.
fn method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or(UNKNOWN)
}
