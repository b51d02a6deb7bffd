//! Asks as Envoy does, with Envoy's own messages, and reads what Envoy would do.

use std::collections::BTreeMap;

use envoy_types::{
    ext_authz::v3::pb::{CheckRequest, CheckResponse, HttpResponse},
    pb::{
        envoy::{
            config::core::v3::{Address, SocketAddress, address, socket_address::PortSpecifier},
            service::auth::v3::{
                AttributeContext,
                attribute_context::{HttpRequest, Peer, Request},
                authorization_client::AuthorizationClient,
            },
        },
        google::protobuf::{Struct, Value as Dynamic, value::Kind},
    },
};
use serde_json::{Value as Json, json};
use tonic::transport::Channel;

use crate::support::{Folder, Serve, Server};

/// What Envoy would do.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) allowed: bool,
    /// Of a refusal.
    pub(crate) status: i32,
    /// Of a refusal to the client, of an allow to the service.
    pub(crate) headers: BTreeMap<String, Vec<String>>,
    pub(crate) body: String,
    pub(crate) metadata: Json,
    pub(crate) response: CheckResponse,
}

impl Answer {
    fn of(response: CheckResponse) -> Self {
        // As in Envoy's client: 0, and nothing else, lets a request through.
        let allowed = response.status.as_ref().expect("a status").code == 0;
        let (status, headers, body) = match response.http_response.clone().expect("a response") {
            HttpResponse::OkResponse(ok) => {
                assert!(allowed, "an OK response goes with an allow: {response:?}");
                (200, ok.headers, String::new())
            }
            HttpResponse::DeniedResponse(denied) => {
                assert!(!allowed, "a denied response goes with a deny: {response:?}");
                (denied.status.expect("a status").code, denied.headers, denied.body)
            }
            HttpResponse::ErrorResponse(_) => panic!("`failure_mode_allow` would turn this into an allow"),
        };
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for header in headers.into_iter().map(|option| option.header.unwrap()) {
            by_name.entry(header.key).or_default().push(header.value);
        }
        let metadata = response.dynamic_metadata.clone().map(json_of).expect("metadata");
        assert!(!metadata["decision_id"].as_str().unwrap().is_empty());
        Self { allowed, status, headers: by_name, body, metadata, response }
    }

    /// A refusal with that status and these reason codes.
    #[track_caller]
    pub(crate) fn denied(&self, status: i32, reasons: &[&str]) -> &Self {
        assert!(!self.allowed, "{self:?}");
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.metadata["verdict"]["reasons"], json!(reasons), "{self:?}");
        assert_eq!(self.metadata["verdict"]["effect"], "deny");
        self
    }

    /// What the policy of [`echo`] saw.
    #[track_caller]
    pub(crate) fn input(&self) -> Json {
        assert!(self.allowed, "{self:?}");
        serde_json::from_str(self.metadata["input"].as_str().unwrap()).unwrap()
    }
}

/// Asks; the call must be answered.
pub(crate) async fn check(server: &Server, request: CheckRequest) -> Answer {
    check_over(server.channel().await, request).await
}

/// The same on a connection that there is already.
pub(crate) async fn check_over(channel: Channel, request: CheckRequest) -> Answer {
    Answer::of(AuthorizationClient::new(channel).check(request).await.expect("an answer").into_inner())
}

/// A request with these attributes of HTTP.
pub(crate) fn of(http: HttpRequest) -> CheckRequest {
    let socket = SocketAddress {
        address: "10.0.0.7".to_owned(),
        port_specifier: Some(PortSpecifier::PortValue(0)),
        ..SocketAddress::default()
    };
    let source = Peer {
        address: Some(Address { address: Some(address::Address::SocketAddress(socket)) }),
        principal: "spiffe://example.org/shop".to_owned(),
        ..Peer::default()
    };
    let attributes = AttributeContext {
        source: Some(source),
        request: Some(Request { http: Some(http), ..Request::default() }),
        ..AttributeContext::default()
    };
    CheckRequest { attributes: Some(attributes) }
}

pub(crate) fn http(method: &str, path: &str, headers: &[(&str, &str)]) -> HttpRequest {
    HttpRequest {
        id: "17".to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        host: "shop.test".to_owned(),
        scheme: "http".to_owned(),
        protocol: "HTTP/1.1".to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..HttpRequest::default()
    }
}

pub(crate) fn get(path: &str) -> CheckRequest {
    of(http("GET", path, &[]))
}

pub(crate) fn post(kind: &str, body: &str) -> CheckRequest {
    of(HttpRequest { body: body.to_owned(), ..http("POST", "/", &[("content-type", kind)]) })
}

/// A server on one file of policies.
pub(crate) async fn policy(text: &str) -> (Folder, Server) {
    policy_with(text, &[]).await
}

/// The same, with these settings.
pub(crate) async fn policy_with(text: &str, settings: &[(&str, &str)]) -> (Folder, Server) {
    let folder = Folder::always(&[("envoy.rego", text)]);
    let serve = settings.iter().fold(Serve::folder(&folder), |serve, (name, value)| serve.env(name, value));
    let server = serve.ready().await;
    (folder, server)
}

/// A policy that tells what it saw.
pub(crate) const ECHO: &str = "package envoy.authz\n\n\
    allow := {\"allowed\": true, \"dynamic_metadata\": {\"input\": json.marshal(input)}}\n";

/// A policy whose result is that, whatever is asked.
pub(crate) fn answering(result: &Json) -> String {
    format!("package envoy.authz\n\nallow := {result}\n")
}

fn json_of(members: Struct) -> Json {
    members.fields.into_iter().map(|(name, value)| (name, value_of(value))).collect::<serde_json::Map<_, _>>().into()
}

fn value_of(value: Dynamic) -> Json {
    match value.kind.expect("a kind") {
        Kind::NullValue(_) => Json::Null,
        Kind::NumberValue(number) => json!(number),
        Kind::StringValue(text) => text.into(),
        Kind::BoolValue(truth) => truth.into(),
        Kind::StructValue(members) => json_of(members),
        Kind::ListValue(list) => list.values.into_iter().map(value_of).collect(),
    }
}

/// JSON as metadata.
pub(crate) fn metadata(json: Json) -> Struct {
    let Json::Object(members) = json else { panic!("an object") };
    Struct { fields: members.into_iter().map(|(name, value)| (name, dynamic(value))).collect() }
}

fn dynamic(json: Json) -> Dynamic {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(truth) => Kind::BoolValue(truth),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Json::String(text) => Kind::StringValue(text),
        Json::Array(items) => Kind::ListValue(envoy_types::pb::google::protobuf::ListValue {
            values: items.into_iter().map(dynamic).collect(),
        }),
        json @ Json::Object(_) => Kind::StructValue(metadata(json)),
    };
    Dynamic { kind: Some(kind) }
}
