//! Tokens signed with real keys, a registry over a real file.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::executor::block_on;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::*;
use crate::{
    decision::{Object, Value, json as domain},
    identity::{Algorithm, KeySet, Revocations as _},
    revocation::{self, Kind, Registry, Target},
};

const ISSUER: &str = "https://login.example.com";
const OTHER_TRANSMITTER: &str = "https://signals.example.com";
const AUDIENCE: &str = "https://pdp.example.com";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const OAUTH: &str = "https://schemas.openid.net/secevent/oauth/event-type/";

static KEY: LazyLock<EcdsaKeyPair> = LazyLock::new(key);
static OTHER: LazyLock<EcdsaKeyPair> = LazyLock::new(key);

fn key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn jwks(key: &EcdsaKeyPair, id: &str) -> String {
    let point = key.public_key().as_ref();
    let (x, y) = (encoded(&point[1..33]), encoded(&point[33..]));
    json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": id, "x": x, "y": y}]}).to_string()
}

fn signed(key: &EcdsaKeyPair, header: &Json, claims: &Json) -> String {
    let text = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", encoded(signature))
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn header() -> Json {
    json!({"alg": "ES256", "typ": "secevent+jwt", "kid": "one"})
}

/// A token's claims, with an id of its own.
fn claims(event: &str, payload: &Json, subject: Option<Json>) -> Json {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": now(), "jti": crate::clock::decision_id(), "events": {event: payload},
    });
    if let Some(subject) = subject {
        claims["sub_id"] = subject;
    }
    claims
}

fn user() -> Json {
    json!({"format": "iss_sub", "iss": ISSUER, "sub": "alice"})
}

