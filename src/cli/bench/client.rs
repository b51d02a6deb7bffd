//! Connections that ask encoded questions, and read of the answers only what is counted: gRPC's over HTTP/2, and others'
//! over HTTP/1.1 ([`http1`]).

pub(super) mod http1;

use std::time::Duration;

use anyhow::Context as _;
use bytes::{BufMut as _, Bytes};
use prost::Message as _;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use verdict::api::{Address, grpc::proto::Effect};

use super::questions::Method;

/// How long a connection may take to be made.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens `count` connections to `server`, an address as `verdict check` takes it.
pub(super) async fn connect(server: &str, count: usize) -> anyhow::Result<Vec<Channel>> {
    let uri = match server.parse() {
        Ok(Address::Unix(path)) => format!("unix://{}", path.display()),
        Ok(Address::Tcp(_)) | Err(_) => format!("http://{server}"),
    };
    let endpoint = Endpoint::from_shared(uri).map_err(|_| {
        anyhow::anyhow!("`{server}` is no server; write it like `127.0.0.1:9191` or `unix:/run/verdict.sock`")
    })?;
    let endpoint = endpoint
        .connect_timeout(PATIENCE)
        .tcp_nodelay(true)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    let mut channels = Vec::with_capacity(count);
    for _ in 0..count {
        channels.push(endpoint.connect().await.with_context(|| {
            format!("can't reach a server at `{server}`; start one with `verdict serve`, or name another with --server")
        })?);
    }
    Ok(channels)
}

/// What is counted of one response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) allow: u64,
    pub(super) deny: u64,
    /// Denies that something went wrong with.
    pub(super) failed: u64,
}

/// A connection to a server.
pub(super) enum Connection {
    /// gRPC over HTTP/2.
    Grpc(Channel),
    /// HTTP/1.1.
    Http(http1::Connection),
}

/// Asks one question after the other on a connection.
pub(super) enum Asker {
    /// Beside others.
    Grpc(Grpc<Channel>, PathAndQuery),
    /// Alone.
    Http(http1::Connection),
}

impl Connection {
    /// As many askers as may have a request in flight at once: `concurrency`, and one over HTTP/1.1.
    pub(super) fn askers(self, method: Method, concurrency: usize) -> Vec<Asker> {
        match self {
            Self::Grpc(channel) => {
                let path = PathAndQuery::from_static(method.path());
                (0..concurrency).map(|_| Asker::Grpc(Grpc::new(channel.clone()), path.clone())).collect()
            }
            Self::Http(connection) => vec![Asker::Http(connection)],
        }
    }
}

impl Asker {
    /// Sends `body`.
    pub(super) async fn ask(&mut self, body: Bytes) -> Result<Answer, Status> {
        match self {
            Self::Grpc(grpc, path) => {
                grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
                Ok(grpc.unary(Request::new(body), path.clone(), Raw).await?.into_inner())
            }
            Self::Http(connection) => connection.ask(body).await,
        }
    }
}

impl Answer {
    /// Of one decision.
    fn of(allow: bool, failed: bool) -> Self {
        Self { allow: allow.into(), deny: (!allow).into(), failed: failed.into() }
    }
}

/// Both responses carry their verdicts as field 1.
#[derive(Clone, PartialEq, prost::Message)]
struct Verdicts {
    #[prost(message, repeated, tag = "1")]
    verdicts: Vec<Verdict>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Verdict {
    #[prost(enumeration = "Effect", tag = "3")]
    effect: i32,
    #[prost(message, repeated, tag = "10")]
    diagnostics: Vec<()>,
}

/// Takes encoded requests; skips what [`Answer`] does not count.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Answer;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(item);
        Ok(())
    }

    // Room for a question; the default reserves eight times that for each.
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(1 << 10, 32 << 10)
    }
}

impl Decoder for Raw {
    type Item = Answer;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Answer>, Status> {
        let Verdicts { verdicts } = Verdicts::decode(source).map_err(|error| Status::internal(error.to_string()))?;
        let mut answer = Answer::default();
        for verdict in verdicts {
            if verdict.effect() == Effect::Allow {
                answer.allow += 1;
            } else {
                answer.deny += 1;
                answer.failed += u64::from(!verdict.diagnostics.is_empty());
            }
        }
        Ok(Some(answer))
    }
}
