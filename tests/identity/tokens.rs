//! Whom a token proves, and what policies see of it.

use serde_json::{Value as Json, json};
use verdict::api::grpc::proto::{
    Action, BatchCheckItem, BatchCheckRequest, CheckRequest, CheckStreamRequest, Credential, Effect, Resource, Verdict,
    check_stream_response::Answer,
};

use crate::{
    forge::{KEYS, changed_claims, claims, now, token},
    rig::{MAIN, Rig, bearer, beside, proven, seen},
    support::{assert_denied, assert_invalid, codes, eventually, question},
};

#[tokio::test]
async fn a_credential_is_never_ignored() {
    let rig = Rig::new("", "");
    let server = rig.ready().await;
    assert_denied(&server.ask(bearer(&token(&json!({})))).await, "credentials_not_configured");
    assert_denied(&server.ask(beside("user:alice", &token(&json!({})))).await, "credentials_not_configured");
    assert_eq!(seen(&server.ask(question()).await)["token"], json!(null));
}

#[tokio::test]
async fn a_token_stands_for_its_subject_and_policies_see_what_it_proves() {
    let rig = Rig::new(MAIN, "");
    let server = rig.with_keys().await;
    let agent = json!({"sub": "agent-1", "act": {"sub": "agent-2"}});
    let claims =
        json!({"act": agent, "may_act": {"sub": "agent-1"}, "actors": ["forged"], "verified": {"forged": true}});
    let seen = seen(&server.ask(bearer(&token(&claims))).await);
    assert_eq!(seen["subject"], json!({"type": "user", "id": "alice", "properties": {"roles": ["editor"]}}));
    let token = &seen["token"];
    assert_eq!((&token["iss"], &token["sub"]), (&json!("https://issuer.example"), &json!("alice")));
    assert_eq!(token["scope"], json!(["read", "write"]));
    assert_eq!(token["actors"], json!([{"sub": "agent-1"}, {"sub": "agent-2"}]));
    assert_eq!(token["may_act"], json!({"sub": "agent-1"}));
    assert_eq!(token["verified"], json!({"issuer": "main", "kind": "jwt", "bindings": []}));
}

#[tokio::test]
async fn a_subject_beside_a_token_must_be_the_tokens() {
    let rig = Rig::new(MAIN, "");
    let server = rig.with_keys().await;
    let token = token(&json!({}));
    let mut own = beside("user:alice", &token);
    own.subject.as_mut().unwrap().properties =
        Some(crate::support::object(json!({"roles": ["admin"], "ip": "10.0.0.1"})));
    let seen = seen(&server.ask(own).await);
    assert_eq!(seen["subject"]["properties"], json!({"roles": ["editor"], "ip": "10.0.0.1"}));
    for other in ["user:mallory", "service:alice", "user:Alice", "user:alice "] {
        assert_denied(&server.ask(beside(other, &token)).await, "subject_mismatch");
    }
    // A client's own token has no `sub`.
    let client = crate::forge::token(&json!({"sub": null}));
    assert_eq!(crate::rig::seen(&server.ask(bearer(&client)).await)["subject"]["id"], "app");
    // A subject that is none is not made good by a credential.
    let mut wrong = beside("user:alice", &token);
    wrong.subject.as_mut().unwrap().id.clear();
    assert_eq!(assert_invalid(&server.refusal(wrong).await), ["subject.id"]);
    // Nor is anything else that is missing.
    let bare = CheckRequest { action: None, ..bearer(&token) };
    assert_eq!(assert_invalid(&server.refusal(bare).await), ["action"]);
}

#[tokio::test]
async fn every_algorithm_is_verified() {
    let rig = Rig::new(MAIN, "");
    let server = rig.with_keys().await;
    let mut client = server.client().await;
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"] {
        let token = KEYS.token(algorithm, "", &claims());
        let verdict = client.check(bearer(&token)).await.unwrap().into_inner().verdict.unwrap();
        assert_eq!(seen(&verdict)["subject"]["id"], "alice", "{algorithm}");
    }
}