struct Rig {
    folder: TempDir,
    registry: Registry,
    receiver: Receiver,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Transmitter)) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| -> PathBuf { folder.path().join(name) };
        fs::write(path("jwks.json"), jwks(&KEY, "one")).unwrap();
        let mut transmitter = Transmitter {
            issuer: ISSUER.to_owned(),
            audience: vec![AUDIENCE.to_owned()],
            algorithms: vec![Algorithm::Es256],
            keys: KeysAt::File(path("jwks.json")),
            issuers: vec![ISSUER.to_owned()],
            keep: Duration::from_hours(1),
            push_token_file: None,
            poll: None,
        };
        change(&mut transmitter);
        let store = revocation::Config { store: Some(path("r.redb")), max_entries: 1_000 };
        let (registry, writer) = Registry::open(&store).unwrap();
        let thread = Some(std::thread::spawn(|| writer.run()));
        // Another that may speak for the same issuer.
        let other = Transmitter { issuer: OTHER_TRANSMITTER.to_owned(), ..transmitter.clone() };
        let transmitters = BTreeMap::from([("login".to_owned(), transmitter), ("other".to_owned(), other)]);
        let config = Config { transmitters, ..Config::default() };
        let receiver = Receiver::open(&config, registry.clone()).unwrap();
        Self { folder, registry, receiver, thread }
    }

    fn push(&self, claims: &Json) -> Result<Outcome, Fault> {
        block_on(self.receiver.push(&signed(&KEY, &header(), claims), None))
    }

    fn event(&self, event: &str, payload: &Json, subject: Json) -> Outcome {
        self.push(&claims(event, payload, Some(subject))).unwrap()
    }

    fn refused(&self, text: &str, authorization: Option<&str>) -> Error {
        match block_on(self.receiver.push(text, authorization)) {
            Err(Fault::Refused(error, _)) => error,
            other => panic!("{other:?}"),
        }
    }

    fn is_revoked(&self, token: &Json) -> bool {
        self.registry.is_revoked("login", &object(token))
    }

    fn said(&self, kind: Kind, value: &str) -> Json {
        let said = self.registry.said(&Target::new(kind, ISSUER, value)).unwrap_or_default();
        let text = said.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(";");
        Json::String(text)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.registry.close();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn object(json: &Json) -> Object {
    match domain::parse(json.to_string().as_bytes()) {
        Ok(Value::Object(members)) => members,
        other => panic!("{other:?}"),
    }
}

/// Alice's tokens: an old one, and one of a session that began now.
fn old() -> Json {
    json!({"iss": ISSUER, "sub": "alice", "iat": now() - 60, "sid": "s1", "jti": "t1", "client_id": "app",
        "email": "alice@example.com"})
}

fn young() -> Json {
    json!({"iss": ISSUER, "sub": "alice", "iat": now() + 60, "auth_time": now() + 60, "sid": "s2", "jti": "t2"})
}

#[test]
fn refuses_in_the_words_of_rfc_8935() {
    let rig = Rig::new();
    let good = claims(&format!("{CAEP}session-revoked"), &json!({}), Some(user()));
    let with = |name: &str, value: Json| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    for (claims, error) in [
        (with("sub", json!("alice")), Error::InvalidRequest),
        (with("exp", json!(now() + 60)), Error::InvalidRequest),
        (with("aud", json!("https://other.example.com")), Error::InvalidAudience),
        (with("aud", json!([1, "x"])), Error::InvalidAudience),
        (without("aud"), Error::InvalidAudience),
        (with("iss", json!("https://evil.example.com")), Error::InvalidIssuer),
        (without("iss"), Error::InvalidIssuer),
        (without("jti"), Error::InvalidRequest),
        (with("jti", json!(7)), Error::InvalidRequest),
        (with("jti", json!("x".repeat(2_000))), Error::InvalidRequest),
        (without("iat"), Error::InvalidRequest),
        (with("iat", json!(now() + 3_600)), Error::InvalidRequest),
        (with("iat", json!(now() - 15 * 24 * 3_600)), Error::InvalidRequest),
        (with("iat", json!(-1)), Error::InvalidRequest),
        (with("iat", json!("now")), Error::InvalidRequest),
        (without("events"), Error::InvalidRequest),
        (with("events", json!({})), Error::InvalidRequest),
        (with("events", json!([])), Error::InvalidRequest),
        (with("events", json!({"https://example.com/e": 1})), Error::InvalidRequest),
        (with("sub_id", json!("alice")), Error::InvalidRequest),
        (with("sub_id", json!({"format": "iss_sub", "iss": ISSUER})), Error::InvalidRequest),
        (with("sub_id", json!({"format": "nonsense", "id": "x"})), Error::InvalidRequest),
        (with("sub_id", json!({"format": "complex"})), Error::InvalidRequest),
        (with("sub_id", json!({"format": "complex", "user": 1})), Error::InvalidRequest),
        (
            with("sub_id", json!({"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": []}]})),
            Error::InvalidRequest,
        ),
        (without("sub_id"), Error::InvalidRequest),
        (
            with("sub_id", json!({"format": "iss_sub", "iss": "https://bank.example.com", "sub": "a"})),
            Error::AccessDenied,
        ),
        (with("events", json!({format!("{CAEP}session-revoked"): {"event_timestamp": "soon"}})), Error::InvalidRequest),
    ] {
        assert_eq!(rig.refused(&signed(&KEY, &header(), &claims), None), error, "{claims}");
    }
    for (key, header, error) in [
        (&OTHER, header(), Error::InvalidKey),
        (&KEY, json!({"alg": "ES256", "typ": "secevent+jwt", "kid": "two"}), Error::InvalidKey),
        (&KEY, json!({"alg": "none", "typ": "secevent+jwt"}), Error::InvalidKey),
        (&KEY, json!({"alg": "HS256", "typ": "secevent+jwt"}), Error::InvalidKey),
        (&KEY, json!({"alg": "RS256", "typ": "secevent+jwt"}), Error::InvalidKey),
        (&KEY, json!({"alg": "ES256", "typ": "at+jwt"}), Error::InvalidRequest),
        (&KEY, json!({"alg": "ES256"}), Error::InvalidRequest),
        (&KEY, json!({"alg": "ES256", "typ": "secevent+jwt", "crit": ["x"]}), Error::InvalidRequest),
    ] {
        assert_eq!(rig.refused(&signed(key, &header, &good), None), error, "{header}");
    }
    for text in ["", "x", "a.b.c", "a.b.c.d.e", "{}"] {
        assert_eq!(rig.refused(text, None), Error::InvalidRequest);
    }
    assert!(!rig.is_revoked(&old()), "what is refused changes nothing");
    assert_eq!(rig.push(&good), Ok(Outcome::Accepted), "the one that all were made of is good");
    let figures = rig.receiver.figures();
    assert_eq!(figures.tokens[&("login".to_owned(), "accepted")], 1);
    assert_eq!(figures.tokens[&("login".to_owned(), "invalid_audience")], 3);
    assert_eq!(figures.tokens[&(String::new(), "invalid_issuer")], 2);
}

