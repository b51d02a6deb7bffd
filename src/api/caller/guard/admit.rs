//! Whether a call comes to its door: who makes it, whether they may, whether its message is there, and whether there is a
//! place for it.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use axum::http::{Request, header::AUTHORIZATION};
use bytes::Bytes;
use hyper::body::Body;
use tower::BoxError;

use super::{Arrival, Keeper, Protocol, Reading, protocol::Comes};
use crate::api::{
    caller::{
        Asked, Caller,
        ahead::{Ahead, Come},
        load::Answering,
        route::Route,
    },
    settle::DoorName,
    status::CallError,
};

/// What is known of a call that comes to its door.
#[derive(Default)]
pub(super) struct Admitted {
    pub(super) caller: Option<Arc<Caller>>,
    /// What has no place is not decided: the gate sees to that.
    pub(super) placed: bool,
    /// Its place, if it needs one.
    pub(super) answering: Option<Answering>,
    /// Its message did not come in time, which its door says.
    pub(super) late: bool,
}

/// A message, as far as it came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Message {
    There,
    /// Its door says in its own words what is wrong with it.
    Unusable,
    Late,
}

/// Of a call that everyone may make, which needs no place: its message is small, and comes soon.
pub(super) async fn free<P, B>(
    keeper: &Keeper,
    request: &mut Request<Ahead<B>>,
    reading: Reading,
) -> Result<(), CallError>
where
    P: Protocol,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let Some(most) = P::FREE else { return Ok(()) };
    let filled = request.body_mut().fill(most, keeper.load.free_room());
    match tokio::time::timeout(reading.longest, filled).await {
        Ok(Come::Whole | Come::Broken) => Ok(()),
        Ok(Come::TooMuch | Come::NoRoom) => Err(CallError::MalformedMessage(format!(
            "it is longer than {most} bytes, and is to be the name of a service"
        ))),
        Err(_) => Err(CallError::DeadlineExceeded),
    }
}

/// Of any other call.
pub(super) async fn call<P, B>(
    keeper: &Keeper,
    request: &mut Request<Ahead<B>>,
    reading: Reading,
    arrival: Arrival,
    route: Route,
) -> Result<Admitted, CallError>
where
    P: Protocol,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let Arrival { at, route: _, comes, patience, counts, mut came } = arrival;
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
    let caller = who.map_err(|_| CallError::Unauthenticated)?;
    if let Some(authorizer) = &keeper.authorizer
        && !route.action.has_questions()
    {
        let Route { door, action } = route;
        let asked = |caller| Asked { caller, door, action, question: None };
        if !caller.as_ref().is_some_and(|caller| authorizer.allows(&asked(caller))) {
            return Err(CallError::PermissionDenied);
        }
    }
    if counts && let Some(caller) = &caller {
        // Also of calls whose message never comes, or is too large: they are work, too.
        keeper.load.rate(&caller.id, Instant::now())?;
    }
    if comes == Comes::Streamed {
        request.body_mut().follow(reading, &keeper.load);
    }
    let mut message = Message::There;
    if counts && came.is_none() && comes == Comes::Whole {
        // Nor does a place wait for a message that may never come.
        message = self::message::<P, B>(keeper, request, reading, route).await?;
    }
    if message != Message::There {
        return Ok(Admitted { caller, placed: false, answering: None, late: message == Message::Late });
    }
    if counts && came.is_none() {
        came = Some(keeper.load.come(patience.saturating_sub(at.elapsed())));
    }
    let answering = match came {
        Some(came) => Some(came?.begin().await?),
        None => None,
    };
    Ok(Admitted { caller, placed: true, answering, late: false })
}

/// Waits for the message.
async fn message<P, B>(
    keeper: &Keeper,
    request: &mut Request<Ahead<B>>,
    reading: Reading,
    route: Route,
) -> Result<Message, CallError>
where
    P: Protocol,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    let announced = request.body().size_hint().lower();
    let coming = async {
        if announced > reading.most {
            return Come::TooMuch;
        }
        request.body_mut().fill(reading.most, keeper.load.room()).await
    };
    match tokio::time::timeout(reading.longest, coming).await {
        Ok(Come::Whole) => Ok(Message::There),
        Ok(Come::Broken) => Ok(Message::Unusable),
        Ok(Come::NoRoom) => Err(keeper.load.no_room().into()),
        Ok(Come::TooMuch) => P::too_large(reading.most).map_or(Ok(Message::Unusable), Err),
        Err(_) if P::TELLS_LATE && route.door != DoorName::ENVOY => {
            request.body_mut().hold();
            Ok(Message::Late)
        }
        Err(_) => Err(CallError::DeadlineExceeded),
    }
}
