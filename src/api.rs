//! The doors: thin bindings of protocols to the one [`crate::decision::Decider`]. Wire types stop here.

pub mod administration;
pub mod authzen;
mod call;
pub mod caller;
pub mod credentials;
mod deadline;
pub mod envoy;
pub mod grpc;
pub mod issuance;
pub mod json;
pub mod listen;
pub mod mcp;
pub mod opa;
pub mod ops;
pub mod place;
pub mod search;
pub mod settle;
pub mod ssf;
pub mod status;

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use self::settle::{Decided, Kept, SearchEnded, Settled};
use crate::decision::Verdict;

/// Who is told what the doors did.
pub trait Observer: Send + Sync {
    /// A verdict was reached. What is given back is what the door answers, and nothing else.
    fn decided(&self, decided: &Decided<'_>, verdict: Verdict) -> Settled;

    /// A search has ended. Where it is not kept, it may not be answered as a success.
    fn searched(&self, ended: &SearchEnded<'_>) -> Kept;

    /// A call ended in an error with that reason, one of [`status::CallError::REASONS`].
    fn failed(&self, reason: &'static str);

    /// A call is under way until what this gives is dropped.
    fn in_flight(&self) -> Box<dyn Send + Sync>;
}

/// Where a door listens, or where a client finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A unix socket, written `unix:/path`.
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address; write it like `127.0.0.1:9191`, `[::1]:9191`, `localhost:9191` or `unix:/run/verdict.sock`"
)]
pub struct InvalidAddress(String);

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(InvalidAddress(text.to_owned())) } else { Ok(Self::Unix(path.into())) };
        }
        let literal =
            text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
        literal.parse().map(Self::Tcp).map_err(|_| InvalidAddress(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(out),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}