#[test]
fn a_token_counts_once_whatever_came_between() {
    let rig = Rig::new();
    let disable = claims(&format!("{RISC}account-disabled"), &json!({"reason": "hijacking"}), Some(user()));
    assert_eq!(rig.push(&disable), Ok(Outcome::Accepted));
    assert!(rig.is_revoked(&young()));
    assert_eq!(rig.event(&format!("{RISC}account-enabled"), &json!({}), user()), Outcome::Accepted);
    assert!(!rig.is_revoked(&young()));
    assert_eq!(rig.push(&disable), Ok(Outcome::Replayed));
    assert!(!rig.is_revoked(&young()));
}

#[test]
fn who_pushes_shows_its_token() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "canary\n").unwrap();
    let rig = Rig::with(|transmitter| transmitter.push_token_file = Some(path));
    let claims = claims(&format!("{CAEP}session-revoked"), &json!({}), Some(user()));
    let text = signed(&KEY, &header(), &claims);
    for wrong in
        [None, Some("canary"), Some("Bearer"), Some("Bearer other"), Some("Basic canary"), Some("Bearer canary2")]
    {
        assert_eq!(rig.refused(&text, wrong), Error::AuthenticationFailed, "{wrong:?}");
    }
    assert_eq!(block_on(rig.receiver.push(&text, Some("bearer canary"))), Ok(Outcome::Accepted));
    let poll =
        Poll { url: "https://x".to_owned(), token_file: None, ca_file: None, interval: Duration::ZERO, max_events: 1 };
    let rig = Rig::with(|transmitter| transmitter.poll = Some(poll));
    assert_eq!(rig.refused(&text, None), Error::AccessDenied);
    assert_eq!(block_on(rig.receiver.polled("login", &text)), Ok(Outcome::Accepted));
    assert!(matches!(block_on(rig.receiver.polled("other", &text)), Err(Fault::Refused(Error::InvalidIssuer, _))));
}

#[test]
fn sessions_end_by_name_or_by_age() {
    for subject in [
        user(),
        json!({"format": "email", "email": "Alice@example.com"}),
        json!({"format": "opaque", "id": "alice"}),
        json!({"format": "aliases", "identifiers": [{"format": "phone_number", "phone_number": "+1"}, user()]}),
        json!({"format": "complex", "user": user(), "device": {"format": "opaque", "id": "d"}}),
        json!({"user": user(), "tenant": {"format": "opaque", "id": "x"}}),
    ] {
        let rig = Rig::new();
        rig.event(&format!("{CAEP}session-revoked"), &json!({"event_timestamp": now()}), subject.clone());
        assert!(rig.is_revoked(&old()), "{subject}");
        assert!(!rig.is_revoked(&young()), "{subject}");
        let refreshed = json!({"iss": ISSUER, "sub": "alice", "iat": now() + 9, "auth_time": now() - 9, "email": "alice@example.com"});
        assert!(rig.is_revoked(&refreshed), "{subject}: refreshed since, in the same session");
        assert!(!rig.is_revoked(&json!({"iss": ISSUER, "sub": "bob", "iat": 1, "sid": "s9"})));
    }
    for subject in [
        json!({"format": "complex", "session": {"format": "opaque", "id": "s1"}, "user": user()}),
        json!({"format": "opaque", "id": "s1"}),
        json!({"format": "jwt_id", "iss": ISSUER, "jti": "t1"}),
    ] {
        let rig = Rig::new();
        rig.event(&format!("{CAEP}session-revoked"), &json!({}), subject.clone());
        assert!(rig.is_revoked(&old()) && !rig.is_revoked(&young()), "{subject}");
    }
    let rig = Rig::new();
    rig.event(&format!("{RISC}sessions-revoked"), &json!({}), user());
    assert!(rig.is_revoked(&old()) && !rig.is_revoked(&young()));
    let rig = Rig::new();
    let older = json!({"subject": {"subject_type": "iss-sub", "iss": ISSUER, "sub": "alice"}});
    rig.push(&claims(&format!("{OAUTH}tokens-revoked"), &older, None)).unwrap();
    assert!(rig.is_revoked(&old()) && !rig.is_revoked(&young()));
    assert!(
        rig.is_revoked(&json!({"iss": ISSUER, "sub": "bob", "iat": 1, "actors": [{"sub": "alice"}]})),
        "nor does she act for others"
    );
}

