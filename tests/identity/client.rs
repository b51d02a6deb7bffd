//! The client library hands a credential on, and believes nobody by itself.

use std::time::Duration;

use serde_json::json;
use verdict::client::{Client, Credential, Proof, Question, Settings};

use crate::{
    forge::token,
    rig::{MAIN, Rig},
};

#[tokio::test]
async fn the_client_asks_about_whoever_has_the_token() {
    let rig = Rig::new(MAIN, "");
    rig.0.write(
        "policies/authz.rego",
        "package authz\n\ndecision := {\"allow\": input.subject.id == \"alice\", \"ttl\": 600}\n",
    );
    let server = rig.with_keys().await;
    let client =
        Client::lazy(&server.grpc, Settings { deadline: Duration::from_secs(20), ..Settings::default() }).unwrap();
    let bearer = |claims| Question::bearer(token(&claims), "read", ("document", "handbook"));
    let alice = bearer(json!({}));
    assert!(client.check(&alice).await.is_ok());
    assert!(!client.check(&alice).await.unwrap().is_reused(), "the token may have been revoked");
    assert!(client.check_all(std::slice::from_ref(&alice)).await.unwrap()[0].is_ok());
    let refused = async |question: &Question| client.check(question).await.unwrap_err().code().to_owned();
    assert_eq!(refused(&bearer(json!({"sub": "bob"}))).await, "policy_denied");
    assert_eq!(refused(&bearer(json!({"iss": "https://other.example"}))).await, "issuer_unknown");
    let mut beside = alice.clone();
    beside.query.subject.kind = "user".into();
    beside.query.subject.id = "mallory".into();
    assert_eq!(refused(&beside).await, "subject_mismatch");
    let bound = json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}});
    assert_eq!(refused(&bearer(bound.clone())).await, "proof_mismatch");
    let mut proven = bearer(bound);
    let jkt = Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".to_owned());
    proven.credential = proven.credential.map(|shown| Credential { proof: Proof { jkt, x5t_s256: None }, ..shown });
    assert!(client.check(&proven).await.is_ok());
}
