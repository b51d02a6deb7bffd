//! Bytes as what Envoy asks: `envoy.service.auth.v3.CheckRequest`.

use envoy_types::{
    ext_authz::v3::pb::{CheckRequest, CheckResponse},
    pb::envoy::service::auth::v3::{
        AttributeContext,
        attribute_context::{HttpRequest, Request},
    },
};
use prost::Message as _;

use super::{holds, server};

/// An answer, and no allow without the word. A failed call would be one that Envoy may let through.
pub fn run(bytes: &[u8]) {
    let answer = server::grpc("/envoy.service.auth.v3.Authorization/Check", bytes);
    let answer = answer.unwrap_or_else(|status| panic!("a failed call: {status:?}"));
    let [answer] = answer.as_slice() else { panic!("{} answers", answer.len()) };
    let answer = CheckResponse::decode(&**answer).unwrap();
    // A path may have it encoded, a body escaped.
    let said = || holds(bytes, b"sesame") || holds(bytes, b"\\u") || bytes.contains(&b'%');
    let denied = answer.status.as_ref().is_some_and(|status| status.code != 0);
    server::hold(!denied, said, || format!("{answer:?}"));
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let json = [("content-type", "application/json")];
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let multipart = [("content-type", "multipart/form-data; boundary=x")];
    let mcp = [("content-type", "application/json"), ("mcp-method", "tools/call")];
    vec![
        ("get", request("/a%2Fb/c?x=1&y=%zz", &[("cookie", "a=b"), (":authority", "shop.test")], "")),
        ("allow", request("/open sesame", &[], "")),
        ("json", request("/a", &json, r#"{"a": [1.5, {"b": "\u00e9"}]}"#)),
        ("form", request("/a", &form, "a=1&a=2&b=%20")),
        (
            "multipart",
            request("/a", &multipart, "--x\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n"),
        ),
        (
            "mcp",
            request("/mcp", &mcp, r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}}"#),
        ),
        ("empty", Vec::new()),
    ]
}

/// A request is the sum of its parts: a map has no order, but messages that follow each other are merged.
fn request(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let whole = HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        host: "shop.test".to_owned(),
        protocol: "HTTP/1.1".to_owned(),
        body: body.to_owned(),
        ..HttpRequest::default()
    };
    let header = |(name, value): &(&str, &str)| HttpRequest {
        headers: [((*name).to_owned(), (*value).to_owned())].into(),
        ..HttpRequest::default()
    };
    std::iter::once(whole).chain(headers.iter().map(header)).flat_map(encoded).collect()
}

fn encoded(http: HttpRequest) -> Vec<u8> {
    let request = Request { http: Some(http), ..Request::default() };
    let attributes = AttributeContext { request: Some(request), ..AttributeContext::default() };
    CheckRequest { attributes: Some(attributes) }.encode_to_vec()
}
