//! The MCP door: may this message of the Model Context Protocol (revision 2026-07-28) pass?
//!
//! An enforcement point hands over one JSON-RPC message, the server's identity and the claims of the token that it
//! verified; it gets a verdict and, for a deny, what to send back. What decides is the body, never a header.

mod filter;
mod headers;
mod http;
mod mapping;
mod message;
mod response;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

pub use self::http::router;
use self::message::{Fault, Message};
pub(in crate::api) use self::{
    headers::{Headers, MIRRORS},
    mapping::{Caller, Shown},
    response::Response,
};
use super::{
    Observer,
    credentials::{Asked, Credentials},
    deadline::Deadline,
    grpc::DecisionIds,
    settle::{Decided, DoorName, Settled},
    status::{CallError, FieldViolation},
};
use crate::decision::{Decider, Object, Query, Verdict};

/// Reason codes that this door itself gives. Documented in `docs/mcp.md`.
pub mod code {
    /// The bytes are no JSON.
    pub const PARSE_ERROR: &str = "parse_error";
    /// The JSON is no request and no notification of JSON-RPC 2.0, or more than one.
    pub const INVALID_MESSAGE: &str = "invalid_message";
    /// The method's parameters do not say what is asked for.
    pub const INVALID_PARAMS: &str = "invalid_params";
    /// The method is none that the mapping knows.
    pub const UNKNOWN_METHOD: &str = "unknown_method";
    /// A header does not say what the body says.
    pub const HEADER_MISMATCH: &str = "header_mismatch";
}

/// Settings of this door.
#[derive(Clone, Debug)]
pub struct Config {
    /// The largest body that is read over HTTP, in bytes.
    pub max_body_bytes: usize,
    /// The longest that a request may take.
    pub request_timeout: Duration,
    /// The most tools of one list.
    pub max_tools: usize,
}

/// What the door asks, and its settings.
pub struct Door {
    decider: Arc<Decider>,
    credentials: Arc<dyn Credentials>,
    observer: Arc<dyn Observer>,
    ids: DecisionIds,
    config: Config,
}

/// A message, and what the enforcement point says of it.
pub(in crate::api) struct Check {
    /// The bytes, as they came.
    pub(in crate::api) message: Vec<u8>,
    pub(in crate::api) caller: Caller,
    /// `None` where the message did not come over HTTP.
    pub(in crate::api) headers: Option<Headers>,
    /// What a list said of the tool; hints of the server.
    pub(in crate::api) annotations: Option<Object>,
    /// What the caller calls the question; may be empty.
    pub(in crate::api) request_id: String,
}

/// A verdict, and what to send back if the message may not pass.
pub(in crate::api) struct Checked {
    pub(in crate::api) verdict: Verdict,
    pub(in crate::api) decision_id: String,
    pub(in crate::api) response: Option<Response>,
}

impl Door {
    /// A door that asks `decider`, and `credentials` whose a token is.
    pub fn new(
        (decider, credentials): (Arc<Decider>, Arc<dyn Credentials>),
        observer: Arc<dyn Observer>,
        ids: DecisionIds,
        config: Config,
    ) -> Self {
        Self { decider, credentials, observer, ids, config }
    }

    /// Total but for what keeps it from deciding: whatever is wrong with the message is a deny.
    pub(in crate::api) async fn check(&self, check: Check, deadline: Deadline) -> Result<Checked, CallError> {
        let Check { message, mut caller, headers, annotations, request_id } = check;
        let pinned = self.decider.pin().ok_or(CallError::PoliciesNotReady)?;
        let started = Instant::now();
        let (id, asked) = match Message::read(&message) {
            Err(Fault { code, message, id }) => (id, Err(Verdict::deny_for(code, message, None))),
            Ok(message) => (message.id.clone(), {
                let deny = |(code, fault): (&'static str, String)| Verdict::deny_for(code, fault, None);
                match fits(&message, headers.as_ref()) {
                    Err(fault) => Err(deny(fault)),
                    Ok(()) => match self.unproven(&mut caller, deadline).await? {
                        Some(verdict) => Err(verdict),
                        None => mapping::query(message, &caller, annotations)
                            .map_err(|fault| deny((code::INVALID_PARAMS, fault))),
                    },
                }
            }),
        };
        let (query, verdict) = match asked {
            Ok(query) => {
                let verdict = pinned.decide(&query, deadline.left()?).await;
                (Some(query), verdict)
            }
            Err(deny) => (None, Verdict { revision: pinned.revision().clone(), ..deny }),
        };
        let decision_id = (self.ids)();
        let verdict = self.settle(query.as_ref(), verdict, started, (&decision_id, &request_id)).verdict().await;
        let response = Response::to(&verdict, id.as_ref(), &caller, &decision_id);
        Ok(Checked { verdict, decision_id, response })
    }

    /// Takes what the caller's credential proves, if there is one; the deny of one that proves nothing.
    async fn unproven(&self, caller: &mut Caller, deadline: Deadline) -> Result<Option<Verdict>, CallError> {
        let Some(credential) = caller.credential() else { return Ok(None) };
        let asked = Asked::with(Query::default(), credential, false);
        match asked.admit(&*self.credentials, |query: &Query| self.decider.passes(query), deadline.left()?).await? {
            Ok(Query { subject, token, good_for, .. }) => {
                caller.proven(subject, token.unwrap_or_default(), good_for);
                Ok(None)
            }
            Err(refused) => Ok(Some(refused.verdict)),
        }
    }

    fn settle(
        &self,
        query: Option<&Query>,
        verdict: Verdict,
        started: Instant,
        (decision_id, request_id): (&str, &str),
    ) -> Settled {
        let took = started.elapsed();
        let decided = Decided { door: DoorName::MCP, decision_id, request_id, query, took };
        self.observer.decided(&decided, verdict)
    }
}

/// What a policy sees of a message that is not asked about as a question of this door; or the code of the deny, and why.
pub(in crate::api) fn seen(bytes: &[u8], headers: &Headers) -> Result<Object, (&'static str, String)> {
    let message = Message::read(bytes).map_err(|fault| (fault.code, fault.message))?;
    fits(&message, Some(headers))?;
    mapping::sound(&message).map_err(|fault| (code::INVALID_PARAMS, fault))?;
    Ok(message.into_object())
}

/// Whether the headers say what the message says, and the mapping knows its method; or the code of the deny, and why.
fn fits(message: &Message, headers: Option<&Headers>) -> Result<(), (&'static str, String)> {
    headers.map_or(Ok(()), |headers| headers.agree(message)).map_err(|fault| (code::HEADER_MISMATCH, fault))?;
    if mapping::knows(&message.method) {
        Ok(())
    } else {
        Err((code::UNKNOWN_METHOD, "the message's method is not known here".to_owned()))
    }
}

/// An error of the request that a message came in.
pub(in crate::api) fn violation(field: &str, fault: impl Into<String>) -> CallError {
    CallError::InvalidQuery(vec![FieldViolation::new(field, fault)])
}
