use envoy_types::pb::envoy::{
    config::core::v3::{HeaderMap, HeaderValue},
    service::auth::v3::attribute_context::Request,
};

use super::*;

fn request(http: HttpRequest) -> CheckRequest {
    let request = Request { http: Some(http), ..Request::default() };
    CheckRequest { attributes: Some(AttributeContext { request: Some(request), ..AttributeContext::default() }) }
}

#[test]
fn headers_that_stand_twice_are_joined_whatever_their_form() {
    let header = |key: &str, value: &str, raw_value: &[u8]| HeaderValue {
        key: key.to_owned(),
        value: value.to_owned(),
        raw_value: raw_value.to_vec(),
    };
    let headers = vec![header("X-A", "1", b""), header("x-a", "", b"2"), header("x-b", "", b"\xff")];
    let http = HttpRequest {
        headers: [("x-c".to_owned(), "3".to_owned())].into(),
        header_map: Some(HeaderMap { headers }),
        ..HttpRequest::default()
    };
    let headers = Headers::of(&http);
    for (name, value) in [("x-a", Some("1,2")), ("x-b", Some("\u{fffd}")), ("x-c", Some("3")), ("x-d", None)] {
        assert_eq!(headers.text(name).as_deref(), value);
        assert_eq!(headers.object().get(name), value.map(Value::from).as_ref());
    }
}

#[test]
fn a_request_is_known_by_its_header_and_else_by_envoys_own_number() {
    let with = |id: &str| {
        request(HttpRequest {
            id: "17".to_owned(),
            headers: [("x-request-id".to_owned(), id.to_owned())].into(),
            ..HttpRequest::default()
        })
    };
    assert_eq!(request_id(&with("7bca")), "7bca");
    assert_eq!(request_id(&with("")), "17");
    assert_eq!(request_id(&with(&"x".repeat(MAX_ID + 1))), "17");
    assert_eq!(request_id(&CheckRequest::default()), "");
}

#[test]
fn the_query_is_kept_as_it_was_sent() {
    let sent = |path: &str| query_sent(&request(HttpRequest { path: path.to_owned(), ..HttpRequest::default() }));
    assert_eq!(sent("/a?%74oken=1?b"), "%74oken=1?b");
    assert_eq!(sent("/a"), "");
    assert_eq!(query_sent(&CheckRequest::default()), "");
}
