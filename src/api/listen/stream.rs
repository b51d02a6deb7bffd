//! A connection as the system gave it, before anything is read of it.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::Instant,
};

/// What a connection is read from and written to, encrypted or not.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl Io for TcpStream {}
impl Io for UnixStream {}
impl Io for tokio_rustls::server::TlsStream<Box<dyn Io>> {}

/// A connection on TCP, or on a unix socket.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Leaves it alone until then. What comes meanwhile wakes nobody: the system keeps it, as far as it has room.
    pub(super) async fn rest(self, until: Instant) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => {
                let resting = stream.into_std()?;
                tokio::time::sleep_until(until).await;
                TcpStream::from_std(resting).map(Self::Tcp)
            }
            Self::Unix(stream) => {
                tokio::time::sleep_until(until).await;
                Ok(Self::Unix(stream))
            }
        }
    }

    /// Ends it at once, so that the system has nothing to remember of it.
    pub(super) fn reset(self) {
        if let Self::Tcp(stream) = &self {
            let _ = stream.set_zero_linger();
        }
    }

    pub(super) fn boxed(self) -> Box<dyn Io> {
        match self {
            Self::Tcp(stream) => Box::new(stream),
            Self::Unix(stream) => Box::new(stream),
        }
    }
}
