//! A unary gRPC request ("PROTOCOL-HTTP2.md"): the message of the method that the path names, by the configured
//! descriptors.

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use super::{Parsed, fault};
use crate::api::{json, status::FieldViolation};

/// One byte that says whether the message is compressed, four that say how long it is.
const PREFIX: usize = 5;

/// Reads the first message. Null for what is compressed, and for methods that are not known or take a stream.
pub(super) fn parsed(body: &[u8], segments: &[String], pool: &DescriptorPool) -> Result<Parsed, FieldViolation> {
    if body.is_empty() {
        return Ok(Parsed::default());
    }
    let [service, method] = segments else {
        return Err(FieldViolation::new("path", "is no path of a gRPC call, which is `/service/method`"));
    };
    let Some((prefix, message)) = body.split_first_chunk::<PREFIX>() else {
        return Err(fault("is too short for a gRPC message"));
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Ok(Parsed::default());
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let Some(message) = message.get(..length) else { return Ok(Parsed::truncated()) };
    let Some(input) = input_of(service, method, pool) else { return Ok(Parsed::default()) };
    let malformed = || fault("is no message of its gRPC method");
    let message = DynamicMessage::decode(input, message).map_err(|_| malformed())?;
    // Through text: so numbers come out as protobuf's JSON has them, and are read as any others.
    let text = serde_json::to_vec(&message).map_err(|_| malformed())?;
    Ok(Parsed::of(json::any(&text).map_err(|_| malformed())?))
}

fn input_of(service: &str, method: &str, pool: &DescriptorPool) -> Option<MessageDescriptor> {
    let service = pool.get_service_by_name(service)?;
    let method = service.methods().find(|known| known.name() == method)?;
    (!method.is_client_streaming()).then(|| method.input())
}
