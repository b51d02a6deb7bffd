//! A client for Rust services that ask a Verdict server over gRPC.
//!
//! Whoever asks must deny on every error: there is no [`Error`] that means allow. The client keeps the deadline and
//! asks again only where the server was not there; it knows nothing of policies, and keeps no answers.

mod fault;
mod question;

use std::{
    error::Error as _,
    hash::{BuildHasher as _, RandomState},
    iter::successors,
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout_at};
use tonic::{
    Code, Request, Status, TimeoutExpired,
    transport::{Channel, Endpoint},
};

pub use fault::{Error, InvalidQuestion};

use crate::{
    api::{
        Address,
        grpc::{
            proto::{BatchCheckRequest, BatchSemantics, decision_service_client::DecisionServiceClient},
            received,
        },
    },
    decision::{Query, Verdict},
};

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long one question may take, with every attempt (250 ms).
    pub deadline: Duration,
    /// How often a question is put again to a server that is `UNAVAILABLE` (2).
    pub retries: u32,
    /// The longest pause before the first of these; it doubles each time, and a random part of it is waited (10 ms).
    pub pause: Duration,
}

/// A connection to a server, made when it is first needed and again whenever it is lost. Clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    service: DecisionServiceClient<Channel>,
    settings: Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self { deadline: Duration::from_millis(250), retries: 2, pause: Duration::from_millis(10) }
    }
}

impl Client {
    /// A client of `server`: `127.0.0.1:9191`, `pdp.internal:9191` or `unix:/run/verdict.sock`. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::Server`] if that is no server. Must be called within a tokio runtime.
    pub fn lazy(server: &str, settings: Settings) -> Result<Self, Error> {
        let uri = match server.parse() {
            Ok(Address::Unix(path)) => format!("unix://{}", path.display()),
            // A name is for the resolver; `http` is plain text, the only transport yet.
            Ok(Address::Tcp(_)) | Err(_) => format!("http://{server}"),
        };
        let endpoint = Endpoint::from_shared(uri).map_err(|_| Error::Server(server.to_owned()))?;
        let endpoint = endpoint.connect_timeout(settings.deadline).tcp_nodelay(true);
        Ok(Self { service: DecisionServiceClient::new(endpoint.connect_lazy()), settings })
    }

    /// Asks one question, within the configured deadline.
    ///
    /// # Errors
    /// Whatever kept the server's verdict away; each means deny.
    pub async fn check(&self, query: &Query) -> Result<Verdict, Error> {
        self.check_within(query, self.settings.deadline).await
    }

    /// Asks one question, within `limit` or the configured deadline, whichever is shorter.
    ///
    /// # Errors
    /// Whatever kept the server's verdict away; each means deny.
    pub async fn check_within(&self, query: &Query, limit: Duration) -> Result<Verdict, Error> {
        let message = question::check(query)?;
        let answer = self
            .asked(limit, |mut service, limit| {
                let request = limited(message.clone(), limit);
                async move { service.check(request).await }
            })
            .await?;
        let verdict = answer.into_inner().verdict.ok_or(Error::Malformed("it has no verdict"))?;
        Ok(received::verdict(verdict))
    }

    /// Asks all of `queries` on one revision; the verdicts are in their order.
    ///
    /// # Errors
    /// Whatever kept the server's verdicts away; each means deny, for every question.
    pub async fn check_all(&self, queries: &[Query]) -> Result<Vec<Verdict>, Error> {
        let items = queries.iter().map(question::item).collect::<Result<Vec<_>, _>>()?;
        let message =
            BatchCheckRequest { semantics: BatchSemantics::ExecuteAll.into(), items, ..BatchCheckRequest::default() };
        let answer = self
            .asked(self.settings.deadline, |mut service, limit| {
                let request = limited(message.clone(), limit);
                async move { service.batch_check(request).await }
            })
            .await?;
        let verdicts = answer.into_inner().verdicts;
        // Verdicts are matched by place: with one too few or too many, none can be trusted to be whose it seems.
        if verdicts.len() != queries.len() {
            return Err(Error::Malformed("it has not one verdict a question"));
        }
        Ok(verdicts.into_iter().map(received::verdict).collect())
    }

    /// Calls until there is an answer, the deadline has come or the retries are used up.
    async fn asked<T, F>(
        &self,
        limit: Duration,
        mut call: impl FnMut(DecisionServiceClient<Channel>, Duration) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let limit = limit.min(self.settings.deadline);
        let end = Instant::now() + limit;
        let attempts = async {
            let mut pause = self.settings.pause;
            for _ in 0..self.settings.retries {
                match call(self.service.clone(), end.saturating_duration_since(Instant::now())).await {
                    Err(status) if status.code() == Code::Unavailable => sleep(some_of(pause)).await,
                    ended => return ended,
                }
                pause = pause.saturating_mul(2);
            }
            call(self.service.clone(), end.saturating_duration_since(Instant::now())).await
        };
        match timeout_at(end, attempts).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) if is_timeout(&status) => Err(Error::Deadline(limit)),
            Ok(Err(status)) => Err(status.into()),
            Err(_) => Err(Error::Deadline(limit)),
        }
    }
}

/// A call that tells the server, too, how long it has.
fn limited<T>(message: T, limit: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

/// Whether the server, or the connection, saw first that the time is over: the header that tells them how long a call
/// may take is cut to whole units, so their clocks may run out a moment before ours. The connection says `CANCELLED`.
fn is_timeout(status: &Status) -> bool {
    let mut causes = successors(status.source(), |&cause| cause.source());
    causes.any(<dyn std::error::Error>::is::<TimeoutExpired>) || status.code() == Code::DeadlineExceeded
}

/// Half of `pause` and a random part of the other half, so that clients that lost one server do not come back at once.
fn some_of(pause: Duration) -> Duration {
    let part = u32::try_from(RandomState::new().hash_one(0_u8) % 1_000).unwrap_or_default();
    pause / 2 + pause / 2 / 1_000 * part
}
