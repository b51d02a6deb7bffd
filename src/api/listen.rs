//! Accepting connections: own loop, so that limits and shutdown hold in every state of a connection.

pub mod certificate;
mod connection;
mod eager;
mod figures;
pub mod inherited;
mod permits;
mod preface;
pub mod private;
mod stream;
pub mod tls;
mod unread;

use std::{convert::Infallible, io, path::Path, sync::Arc, time::Duration};

use futures::FutureExt as _;
use hyper::{Request, Response, body::Incoming};
use tokio::{
    net::{TcpListener, UnixListener},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use self::{
    connection::Accepted,
    figures::Refused,
    permits::{Full, Permit, Permits, Turn},
    stream::{Io, Stream},
};
pub use self::{
    figures::Figures,
    unread::{Pending, Unread},
};
use super::{Address, call};
use crate::call::Peer;

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 1_024;

/// How long to wait where the system gives no more connections.
const BACK_OFF: Duration = Duration::from_millis(100);

/// Connections that are taken before those that are open get their turn again.
const IN_A_ROW: u32 = 8;

/// How often the same trouble is told of.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// On TCP.
    Tcp(TcpListener),
    /// On a unix socket; if it is ours, its file is removed when this is dropped.
    Unix(UnixListener, SocketFile),
    /// On a unix socket that only this process's user and root can use.
    Private(UnixListener, SocketFile, private::Lock),
}

/// The file of a unix socket.
#[derive(Debug)]
pub struct SocketFile {
    path: std::path::PathBuf,
    // The supervisor that handed it over goes on listening there.
    is_ours: bool,
}

/// Why nothing listens at an address.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on `{address}`: {cause}{advice}")]
pub struct BindError {
    address: Address,
    cause: io::Error,
    advice: &'static str,
}

/// What a door allows its connections.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most calls at once on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// How long open connections may finish their calls once the door closes.
    pub drain_timeout: Duration,
    /// How many, and for how long.
    pub connections: Connections,
    /// What the door's connections are encrypted with; plain text without.
    pub tls: Option<Arc<tls::Tls>>,
    /// Where it is counted how they fare.
    pub figures: Arc<Figures>,
}

/// How many connections one door has, and for how long each.
#[derive(Clone, Debug)]
pub struct Connections {
    /// The most at once.
    pub most: usize,
    /// The most at once from one address; of IPv6, from one network of 64 bits.
    pub most_per_address: usize,
    /// How long a client may take until the first bytes of HTTP are there, and for TLS before that.
    pub handshake_timeout: Duration,
    /// After that long, give or take a tenth, a connection takes no new calls.
    pub max_age: Duration,
    /// How long the calls of such a connection may go on.
    pub age_grace: Duration,
    /// How long nothing may come on an HTTP/2 connection until its client is asked whether it is there (PING, RFC 9113 §6.7).
    pub keepalive_time: Duration,
    /// How long it may take to answer that, until it is closed.
    pub keepalive_timeout: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            most: 16_384,
            most_per_address: 4_096,
            handshake_timeout: Duration::from_secs(5),
            max_age: Duration::from_mins(30),
            age_grace: Duration::from_secs(30),
            keepalive_time: Duration::from_mins(1),
            keepalive_timeout: Duration::from_secs(20),
        }
    }
}

/// Binds `address`. Must be called inside a tokio runtime.
pub fn bind(address: &Address) -> Result<Listener, BindError> {
    let bound = match address {
        Address::Tcp(socket) => tcp(*socket).map(Listener::Tcp),
        Address::Unix(path) => unix(path),
    };
    bound.map_err(|cause| {
        let advice = match cause.kind() {
            io::ErrorKind::AddrInUse => "; another process has it: stop that one, or choose another address",
            io::ErrorKind::PermissionDenied => {
                "; ports below 1024 and other users' folders need rights that this process lacks"
            }
            io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
            _ => "",
        };
        BindError { address: address.clone(), cause, advice }
    })
}

