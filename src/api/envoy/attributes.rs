//! The attributes of a request as JSON, by protobuf's JSON mapping (protobuf.dev, "ProtoJSON"): names in camelCase, no
//! fields that are not set, 64-bit integers as strings, bytes in base64.
//!
//! Each message is taken apart whole, so that a new field of Envoy's breaks the build.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, SecondsFormat};
use envoy_types::pb::{
    envoy::{
        config::core::v3::{
            Address, EnvoyInternalAddress, HeaderMap, HeaderValue, Metadata, Pipe, SocketAddress, address,
            envoy_internal_address::AddressNameSpecifier,
            socket_address::{PortSpecifier, Protocol},
        },
        service::auth::v3::{
            AttributeContext,
            attribute_context::{HttpRequest, Peer, Request, TlsSession},
        },
    },
    google::protobuf::{Any, ListValue, Struct, Timestamp, Value as Dynamic, value::Kind},
};

use crate::{
    api::status::FieldViolation,
    decision::{Number, Object, Value},
};

type Read<T> = Result<T, FieldViolation>;

/// All of them.
pub(super) fn object(attributes: AttributeContext) -> Read<Object> {
    let AttributeContext {
        source,
        destination,
        request,
        context_extensions,
        metadata_context,
        route_metadata_context,
        tls_session,
    } = attributes;
    let mut object = Object::new();
    put(&mut object, "source", source.map(peer));
    put(&mut object, "destination", destination.map(peer));
    put(&mut object, "request", request.map(self::request).transpose()?);
    texts(&mut object, "contextExtensions", context_extensions);
    put(&mut object, "metadataContext", metadata_context.map(metadata).transpose()?);
    put(&mut object, "routeMetadataContext", route_metadata_context.map(metadata).transpose()?);
    put(&mut object, "tlsSession", tls_session.map(|TlsSession { sni }| of_texts([("sni", sni)])));
    Ok(object)
}

fn peer(peer: Peer) -> Object {
    let Peer { address, service, labels, principal, certificate } = peer;
    let mut object = of_texts([("service", service), ("principal", principal), ("certificate", certificate)]);
    put(&mut object, "address", address.map(self::address));
    texts(&mut object, "labels", labels);
    object
}

fn address(address: Address) -> Object {
    let Address { address } = address;
    let mut object = Object::new();
    match address {
        None => {}
        Some(address::Address::SocketAddress(socket)) => put(&mut object, "socketAddress", Some(self::socket(socket))),
        Some(address::Address::Pipe(Pipe { path, mode })) => {
            let mut pipe = of_texts([("path", path)]);
            put(&mut pipe, "mode", (mode != 0).then_some(i64::from(mode)));
            put(&mut object, "pipe", Some(pipe));
        }
        Some(address::Address::EnvoyInternalAddress(internal)) => {
            let EnvoyInternalAddress { endpoint_id, address_name_specifier } = internal;
            let mut internal = of_texts([("endpointId", endpoint_id)]);
            if let Some(AddressNameSpecifier::ServerListenerName(name)) = address_name_specifier {
                internal.insert("serverListenerName".to_owned(), Value::String(name));
            }
            put(&mut object, "envoyInternalAddress", Some(internal));
        }
    }
    object
}

fn socket(socket: SocketAddress) -> Object {
    let SocketAddress { protocol, address, resolver_name, ipv4_compat, network_namespace_filepath, port_specifier } =
        socket;
    let mut object = of_texts([
        ("address", address),
        ("resolverName", resolver_name),
        ("networkNamespaceFilepath", network_namespace_filepath),
    ]);
    let protocol = match Protocol::try_from(protocol) {
        Ok(Protocol::Tcp) => None,
        Ok(known) => Some(Value::from(known.as_str_name())),
        Err(_) => Some(Value::from(i64::from(protocol))),
    };
    put(&mut object, "protocol", protocol);
    put(&mut object, "ipv4Compat", ipv4_compat.then_some(true));
    match port_specifier {
        None => {}
        Some(PortSpecifier::PortValue(port)) => put(&mut object, "portValue", Some(i64::from(port))),
        Some(PortSpecifier::NamedPort(name)) => put(&mut object, "namedPort", Some(Value::String(name))),
    }
    object
}

