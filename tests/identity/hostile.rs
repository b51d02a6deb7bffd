//! Tokens that are made to be believed, and are not.

use std::net::TcpListener;

use aws_lc_rs::{hmac, signature::KeyPair as _};
use serde_json::{Value as Json, json};

use crate::{
    forge::{KEYS, Keys, changed_claims, claims, encoded, header, now},
    rig::{MAIN, Rig, bearer},
    support::{Ask as _, assert_denied, codes},
};

fn with(mut object: Json, name: &str, value: Json) -> String {
    match value {
        Json::Null => drop(object.as_object_mut().unwrap().remove(name)),
        value => object[name] = value,
    }
    object.to_string()
}

/// Whatever else has been tried on others: what it is, its token, and what it gets.
fn table(evil: &str) -> Vec<(String, String, &'static str)> {
    let (head, body) = (header().to_string(), claims().to_string());
    let es = |header: &str, claims: &str| KEYS.sign("ES256", header, claims);
    let mut table = Vec::new();
    for (name, value, code) in [
        ("alg", json!("none"), "algorithm_refused"),
        ("alg", json!("nOnE"), "algorithm_refused"),
        ("alg", json!("HS256"), "algorithm_refused"),
        ("alg", json!("RS256"), "key_unknown"),
        ("alg", json!("ES384"), "key_unknown"),
        ("alg", json!(["ES256"]), "token_malformed"),
        ("alg", json!(null), "token_malformed"),
        ("typ", json!("secevent+jwt"), "token_type_refused"),
        ("typ", json!("dpop+jwt"), "token_type_refused"),
        ("typ", json!("JWT"), "token_type_refused"),
        ("typ", json!(null), "token_type_refused"),
        ("kid", json!("../../../../etc/passwd"), "key_unknown"),
        ("kid", json!("/dev/null"), "key_unknown"),
        ("kid", json!("' OR '1'='1"), "key_unknown"),
        ("kid", json!("secret"), "key_unknown"),
        ("kid", json!({"x": 1}), "token_malformed"),
        ("crit", json!(["exp"]), "token_malformed"),
        ("b64", json!(false), "token_malformed"),
        ("enc", json!("A256GCM"), "token_malformed"),
        ("zip", json!("DEF"), "token_malformed"),
        ("cty", json!("JWT"), "token_malformed"),
    ] {
        table.push((format!("{name}: {value}"), es(&with(header(), name, value), &body), code));
    }
    for (name, value, code) in [
        ("exp", json!(now() - 60), "token_expired"),
        ("exp", json!(null), "claim_missing"),
        ("exp", json!("2999999999"), "token_malformed"),
        ("exp", json!(-1), "token_malformed"),
        ("exp", json!(1e300), "token_malformed"),
        ("exp", json!(now() + 100_000), "token_lifetime_exceeded"),
        ("nbf", json!(now() + 120), "token_not_yet_valid"),
        ("iat", json!(now() + 120), "token_not_yet_valid"),
        ("iat", json!(null), "claim_missing"),
        ("aud", json!("other"), "audience_mismatch"),
        ("aud", json!(["API", "api "]), "audience_mismatch"),
        ("aud", json!(null), "audience_mismatch"),
        ("aud", json!({"api": 1}), "token_malformed"),
        // Another issuer, with the same key.
        ("iss", json!("https://other.example"), "issuer_unknown"),
        ("iss", json!("https://issuer.example/"), "issuer_unknown"),
        ("iss", json!(null), "issuer_unknown"),
        ("sub", json!(["alice"]), "token_malformed"),
        ("sub", json!(""), "token_malformed"),
        ("act", json!("agent"), "token_malformed"),
        ("scope", json!({"read": true}), "token_malformed"),
        ("cnf", json!({"jkt": "thumb"}), "proof_mismatch"),
        ("cnf", json!({}), "token_malformed"),
        ("cnf", json!("thumb"), "token_malformed"),
    ] {
        table.push((format!("{name}: {value}"), es(&head, &with(claims(), name, value)), code));
    }
    let deep = (0..20).fold(json!({"sub": "a"}), |act, _| json!({"sub": "a", "act": act}));
    table.push(("20 actors".to_owned(), es(&head, &with(claims(), "act", deep)), "token_malformed"));

    // The public key of RSA as the secret of HMAC.
    let text = format!("{}.{}", encoded(with(header(), "alg", json!("HS256"))), encoded(&body));
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEYS.rsa.public_key().as_ref());
    let hs = format!("{text}.{}", encoded(hmac::sign(&key, text.as_bytes())));
    table.push(("HMAC by the public key".to_owned(), hs, "algorithm_refused"));

    // A key of one's own, wherever the token says that it is.
    let own = Keys::new();
    let url = json!(format!("{evil}/keys"));
    let jwk = own.set("", "sig")["keys"][3].clone();
    for (name, value) in [("jwk", jwk), ("jku", url.clone()), ("x5u", url.clone()), ("x5c", json!(["MIIB"]))] {
        let token = own.sign("ES256", &with(header(), name, value), &body);
        table.push((format!("a key by {name}"), token, "signature_invalid"));
    }
    table.push(("an issuer of one's own".to_owned(), es(&head, &with(claims(), "iss", url)), "issuer_unknown"));

    let good = es(&head, &body);
    let parts: Vec<&str> = good.split('.').collect();
    let other = es(&head, &with(claims(), "sub", json!("mallory")));
    for (name, token, code) in [
        ("a claim twice", es(&head, &body.replacen('{', r#"{"sub":"mallory","#, 1)), "token_malformed"),
        ("`alg` twice", es(&head.replacen('{', r#"{"alg":"none","#, 1), &body), "token_malformed"),
        ("no signature", format!("{}.{}.", parts[0], parts[1]), "signature_invalid"),
        ("another's signature", format!("{}.{}", other.rsplit_once('.').unwrap().0, parts[2]), "signature_invalid"),
        ("zeros for a signature", format!("{}.{}.{}", parts[0], parts[1], encoded([0; 64])), "signature_invalid"),
        ("five parts", format!("{good}.x.y"), "token_malformed"),
        ("padding", format!("{good}=="), "token_malformed"),
        ("a space behind", format!("{good} "), "token_malformed"),
        ("a line's end", format!("{good}\n"), "token_malformed"),
        ("its scheme before", format!("Bearer {good}"), "token_malformed"),
        ("900 KB", "a".repeat(900_000), "token_malformed"),
        ("20 KB of claims", es(&head, &with(claims(), "x", json!("a".repeat(20_000)))), "token_malformed"),
        ("nothing", String::new(), "token_malformed"),
        ("dots", "..".to_owned(), "token_malformed"),
        ("no JSON", es("alg", &body), "token_malformed"),
        ("an array", es("[]", "[]"), "token_malformed"),
        ("nested 200 deep", es(&head, &nested(200)), "token_malformed"),
    ] {
        table.push((name.to_owned(), token, code));
    }
    table
}

fn nested(depth: usize) -> String {
    let body = claims().to_string();
    format!("{{\"x\":{}{},{}", "[".repeat(depth), "]".repeat(depth), &body[1..])
}

#[tokio::test]
async fn no_hostile_token_is_believed_and_nothing_in_one_is_fetched() {
    let evil = TcpListener::bind("127.0.0.1:0").unwrap();
    evil.set_nonblocking(true).unwrap();
    let url = format!("http://{}", evil.local_addr().unwrap());
    let rig = Rig::new(MAIN, "");
    let server = rig.with_keys().await;
    let table = table(&url);
    assert!(table.len() >= 60, "{}", table.len());
    let mut client = server.client().await;
    for (name, token, code) in &table {
        let verdict = client.ask(bearer(token)).await;
        assert_eq!(codes(&verdict), [*code], "{name}: {verdict:?}");
        assert_denied(&verdict, code);
        // Whoever says who it is gets no further by it.
        let verdict = client.ask(crate::rig::beside("user:alice", token)).await;
        assert_denied(&verdict, code);
    }
    assert!(evil.accept().is_err(), "nobody asked for what a token names");
    // 1 MB is more than a message may have.
    let refused = client.check(bearer(&"a".repeat(1 << 20))).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    assert!(codes(&client.ask(bearer(&KEYS.token("ES256", "", &changed_claims(&json!({}))))).await).is_empty());
}

#[tokio::test]
async fn what_was_good_once_is_not_good_for_ever() {
    let rig = Rig::new(&(MAIN.to_owned() + "  leeway: 0s\n"), "");
    let server = rig.with_keys().await;
    let mut client = server.client().await;
    let token = KEYS.token("ES256", "", &changed_claims(&json!({"exp": now() + 3})));
    assert!(codes(&client.ask(bearer(&token)).await).is_empty());
    tokio::time::sleep(std::time::Duration::from_millis(3_100)).await;
    assert_denied(&client.ask(bearer(&token)).await, "token_expired");
}
