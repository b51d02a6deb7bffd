//! Messages on the wire. One that can't be decoded is no failed call here, but something to answer: see the module above.

use bytes::Buf as _;
use envoy_types::ext_authz::v3::pb::{CheckRequest, CheckResponse};
use prost::Message as _;
use tonic::{
    Status,
    codec::{BufferSettings, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;

/// A request, or why there is none.
pub(super) struct Received(pub(super) Result<CheckRequest, String>);

/// Encodes responses, decodes requests.
#[derive(Debug)]
pub(super) struct Codec;

/// Decodes requests.
#[derive(Debug)]
pub(super) struct RequestDecoder;

impl tonic::codec::Codec for Codec {
    type Encode = CheckResponse;
    type Decode = Received;
    type Encoder = ProstEncoder<CheckResponse>;
    type Decoder = RequestDecoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        RequestDecoder
    }
}

impl Decoder for RequestDecoder {
    type Item = Received;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<Received>, Status> {
        let request = CheckRequest::decode(&mut *buf).map_err(|error| error.to_string());
        // What is left of a message that broke off would be taken for the next one.
        buf.advance(buf.remaining());
        Ok(Some(Received(request)))
    }
}
