//! A client for Rust services that ask a Verdict server over gRPC; `docs/client.md` shows it in use.
//!
//! [`Client::check`] ends in a [`Permit`], or in a [`Refusal`], which is the `Err`: nothing that goes wrong can be taken
//! for an allow. The client keeps the deadline, asks again where the server was not there, and reuses an answer for as
//! long as the server said. It knows nothing of policies. [`layer`] asks before each request of a service.

mod answer;
mod cache;
mod connection;
mod fault;
pub mod layer;
mod question;
pub mod tls;

use std::{fmt, sync::Arc, time::Duration};

use axum::http::uri::Authority;
use prost::Message as _;
use tonic::{
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

pub use answer::{Answer, Permit, Refusal};
pub use fault::{Fault, InvalidCredential, InvalidQuestion, InvalidServer};
pub use question::Question;
pub use tls::{InvalidTls, Tls};

pub use crate::{
    api::credentials::Credential,
    identity::{Proof, Secret},
};

use self::{
    cache::Cache,
    connection::{Connection, Shown},
};
use crate::{
    api::{
        Address,
        grpc::proto::{BatchCheckRequest, BatchSemantics},
    },
    decision::Obligation,
};

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long one question may take, with every attempt (250 ms).
    pub deadline: Duration,
    /// How often a question is put again where the server is `UNAVAILABLE` (2).
    pub retries: u32,
    /// The longest pause before the first of these; it doubles each time, and a random part of it is waited (10 ms).
    pub pause: Duration,
    /// About how many bytes the answers that may be reused take up at most (4 MiB); 0 reuses none.
    pub cache_bytes: usize,
}

/// A connection to a server, made when it is first needed and again whenever it is lost. Clones share it, and the
/// answers that may be reused.
#[derive(Clone)]
pub struct Client {
    connection: Connection,
    cache: Arc<Cache>,
    meets: Arc<dyn Fn(&Obligation) -> bool + Send + Sync>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(250),
            retries: 2,
            pause: Duration::from_millis(10),
            cache_bytes: 4 << 20,
        }
    }
}

impl Client {
    /// How often a connection is tried while nothing else is sent, so that a host that is gone is noticed; and how long
    /// it may then take to answer.
    const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

    /// A client of `server`: `127.0.0.1:9191`, `pdp.internal:9191` or `unix:/run/verdict.sock`. Connects to nothing yet.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If that is no server.
    pub fn lazy(server: &str, settings: Settings) -> Result<Self, InvalidServer> {
        let uri = match server.parse() {
            Ok(Address::Unix(path)) => format!("unix://{}", path.display()),
            // A name is for the resolver; `http` is plain text, the only transport of this constructor.
            Ok(Address::Tcp(_)) | Err(_) => format!("http://{}", authority(server)?),
        };
        let endpoint = Endpoint::from_shared(uri).map_err(|_| InvalidServer(server.to_owned()))?;
        Ok(Self::over(Self::kept(endpoint, settings).connect_lazy(), settings))
    }

    /// The same over TLS; `server` is a host and a port, and the server's certificate must be the host's.
    ///
    /// # Errors
    /// If that is no server.
    pub fn secure(server: &str, tls: &Tls, settings: Settings) -> Result<Self, InvalidServer> {
        let channel = tls.lazy(&authority(server)?, |endpoint| Self::kept(endpoint, settings));
        Ok(Self::over(channel.map_err(|_| InvalidServer(server.to_owned()))?, settings))
    }

    fn kept(endpoint: Endpoint, settings: Settings) -> Endpoint {
        let (interval, timeout) = Self::KEEP_ALIVE;
        endpoint
            .connect_timeout(settings.deadline)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(interval)
            .keep_alive_timeout(timeout)
            .keep_alive_while_idle(true)
    }

    /// A client over a connection of your own making.
    #[must_use]
    pub fn over(channel: Channel, settings: Settings) -> Self {
        Self::made(channel, Shown::default(), settings)
    }

    /// The same, showing a key or a token of the caller's own with each call (`Authorization: Bearer`).
    ///
    /// # Errors
    /// If that can't stand in a header.
    pub fn showing(channel: Channel, credential: &Secret, settings: Settings) -> Result<Self, InvalidCredential> {
        let header = MetadataValue::try_from(format!("Bearer {}", credential.expose()));
        let mut header = header.map_err(|_| InvalidCredential)?;
        header.set_sensitive(true);
        Ok(Self::made(channel, Shown(Some(header)), settings))
    }

