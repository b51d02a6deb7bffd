//! One stream from the agent, again and again: what it says is told to whoever follows.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, sync::watch};
use tonic::{
    Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::MetadataValue,
    transport::{Channel, Uri},
};
use tonic_prost::ProstCodec;

use super::{Endpoint, Material, message, response};

/// How long to wait before the stream is asked for again, at first, and at most.
const FIRST: Duration = Duration::from_millis(200);
const LAST: Duration = Duration::from_secs(30);

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How often an agent that says nothing is asked whether it is there, and how long it may take to answer.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(10);

/// The largest message, in bytes: a bundle of many authorities, for many trust domains.
const LARGEST: usize = 16 << 20;

/// Follows an agent.
pub struct Source {
    endpoint: Endpoint,
    told: watch::Sender<Option<Arc<Material>>>,
    trouble: watch::Sender<Option<String>>,
    taken: AtomicU64,
    refused: AtomicU64,
}

/// What came of an agent's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Messages that were taken.
    pub taken: u64,
    /// Messages that were of no use, and streams that ended.
    pub refused: u64,
}

/// Nothing came in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no SVID came from the SPIFFE Workload API at `{endpoint}` within {patience:?}: {cause}")]
pub struct Late {
    endpoint: String,
    patience: Duration,
    cause: String,
}

impl Source {
    /// Of the agent at `endpoint`; nothing is asked before [`Self::run`].
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            told: watch::Sender::new(None),
            trouble: watch::Sender::new(None),
            taken: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// What the agent has said last, and says from here on.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Option<Arc<Material>>> {
        self.told.subscribe()
    }

    /// What came of its messages.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures { taken: self.taken.load(Relaxed), refused: self.refused.load(Relaxed) }
    }

    /// Waits until there is something.
    pub async fn first(&self, patience: Duration) -> Result<(), Late> {
        let mut told = self.follow();
        if tokio::time::timeout(patience, told.wait_for(Option::is_some)).await.is_ok_and(|found| found.is_ok()) {
            return Ok(());
        }
        let cause = self.trouble.borrow().clone().unwrap_or_else(|| "it says nothing".to_owned());
        Err(Late { endpoint: self.endpoint.to_string(), patience, cause })
    }

    /// Follows the agent for as long as this is polled.
    pub async fn run(self: Arc<Self>) {
        let mut wait = FIRST;
        loop {
            let ended = match self.listen(&mut wait).await {
                Ok(()) => "the agent ended the stream".to_owned(),
                Err(why) => why,
            };
            self.complain(ended);
            tokio::time::sleep(about(wait)).await;
            wait = wait.saturating_mul(2).min(LAST);
        }
    }

    /// Takes one stream to its end.
    async fn listen(&self, wait: &mut Duration) -> Result<(), String> {
        let mut client = Grpc::new(self.connect().await?).max_decoding_message_size(LARGEST);
        client.ready().await.map_err(|error| error.to_string())?;
        let mut request = Request::new(message::Request {});
        // SPIFFE Workload Endpoint §6.1: who could only make this process send requests, can't say that.
        request.metadata_mut().insert("workload.spiffe.io", MetadataValue::from_static("true"));
        let path = PathAndQuery::from_static("/SpiffeWorkloadAPI/FetchX509SVID");
        let codec = ProstCodec::<message::Request, message::Response>::default();
        let answer = client.server_streaming(request, path, codec).await.map_err(|status| said(&status))?;
        let mut messages = answer.into_inner();
        while let Some(message) = messages.message().await.map_err(|status| said(&status))? {
            match response::read(message) {
                Ok(material) => {
                    *wait = FIRST;
                    self.take(material);
                }
                Err(why) => self.complain(why),
            }
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Channel, String> {
        let Endpoint(path) = self.endpoint.clone();
        let connect = tower::service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        // What it is called does not matter: the socket is known.
        let endpoint = tonic::transport::Endpoint::from_static("http://localhost")
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .keep_alive_while_idle(true);
        endpoint.connect_with_connector(connect).await.map_err(|error| root(&error))
    }

    fn take(&self, material: Material) {
        self.taken.fetch_add(1, Relaxed);
        self.trouble.send_replace(None);
        self.told.send_if_modified(|told| {
            let is_new = told.as_deref() != Some(&material);
            if is_new {
                let domains: Vec<_> = material.bundles.keys().map(String::as_str).collect();
                let ids: Vec<_> = material.svids.iter().map(|svid| svid.id.as_str()).collect();
                tracing::info!(svids = ids.join(" "), trust_domains = domains.join(" "), "the SPIFFE agent gave SVIDs");
                *told = Some(Arc::new(material));
            }
            is_new
        });
    }

    /// Tells of trouble, once.
    fn complain(&self, why: String) {
        self.refused.fetch_add(1, Relaxed);
        self.trouble.send_if_modified(|trouble| {
            let is_new = trouble.as_ref() != Some(&why);
            if is_new {
                let endpoint = &self.endpoint;
                if self.told.borrow().is_some() {
                    tracing::error!(%endpoint, "the SPIFFE agent can't be followed; what it gave last goes on: {why}");
                } else {
                    tracing::warn!(%endpoint, "the SPIFFE agent gives nothing: {why}");
                }
                *trouble = Some(why);
            }
            is_new
        });
    }
}

/// What an agent refused, by its own words.
fn said(status: &tonic::Status) -> String {
    let message: String = status.message().chars().take(200).flat_map(char::escape_default).collect();
    format!("{:?}: {message}", status.code())
}

/// The cause of causes: tonic's own says only that there was one.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// A tenth more or less, so that many servers of one agent do not come back at once.
fn about(wait: Duration) -> Duration {
    #[allow(clippy::cast_precision_loss, reason = "at most 2,000")]
    let part = (RandomState::new().build_hasher().finish() % 2_001) as f64 / 10_000.0;
    wait.mul_f64(0.9 + part)
}