fn tcp(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    let domain = if address.is_ipv4() { socket2::Domain::IPV4 } else { socket2::Domain::IPV6 };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn unix(path: &Path) -> io::Result<Listener> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

    // A socket that nobody answers on is left over from a process that was killed.
    if let Ok(metadata) = std::fs::symlink_metadata(path) {
        let alive = metadata.file_type().is_socket() && std::os::unix::net::UnixStream::connect(path).is_ok();
        if alive || !metadata.file_type().is_socket() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    // The owner and its group; a door without authentication is not for everyone on the machine.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(Listener::Unix(listener, SocketFile::of_ours(path)))
}

impl SocketFile {
    fn of_ours(path: &Path) -> Self {
        Self { path: path.to_owned(), is_ours: true }
    }

    fn of_others(path: &Path) -> Self {
        Self { path: path.to_owned(), is_ours: false }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Listener {
    /// Where it really listens: the port that the system chose for port 0.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(_, file) | Self::Private(_, file, _) => Ok(Address::Unix(file.path.clone())),
        }
    }
}

/// Serves connections until `closing` is cancelled; then takes no more, lets open ones finish their calls for
/// `drain_timeout`, and drops the rest.
pub async fn serve<S, B>(listener: Listener, service: S, options: Options, closing: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let permits =
        Permits::new(options.connections.most, options.connections.most_per_address, Arc::clone(&options.figures));
    let (drain_timeout, figures) = (options.drain_timeout, Arc::clone(&options.figures));
    let options = Arc::new(options);
    let mut connections = JoinSet::new();
    let (mut failures, mut refusals) = (Seldom::default(), Seldom::default());
    let mut admit = |connections: &mut JoinSet<()>, stream: Stream, peer: Option<Peer>| {
        let full = match permits.take(peer) {
            Ok(permit) => match permit.turn {
                Turn::Never(until) => {
                    connections.spawn(hold(stream, permit, until, closing.clone()));
                    Full::Offender
                }
                Turn::Now | Turn::At(_) => {
                    let (options, closing) = (Arc::clone(&options), closing.clone());
                    connections.spawn(Accepted { stream, peer, permit, options, closing }.serve(service.clone()));
                    return;
                }
            },
            // A client that must wait for another to leave is better off elsewhere.
            Err(full) => {
                stream.reset();
                full
            }
        };
        if let Some(since) = refusals.count() {
            tracing::warn!(refused = since, "connections are refused: {full}");
        }
    };
    let mut in_a_row = 0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = closing.cancelled() => break,
            // Reaps ended connections, so that the set holds open ones only.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener) => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                admit(&mut connections, stream, peer);
                in_a_row += 1;
                if in_a_row == IN_A_ROW {
                    in_a_row = 0;
                    tokio::task::yield_now().await;
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                figures.count(Refused::Accept);
                // Out of file descriptors or memory: trying again at once would spin on one core.
                if let Some(since) = failures.count() {
                    tracing::warn!(%error, times = since, "can't accept connections; trying again every 100 ms");
                }
                tokio::select! {
                    () = closing.cancelled() => break,
                    () = tokio::time::sleep(BACK_OFF) => {}
                }
            }
        }
    }
    // What the system has accepted for us may have calls in it.
    while let Some(Ok((stream, peer))) = accept(&listener).now_or_never() {
        admit(&mut connections, stream, peer);
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(drain_timeout, drained).await.is_err() {
        tracing::warn!("connections were still open at the end of the drain timeout; dropping them");
    }
}

/// Keeps a connection that is not served silent for a while, so that who waits for its end does not come again at once.
async fn hold(stream: Stream, permit: Permit, until: Instant, closing: CancellationToken) {
    tokio::select! {
        held = stream.rest(until) => if let Ok(stream) = held { stream.reset() },
        () = closing.cancelled() => {}
    }
    drop(permit);
}

/// Counts what is told of now and then.
#[derive(Default)]
struct Seldom {
    untold: u64,
    told: Option<Instant>,
}

impl Seldom {
    /// How often since it was last told of, if it is time to tell again.
    fn count(&mut self) -> Option<u64> {
        self.untold += 1;
        let now = Instant::now();
        if self.told.is_some_and(|told| now < told + TELL_AGAIN) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

async fn accept(listener: &Listener) -> io::Result<(Stream, Option<Peer>)> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Stream::Tcp(stream), Some(Peer::Tcp(address))))
        }
        Listener::Unix(listener, _) => {
            let (stream, _) = listener.accept().await?;
            let peer = call::peer(&stream);
            Ok((Stream::Unix(stream), peer))
        }
        Listener::Private(listener, ..) => {
            let (stream, _) = listener.accept().await?;
            private::admit(&stream)?;
            let peer = call::peer(&stream);
            Ok((Stream::Unix(stream), peer))
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, NotConnected, PermissionDenied,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput | NotConnected | PermissionDenied
    )
}
