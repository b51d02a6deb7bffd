//! What becomes of a verdict before a door answers it: it is counted, and recorded where that is configured.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use crate::decision::{EntryPoint, Query, Revision, SearchSummary, Verdict};

/// A door, by the name that records and metrics give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DoorName(pub &'static str);

impl DoorName {
    /// `verdict.v1` over gRPC.
    pub const GRPC: Self = Self("grpc");
    /// OpenID AuthZEN over HTTP.
    pub const AUTHZEN: Self = Self("authzen");
    /// OPA's REST API over HTTP.
    pub const OPA: Self = Self("opa");
    /// Envoy's external authorization over gRPC.
    pub const ENVOY: Self = Self("envoy");
    /// Messages of the Model Context Protocol, over HTTP and gRPC.
    pub const MCP: Self = Self("mcp");
    /// Questions of token issuance over gRPC.
    pub const ISSUANCE: Self = Self("issuance");
}

impl fmt::Display for DoorName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

/// What a door has decided, and is about to answer.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// Where it was asked.
    pub door: DoorName,
    /// The answer's id.
    pub decision_id: &'a str,
    /// What the caller calls the question; may be empty.
    pub request_id: &'a str,
    /// What was asked; `None` for what is no question, and so denied.
    pub query: Option<&'a Query>,
    /// How long deciding took.
    pub took: Duration,
}

/// A search, or a page of one, that has ended.
#[derive(Clone, Copy, Debug)]
pub struct SearchEnded<'a> {
    /// Where it was asked.
    pub door: DoorName,
    /// Its id.
    pub id: &'a str,
    /// What the caller calls it; may be empty.
    pub request_id: &'a str,
    /// What was asked; the identity of what is searched for is empty.
    pub query: &'a Query,
    /// What it was put to.
    pub entry_point: &'a EntryPoint,
    /// What it came to.
    pub summary: SearchSummary,
    /// What it was decided on.
    pub revision: &'a Revision,
    /// How long it took.
    pub took: Duration,
}

/// Whether a search is recorded as it must be, now or later.
pub enum Kept {
    /// It is, or it is not.
    Now(bool),
    /// It is to come.
    Later(Pin<Box<dyn Future<Output = bool> + Send>>),
}

/// A verdict that may be answered, at once or when it is recorded.
#[expect(clippy::large_enum_variant, reason = "the usual one is moved once, and a box would be one more allocation")]
pub enum Settled {
    /// This one.
    Now(Verdict),
    /// The one to come. A deny takes its place where it must be recorded and could not be.
    Later(Pin<Box<dyn Future<Output = Verdict> + Send>>),
}

impl Settled {
    /// The verdict, as soon as it may be answered.
    pub async fn verdict(self) -> Verdict {
        match self {
            Self::Now(verdict) => verdict,
            Self::Later(verdict) => verdict.await,
        }
    }
}
