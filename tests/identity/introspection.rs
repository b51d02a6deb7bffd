//! Opaque tokens: their issuer is asked about them, seldom.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

use crate::{
    forge::{now, token},
    issuer::{Issuer, Says, json as says},
    rig::{MAIN, Rig, bearer, proven, seen},
    support::{assert_denied, codes, eventually},
};

const TOKEN: &str = "opaque-7f3d2c91b5e84a60";

fn opaque(issuer: &Issuer, more: &str) -> String {
    format!(
        "{MAIN}opaque:\n  kind: opaque\n  introspection_url: {}/introspect\n  plain_http: true\n  client_id: pdp:1\n  client_secret_file: DIR/secret\n  timeout: 500ms\n{more}",
        issuer.url
    )
}

async fn serving(issuer: &Issuer, more: &str) -> (Rig, crate::support::Server) {
    let rig = Rig::new(&opaque(issuer, more), "");
    rig.0.write("secret", "s3cr%t canary\n");
    let server = rig.with_keys().await;
    (rig, server)
}

fn active() -> Json {
    json!({"active": true, "sub": "bob", "client_id": "app", "scope": "read", "exp": now() + 600, "jti": "o-1"})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opaque_token_is_asked_about_once_and_proves_what_its_issuer_says() {
    let issuer = Issuer::saying(Says::Slow(Duration::from_millis(100), Box::new(says(&active())))).await;
    let (_rig, server) = serving(&issuer, "").await;
    let client = server.client().await;
    let ask = || {
        let mut client = client.clone();
        async move { client.check(bearer(TOKEN)).await.unwrap().into_inner().verdict.unwrap() }
    };
    for verdict in futures::future::join_all((0..200).map(|_| ask())).await {
        let seen = seen(&verdict);
        assert_eq!(seen["subject"], json!({"type": "user", "id": "bob", "properties": {}}));
        assert_eq!(seen["token"]["scope"], json!(["read"]));
        assert_eq!(seen["token"]["verified"], json!({"issuer": "opaque", "kind": "opaque", "bindings": []}));
        assert_eq!(seen["token"].get("active"), None);
    }
    assert_eq!(issuer.asked(), 1);
    let request = issuer.requests.lock().unwrap()[0].clone();
    // RFC 6749 §2.3.1: each is encoded before they are joined.
    let basic = STANDARD.encode("pdp%3A1:s3cr%25t%20canary");
    assert!(request.starts_with("POST /introspect ") && request.contains(&format!("Basic {basic}")), "{request}");
    assert!(request.contains(&format!("token={TOKEN}")) && !request.contains("client_secret"), "{request}");
    // A signed token is nothing that it is asked about, whatever is wrong with it.
    assert!(codes(&server.ask(bearer(&token(&json!({})))).await).is_empty());
    assert_denied(&server.ask(bearer(&token(&json!({"exp": 1})))).await, "token_expired");
    assert_denied(&server.ask(bearer("a.b.c")).await, "token_malformed");
    for unfit in ["", "two words", "tab\tbed", &"x".repeat(5_000), "é"] {
        assert_denied(&server.ask(bearer(unfit)).await, "token_malformed");
    }
    assert_eq!(issuer.asked(), 1);
    let log: String = server.lines().iter().map(ToString::to_string).collect();
    assert!(!log.contains(TOKEN) && !log.contains("canary"));
}

#[tokio::test]
async fn what_was_signalled_counts_for_opaque_tokens_and_nobody_else_says_it() {
    let mut said = active();
    said["signals"] = json!({"subject": {"risk_level": {"current_level": "LOW"}}});
    let issuer = Issuer::saying(says(&said)).await;
    let transmitter = crate::signals::Transmitter::new();
    let issuers = opaque(&issuer, "  issuer: https://as.example\n  subject: {type: client}\n");
    let ssf = "revocation: {store: DIR/revocations.redb}
ssf:
  push: true
  transmitters:
    as: {issuer: https://issuer.example, audience: https://pdp.example, jwks_file: DIR/set.json, issuers: [https://as.example]}
";
    let rig = Rig::new(&issuers, ssf);
    rig.0.write("secret", "s3cr%t canary\n");
    rig.0.write("set.json", &transmitter.jwks());
    let server = rig.with_keys().await;
    assert_eq!(seen(&server.ask(bearer(TOKEN)).await)["token"]["signals"], json!({}));
    let mut set = crate::signals::session_revoked("one", "x");
    set["sub_id"] = json!({"format": "iss_sub", "iss": "https://as.example", "sub": "bob"});
    let event = "https://schemas.openid.net/secevent/caep/event-type/risk-level-change";
    set["events"] = json!({event: {"current_level": "HIGH", "principal": "USER"}});
    let (status, _, body) =
        crate::signals::push(&server, "content-type: application/secevent+jwt\r\n", &transmitter.set(&set)).await;
    assert_eq!(status, 202, "{body}");
    let seen = seen(&server.ask(bearer(TOKEN)).await);
    assert_eq!(seen["token"]["signals"]["subject"]["risk_level"]["current_level"], "HIGH", "{seen:#}");
}

#[tokio::test]
async fn what_an_issuer_says_of_a_token_is_looked_at_and_not_kept_for_long() {
    let issuer = Issuer::saying(says(&active())).await;
    let more = "  client_auth: client_secret_post\n  issuer: https://as.example\n  audience: [api]\n  leeway: 0s\n  cache_active: 1s\n  cache_inactive: 1s\n";
    let (_rig, server) = serving(&issuer, more).await;
    let with = |changed: Json| {
        let mut said = active();
        said["aud"] = json!("api");
        for (name, value) in changed.as_object().unwrap() {
            said[name] = value.clone();
        }
        said
    };
    for (number, (said, code)) in [
        (json!({"active": false}), "token_inactive"),
        (with(json!({"aud": "other"})), "audience_mismatch"),
        (active(), "audience_mismatch"),
        (with(json!({"iss": "https://other.example"})), "issuer_unknown"),
        (with(json!({"exp": now() - 1})), "token_expired"),
        (with(json!({"nbf": now() + 60})), "token_not_yet_valid"),
        (with(json!({"exp": "soon"})), "token_malformed"),
        (with(json!({"sub": null})), "token_malformed"),
        (with(json!({"cnf": {"jkt": "thumb"}})), "proof_mismatch"),
        (with(json!({"active": "true"})), "introspection_unavailable"),
        (json!({}), "introspection_unavailable"),
        (json!([]), "introspection_unavailable"),
    ]
    .into_iter()
    .enumerate()
    {
        issuer.says(says(&said));
        assert_denied(&server.ask(bearer(&format!("{TOKEN}-{number}"))).await, code);
    }
    for bad in [
        Says::Nothing,
        Says::Answer(401, String::new(), "{\"active\": true}".to_owned()),
        Says::Answer(302, format!("location: {}/else\r\n", issuer.url), String::new()),
        Says::Answer(200, String::new(), "<html>".to_owned()),
        Says::Endless(true),
        Says::Endless(false),
        Says::Slow(Duration::from_secs(3), Box::new(says(&with(json!({}))))),
    ] {
        issuer.says(bad);
        assert_denied(&server.ask(bearer(TOKEN)).await, "introspection_unavailable");
    }
    server.logged("the issuer can't be asked about tokens").await;
    issuer.says(says(&with(json!({"cnf": {"jkt": "thumb"}}))));
    assert!(codes(&server.ask(proven(TOKEN, "thumb", "")).await).is_empty());
    assert_denied(&server.ask(proven(TOKEN, "other", "")).await, "proof_mismatch");
    let request = issuer.requests.lock().unwrap().last().unwrap().clone();
    assert!(request.contains("client_id=pdp%3A1&client_secret=s3cr%25t+canary"), "{request}");
    // Once it says otherwise, that counts soon; and the other way round.
    issuer.says(says(&json!({"active": false})));
    eventually("it is inactive", async || {
        (codes(&server.ask(proven(TOKEN, "thumb", "")).await) == ["token_inactive"]).then_some(())
    })
    .await;
    issuer.says(says(&with(json!({}))));
    eventually("it is active", async || codes(&server.ask(bearer(TOKEN)).await).is_empty().then_some(())).await;
    // And never beyond its `exp`.
    issuer.says(says(&with(json!({"exp": now() + 4}))));
    assert!(codes(&server.ask(bearer("short-lived")).await).is_empty());
    issuer.says(Says::Nothing);
    tokio::time::sleep(Duration::from_millis(4_100)).await;
    assert_ne!(codes(&server.ask(bearer("short-lived")).await), [""; 0]);
}
