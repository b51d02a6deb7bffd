//! What a policy sees: as opa-envoy-plugin gives it.

use envoy_types::{
    ext_authz::v3::pb::CheckRequest,
    pb::{
        envoy::{
            config::core::v3::{HeaderMap, HeaderValue, Metadata},
            service::auth::v3::attribute_context::{HttpRequest, Peer, TlsSession},
        },
        google::protobuf::{Any, Timestamp},
    },
};
use serde_json::json;

use crate::client::{ECHO, check, get, http, metadata, of, policy, policy_with, post};

#[tokio::test]
async fn attributes_are_named_as_protobuf_names_them_in_json() {
    let (_folder, server) = policy(ECHO).await;
    let headers =
        [("content-type", "application/json"), ("authorization", "Bearer abc"), (":path", "/people?lang=en&id=1&id=2")];
    let mut request = of(HttpRequest {
        body: r#"{"firstname": "Charlie", "big": 12345678901234567890}"#.to_owned(),
        size: 41,
        ..http("POST", "/people?lang=en&id=1&id=2", &headers)
    });
    let attributes = request.attributes.as_mut().unwrap();
    attributes.request.as_mut().unwrap().time = Some(Timestamp { seconds: 1_605_865_667, nanos: 722_473_000 });
    attributes.destination = Some(Peer { principal: "spiffe://example.org/api".to_owned(), ..Peer::default() });
    attributes.context_extensions.insert("virtual_host".to_owned(), "shop".to_owned());
    attributes.tls_session = Some(TlsSession { sni: "shop.test".to_owned() });
    let filters = [(
        "envoy.filters.http.jwt_authn",
        json!({"verified_jwt": {"sub": "alice", "exp": 1_900_000_000, "roles": ["a", null, true, 0.5]}}),
    )];
    attributes.metadata_context = Some(Metadata {
        filter_metadata: filters.into_iter().map(|(name, members)| (name.to_owned(), metadata(members))).collect(),
        typed_filter_metadata: [(
            "x".to_owned(),
            Any { type_url: "type.googleapis.com/x.Y".to_owned(), value: vec![1, 2] },
        )]
        .into(),
    });
    attributes.route_metadata_context = Some(Metadata::default());
    assert_eq!(
        check(&server, request).await.input(),
        json!({
            "attributes": {
                "source": {
                    "address": {"socketAddress": {"address": "10.0.0.7", "portValue": 0}},
                    "principal": "spiffe://example.org/shop"
                },
                "destination": {"principal": "spiffe://example.org/api"},
                "request": {
                    "time": "2020-11-20T09:47:47.722473Z",
                    "http": {
                        "id": "17", "method": "POST", "path": "/people?lang=en&id=1&id=2", "host": "shop.test",
                        "scheme": "http", "protocol": "HTTP/1.1", "size": "41",
                        "body": "{\"firstname\": \"Charlie\", \"big\": 12345678901234567890}",
                        "headers": {"content-type": "application/json", "authorization": "Bearer abc", ":path": "/people?lang=en&id=1&id=2"}
                    }
                },
                "contextExtensions": {"virtual_host": "shop"},
                "metadataContext": {
                    "filterMetadata": {"envoy.filters.http.jwt_authn": {"verified_jwt": {"sub": "alice", "exp": 1_900_000_000, "roles": ["a", null, true, 0.5]}}},
                    "typedFilterMetadata": {"x": {"@type": "type.googleapis.com/x.Y", "value": "AQI="}}
                },
                "routeMetadataContext": {},
                "tlsSession": {"sni": "shop.test"}
            },
            "parsed_path": ["people"],
            "parsed_query": {"lang": ["en"], "id": ["1", "2"]},
            "parsed_body": {"firstname": "Charlie", "big": 12_345_678_901_234_567_890_u64},
            "truncated_body": false,
            "source_principal": "spiffe://example.org/shop",
            "destination_principal": "spiffe://example.org/api",
            "version": {"ext_authz": "v3", "encoding": "protojson"}
        })
    );
}

#[tokio::test]
async fn raw_headers_and_raw_bodies_are_read_too() {
    let (_folder, server) = policy(ECHO).await;
    let header = |key: &str, raw_value: &[u8]| HeaderValue {
        key: key.to_owned(),
        raw_value: raw_value.to_vec(),
        ..HeaderValue::default()
    };
    let headers = vec![header("content-type", b"application/json"), header("x-bytes", b"\xff")];
    let request = of(HttpRequest {
        header_map: Some(HeaderMap { headers }),
        raw_body: br#"{"a": 1}"#.to_vec(),
        ..http("POST", "/", &[])
    });
    let input = check(&server, request).await.input();
    assert_eq!(input["parsed_body"], json!({"a": 1}));
    let http = &input["attributes"]["request"]["http"];
    assert_eq!(http["rawBody"], "eyJhIjogMX0=");
    assert_eq!(http["headerMap"]["headers"][1], json!({"key": "x-bytes", "rawValue": "/w=="}));
    assert!(http.get("headers").is_none());
}

