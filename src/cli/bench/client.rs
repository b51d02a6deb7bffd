//! One HTTP/2 connection that asks encoded questions, and reads of the answers only what is counted.

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

/// Sends `body` to the method at `path`.
pub(super) async fn ask(grpc: &mut Grpc<Channel>, path: PathAndQuery, body: Bytes) -> Result<Answer, Status> {
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(grpc.unary(Request::new(body), path, Raw).await?.into_inner())
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
