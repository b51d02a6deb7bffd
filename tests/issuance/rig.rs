//! Requests of issuance.

use serde_json::{Value as Json, json};
use tonic::{Status, transport::Channel};
use verdict::api::grpc::proto::{
    Actor, AuthorizeRequest, AuthorizeResponse, Effect, IssuanceClient, IssuanceParty,
    issuance_service_client::IssuanceServiceClient,
};

use crate::support::{Folder, Serve, Server, object};

pub(crate) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// A policy that answers what the question brings along: `context.answer`, or for the actor `context.actor_answer`.
pub(crate) const ECHO: &str = "package issuance\n
decision := input.context.answer if input.context.party == \"subject\"\n
decision := input.context.actor_answer if input.context.party == \"actor\"\n";

pub(crate) async fn echo() -> (Folder, Server) {
    let folder = Folder::always(&[("issuance.rego", ECHO)]);
    let server = Serve::folder(&folder).ready().await;
    (folder, server)
}

pub(crate) async fn service(server: &Server) -> IssuanceServiceClient<Channel> {
    IssuanceServiceClient::new(server.channel().await)
}

pub(crate) fn party(kind: &str, id: &str, properties: Json) -> IssuanceParty {
    IssuanceParty { r#type: kind.to_owned(), id: id.to_owned(), properties: Some(object(properties)) }
}

pub(crate) fn client(id: &str, method: &str) -> IssuanceClient {
    IssuanceClient { id: id.to_owned(), authentication_method: method.to_owned(), ..IssuanceClient::default() }
}

pub(crate) fn actor(ids: &[&str]) -> Option<Actor> {
    let (first, rest) = ids.split_first()?;
    let nested = |actor| Some(Box::new(actor));
    Some(Actor { party: Some(party("agent", first, json!({}))), actor: actor(rest).and_then(nested) })
}

/// Alice signs in to the portal.
pub(crate) fn portal(scopes: &[&str]) -> AuthorizeRequest {
    AuthorizeRequest {
        grant_type: "authorization_code".to_owned(),
        client: Some(client("web-portal", "private_key_jwt")),
        subject: Some(party("user", "alice", json!({}))),
        scopes: scopes.iter().copied().map(str::to_owned).collect(),
        audience: vec!["https://api.example.com".to_owned()],
        context: Some(object(json!({"code_challenge_method": "S256"}))),
        ..AuthorizeRequest::default()
    }
}

/// A request to which the policy [`ECHO`] answers that.
pub(crate) fn answered(answer: &Json) -> AuthorizeRequest {
    AuthorizeRequest { context: Some(object(json!({ "answer": answer }))), ..portal(&["read", "write"]) }
}

pub(crate) async fn authorize(server: &Server, request: AuthorizeRequest) -> AuthorizeResponse {
    let answer = service(server).await.authorize(request).await.expect("an answer").into_inner();
    let verdict = answer.verdict.as_ref().expect("a verdict");
    assert!(!verdict.decision_id.is_empty() && verdict.revision.is_some() && verdict.ttl.is_none());
    if verdict.effect() != Effect::Allow {
        assert!(!verdict.reasons.is_empty() && !answer.error.is_empty(), "{answer:?}");
        assert!(answer.granted_scopes.is_empty() && answer.audience.is_empty(), "{answer:?}");
        assert!(answer.claims.is_none() && answer.lifetime_ceiling.is_none(), "{answer:?}");
        assert!(answer.authorization_details.is_empty() && answer.critical_claims.is_empty(), "{answer:?}");
    }
    answer
}

pub(crate) async fn refusal(server: &Server, request: AuthorizeRequest) -> Status {
    service(server).await.authorize(request).await.expect_err("the call must fail")
}

pub(crate) fn allowed(answer: &AuthorizeResponse) -> bool {
    answer.verdict.as_ref().unwrap().effect() == Effect::Allow
}

/// The codes of the verdict's reasons, in order.
pub(crate) fn reasons(answer: &AuthorizeResponse) -> Vec<&str> {
    let mut codes: Vec<&str> =
        answer.verdict.as_ref().unwrap().reasons.iter().map(|reason| reason.code.as_str()).collect();
    codes.sort_unstable();
    codes
}

/// What was cut: what, value, code.
pub(crate) fn cuts(answer: &AuthorizeResponse) -> Vec<(&str, &str, &str)> {
    answer.cuts.iter().map(|cut| (cut.what.as_str(), cut.value.as_str(), cut.code.as_str())).collect()
}

pub(crate) fn seconds(answer: &AuthorizeResponse) -> i64 {
    answer.lifetime_ceiling.as_ref().unwrap().seconds
}