#[tokio::test]
async fn a_bound_token_needs_its_proof() {
    let strict =
        MAIN.replace("main:", "strict:").replace("issuer.example", "strict.example") + "  sender_constrained: true\n";
    let rig = Rig::new(&(MAIN.to_owned() + &strict), "");
    let server = rig.with_keys().await;
    crate::support::eventually("both issuers' keys", async || {
        let lines = server.lines();
        (lines.iter().filter(|line| line["message"] == "the issuer's keys were fetched").count() == 2).then_some(())
    })
    .await;
    let (dpop, tls) = (token(&json!({"cnf": {"jkt": "thumb"}})), token(&json!({"cnf": {"x5t#S256": "cert"}})));
    let seen = seen(&server.ask(proven(&dpop, "thumb", "")).await);
    assert_eq!(seen["token"]["verified"]["bindings"], json!(["jkt"]));
    assert_eq!(codes(&server.ask(proven(&tls, "", "cert")).await), [""; 0]);
    let free = token(&json!({}));
    let strict = token(&json!({"iss": "https://strict.example"}));
    for (token, jkt, x5t) in [
        (&dpop, "", ""),
        (&dpop, "other", ""),
        (&dpop, "", "thumb"),
        (&tls, "cert", ""),
        (&tls, "", "other"),
        (&tls, "thumb", "cert"),
        (&free, "thumb", ""),
        (&strict, "", ""),
        (&strict, "", "cert"),
    ] {
        assert_denied(&server.ask(proven(token, jkt, x5t)).await, "proof_mismatch");
    }
}

#[tokio::test]
async fn no_answer_may_be_reused_for_longer_than_the_token_lives() {
    let rig = Rig::new(&MAIN.replace("audience: [api]", "audience: [api]\n  leeway: 60s"), "");
    rig.0.write("policies/long.rego", "package long\n\ndecision := {\"allow\": true, \"ttl\": 3600}\n");
    let server = rig.with_keys().await;
    let mut client = server.client().await;
    let asked = |claims: Json| CheckRequest { policy: "data.long".to_owned(), ..bearer(&token(&claims)) };
    let ttl = |verdict: &Verdict| verdict.ttl.as_ref().map(|ttl| ttl.seconds);
    let long = now() + 7_200;
    let verdict = server.ask(asked(json!({"exp": long}))).await;
    assert_eq!((verdict.effect(), ttl(&verdict)), (Effect::Allow, Some(3_600)));
    let verdict = server.ask(asked(json!({"exp": now() + 100}))).await;
    assert!((1..=100).contains(&ttl(&verdict).unwrap()), "{verdict:?}");
    // A token that only our leeway lets pass: nobody else knows of that.
    let verdict = server.ask(asked(json!({"exp": now() - 5}))).await;
    assert_eq!((verdict.effect(), ttl(&verdict)), (Effect::Allow, None));
    // Each item of a batch by its own token.
    let items = [long, now() + 50].map(|exp| BatchCheckItem {
        credential: Some(Credential { token: token(&json!({"exp": exp})), proof: None }),
        ..BatchCheckItem::default()
    });
    let CheckRequest { action, resource, policy, .. } = asked(json!({}));
    let batch = BatchCheckRequest { action, resource, policy, items: items.into(), ..BatchCheckRequest::default() };
    let verdicts = client.batch_check(batch).await.unwrap().into_inner().verdicts;
    assert_eq!(ttl(&verdicts[0]), Some(3_600));
    assert!((1..=50).contains(&ttl(&verdicts[1]).unwrap()));
}

