//! Sockets that a supervisor opened before it started this process (systemd's socket activation, `sd_listen_fds(3)`).
//!
//! A socket is for the door that is configured to listen where the socket does, so that what is checked of an address holds for
//! what listens.

use std::{io, os::unix::net::UnixListener as StdUnixListener};

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use super::{Address, BindError, Listener, SocketFile, bind};

/// The sockets that this process was given, by where they listen.
#[derive(Debug, Default)]
pub struct Inherited(Vec<(Address, Socket)>);

#[derive(Debug)]
enum Socket {
    Tcp(std::net::TcpListener),
    Unix(StdUnixListener),
}

/// Why what was given can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no socket that a door could accept connections from.
    #[error("socket {position} of `LISTEN_FDS` can't be used: {cause}; `ListenStream=` makes those that can")]
    Unusable {
        /// Which, from 0 on.
        position: usize,
        /// Why.
        cause: io::Error,
    },
    /// No door is to listen there.
    #[error(
        "a socket was handed over that listens on `{0}`, where no door is to listen; set `grpc.address` or `http.address` to that"
    )]
    Nobodys(Address),
}

impl Inherited {
    /// Takes the sockets of this process. There are some only if `LISTEN_PID` is this process.
    pub fn take() -> Result<Self, Error> {
        let mut given = ListenFd::from_env();
        let mut sockets = Vec::new();
        for position in 0..given.len() {
            sockets.push(one(&mut given, position).map_err(|cause| Error::Unusable { position, cause })?);
        }
        Ok(Self(sockets))
    }

    /// The socket that listens at `address`; a new one where none was given. Must be called inside a tokio runtime.
    pub fn bind(&mut self, address: &Address) -> Result<Listener, BindError> {
        let Some(position) = self.0.iter().position(|(its, _)| its == address) else { return bind(address) };
        let (_, socket) = self.0.swap_remove(position);
        socket.listener(address).map_err(|cause| BindError { address: address.clone(), cause, advice: "" })
    }

    /// Nothing may be left that somebody connects to, and nobody answers at.
    pub fn finish(self) -> Result<(), Error> {
        self.0.into_iter().next().map_or(Ok(()), |(address, _)| Err(Error::Nobodys(address)))
    }
}

fn one(given: &mut ListenFd, position: usize) -> io::Result<(Address, Socket)> {
    if let Ok(Some(socket)) = given.take_tcp_listener(position) {
        return Ok((Address::Tcp(socket.local_addr()?), Socket::Tcp(socket)));
    }
    let socket = given.take_unix_listener(position)?.ok_or(io::ErrorKind::NotFound)?;
    let path = socket.local_addr()?.as_pathname().map(ToOwned::to_owned);
    let path = path.ok_or_else(|| io::Error::other("its unix socket has no path"))?;
    Ok((Address::Unix(path), Socket::Unix(socket)))
}

impl Socket {
    fn listener(self, address: &Address) -> io::Result<Listener> {
        Ok(match self {
            Self::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                Listener::Tcp(TcpListener::from_std(socket)?)
            }
            Self::Unix(socket) => {
                socket.set_nonblocking(true)?;
                let Address::Unix(path) = address else { return Err(io::ErrorKind::InvalidInput.into()) };
                Listener::Unix(UnixListener::from_std(socket)?, SocketFile::of_others(path))
            }
        })
    }
}
