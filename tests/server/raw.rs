//! gRPC by hand, for what no well-behaved client sends.

use bytes::{BufMut as _, Bytes, BytesMut};
use tonic::Status;
use tonic::codegen::http::{HeaderMap, Request};

use crate::support::Server;

const SERVICE: &str = "/verdict.v1.DecisionService/";

/// What came back.
pub(crate) struct Answer {
    pub(crate) http: u16,
    pub(crate) messages: Bytes,
    /// The gRPC status, from the trailers or, where there was nothing else, from the headers.
    pub(crate) status: Option<Status>,
}

impl Answer {
    pub(crate) fn status(&self) -> &Status {
        self.status.as_ref().expect("a gRPC status")
    }

    /// The messages, out of their frames.
    pub(crate) fn split(&self) -> Vec<Bytes> {
        let mut rest = self.messages.clone();
        let mut messages = Vec::new();
        while rest.len() >= 5 {
            let head = rest.split_to(5);
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            messages.push(rest.split_to(length));
        }
        assert!(rest.is_empty());
        messages
    }
}

/// A message in its frame.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    frame_with(0, u32::try_from(message.len()).unwrap(), message)
}

/// A frame that says what it likes.
pub(crate) fn frame_with(flag: u8, length: u32, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(length);
    frame.put_slice(message);
    frame.freeze()
}

/// Sends `body` to a method of the decision service, and waits for the end of the answer.
pub(crate) async fn call(server: &Server, method: &str, body: Bytes, headers: &[(&str, &str)]) -> Answer {
    call_at(server, &format!("{SERVICE}{method}"), body, headers).await
}

/// The same, to a method of any service.
pub(crate) async fn call_at(server: &Server, path: &str, body: Bytes, headers: &[(&str, &str)]) -> Answer {
    let stream = tokio::net::TcpStream::connect(&server.grpc).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://x{path}")).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client = client.ready().await.unwrap();
    let (answer, mut upload) = client.send_request(request.body(()).unwrap(), false).unwrap();
    let sending = tokio::spawn(async move {
        let mut rest = body;
        while !rest.is_empty() {
            upload.reserve_capacity(rest.len());
            let Some(Ok(capacity)) = std::future::poll_fn(|context| upload.poll_capacity(context)).await else {
                return;
            };
            let part = rest.split_to(capacity.min(rest.len()));
            if upload.send_data(part, false).is_err() {
                return;
            }
        }
        let _ = upload.send_data(Bytes::new(), true);
    });
    let (head, mut body) = answer.await.unwrap().into_parts();
    let mut messages = BytesMut::new();
    while let Some(Ok(part)) = body.data().await {
        body.flow_control().release_capacity(part.len()).unwrap();
        messages.extend_from_slice(&part);
    }
    let trailers = body.trailers().await.ok().flatten().unwrap_or_else(HeaderMap::new);
    let status = Status::from_header_map(&trailers).or_else(|| Status::from_header_map(&head.headers));
    sending.abort();
    connection.abort();
    Answer { http: head.status.as_u16(), messages: messages.freeze(), status }
}

/// Asks one question that is already encoded.
pub(crate) async fn check(server: &Server, message: &[u8]) -> Answer {
    call(server, "Check", frame(message), &[]).await
}

/// A length-delimited field of a message.
pub(crate) fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut bytes);
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

/// A varint field of a message.
pub(crate) fn varint(number: u32, content: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::Varint, &mut bytes);
    prost::encoding::encode_varint(content, &mut bytes);
    bytes
}

/// A Struct nested `depth` deep, from the inside out: prost's own encoder recurses.
pub(crate) fn nested(depth: usize) -> Vec<u8> {
    let mut value = varint(4, 1);
    let mut object = Vec::new();
    for _ in 0..depth {
        object = field(1, &[field(1, b"a"), field(2, &value)].concat());
        value = field(5, &object);
    }
    object
}

/// A list in a list, `depth` deep, as the one member of a Struct.
pub(crate) fn nested_lists(depth: usize) -> Vec<u8> {
    let mut value = varint(4, 1);
    for _ in 0..depth {
        value = field(6, &field(1, &value));
    }
    field(1, &[field(1, b"a"), field(2, &value)].concat())
}
