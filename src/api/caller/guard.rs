//! What stands before the doors: it tells who calls, and refuses what they may not.

use std::{
    convert::Infallible,
    future::{Future as _, Ready, poll_fn, ready},
    pin::pin,
    sync::{Arc, atomic::AtomicBool},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::http::{
    HeaderValue, Method, Request, Response, Version,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use bytes::Bytes;
use futures::future::{BoxFuture, Either, FutureExt as _};
use hyper::body::Body;
use tonic::Status;
use tower::Service;

use super::{
    ASKING, Asked, Asking, Authorizer, Load, TooMuch,
    ahead::{Ahead, Come},
    authenticate::{Authenticator, Unknown},
    load::{Answering, Came, Shed},
    route::{self, Action, Route},
};
use crate::api::{Observer, grpc::deadline::timeout_of as grpc_timeout, settle::DoorName, status::CallError};

/// What stands before a message of gRPC, in bytes: a flag, and its length.
pub const PREFIX: usize = 5;

/// A message of gRPC without a field: no flag, and no bytes.
const NOTHING: &[u8] = &[0; PREFIX];

/// What a guard goes by. The doors share one.
pub struct Keeper {
    /// Who calls.
    pub authenticator: Authenticator,
    /// What they may; everyone may everything without.
    pub authorizer: Option<Arc<dyn Authorizer>>,
    /// How much is answered at once.
    pub load: Arc<Load>,
    /// How long a call may wait for others to end, if its client waits so long.
    pub patience: Duration,
    /// Whom refusals are told.
    pub observer: Arc<dyn Observer>,
}

/// How a protocol names calls, and refuses them.
pub trait Protocol: Clone + Send + Sync + 'static {
    /// What answers are made of.
    type Body: Send + 'static;

    /// What a call is for; `None` for what everyone may.
    #[doc(hidden)]
    fn route(method: &Method, path: &str) -> Option<Routed>;

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
pub struct Routed(Route);

/// gRPC.
#[derive(Clone, Copy, Debug)]
pub struct Grpc;

/// HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Http;

/// What a message may be that is read before its call has a place.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The longest that it may take to come.
    pub longest: Duration,
    /// What is larger, in bytes, or says so of itself, has no place: its door refuses it.
    pub most: u64,
}

/// A door behind its guard.
pub struct Guard<S, P> {
    inner: S,
    keeper: Arc<Keeper>,
    protocol: P,
    reading: Reading,
    /// The longest that a call may take whose answer is one message, if the door behind does not see to it.
    limit: Option<Duration>,
}

impl<S, P> Guard<S, P> {
    /// Puts `keeper` before a door.
    pub fn new(inner: S, keeper: Arc<Keeper>, protocol: P, reading: Reading) -> Self {
        Self { inner, keeper, protocol, reading, limit: None }
    }

    /// Ends calls that take longer than that until their answer begins: doors have deadlines, but only once they have read
    /// a question.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

impl<S: Clone, P: Clone> Clone for Guard<S, P> {
    fn clone(&self) -> Self {
        let Self { inner, keeper, protocol, reading, limit } = self;
        let (inner, keeper, protocol) = (inner.clone(), Arc::clone(keeper), protocol.clone());
        Self { inner, keeper, protocol, reading: *reading, limit: *limit }
    }
}

impl<S, P, B> Service<Request<B>> for Guard<S, P>
where
    S: Service<Request<Ahead<B>>, Response = Response<P::Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    P: Protocol,
    B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static,
{
    type Response = Response<P::Body>;
    type Error = Infallible;
    type Future =
        Either<Ready<Result<Self::Response, Infallible>>, BoxFuture<'static, Result<Self::Response, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut request = request.map(Ahead::new);
        let arrival = match Arrival::of::<P, B>(&self.keeper, &mut request, self.reading.most) {
            Ok(arrival) => arrival,
            Err(refused) => return Either::Left(ready(Ok(refused))),
        };
        // The one that was made ready answers.
        let next = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, next);
        let times = (self.reading, self.limit);
        Either::Right(guarded::<S, P, B>(ready, Arc::clone(&self.keeper), times, request, arrival).boxed())
    }
}