fn header(request: &mut CheckRequest, name: &str, value: &str) {
    let http =
        request.attributes.as_mut().and_then(|all| all.request.as_mut()).and_then(|request| request.http.as_mut());
    http.unwrap().headers.insert(name.to_owned(), value.to_owned());
}

#[tokio::test]
async fn a_message_of_mcp_is_told_apart() {
    let (_folder, server) = policy(ECHO).await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "refund", "arguments": {"amount": 5}}});
    let input = check(&server, post("application/json", &call.to_string())).await.input();
    assert_eq!((&input["mcp"], &input["parsed_body"]), (&call, &call));
    let other = json!({"method": "tools/call"});
    assert!(check(&server, post("application/json", &other.to_string())).await.input().get("mcp").is_none());
    let mut agreeing = post("application/json", &call.to_string());
    header(&mut agreeing, "mcp-name", "refund");
    assert_eq!(check(&server, agreeing).await.input()["mcp"], call);
}

#[tokio::test]
async fn a_message_that_the_mcp_door_would_refuse_is_denied_whatever_the_policy_says() {
    let (_folder, server) = policy(ECHO).await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "refund"}});
    for body in [
        json!([call]),
        json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/invent"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a", "arguments": {"b": 1, "B": 2}}}),
    ] {
        assert!(!check(&server, post("application/json", &body.to_string())).await.allowed, "{body}");
    }
    for (name, value) in [("mcp-name", "read"), ("mcp-method", "tools/list"), ("mcp-protocol-version", "2026-07-28")] {
        for kind in ["application/json", "text/plain"] {
            let mut request = post(kind, &call.to_string());
            header(&mut request, "mcp-method", "tools/call");
            header(&mut request, name, value);
            assert!(!check(&server, request).await.allowed, "{name}: {value}");
        }
    }
    let (_folder, server) = policy_with(ECHO, &[("VERDICT_ENVOY_MCP", "false")]).await;
    let input = check(&server, post("application/json", &json!([call]).to_string())).await.input();
    assert!(input.get("mcp").is_none() && input["parsed_body"].is_array());
}

#[tokio::test]
async fn a_body_is_not_parsed_where_that_is_configured() {
    let (_folder, server) = policy_with(ECHO, &[("VERDICT_ENVOY_PARSE_BODY", "false")]).await;
    let input = check(&server, post("application/json", "{broken")).await.input();
    assert!(input.get("parsed_body").is_none() && input.get("truncated_body").is_none(), "{input}");
}

#[tokio::test]
async fn a_connection_has_no_http_and_is_asked_about_all_the_same() {
    let (_folder, server) = policy(ECHO).await;
    let mut request = get("/");
    request.attributes.as_mut().unwrap().request = None;
    let input = check(&server, request).await.input();
    assert_eq!(input["parsed_path"], json!([""]));
    assert!(input["attributes"].get("request").is_none());
}

#[tokio::test]
async fn grpc_requests_are_read_by_descriptors() {
    // The contract of Verdict itself, in a file as `buf build` writes one.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), verdict::api::grpc::proto::DESCRIPTORS).unwrap();
    let settings = [("VERDICT_ENVOY_DESCRIPTORS", file.path().to_str().unwrap())];
    let (_folder, server) = policy_with(ECHO, &settings).await;
    let message = prost::Message::encode_to_vec(&crate::support::question());
    let mut raw_body = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
    raw_body.extend(message);
    let headers = [("content-type", "application/grpc")];
    let ask = |path: &str| of(HttpRequest { raw_body: raw_body.clone(), ..http("POST", path, &headers) });
    let input = check(&server, ask("/verdict.v1.DecisionService/Check")).await.input();
    assert_eq!(
        input["parsed_body"],
        json!({"subject": {"type": "user", "id": "alice"}, "action": {"name": "read"},
            "resource": {"type": "document", "id": "handbook"}})
    );
    let input = check(&server, ask("/verdict.v1.DecisionService/CheckStream")).await.input();
    assert_eq!(input["parsed_body"], json!(null));
    check(&server, ask("/Check")).await.denied(400, &["INVALID_QUERY"]);
}

#[tokio::test]
async fn descriptors_that_can_not_be_read_keep_it_from_starting() {
    for (name, content) in [("none.pb", None), ("text.pb", Some("syntax = \"proto3\";"))] {
        let folder = crate::support::Folder::empty();
        if let Some(content) = content {
            folder.write(name, content);
        }
        let file = folder.join(name);
        let ended = crate::support::Serve::embedded().env("VERDICT_ENVOY_DESCRIPTORS", file.to_str().unwrap()).run();
        assert_ne!(ended.code, Some(0));
        assert!(ended.stderr.contains("envoy.descriptors: `") && ended.stderr.contains(name), "{}", ended.stderr);
    }
}
