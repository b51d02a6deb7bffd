//! Shared Signals at a running server: pushed and polled.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use verdict::{
    api::grpc::proto::Effect,
    bundle::{Compression, File, Package},
};
use wiremock::{
    Mock, MockServer, Request, Respond, ResponseTemplate,
    matchers::{method, path},
};

use crate::{
    forge::{encoded, now, token},
    revocation::STORE,
    rig::{MAIN, Rig, bearer, seen},
    support::{Serve, Server, assert_denied, eventually, question},
};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const ISSUER: &str = "https://issuer.example";

/// A transmitter's key, and what it signs.
pub(crate) struct Transmitter(EcdsaKeyPair);

impl Transmitter {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn jwks(&self) -> String {
        let point = self.0.public_key().as_ref();
        let (x, y) = (encoded(&point[1..33]), encoded(&point[33..]));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "set", "x": x, "y": y}]}).to_string()
    }

    pub(crate) fn set(&self, claims: &Json) -> String {
        let header = json!({"alg": "ES256", "typ": "secevent+jwt", "kid": "set"});
        let text = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", encoded(signature))
    }
}

/// A session that ends.
pub(crate) fn session_revoked(jti: &str, session: &str) -> Json {
    json!({
        "iss": ISSUER, "aud": "https://pdp.example", "iat": now(), "jti": jti,
        "sub_id": {"format": "complex", "session": {"format": "opaque", "id": session}},
        "events": {format!("{CAEP}session-revoked"): {"initiating_entity": "policy"}},
    })
}

/// A server that takes what `transmitter` pushes, with `more` said of it.
pub(crate) fn rig(transmitter: &Transmitter, more: &str) -> Rig {
    let config = format!(
        "{STORE}ssf:\n  push: true\n  transmitters:\n    login:\n      issuer: {ISSUER}\n      audience: https://pdp.example\n      jwks_file: DIR/set.json\n{more}"
    );
    let rig = Rig::new(MAIN, &config);
    rig.0.write("set.json", &transmitter.jwks());
    rig.0.write("push-token", "hunter22\n");
    rig
}

