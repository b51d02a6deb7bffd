//! Has the calls of a connection know from whom they are. What a call is, is `crate::call`'s.

use std::sync::Arc;

use hyper::{Request, service::Service};
use tokio::{net::UnixStream, task::futures::TaskLocalFuture};

use crate::call::{self, Call, Peer, withheld::Withheld};

/// A service whose calls know from whom they are.
#[derive(Clone, Debug)]
pub(super) struct Known<S> {
    pub(super) service: S,
    pub(super) peer: Option<Peer>,
    /// What can hold back its answers, if something can.
    pub(super) withheld: Option<Arc<Withheld>>,
}

/// Whoever is at the other end of a unix socket.
pub(super) fn peer(stream: &UnixStream) -> Option<Peer> {
    let known = stream.peer_cred().ok()?;
    Some(Peer::Unix { pid: known.pid(), uid: known.uid(), gid: known.gid() })
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Known<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = TaskLocalFuture<Call, S::Future>;

    fn call(&self, request: Request<B>) -> Self::Future {
        // Already what begins the answer looks at the call.
        let call = Call::begin(self.peer).on(self.withheld.clone());
        let answer = call::here(call.again(), || self.service.call(request));
        call::within(call, answer)
    }
}