    fn made(channel: Channel, shown: Shown, settings: Settings) -> Self {
        Self {
            connection: Connection::new(channel, shown, settings),
            cache: Arc::new(Cache::new(settings.cache_bytes)),
            meets: Arc::new(|_| false),
        }
    }

    /// Says which obligations the caller meets; none, until this is called. An allow with any other is refused.
    #[must_use]
    pub fn meeting(mut self, meets: impl Fn(&Obligation) -> bool + Send + Sync + 'static) -> Self {
        self.meets = Arc::new(meets);
        self
    }

    /// Asks one question, within the configured deadline.
    ///
    /// # Errors
    /// Whatever is not an allow, all of whose obligations the caller meets.
    pub async fn check(&self, question: &Question) -> Result<Permit, Refusal> {
        self.check_within(question, Duration::MAX).await
    }

    /// Asks one question, within `limit` or the configured deadline, whichever is shorter.
    ///
    /// # Errors
    /// Whatever is not an allow, all of whose obligations the caller meets.
    pub async fn check_within(&self, question: &Question, limit: Duration) -> Result<Permit, Refusal> {
        let message = question::check(question).map_err(Fault::from)?;
        let key = self.cache.key(&message);
        if let Some(answer) = key.as_deref().and_then(|key| self.cache.get(key)) {
            return self.judged(answer, true);
        }
        let (response, began) = self
            .connection
            .ask(limit, |mut service, limit| {
                let request = connection::limited(message.clone(), limit);
                async move { service.check(request).await }
            })
            .await?;
        let verdict = response.verdict.ok_or(Fault::Malformed("it has no verdict"))?;
        let bytes = verdict.ttl.map_or(0, |_| verdict.encoded_len());
        let answer = Arc::new(Answer::read(verdict)?);
        if let (Some(key), Some(ttl)) = (key, answer.verdict.ttl) {
            // The answer is younger than the attempt that got it, so its time is over later than this.
            self.cache.keep(key, &answer, bytes, began.checked_add(ttl));
        }
        self.judged(answer, false)
    }

    /// Asks all of `questions` on one revision, within the configured deadline; the results are in their order. No answer
    /// of an earlier call is reused, since it may rest on another revision, and none of these will be.
    ///
    /// # Errors
    /// Whatever kept the answers away; it means deny, for every question.
    pub async fn check_all(&self, questions: &[Question]) -> Result<Vec<Result<Permit, Refusal>>, Fault> {
        if questions.is_empty() {
            return Ok(Vec::new());
        }
        let message = BatchCheckRequest { semantics: BatchSemantics::ExecuteAll.into(), ..question::batch(questions)? };
        let (response, _) = self
            .connection
            .ask(Duration::MAX, |mut service, limit| {
                let request = connection::limited(message.clone(), limit);
                async move { service.batch_check(request).await }
            })
            .await?;
        // Verdicts are matched by place: with one too few or too many, none can be trusted to be whose it seems.
        if response.verdicts.len() != questions.len() {
            return Err(Fault::Malformed("it has not one verdict a question"));
        }
        let answers = response.verdicts.into_iter().map(Answer::read).collect::<Result<Vec<_>, _>>()?;
        Ok(answers.into_iter().map(|answer| self.judged(Arc::new(answer), false)).collect())
    }

    /// The permit that an answer is, if it is one.
    fn judged(&self, answer: Arc<Answer>, reused: bool) -> Result<Permit, Refusal> {
        if !answer.verdict.is_allow() {
            return Err(Refusal::Denied(answer));
        }
        match answer.verdict.obligations.iter().find(|obligation| !(self.meets)(obligation)) {
            Some(unmet) => Err(Refusal::Unmet { obligation: Box::new(unmet.clone()), answer }),
            None => Ok(Permit { answer, reused }),
        }
    }
}

/// A host and a port: without a port, it would be that of web servers.
fn authority(server: &str) -> Result<String, InvalidServer> {
    let authority: Option<Authority> = server.parse().ok();
    let authority = authority.filter(|authority| authority.port_u16().is_some() && !server.contains('@'));
    authority.map(|authority| authority.to_string()).ok_or_else(|| InvalidServer(server.to_owned()))
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Client").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// The page's examples are compiled along with the tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/client.md")]
struct Page;