/// Pushes a token: the status, the head and the body.
pub(crate) async fn push(server: &Server, headers: &str, body: &str) -> (u16, String, Json) {
    let mut stream = tokio::net::TcpStream::connect(server.http).await.unwrap();
    let length = body.len();
    let head = format!(
        "POST /ssf/events HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), serde_json::from_str(body).unwrap_or_default())
}

pub(crate) const SET: &str = "content-type: application/secevent+jwt\r\naccept: application/json\r\n";

async fn allows(server: &Server, claims: Json) -> bool {
    let verdict = server.ask(bearer(&token(&claims))).await;
    if verdict.effect() == Effect::Deny {
        assert_denied(&verdict, "token_revoked");
    }
    verdict.effect() == Effect::Allow
}

#[tokio::test]
async fn a_transmitters_keys_may_be_at_a_url() {
    let transmitter = Transmitter::new();
    let keys = crate::issuer::Issuer::saying(crate::issuer::Says::Nothing).await;
    let config = format!(
        "{STORE}ssf:\n  push: true\n  transmitters:\n    login: {{issuer: '{ISSUER}', audience: https://pdp.example, jwks_url: '{}/jwks'}}\n",
        keys.url
    );
    let rig = Rig::new(MAIN, &config);
    let server = rig.serving().await;
    let push = async || push(&server, SET, &transmitter.set(&session_revoked("1", "s1"))).await.0;
    // Nobody can tell whether it is good: it is to come again.
    assert_eq!(push().await, 503);
    assert!(allows(&server, json!({"sid": "s1"})).await);
    keys.says(crate::issuer::json(&serde_json::from_str(&transmitter.jwks()).unwrap()));
    eventually("it is taken", async || (push().await == 202).then_some(())).await;
    assert!(!allows(&server, json!({"sid": "s1"})).await);
    let other = Transmitter::new();
    let (status, _, body) = crate::signals::push(&server, SET, &other.set(&session_revoked("2", "s2"))).await;
    assert_eq!((status, &body["err"]), (400, &json!("invalid_key")), "{body}");
}

#[tokio::test]
async fn a_pushed_event_ends_a_session_and_outlives_a_kill() {
    let transmitter = Transmitter::new();
    let rig = rig(&transmitter, "      push_token_file: DIR/push-token\n");
    let server = rig.serving().await;
    let claims = session_revoked("1", "s1");
    let authorized = format!("{SET}authorization: Bearer hunter22\r\n");
    assert!(allows(&server, json!({"sid": "s1"})).await);
    for (headers, claims, err) in [
        (SET.to_owned(), claims.clone(), "authentication_failed"),
        (format!("{SET}authorization: Bearer wrong\r\n"), claims.clone(), "authentication_failed"),
        ("content-type: application/jwt\r\n".to_owned(), claims.clone(), "invalid_request"),
        (authorized.clone(), json!({"iss": "https://evil.example", "jti": "1"}), "invalid_issuer"),
    ] {
        let (status, head, body) = push(&server, &headers, &transmitter.set(&claims)).await;
        assert_eq!((status, &body["err"]), (400, &json!(err)), "{head}");
        assert!(head.contains("content-type: application/json") && head.contains("content-language: en"), "{head}");
        assert!(body["description"].is_string());
    }
    let with = |name: &str, value: Json| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    for (claims, err) in [
        (with("sub", json!("alice")), "invalid_request"),
        (with("exp", json!(now() + 60)), "invalid_request"),
        (with("aud", json!("https://other.example")), "invalid_audience"),
        (with("sub_id", json!({"format": "iss_sub", "iss": "https://bank.example", "sub": "x"})), "access_denied"),
    ] {
        let (status, _, body) = push(&server, &authorized, &transmitter.set(&claims)).await;
        assert_eq!((status, &body["err"]), (400, &json!(err)), "{claims}");
    }
    let (status, _, body) = push(&server, &authorized, &Transmitter::new().set(&claims)).await;
    assert_eq!((status, &body["err"]), (400, &json!("invalid_key")));
    assert_eq!(push(&server, &authorized, &"x".repeat(100_000)).await.0, 400);
    assert!(allows(&server, json!({"sid": "s1"})).await, "what is refused changes nothing");

    let set = transmitter.set(&claims);
    assert_eq!(push(&server, &authorized, &set).await.0, 202);
    assert!(!allows(&server, json!({"sid": "s1"})).await);
    assert!(allows(&server, json!({"sid": "s2"})).await);
    server.signal("KILL");
    drop(server);
    let server = rig.serving().await;
    assert!(!allows(&server, json!({"sid": "s1"})).await);
    // The operator ends what the event began; the same event again does not bring it back.
    let listed: Json =
        serde_json::from_str(&rig.revoke(&["list", "--source", "login", "--format", "json"]).stdout).unwrap();
    assert_eq!((&listed[0]["event"], &listed[0]["author"]), (&json!("session-revoked"), &json!("policy")));
    assert_eq!(rig.revoke(&["remove", listed[0]["id"].as_str().unwrap()]).code, Some(0));
    assert_eq!(push(&server, &authorized, &set).await.0, 202);
    assert!(allows(&server, json!({"sid": "s1"})).await);
    let figure =
        |result: &str| format!("verdict_security_event_tokens_total{{transmitter=\"login\",result=\"{result}\"}}");
    assert_eq!(server.metric(&figure("replayed")).await, Some(1.0));
    assert!(
        server.lines().iter().all(|line| !line.to_string().contains("hunter22") && !line.to_string().contains(&set))
    );
}

#[tokio::test]
async fn the_endpoint_is_not_there_unless_configured() {
    let rig = Rig::new(MAIN, STORE);
    let server = rig.serving().await;
    assert_eq!(push(&server, SET, "x").await.0, 404);
}

#[tokio::test]
async fn a_verification_event_is_taken_and_its_state_told() {
    let transmitter = Transmitter::new();
    let rig = rig(&transmitter, "");
    let server = rig.serving().await;
    let mut claims = session_revoked("v", "s1");
    claims["sub_id"] = json!({"format": "opaque", "id": "stream-1"});
    claims["events"] = json!({"https://schemas.openid.net/secevent/ssf/event-type/verification": {"state": "c3RhdGU"}});
    assert_eq!(push(&server, SET, &transmitter.set(&claims)).await.0, 202);
    let line = server.logged("the transmitter's stream is verified").await;
    assert_eq!(line["state"], "c3RhdGU");
}

#[tokio::test]
async fn policies_see_what_was_said_since() {
    let transmitter = Transmitter::new();
    let rig = rig(&transmitter, "");
    let server = rig.serving().await;
    let alice = json!({"sub": "alice", "signals": {"forged": true}});
    let before = seen(&server.ask(bearer(&token(&alice))).await);
    assert_eq!(before["token"]["signals"], json!({}), "what the token says itself is not believed");
    let event = json!({"principal": "USER", "current_level": "HIGH", "previous_level": "LOW"});
    let claims = json!({
        "iss": ISSUER, "aud": "https://pdp.example", "iat": now(), "jti": "risk",
        "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "alice"},
        "events": {format!("{CAEP}risk-level-change"): event},
    });
    assert_eq!(push(&server, SET, &transmitter.set(&claims)).await.0, 202);
    let after = seen(&server.ask(bearer(&token(&alice))).await);
    let risk = &after["token"]["signals"]["subject"]["risk_level"];
    assert_eq!((&risk["current_level"], &risk["source"]), (&json!("HIGH"), &json!("login")));
    let other = seen(&server.ask(bearer(&token(&json!({"sub": "bob"})))).await);
    assert_eq!(other["token"]["signals"], json!({}));
}

#[tokio::test]
async fn what_was_said_of_others_is_data_where_configured() {
    let transmitter = Transmitter::new();
    let rig = rig(&transmitter, "  publish_interval: 100ms\n");
    let policy = "package authz\n\ndefault allow := false\n\nallow if data.signals[\"https://issuer.example\"].subject.alice.account.status == \"disabled\"\n";
    let files = [(".manifest", r#"{"roots": ["authz"]}"#), ("p.rego", policy)];
    let files = files.map(|(path, text)| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() });
    let archive = Package::from_files(files.into_iter()).unwrap().write(Compression::Gzip);
    std::fs::write(rig.0.join("main.tar.gz"), archive).unwrap();
    let config = std::fs::read_to_string(rig.0.join("verdict.yaml")).unwrap();
    let bundles = format!("bundles:\n  main:\n    url: 'file://{}'\n", rig.0.join("main.tar.gz").display());
    rig.0.write("verdict.yaml", &(config + &bundles));
    let serve = || Serve::embedded().arg("--config").arg(rig.0.join("verdict.yaml").to_str().unwrap());
    let server = serve().ready().await;
    assert_eq!(server.ask(question()).await.effect(), Effect::Deny);
    let claims = json!({
        "iss": ISSUER, "aud": "https://pdp.example", "iat": now(), "jti": "disabled",
        "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "alice"},
        "events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {"reason": "hijacking"}},
    });
    assert_eq!(push(&server, SET, &transmitter.set(&claims)).await.0, 202);
    let allows = async |server: &Server| (server.ask(question()).await.effect() == Effect::Allow).then_some(());
    eventually("it is data", async || allows(&server).await).await;
    server.signal("KILL");
    drop(server);
    let server = serve().ready().await;
    eventually("it is data after a restart", async || allows(&server).await).await;
}

/// A transmitter that is polled (RFC 8936): it gives what is not acknowledged.
#[derive(Clone, Default)]
struct Polled(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    sets: BTreeMap<String, String>,
    errors: BTreeMap<String, Json>,
    acknowledged: Vec<String>,
}

impl Respond for Polled {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if request.headers.get("authorization").is_none_or(|value| value != "Bearer hunter22") {
            return ResponseTemplate::new(401);
        }
        let body: Json = serde_json::from_slice(&request.body).unwrap();
        let mut state = self.0.lock().unwrap();
        for jti in body["ack"].as_array().into_iter().flatten() {
            state.sets.remove(jti.as_str().unwrap());
            state.acknowledged.push(jti.as_str().unwrap().to_owned());
        }
        for (jti, error) in body["setErrs"].as_object().into_iter().flatten() {
            state.sets.remove(jti);
            state.errors.insert(jti.clone(), error.clone());
        }
        ResponseTemplate::new(200).set_body_json(json!({"sets": state.sets, "moreAvailable": false}))
    }
}

#[tokio::test]
async fn polled_events_are_acknowledged_once_they_are_durable() {
    let (transmitter, polled, http) = (Transmitter::new(), Polled::default(), MockServer::start().await);
    Mock::given(method("POST")).and(path("/poll")).respond_with(polled.clone()).mount(&http).await;
    let wrong = {
        let mut claims = session_revoked("wrong", "s2");
        claims["aud"] = json!("https://other.example");
        claims
    };
    let sets = [("right", transmitter.set(&session_revoked("right", "s1"))), ("wrong", transmitter.set(&wrong))];
    polled.0.lock().unwrap().sets = sets.into_iter().map(|(jti, set)| (jti.to_owned(), set)).collect();
    let url = format!("{}/poll", http.uri());
    let rig =
        rig(&transmitter, &format!("      poll: {{url: '{url}', token_file: DIR/push-token, interval: 100ms}}\n"));
    let server = rig.serving().await;
    eventually("both are told", async || {
        let state = polled.0.lock().unwrap();
        (state.acknowledged == ["right"] && state.errors.contains_key("wrong")).then_some(())
    })
    .await;
    assert_eq!(polled.0.lock().unwrap().errors["wrong"]["err"], "invalid_audience");
    assert!(!allows(&server, json!({"sid": "s1"})).await);
    assert!(allows(&server, json!({"sid": "s2"})).await);
    let (status, _, body) = push(&server, SET, &transmitter.set(&session_revoked("pushed", "s3"))).await;
    assert_eq!((status, &body["err"]), (400, &json!("access_denied")), "who is polled does not push");
    // An outage ends, and what came meanwhile is taken then.
    http.reset().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let set = transmitter.set(&session_revoked("late", "s4"));
    polled.0.lock().unwrap().sets.insert("late".to_owned(), set);
    Mock::given(method("POST")).and(path("/poll")).respond_with(polled.clone()).mount(&http).await;
    eventually("it is taken", async || (!allows(&server, json!({"sid": "s4"})).await).then_some(())).await;
}
