use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use futures::executor::block_on;
use proptest::prelude::{prop, proptest};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto, field_descriptor_proto::Type,
};
use serde_json::{Value as Json, json};

use super::*;

fn http(headers: &[(&str, &str)]) -> HttpRequest {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HttpRequest { headers, ..HttpRequest::default() }
}

fn read(headers: &[(&str, &str)], body: &[u8]) -> Result<(Json, bool), String> {
    let http = http(headers);
    let given = Given { headers: Headers::of(&http), body, raw_body: b"", segments: &[] };
    let parsed = block_on(parsed(given, None)).map_err(|fault| format!("{}: {}", fault.field, fault.description))?;
    Ok((crate::api::json::written(&parsed.value), parsed.truncated))
}

fn of(kind: &str, body: &str) -> Json {
    let (value, truncated) = read(&[("content-type", kind)], body.as_bytes()).unwrap();
    assert!(!truncated);
    value
}

#[test]
fn reads_json_whatever_it_holds() {
    for (body, wanted) in [
        (r#""foo""#, json!("foo")),
        ("true", json!(true)),
        ("42", json!(42)),
        ("null", json!(null)),
        (r#"{"firstname": "foo", "lastname": "bar"}"#, json!({"firstname": "foo", "lastname": "bar"})),
        (r#"["\"", "\/", "\u0041"]"#, json!(["\"", "/", "A"])),
        ("9007199254740993", json!(9_007_199_254_740_993_u64)),
        ("", json!(null)),
    ] {
        assert_eq!(of("application/json", body), wanted, "{body}");
        assert_eq!(of("Application/JSON; charset=utf-8", body), wanted, "{body}");
    }
}

#[test]
fn reads_nothing_of_other_kinds() {
    assert_eq!(of("text/html", "{}"), json!(null));
    assert_eq!(read(&[], b"{}").unwrap(), (json!(null), false));
    assert_eq!(of("application/grpc", "{}"), json!(null));
    assert_eq!(of("multipart/form-data", "--x"), json!(null), "no boundary");
}

#[test]
fn refuses_bodies_that_are_not_what_they_say_and_quotes_none() {
    for (kind, body) in [
        ("application/json", &br#"["hunter2" : 42}"#[..]),
        ("application/json", br#"{"hunter2": 1, "hunter2": 2}"#),
        ("application/json", b"0.12345678901234567890hunter2"),
        ("application/json", b"0.123456789012345678901"),
        ("application/json", b"\"hunter2\xff\""),
        ("application/x-www-form-urlencoded", b"password=hunter2%"),
        ("application/x-www-form-urlencoded", b"a=\xff"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhunter2"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json\r\n\r\n{hunter2}\r\n--x--\r\n"),
    ] {
        let fault = read(&[("content-type", kind)], body).unwrap_err();
        assert!(fault.starts_with("body: ") && !fault.contains("hunter2"), "{fault}");
    }
    for encoding in ["gzip", "br", "identity, gzip"] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        assert!(read(&headers, b"{}").is_err(), "{encoding}");
    }
    let plain = [("content-type", "application/json"), ("content-encoding", "Identity")];
    assert!(read(&plain, b"{}").is_ok());
    let deep = "[".repeat(1_000);
    assert!(read(&[("content-type", "application/json")], deep.as_bytes()).is_err());
}

#[test]
fn reads_forms() {
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        of(form, "firstname=foo&lastname=bar&lastname=foo+bar%21"),
        json!({"firstname": ["foo"], "lastname": ["bar", "foo bar!"]})
    );
    let parts = "--foo\r\nContent-Disposition: form-data; name=\"foo\"\r\nContent-Type: text/plain\r\n\r\nbar\r\n\
                 --foo\r\nContent-Disposition: form-data; name=\"bar\"\r\nContent-Type: application/json\r\n\r\n{\"name\": \"bar\"}\r\n\
                 --foo\r\nContent-Disposition: form-data; name=\"foo\"; filename=\"f\"\r\n\r\nbaz\r\n--foo--\r\n";
    assert_eq!(
        of("multipart/form-data; boundary=foo", parts),
        json!({"foo": ["bar", "baz"], "bar": [{"name": "bar"}]})
    );
}

#[test]
fn a_part_of_a_body_is_not_read() {
    for kind in ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        assert_eq!(read(&[("content-type", kind), ("content-length", "1000")], b"true").unwrap(), (json!(null), true));
        let partial = [("content-type", kind), ("x-envoy-auth-partial-body", "true")];
        assert_eq!(read(&partial, b"true").unwrap(), (json!(null), true));
        assert!(read(&[("content-type", kind), ("content-length", "ten")], b"true").is_err());
    }
    let whole = [("content-type", "application/json"), ("content-length", "4"), ("x-envoy-auth-partial-body", "false")];
    assert_eq!(read(&whole, b"true").unwrap(), (json!(true), false));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        kind in prop::sample::select(vec!["application/json", FORM, "multipart/form-data; boundary=x", "application/grpc"]),
        body in prop::collection::vec(prop::sample::select(b"-x\r\n:;=\"{}[]%&+,a0\0\xff name form-data Content-Disposition".to_vec()), 0..200),
    ) {
        let http = http(&[("content-type", kind)]);
        let segments = ["books.Books".to_owned(), "Find".to_owned()];
        let given = Given { headers: Headers::of(&http), body: &body, raw_body: &body, segments: &segments };
        let _ = block_on(parsed(given, Some(&pool())));
    }
}

fn pool() -> DescriptorPool {
    let field = |name: &str, number, kind: Type| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(kind.into()),
        ..FieldDescriptorProto::default()
    };
    let method = |name: &str, client_streaming| MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".books.Query".to_owned()),
        output_type: Some(".books.Query".to_owned()),
        client_streaming: Some(client_streaming),
        ..MethodDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("books.proto".to_owned()),
        package: Some("books".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("Query".to_owned()),
            field: vec![field("author_name", 1, Type::String), field("copies", 2, Type::Int64)],
            ..DescriptorProto::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some("Books".to_owned()),
            method: vec![method("Find", false), method("Watch", true)],
            ..ServiceDescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    DescriptorPool::from_file_descriptor_set(FileDescriptorSet { file: vec![file] }).unwrap()
}

