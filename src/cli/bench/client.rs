//! One HTTP/2 connection that asks encoded questions, and reads of the answers only what is counted.

use anyhow::Context as _;
use bytes::{BufMut as _, Bytes};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use tokio::net::UnixStream;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};
use verdict::api::{Address, grpc::proto::Effect};

/// Opens `count` connections to the server at `address`.
pub(super) async fn connect(address: &Address, count: usize) -> anyhow::Result<Vec<Channel>> {
    let mut channels = Vec::with_capacity(count);
    for _ in 0..count {
        let channel = match address {
            Address::Tcp(socket) => endpoint(format!("http://{socket}"))?.connect().await,
            Address::Unix(path) => {
                let path = path.clone();
                let connector = tower::service_fn(move |_| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                });
                // HTTP wants a name; the socket has none.
                endpoint("http://localhost".to_owned())?.connect_with_connector(connector).await
            }
        };
        channels.push(channel.with_context(|| format!("can't connect to `{address}`; does a server listen there?"))?);
    }
    Ok(channels)
}

fn endpoint(uri: String) -> anyhow::Result<Endpoint> {
    Ok(Endpoint::from_shared(uri)?
        .tcp_nodelay(true)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20))
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