/// A call whose head was read, on the task of its connection: what it is for, and whether there is room for it.
struct Arrival {
    at: Instant,
    /// `None` for what everyone may.
    route: Option<Route>,
    /// How long its client waits.
    patience: Duration,
    /// Whether it needs a place.
    counts: bool,
    /// Its place, where its message is there.
    came: Option<Result<Came, Shed>>,
}

impl Arrival {
    /// Finds out, or refuses it. Whom it is from is not known yet: to find out costs more than to refuse.
    fn of<P, B>(keeper: &Keeper, request: &mut Request<Ahead<B>>, most: u64) -> Result<Self, Response<P::Body>>
    where
        P: Protocol,
        B: Body<Data = Bytes> + Unpin,
    {
        let at = Instant::now();
        let Some(Routed(route)) = P::route(request.method(), request.uri().path()) else {
            return Ok(Self { at, route: None, patience: keeper.patience, counts: false, came: None });
        };
        let patience = grpc_timeout(request.headers()).map_or(keeper.patience, |waits| waits.min(keeper.patience));
        // Health never comes here; operators are not to be shut out by those whom they would calm.
        let counts = route.action.has_questions() || route.action == Action::Query;
        // HTTP/2 may have read the message with its head. HTTP/1.1 has not: it reads where it is asked to, next.
        let may_be_there =
            request.version() == Version::HTTP_2 && route::has_one_message(request.method(), request.uri().path());
        let came = if !counts {
            None
        } else if may_be_there && request.body_mut().is_there(most, keeper.load.room()) {
            Some(keeper.load.come(patience))
        } else {
            // It has no place yet, and none is there for it: it may as well know now.
            keeper.load.look(patience).err().map(Err)
        };
        match came {
            // What Envoy takes for a deny is its door's to say.
            Some(Err(shed)) if route.door != DoorName::ENVOY => {
                let shown = request.headers().contains_key(AUTHORIZATION);
                Err(refusal::<P>(keeper, shed.into(), shown))
            }
            came => Ok(Self { at, route: Some(route), patience, counts, came }),
        }
    }
}

fn refusal<P: Protocol>(keeper: &Keeper, error: CallError, shown: bool) -> Response<P::Body> {
    keeper.observer.failed(error.code().1);
    P::refusal(error, shown)
}

