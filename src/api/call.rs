//! The request that is being answered: from whom it is, and when it began. It goes with the request's task, so that no
//! door has to hand it on.

use std::{net::SocketAddr, time::Instant};

use hyper::{Request, service::Service};
use tokio::{net::UnixStream, task::futures::TaskLocalFuture};

tokio::task_local! {
    static CALL: Call;
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// From whom it is.
    pub peer: Peer,
    /// When its head was read.
    pub begun: Instant,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A process of this machine, as the kernel names it.
    Unix {
        /// Its number, where the system tells it.
        pid: Option<i32>,
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
    },
}

/// A service whose calls know from whom they are.
#[derive(Clone, Debug)]
pub(super) struct Known<S> {
    pub(super) service: S,
    pub(super) peer: Option<Peer>,
}

impl Call {
    /// The one that this task answers; `None` in a task that answers none.
    #[must_use]
    pub fn current() -> Option<Self> {
        CALL.try_with(|call| *call).ok()
    }

    /// Has `work`, which another task does, belong to this.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CALL.scope(self, work)
    }
}

impl Peer {
    /// Whoever is at the other end of a unix socket.
    pub(super) fn of(stream: &UnixStream) -> Option<Self> {
        let known = stream.peer_cred().ok()?;
        Some(Self::Unix { pid: known.pid(), uid: known.uid(), gid: known.gid() })
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Known<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = futures::future::Either<TaskLocalFuture<Call, S::Future>, S::Future>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let answer = self.service.call(request);
        match self.peer {
            Some(peer) => futures::future::Either::Left(CALL.scope(Call { peer, begun: Instant::now() }, answer)),
            None => futures::future::Either::Right(answer),
        }
    }
}
