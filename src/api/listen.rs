//! Accepting connections: own loop, so that limits and shutdown hold in every state of a connection.

pub mod private;

use std::{convert::Infallible, io, path::Path, time::Duration};

use hyper::{Request, Response, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{
    Address,
    call::{self, Known},
};
use crate::call::Peer;

/// Connections that the system holds until they are accepted.
const BACKLOG: i32 = 1_024;

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// On TCP.
    Tcp(TcpListener),
    /// On a unix socket; its file is removed when this is dropped.
    Unix(UnixListener, SocketFile),
    /// On a unix socket that only this process's user and root can use.
    Private(UnixListener, SocketFile, private::Lock),
}

/// The file of a unix socket.
#[derive(Debug)]
pub struct SocketFile(std::path::PathBuf);

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
    Ok(Listener::Unix(listener, SocketFile(path.to_owned())))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Listener {
    /// Where it really listens: the port that the system chose for port 0.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            Self::Unix(_, file) | Self::Private(_, file, _) => Ok(Address::Unix(file.0.clone())),
        }
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl Io for TcpStream {}
impl Io for UnixStream {}

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
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = closing.cancelled() => break,
            // Reaps ended connections, so that the set holds open ones only.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            stream = accept(&listener) => stream,
        };
        match stream {
            Ok((stream, peer)) => {
                let open = connection(stream, peer, service.clone(), options.max_concurrent_streams, closing.clone());
                connections.spawn(open);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of file descriptors or memory: trying again at once would spin on one core.
                tracing::warn!(%error, "can't accept connections; trying again in 100 ms");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(options.drain_timeout, drained).await.is_err() {
        tracing::warn!("connections were still open at the end of the drain timeout; dropping them");
    }
}

async fn accept(listener: &Listener) -> io::Result<(Box<dyn Io>, Option<Peer>)> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok((Box::new(stream), Some(Peer::Tcp(address))))
        }
        Listener::Unix(listener, _) => {
            let (stream, _) = listener.accept().await?;
            let peer = call::peer(&stream);
            Ok((Box::new(stream), peer))
        }
        Listener::Private(listener, ..) => {
            let (stream, _) = listener.accept().await?;
            private::admit(&stream)?;
            let peer = call::peer(&stream);
            Ok((Box::new(stream), peer))
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

async fn connection<S, B>(
    stream: Box<dyn Io>,
    peer: Option<Peer>,
    service: S,
    max_concurrent_streams: u32,
    closing: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(5)).max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(max_concurrent_streams)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_header_list_size(16 << 10)
        .keep_alive_interval(Duration::from_secs(60))
        .keep_alive_timeout(Duration::from_secs(20));
    let service = Known { service: TowerToHyperService::new(service), peer };
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended with an error");
    }
}