#[test]
fn tokens_and_clients_end_by_name() {
    let rig = Rig::new();
    let jwt = format!("{}.{}.x", encoded("{}"), encoded(json!({"jti": "t1"}).to_string()));
    let token = |token: &str, how: &str| json!({"subject_type": "oauth_token", "token_type": "access_token", "token_identifier_alg": how, "token": token});
    rig.push(&claims(&format!("{OAUTH}token-revoked"), &json!({"subject": token(&jwt, "plain")}), None)).unwrap();
    assert!(rig.is_revoked(&old()) && !rig.is_revoked(&young()));
    let rig = Rig::new();
    let payload = json!({"subject": token("abcdef", "prefix"), "token_subject": user()});
    rig.push(&claims(&format!("{OAUTH}token-revoked"), &payload, None)).unwrap();
    assert!(rig.is_revoked(&old()) && !rig.is_revoked(&young()), "which token is not told, but whose");
    let client = json!({"subject_type": "oauth_client", "client_id": "app"});
    let rig = Rig::new();
    rig.push(&claims(&format!("{OAUTH}client-disabled"), &json!({"subject": client}), None)).unwrap();
    assert!(rig.is_revoked(&old()) && !rig.is_revoked(&young()));
    rig.push(&claims(&format!("{OAUTH}client-enabled"), &json!({"subject": client}), None)).unwrap();
    assert!(!rig.is_revoked(&old()));
}

#[test]
fn accounts_end_until_they_are_enabled_and_purged_ones_for_good() {
    let rig = Rig::new();
    rig.event(&format!("{RISC}account-disabled"), &json!({"reason": "hijacking"}), user());
    assert!(rig.is_revoked(&old()) && rig.is_revoked(&young()));
    assert!(rig.said(Kind::Subject, "alice").as_str().unwrap().contains("disabled"));
    rig.event(&format!("{RISC}account-enabled"), &json!({}), user());
    assert!(!rig.is_revoked(&old()) && !rig.is_revoked(&young()));
    assert!(rig.said(Kind::Subject, "alice").as_str().unwrap().contains("enabled"));
    rig.event(&format!("{RISC}account-purged"), &json!({}), user());
    rig.event(&format!("{RISC}account-enabled"), &json!({}), user());
    assert!(rig.is_revoked(&young()));
    let rig = Rig::new();
    rig.event(&format!("{RISC}account-enabled"), &json!({}), user());
    rig.event(&format!("{RISC}account-disabled"), &json!({"event_timestamp": now() - 9}), user());
    assert!(!rig.is_revoked(&young()), "it was enabled since");
    let rig = Rig::new();
    let mut enabled = claims(&format!("{RISC}account-enabled"), &json!({}), Some(user()));
    enabled["iss"] = json!(OTHER_TRANSMITTER);
    rig.push(&enabled).unwrap();
    rig.event(&format!("{RISC}account-disabled"), &json!({"event_timestamp": now() - 9}), user());
    assert!(rig.is_revoked(&young()), "what one transmitter disables, no other enables");
    let rig = Rig::new();
    rig.event(&format!("{RISC}credential-compromise"), &json!({"credential_type": "password"}), user());
    assert!(rig.is_revoked(&old()) && !rig.is_revoked(&young()));
    assert!(rig.said(Kind::Subject, "alice").as_str().unwrap().contains("credential_compromise"));
}

#[test]
fn changes_are_told_to_policies() {
    for (event, payload, name) in [
        ("token-claims-change", json!({"claims": {"role": "ro-admin"}}), "token_claims"),
        ("credential-change", json!({"credential_type": "password", "change_type": "revoke"}), "credential_change"),
        ("assurance-level-change", json!({"namespace": "NIST-AAL", "current_level": "nist-aal1"}), "assurance_level"),
        (
            "device-compliance-change",
            json!({"previous_status": "compliant", "current_status": "not-compliant"}),
            "device_compliance",
        ),
        ("risk-level-change", json!({"principal": "USER", "current_level": "HIGH"}), "risk_level"),
    ] {
        let rig = Rig::new();
        let subject = json!({"format": "complex", "user": user(), "device": {"format": "opaque", "id": "d7"}});
        rig.event(&format!("{CAEP}{event}"), &payload, subject);
        for said in [rig.said(Kind::Subject, "alice"), rig.said(Kind::Device, "d7")] {
            let said = said.as_str().unwrap();
            let value = payload.as_object().unwrap().values().next_back().unwrap();
            let text = value.as_str().unwrap_or("ro-admin");
            assert!(said.starts_with(name) && said.contains(text), "{said}");
        }
        assert!(!rig.is_revoked(&old()), "{event} revokes nothing");
    }
}