async fn guarded<S, P, B>(
    mut inner: S,
    keeper: Arc<Keeper>,
    (reading, mut limit): (Reading, Option<Duration>),
    mut request: Request<Ahead<B>>,
    arrival: Arrival,
) -> Result<Response<P::Body>, Infallible>
where
    S: Service<Request<Ahead<B>>, Response = Response<P::Body>, Error = Infallible> + Send,
    S::Future: Send,
    P: Protocol,
    B: Body<Data = Bytes, Error: Send> + Send + Unpin,
{
    let Arrival { at, route: Some(route), patience, counts, mut came } = arrival else {
        return inner.call(request).await;
    };
    let refuse = |error, shown| Ok(refusal::<P>(&keeper, error, shown));
    let shown = request.headers().contains_key(AUTHORIZATION);
    let who = {
        let mut finding = pin!(keeper.authenticator.who(request.headers(), request.extensions()));
        match poll_fn(|context| Poll::Ready(finding.as_mut().poll(context))).await {
            Poll::Ready(who) => who,
            Poll::Pending => {
                // An issuer is asked, whoever shows a token that may be its: nobody's place waits for that.
                drop(came.take_if(|came| came.is_ok()));
                finding.await
            }
        }
    };
    if keeper.authenticator.required {
        // It is for us; no door needs it, and none can tell of it.
        request.headers_mut().remove(AUTHORIZATION);
    }
    let caller = match who {
        Ok(caller) => caller,
        // Envoy takes only a denied response for a deny: its door gives one, as no question of nobody passes the gate.
        Err(Unknown) if route.door == DoorName::ENVOY => None,
        Err(Unknown) => return refuse(CallError::Unauthenticated, shown),
    };
    if let Some(authorizer) = &keeper.authorizer
        && !route.action.has_questions()
    {
        let Route { door, action } = route;
        let asked = |caller| Asked { caller, door, action, question: None };
        let may = caller.as_ref().is_some_and(|caller| authorizer.allows(&asked(caller)));
        if !may {
            return refuse(CallError::PermissionDenied, shown);
        }
    }
    // What has no place is not decided: the gate sees to that.
    let mut placed = true;
    if counts && came.is_none() && route::has_one_message(request.method(), request.uri().path()) {
        // Nor does a place wait for a message that may never come.
        let announced = request.body().size_hint().lower();
        let coming = async {
            if announced > reading.most {
                return Come::TooMuch;
            }
            request.body_mut().fill(reading.most, keeper.load.room()).await
        };
        match tokio::time::timeout(reading.longest, coming).await {
            Ok(Come::Whole) => {}
            // Whoever reads it tells so, without a place.
            Ok(Come::Broken) => placed = false,
            Ok(Come::NoRoom) => came = Some(Err(keeper.load.no_room())),
            Ok(Come::TooMuch) => match P::too_large(reading.most) {
                Some(error) => return refuse(error, shown),
                None => placed = false,
            },
            Err(_) if route.door == DoorName::ENVOY => came = Some(Err(Shed::Late)),
            Err(_) if P::TELLS_LATE => {
                placed = false;
                request.body_mut().hold();
                limit = Some(limit.unwrap_or(reading.longest));
            }
            Err(_) => return refuse(CallError::DeadlineExceeded, shown),
        }
    }
    if counts && placed && came.is_none() {
        came = Some(keeper.load.come(patience));
    }
    let mut answering = None;
    if let Some(came) = came {
        let rate = caller.as_ref().map_or(Ok(()), |caller| keeper.load.rate(&caller.id, Instant::now()));
        let begun = match rate.and(came) {
            Ok(came) => came.begin().await,
            Err(shed) => Err(shed),
        };
        match begun.map_err(CallError::from) {
            Ok(begun) => answering = Some(begun),
            Err(error) if route.door == DoorName::ENVOY => {
                // Of what is read without a place there may be any number.
                request.body_mut().replace(NOTHING);
                request.extensions_mut().insert(TooMuch(error));
            }
            Err(error) => return refuse(error, shown),
        }
    }
    let asking = Arc::new(Asking { caller, route, placed, refused: AtomicBool::new(false), arrived: at });
    let answer = ASKING.scope(Arc::clone(&asking), async move { inner.call(request).await });
    let answered = match limit {
        Some(limit) => tokio::time::timeout(limit, answer).await.ok(),
        None => Some(answer.await),
    };
    let Some(answered) = answered else {
        // The rest of its message did not come, which says nothing of how long answers take.
        answering.into_iter().for_each(Answering::forget);
        return refuse(CallError::DeadlineExceeded, shown);
    };
    drop(answering);
    if asking.was_refused() && route.door != DoorName::ENVOY {
        // Nothing of the answer has gone out yet. What a stream asks later is denied, item by item.
        return refuse(CallError::PermissionDenied, shown);
    }
    answered
}

impl From<Shed> for CallError {
    fn from(shed: Shed) -> Self {
        match shed {
            Shed::Overloaded(again) => Self::Overloaded(again),
            Shed::TooMany(again) => Self::RateLimited(again),
            Shed::Late => Self::DeadlineExceeded,
        }
    }
}

impl Protocol for Grpc {
    type Body = tonic::body::Body;

    const TELLS_LATE: bool = false;

    fn too_large(most: u64) -> Option<CallError> {
        let limit = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(PREFIX);
        Some(CallError::MessageTooLarge { limit, setting: "grpc.max_message_bytes" })
    }

    fn route(_: &Method, path: &str) -> Option<Routed> {
        route::of_grpc(path).map(Routed)
    }

    fn refusal(error: CallError, _: bool) -> Response<Self::Body> {
        Status::from(error).into_http()
    }
}

impl Protocol for Http {
    type Body = axum::body::Body;

    const TELLS_LATE: bool = true;

    fn too_large(_: u64) -> Option<CallError> {
        None
    }

    fn route(method: &Method, path: &str) -> Option<Routed> {
        route::of_http(method, path).map(Routed)
    }

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