#[test]
fn reads_unary_grpc_requests_by_their_descriptors() {
    let pool = pool();
    let http = http(&[("content-type", "application/grpc+proto")]);
    let ask = |path: &[&str], raw_body: &[u8]| {
        let segments: Vec<String> = path.iter().map(|&segment| segment.to_owned()).collect();
        let given = Given { headers: Headers::of(&http), body: raw_body, raw_body, segments: &segments };
        let parsed = block_on(parsed(given, Some(&pool))).map_err(|fault| fault.field)?;
        Ok::<_, String>((crate::api::json::written(&parsed.value), parsed.truncated))
    };
    let find = &["books.Books", "Find"][..];
    let john = b"\0\0\0\0\x08\x0a\x04John\x10\x07";
    assert_eq!(ask(find, john).unwrap(), (json!({"authorName": "John", "copies": "7"}), false));
    assert_eq!(ask(find, b"\0\0\0\0\0").unwrap(), (json!({}), false));
    assert_eq!(ask(find, b"").unwrap(), (json!(null), false));
    assert_eq!(ask(find, b"\x01\0\0\0\x02ab").unwrap(), (json!(null), false), "compressed");
    assert_eq!(ask(find, &john[..9]).unwrap(), (json!(null), true));
    for unknown in [["books.Books", "Watch"], ["books.Books", "Lose"], ["books.Other", "Find"]] {
        assert_eq!(ask(&unknown, john).unwrap(), (json!(null), false));
    }
    assert_eq!(ask(find, b"\0\0").unwrap_err(), "body");
    assert_eq!(ask(find, b"\0\0\0\0\x02\x0a\x09").unwrap_err(), "body");
    assert_eq!(ask(&["Find"], john).unwrap_err(), "path");
}