#[tokio::test]
async fn items_of_batches_and_streams_have_credentials_too() {
    let rig = Rig::new(MAIN, "");
    let server = rig.with_keys().await;
    let good = Credential { token: token(&json!({})), proof: None };
    let old = Credential { token: token(&json!({"exp": 1})), proof: None };
    let item = |credential| BatchCheckItem { credential, ..BatchCheckItem::default() };
    let mut client = server.client().await;
    let batch = BatchCheckRequest {
        action: Some(Action { name: "read".to_owned(), properties: None }),
        resource: Some(Resource { r#type: "document".to_owned(), id: "1".to_owned(), properties: None }),
        credential: Some(good.clone()),
        items: vec![item(None), item(Some(old.clone())), item(Some(good.clone()))],
        ..BatchCheckRequest::default()
    };
    let verdicts = client.batch_check(batch).await.unwrap().into_inner().verdicts;
    let found: Vec<_> = verdicts.iter().map(codes).collect();
    assert_eq!(found, [vec![], vec!["token_expired"], vec![]]);
    assert!(verdicts.iter().all(|verdict| verdict.revision == verdicts[0].revision && verdict.revision.is_some()));

    let ask = |id: &str, credential: &Credential| CheckStreamRequest {
        question: Some(CheckRequest {
            request_id: id.to_owned(),
            credential: Some(credential.clone()),
            subject: None,
            ..question()
        }),
    };
    let questions = tokio_stream::iter([ask("good", &good), ask("old", &old)]);
    let mut answers = client.check_stream(questions).await.unwrap().into_inner();
    for _ in 0..2 {
        let answer = answers.message().await.unwrap().unwrap();
        let Some(Answer::Verdict(verdict)) = answer.answer else { panic!("{answer:?}") };
        let expected: &[&str] = if answer.request_id == "old" { &["token_expired"] } else { &[] };
        assert_eq!(codes(&verdict), expected);
    }
}

#[tokio::test]
async fn keys_in_a_file_may_change() {
    let rig = Rig::new(MAIN, "");
    let server = rig.with_keys().await;
    let newer = crate::forge::Keys::new();
    let (old, new) = (token(&json!({})), newer.token("ES256", "new-", &claims()));
    assert_denied(&server.ask(bearer(&new)).await, "key_unknown");
    rig.0.write("keys.json", &newer.set("new-", "sig").to_string());
    eventually("the new key is known", async || codes(&server.ask(bearer(&new)).await).is_empty().then_some(())).await;
    assert_denied(&server.ask(bearer(&old)).await, "key_unknown");
    // What is no set of keys changes nothing, for as long as the last one may be used.
    rig.0.write("keys.json", "<html>");
    server.logged("the issuer's keys can't be fetched").await;
    assert!(codes(&server.ask(bearer(&new)).await).is_empty());
}

#[tokio::test]
async fn an_issuer_without_keys_has_no_good_tokens() {
    let rig = Rig::new(&MAIN.replace("keys.json", "missing.json"), "");
    let server = rig.ready().await;
    server.logged("the issuer's keys can't be fetched").await;
    assert_denied(&server.ask(bearer(&token(&json!({})))).await, "keys_unavailable");
    assert_eq!(seen(&server.ask(question()).await)["token"], json!(null));
}

#[tokio::test]
async fn workloads_prove_themselves_by_jwt_svids() {
    let spiffe = "mesh:
  kind: spiffe
  trust_domain: example.org
  jwks_file: DIR/bundle.json
  algorithms: [ES256]
  audience: [api]
";
    let rig = Rig::new(spiffe, "");
    rig.0.write("bundle.json", &KEYS.set("", "jwt-svid").to_string());
    let server = rig.with_keys().await;
    let svid = |changed: serde_json::Value, typ: serde_json::Value| {
        let mut claims =
            changed_claims(&json!({"iss": null, "iat": null, "sub": "spiffe://example.org/ns/prod/sa/web"}));
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let mut header = json!({"alg": "ES256", "kid": "ES256"});
        if !typ.is_null() {
            header["typ"] = typ;
        }
        KEYS.sign("ES256", &header.to_string(), &claims.to_string())
    };
    for typ in [json!(null), json!("JWT"), json!("JOSE")] {
        let seen = seen(&server.ask(bearer(&svid(json!({}), typ))).await);
        assert_eq!(seen["subject"]["type"], "workload");
        assert_eq!(seen["subject"]["id"], "spiffe://example.org/ns/prod/sa/web");
        assert_eq!(seen["token"]["verified"]["kind"], "jwt-svid");
    }
    for (changed, code) in [
        (json!({"sub": "spiffe://example.com/ns/prod/sa/web"}), "issuer_unknown"),
        (json!({"sub": "spiffe://example.org"}), "issuer_unknown"),
        (json!({"sub": "spiffe://example.org/"}), "issuer_unknown"),
        (json!({"sub": "spiffe://EXAMPLE.org/web"}), "issuer_unknown"),
        (json!({"sub": "spiffe://example.org/a/../b"}), "issuer_unknown"),
        (json!({"sub": "spiffe://example.org/a//b"}), "issuer_unknown"),
        (json!({"sub": "spiffe://example.org/a?b"}), "issuer_unknown"),
        (json!({"sub": "https://example.org/web"}), "issuer_unknown"),
        (json!({"sub": "web"}), "issuer_unknown"),
        (json!({"aud": []}), "audience_mismatch"),
        (json!({"aud": "other"}), "audience_mismatch"),
        (json!({"exp": 1}), "token_expired"),
    ] {
        assert_denied(&server.ask(bearer(&svid(changed.clone(), json!("JWT")))).await, code);
    }
    assert_denied(&server.ask(bearer(&svid(json!({}), json!("at+jwt")))).await, "token_type_refused");
    // Keys of another use sign no SVIDs.
    rig.0.write("bundle.json", &KEYS.set("", "x509-svid").to_string());
    let svid = svid(json!({}), json!("JWT"));
    eventually("the keys are gone", async || {
        (codes(&server.ask(bearer(&svid)).await) == ["key_unknown"]).then_some(())
    })
    .await;
}
