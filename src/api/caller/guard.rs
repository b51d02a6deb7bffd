//! What stands before the doors: it tells who calls, and refuses what they may not.

mod admit;
mod protocol;

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::http::{Request, Response, Version, header::AUTHORIZATION};
use bytes::Bytes;
use futures::future::{BoxFuture, Either, FutureExt as _};
use hyper::body::Body;
use tower::{BoxError, Service};

pub use self::protocol::{Grpc, Http};
use self::{
    admit::Admitted,
    protocol::{Comes, Protocol, Routed},
};
use super::{
    ASKING, Asking, Authorizer, Load, TooMuch,
    ahead::Ahead,
    authenticate::Authenticator,
    load::{Answering, Came, Shed},
    outside::Stand,
    route::{Action, Route},
    unsent::Unsent,
};
use crate::api::{
    Observer, grpc::deadline::timeout_of as grpc_timeout, listen::Unread, settle::DoorName, status::CallError,
};

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
    /// a question, and a record may be waited for. Changes are not ended.
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
    B: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + Unpin + 'static,
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
    comes: Comes,
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
            let (patience, comes) = (keeper.patience, Comes::InAddress);
            return Ok(Self { at, route: None, comes, patience, counts: false, came: None });
        };
        let patience = grpc_timeout(request.headers()).map_or(keeper.patience, |waits| waits.min(keeper.patience));
        // Health never comes here; operators are not to be shut out by those whom they would calm.
        let counts = route.action.has_questions() || route.action == Action::Query;
        // HTTP/2 may have read the message with its head. HTTP/1.1 has not: it reads where it is asked to, next.
        let comes = P::comes(request.method(), request.uri().path());
        let may_be_there = request.version() == Version::HTTP_2 && comes == Comes::Whole;
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
                let connection = request.extensions().get::<Arc<Unread>>().cloned();
                Err(refusal::<P>(keeper, shed.into(), shown, connection))
            }
            came => Ok(Self { at, route: Some(route), comes, patience, counts, came }),
        }
    }
}

fn refusal<P: Protocol>(
    keeper: &Keeper,
    error: CallError,
    shown: bool,
    connection: Option<Arc<Unread>>,
) -> Response<P::Body> {
    keeper.observer.failed(error.code().1);
    let always = |body| P::body(Unsent::keep_always(body, keeper.load.unsent(), connection));
    P::refusal(error, shown).map(always)
}

async fn guarded<S, P, B>(
    mut inner: S,
    keeper: Arc<Keeper>,
    (reading, limit): (Reading, Option<Duration>),
    mut request: Request<Ahead<B>>,
    arrival: Arrival,
) -> Result<Response<P::Body>, Infallible>
where
    S: Service<Request<Ahead<B>>, Response = Response<P::Body>, Error = Infallible> + Send,
    S::Future: Send,
    P: Protocol,
    B: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + Unpin,
{
    let (at, arrival_patience, comes) = (arrival.at, arrival.patience, arrival.comes);
    let shown = request.headers().contains_key(AUTHORIZATION);
    let connection = request.extensions().get::<Arc<Unread>>().cloned();
    let refuse = |error| Ok(refusal::<P>(&keeper, error, shown, connection.clone()));
    let Some(route) = arrival.route else {
        if let Err(error) = admit::free::<P, B>(&keeper, &mut request, reading).await {
            return refuse(error);
        }
        let answer = inner.call(request);
        let answered = match limit {
            Some(limit) => tokio::time::timeout(limit, answer).await.ok(),
            None => Some(answer.await),
        };
        let Some(answered) = answered else { return refuse(CallError::DeadlineExceeded) };
        return Ok(sent::<P>(&keeper, answered, connection.clone(), (shown, None)));
    };
    let admitted = match admit::call::<P, B>(&keeper, &mut request, reading, arrival, route).await {
        Ok(admitted) => admitted,
        // Envoy takes only a denied response for a deny: its door gives one, as no question without a place passes the gate.
        Err(error) if route.door == DoorName::ENVOY => {
            // Of what is read without a place there may be any number.
            request.body_mut().replace(NOTHING);
            request.extensions_mut().insert(TooMuch(error));
            Admitted::default()
        }
        Err(error) => return refuse(error),
    };
    let Admitted { caller, placed, answering, late } = admitted;
    let limit = limit.filter(|_| route.action != Action::Administer);
    let limit = if late { Some(limit.unwrap_or(reading.longest)) } else { limit };
    let until = at + arrival_patience;
    let stand = answering.map(|answering| Stand::new(&keeper.load, until, Some(answering)));
    // Otherwise the gate tells what is decided.
    let decided = AtomicBool::new(route.action == Action::Query);
    let placed = placed.into();
    let refused = AtomicBool::new(false);
    let size = match comes {
        Comes::Whole => usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX),
        // Each has its own.
        Comes::Streamed | Comes::InAddress => 0,
    };
    let asking = Arc::new(Asking {
        caller,
        route,
        placed,
        stand,
        size: size.into(),
        lost: OnceLock::new(),
        decided,
        refused,
        arrived: at,
    });
    let answer = ASKING.scope(Arc::clone(&asking), async move { inner.call(request).await });
    let answered = match limit {
        Some(limit) => tokio::time::timeout(limit, answer).await.ok(),
        None => Some(answer.await),
    };
    let Some(answered) = answered else {
        // The rest of its message did not come, which says nothing of how long answers take.
        asking.stand.as_ref().and_then(Stand::leave).into_iter().for_each(Answering::forget);
        return refuse(CallError::DeadlineExceeded);
    };
    asking.leave();
    if asking.was_refused() && route.door != DoorName::ENVOY {
        // Nothing of the answer has gone out yet. What a stream asks later is denied, item by item.
        return refuse(match asking.lost.get() {
            Some(why) => (*why).into(),
            None if asking.placed.load(Relaxed) => CallError::PermissionDenied,
            None => keeper.load.no_room().into(),
        });
    }
    Ok(sent::<P>(&keeper, answered, connection.clone(), (shown, Some(route.door))))
}

/// The answer, which takes room until it was sent; a refusal where there is none.
fn sent<P: Protocol>(
    keeper: &Keeper,
    answered: Result<Response<P::Body>, Infallible>,
    connection: Option<Arc<Unread>>,
    (shown, door): (bool, Option<DoorName>),
) -> Response<P::Body> {
    let (head, body) = answered.unwrap_or_else(|never| match never {}).into_parts();
    let unsent = keeper.load.unsent();
    if door == Some(DoorName::ENVOY) {
        // A failed call is no deny there; the answer is as large as its policy makes it.
        return Response::from_parts(head, P::body(Unsent::keep_always(body, unsent, connection)));
    }
    match Unsent::keep(body, unsent, connection.clone()) {
        Some(body) => Response::from_parts(head, P::body(body)),
        None => refusal::<P>(keeper, keeper.load.not_sent().into(), shown, connection),
    }
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

#[cfg(test)]
mod tests;