fn request(request: Request) -> Read<Object> {
    let Request { time, http } = request;
    let mut object = Object::new();
    put(&mut object, "time", time.map(timestamp).transpose()?);
    put(&mut object, "http", http.map(self::http));
    Ok(object)
}

fn http(http: HttpRequest) -> Object {
    let HttpRequest {
        id,
        method,
        headers,
        header_map,
        path,
        host,
        scheme,
        query,
        fragment,
        size,
        protocol,
        body,
        raw_body,
    } = http;
    let mut object = of_texts([
        ("id", id),
        ("method", method),
        ("path", path),
        ("host", host),
        ("scheme", scheme),
        ("query", query),
        ("fragment", fragment),
        ("protocol", protocol),
        ("body", body),
    ]);
    texts(&mut object, "headers", headers);
    put(&mut object, "headerMap", header_map.map(self::header_map));
    put(&mut object, "size", (size != 0).then(|| Value::String(size.to_string())));
    put(&mut object, "rawBody", (!raw_body.is_empty()).then(|| Value::String(STANDARD.encode(raw_body))));
    object
}

fn header_map(headers: HeaderMap) -> Object {
    let HeaderMap { headers } = headers;
    let mut object = Object::new();
    let header = |HeaderValue { key, value, raw_value }| {
        let mut header = of_texts([("key", key), ("value", value)]);
        put(&mut header, "rawValue", (!raw_value.is_empty()).then(|| Value::String(STANDARD.encode(raw_value))));
        Value::Object(header)
    };
    put(&mut object, "headers", (!headers.is_empty()).then(|| Value::Array(headers.into_iter().map(header).collect())));
    object
}

fn metadata(metadata: Metadata) -> Read<Object> {
    let Metadata { filter_metadata, typed_filter_metadata } = metadata;
    let mut object = Object::new();
    let filters: Object = filter_metadata
        .into_iter()
        .map(|(name, members)| Ok((name, Value::Object(dynamic_object(members)?))))
        .collect::<Read<_>>()?;
    put(&mut object, "filterMetadata", (!filters.is_empty()).then_some(filters));
    // What is in a message whose type nobody here knows stays as it is.
    let typed = typed_filter_metadata.into_iter().map(|(name, Any { type_url, value })| {
        (name, Value::Object(of_texts([("@type", type_url), ("value", STANDARD.encode(value))])))
    });
    let typed: Object = typed.collect();
    put(&mut object, "typedFilterMetadata", (!typed.is_empty()).then_some(typed));
    Ok(object)
}

fn dynamic_object(members: Struct) -> Read<Object> {
    let Struct { fields } = members;
    fields.into_iter().map(|(name, value)| Ok((name, dynamic(value)?))).collect()
}

/// Metadata of Envoy's filters; prost has bounded its depth.
fn dynamic(value: Dynamic) -> Read<Value> {
    let Dynamic { kind } = value;
    Ok(match kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(truth)) => Value::Bool(truth),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::NumberValue(number)) => Value::Number(
            Number::from_f64(number)
                .ok_or_else(|| FieldViolation::new("metadata_context", "has a number that is NaN or infinite"))?,
        ),
        Some(Kind::ListValue(ListValue { values })) => {
            Value::Array(values.into_iter().map(dynamic).collect::<Read<_>>()?)
        }
        Some(Kind::StructValue(members)) => Value::Object(dynamic_object(members)?),
    })
}

fn timestamp(time: Timestamp) -> Read<Value> {
    let Timestamp { seconds, nanos } = time;
    let time = u32::try_from(nanos).ok().and_then(|nanos| DateTime::from_timestamp(seconds, nanos));
    let time = time.ok_or_else(|| FieldViolation::new("time", "is out of range"))?;
    Ok(Value::String(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
}

fn put(object: &mut Object, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}

fn of_texts<const N: usize>(texts: [(&str, String); N]) -> Object {
    let set = texts.into_iter().filter(|(_, text)| !text.is_empty());
    set.map(|(name, text)| (name.to_owned(), Value::String(text))).collect()
}

fn texts(object: &mut Object, name: &str, map: HashMap<String, String>) {
    let texts: Object = map.into_iter().map(|(name, text)| (name, Value::String(text))).collect();
    put(object, name, (!texts.is_empty()).then_some(texts));
}
