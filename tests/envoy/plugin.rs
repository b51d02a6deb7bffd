//! Policies as they are written for opa-envoy-plugin, unchanged: those of `tests/envoy/policies`.

use std::fs;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use envoy_types::{
    ext_authz::v3::pb::CheckRequest,
    pb::envoy::{config::core::v3::Metadata, service::auth::v3::attribute_context::HttpRequest},
};
use serde_json::{Value as Json, json};

use crate::{
    client::{check, get, http, metadata, of, policy_with, post},
    support::{Folder, Server},
};

async fn serve(name: &str, rule: &str) -> (Folder, Server) {
    let text = fs::read_to_string(format!("tests/envoy/policies/{name}.rego")).unwrap();
    policy_with(&text, &[("VERDICT_ENVOY_POLICY", rule)]).await
}

fn token(claims: &Json) -> String {
    let part = |json: &Json| BASE64.encode(json.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
    format!("Bearer {signed}.{}", BASE64.encode(hmac::sign(&key, signed.as_bytes())))
}

fn claims(role: &str) -> Json {
    json!({"role": role, "sub": BASE64.encode("alice"), "nbf": 1_500_000_000, "exp": 4_000_000_000_u64})
}

fn with(token: &str, method: &str, path: &str, body: &str) -> CheckRequest {
    let headers = [("authorization", token), ("content-type", "application/json")];
    of(HttpRequest { body: body.to_owned(), ..http(method, path, &headers) })
}

#[tokio::test]
async fn roles_in_a_token_decide() {
    let (_folder, server) = serve("people", "data.envoy.authz.allow").await;
    let (guest, admin) = (token(&claims("guest")), token(&claims("admin")));
    let old = token(&json!({"role": "admin", "nbf": 1, "exp": 2}));
    let forged = format!("{}x", admin.strip_suffix(|_| true).unwrap());
    let bob = r#"{"firstname": "Bob", "lastname": "Rego"}"#;
    for (allowed, request) in [
        (true, with(&guest, "GET", "/people/", "")),
        (true, with(&admin, "GET", "/people/17", "")),
        (true, with(&admin, "POST", "/people", bob)),
        (false, with(&guest, "POST", "/people", bob)),
        (false, with(&admin, "POST", "/people", r#"{"firstname": "Alice"}"#)),
        (false, with(&admin, "POST", "/people", "")),
        (false, with(&admin, "GET", "/other", "")),
        (false, with(&old, "GET", "/people/", "")),
        (false, with(&forged, "GET", "/people/", "")),
        (false, with("Bearer", "GET", "/people/", "")),
        (false, get("/people/")),
    ] {
        let answer = check(&server, request.clone()).await;
        assert_eq!(answer.allowed, allowed, "{request:?}: {answer:?}");
        if !allowed {
            answer.denied(403, &["policy_denied"]);
        }
    }
}

#[tokio::test]
async fn an_object_of_results_controls_the_response() {
    let (_folder, server) = serve("controls", "data.envoy.authz.result").await;
    let allowed = check(&server, with(&token(&claims("guest")), "GET", "/people/", "")).await;
    assert!(allowed.allowed, "{allowed:?}");
    assert_eq!(allowed.headers["x-validated-by"], ["checkpoint"]);
    assert_eq!(allowed.metadata["tier"], "bronze");
    let unknown = check(&server, get("/people/")).await;
    unknown.denied(401, &["policy_denied"]);
    assert_eq!(unknown.body, "who are you?");
    let forbidden = check(&server, with(&token(&claims("guest")), "GET", "/other", "")).await;
    forbidden.denied(403, &["policy_denied"]);
    assert_eq!(forbidden.body, "not for you");
}

#[tokio::test]
async fn parsed_paths_queries_and_bodies_are_compared() {
    let (_folder, server) = serve("parsed", "data.envoy.authz.allow").await;
    for (allowed, request) in [
        (true, get("/people?lang=en&id=1&id=2")),
        (false, get("/people?lang=en&id=2&id=1")),
        (false, get("/people/?lang=en&id=1&id=2")),
        (true, post("application/json", r#"{"firstname": "Charlie", "lastname": "Opa"}"#)),
        (true, post("application/x-www-form-urlencoded", "firstname=Charlie&lastname=Opa")),
        (false, post("text/plain", r#"{"firstname": "Charlie", "lastname": "Opa"}"#)),
    ] {
        assert_eq!(check(&server, request.clone()).await.allowed, allowed, "{request:?}");
    }
}

#[tokio::test]
async fn claims_that_envoy_verified_decide() {
    let (_folder, server) = serve("metadata", "data.envoy.authz.allow").await;
    for (email, allowed) in [("alice@example.com", true), ("mallory@example.com", false)] {
        let mut request = get("/");
        request.attributes.as_mut().unwrap().metadata_context = Some(Metadata {
            filter_metadata: [(
                "envoy.filters.http.jwt_authn".to_owned(),
                metadata(json!({"verified_jwt": {"email": email, "name": "Alice"}})),
            )]
            .into(),
            ..Metadata::default()
        });
        assert_eq!(check(&server, request).await.allowed, allowed, "{email}");
    }
    assert!(!check(&server, get("/")).await.allowed);
}