#[test]
fn a_stream_is_verified_and_what_means_nothing_here_is_taken() {
    let rig = Rig::new();
    let state = json!({"state": "VGhpcyBpcyBhbiBleGFtcGxl"});
    let event = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    let stream = json!({"format": "opaque", "id": "stream-1"});
    assert_eq!(rig.event(event, &state, stream), Outcome::Verified);
    assert_eq!(rig.event("https://example.com/of-mine", &json!({}), json!({"format": "strange"})), Outcome::Ignored);
    assert_eq!(rig.event(&format!("{CAEP}session-established"), &json!({}), user()), Outcome::Ignored);
    assert!(!rig.is_revoked(&old()));
}

#[test]
fn keys_are_read_again_where_one_is_not_there() {
    let rig = Rig::new();
    let claims = claims(&format!("{CAEP}session-revoked"), &json!({}), Some(user()));
    let header = json!({"alg": "ES256", "typ": "secevent+jwt", "kid": "two"});
    let text = signed(&OTHER, &header, &claims);
    assert_eq!(rig.refused(&text, None), Error::InvalidKey);
    fs::write(rig.folder.path().join("jwks.json"), jwks(&OTHER, "two")).unwrap();
    // Not before five seconds have passed: a flood of such tokens reads no file.
    assert_eq!(rig.refused(&text, None), Error::InvalidKey);
}

#[test]
fn keys_elsewhere_are_waited_for_and_asked_for_again() {
    let url = "https://idp.example.com/jwks".parse().unwrap();
    let rig = Rig::with(|transmitter| transmitter.keys = KeysAt::Url { url, ca_file: None });
    assert_eq!(rig.receiver.remote_keys().map(|(name, ..)| name).collect::<Vec<_>>(), ["login", "other"]);
    let set = |key: &EcdsaKeyPair, id: &str| KeySet::parse(jwks(key, id).as_bytes()).unwrap();
    let claims = || claims(&format!("{CAEP}session-revoked"), &json!({}), Some(user()));
    // Nobody can tell yet whether it is good: it may come again.
    assert!(matches!(rig.push(&claims()), Err(Fault::NotNow(_))));
    assert!(!rig.is_revoked(&old()));
    rig.receiver.publish_keys("login", Some(set(&KEY, "one")));
    assert_eq!(rig.push(&claims()), Ok(Outcome::Accepted));
    assert!(rig.is_revoked(&old()));
    let mut newer = header();
    newer["kid"] = json!("two");
    let by_newer = || signed(&OTHER, &newer, &claims());
    assert_eq!(rig.refused(&by_newer(), None), Error::InvalidKey);
    // Another's keys are not its own.
    rig.receiver.publish_keys("other", Some(set(&OTHER, "two")));
    assert_eq!(rig.refused(&by_newer(), None), Error::InvalidKey);
    let receiver = rig.receiver.clone();
    let fetched = move || -> Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> {
        let receiver = receiver.clone();
        let keys = KeySet::parse(jwks(&OTHER, "two").as_bytes()).unwrap();
        Some(Box::pin(async move { receiver.publish_keys("login", Some(keys)) }))
    };
    rig.receiver.refresh_keys("login", Box::new(fetched));
    assert_eq!(block_on(rig.receiver.push(&by_newer(), None)), Ok(Outcome::Accepted));
    // What is taken away is good no longer.
    assert_eq!(rig.refused(&signed(&KEY, &header(), &claims()), None), Error::InvalidKey);
}

#[test]
fn a_transmitter_that_can_t_be_believed_ends_the_start() {
    let folder = TempDir::new().unwrap();
    let (registry, _) = Registry::open(&revocation::Config::default()).unwrap();
    let open = |jwks: &str| {
        let path = folder.path().join("jwks.json");
        fs::write(&path, jwks).unwrap();
        let transmitter = Transmitter {
            issuer: ISSUER.to_owned(),
            audience: vec![AUDIENCE.to_owned()],
            algorithms: vec![Algorithm::Es256],
            keys: KeysAt::File(path),
            issuers: vec![ISSUER.to_owned()],
            keep: Duration::from_hours(1),
            push_token_file: None,
            poll: None,
        };
        let config = Config { transmitters: BTreeMap::from([("login".to_owned(), transmitter)]), ..Config::default() };
        Receiver::open(&config, registry.clone())
    };
    assert!(open("[]").unwrap_err().to_string().starts_with("login.jwks_file: "));
    assert!(open(&jwks(&KEY, "one")).is_ok());
}
