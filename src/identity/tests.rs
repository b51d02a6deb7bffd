use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaPair, KeySize},
    signature::{self, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use der::{Decode as _, asn1::Uint};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::decision::{Object, Subject, Value};

const NOW: u64 = 1_800_000_000;

static CURVE: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
static RSA: LazyLock<RsaPair> = LazyLock::new(|| RsaPair::generate(KeySize::Rsa2048).unwrap());

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn keys() -> KeySet {
    let point = CURVE.public_key().as_ref();
    // RFC 8017 §A.1.1: a sequence of the modulus and the exponent.
    let rsa = Vec::<Uint>::from_der(RSA.public_key().as_ref()).unwrap();
    let [n, e] = rsa.as_slice() else { panic!("{rsa:?}") };
    let set = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "ec", "x": encoded(&point[1..33]), "y": encoded(&point[33..])},
        {"kty": "RSA", "kid": "rsa", "n": encoded(n.as_bytes()), "e": encoded(e.as_bytes())},
        {"kty": "oct", "kid": "secret", "k": encoded("secret")},
    ]});
    KeySet::parse(set.to_string().as_bytes()).unwrap()
}

fn issuer() -> Issuer {
    Issuer {
        name: "main".to_owned(),
        identity: Identity::Issuer("https://issuer.example".to_owned()),
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
        audience: vec!["api".to_owned()],
        types: vec!["at+jwt".to_owned(), "jwt".to_owned()],
        leeway: Duration::from_secs(30),
        max_age: None,
        max_lifetime: Some(Duration::from_secs(7_200)),
        required_claims: Vec::new(),
        bound: false,
        subject: Mapping::default(),
    }
}

fn verifier() -> Verifier {
    let verifier = Verifier::new(vec![issuer()], Arc::new(Nothing), 1 << 20);
    verifier.publish("main", Some(keys()));
    verifier
}

fn signed(header: &str, claims: &str) -> String {
    let text = format!("{}.{}", encoded(header), encoded(claims));
    let random = SystemRandom::new();
    let signature = if header.contains("RS256") {
        let mut signature = vec![0; RSA.public_modulus_len()];
        RSA.sign(&signature::RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
        signature
    } else {
        CURVE.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec()
    };
    format!("{text}.{}", encoded(signature))
}

fn header() -> Json {
    json!({"alg": "ES256", "typ": "at+jwt", "kid": "ec"})
}

fn claims() -> Json {
    json!({"iss": "https://issuer.example", "sub": "alice", "aud": "api", "iat": NOW, "exp": NOW + 600, "scope": "a b"})
}

fn with(mut object: Json, name: &str, value: Json) -> String {
    match value {
        Json::Null => drop(object.as_object_mut().unwrap().remove(name)),
        value => object[name] = value,
    }
    object.to_string()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn ask(verifier: &Verifier, token: String) -> Result<Caller, Invalid> {
    verifier.verify(&Secret::from(token), &Proof::default(), at(NOW))
}

#[test]
fn a_token_proves_its_subject() {
    for (alg, kid) in [("ES256", "ec"), ("RS256", "rsa")] {
        let token = signed(&json!({"alg": alg, "typ": "at+jwt", "kid": kid}).to_string(), &claims().to_string());
        let caller = ask(&verifier(), token).unwrap();
        assert_eq!((caller.subject.kind.as_str(), caller.subject.id.as_str()), ("user", "alice"));
        assert_eq!(caller.claims.get("scope"), Some(&Value::Array(vec![Value::from("a"), Value::from("b")])));
        assert_eq!(caller.claims.get("actors"), Some(&Value::Array(Vec::new())));
    }
}

#[test]
fn no_hostile_token_is_accepted() {
    let (head, body) = (header().to_string(), claims().to_string());
    let mut table: Vec<(&str, String)> = Vec::new();
    for (name, value, code) in [
        ("alg", json!("none"), "algorithm_refused"),
        ("alg", json!("None"), "algorithm_refused"),
        ("alg", json!(""), "algorithm_refused"),
        ("alg", json!("HS256"), "algorithm_refused"),
        ("alg", json!("PS256"), "algorithm_refused"),
        ("alg", json!("RS256"), "key_unknown"),
        ("alg", json!(["ES256"]), "token_malformed"),
        ("alg", Json::Null, "token_malformed"),
        ("typ", json!("secevent+jwt"), "token_type_refused"),
        ("typ", json!("dpop+jwt"), "token_type_refused"),
        ("typ", Json::Null, "token_type_refused"),
        ("typ", json!(7), "token_malformed"),
        ("kid", json!("../../etc/passwd"), "key_unknown"),
        ("kid", json!("' OR 1=1 --"), "key_unknown"),
        ("kid", json!("secret"), "key_unknown"),
        ("kid", json!(["ec"]), "token_malformed"),
        ("crit", json!(["exp"]), "token_malformed"),
        ("crit", json!([]), "token_malformed"),
        ("b64", json!(false), "token_malformed"),
        ("enc", json!("A256GCM"), "token_malformed"),
        ("zip", json!("DEF"), "token_malformed"),
        ("cty", json!("JWT"), "token_malformed"),
    ] {
        table.push((code, signed(&with(header(), name, value), &body)));
    }
    for (name, value, code) in [
        ("exp", json!(NOW - 60), "token_expired"),
        ("exp", Json::Null, "claim_missing"),
        ("exp", json!("1900000000"), "token_malformed"),
        ("exp", json!(-1), "token_malformed"),
        ("exp", json!(1e300), "token_malformed"),
        ("exp", json!(u64::MAX), "token_malformed"),
        ("exp", json!(NOW + 90_000), "token_lifetime_exceeded"),
        ("nbf", json!(NOW + 60), "token_not_yet_valid"),
        ("nbf", json!(true), "token_malformed"),
        ("iat", json!(NOW + 60), "token_not_yet_valid"),
        ("iat", Json::Null, "claim_missing"),
        ("aud", json!("other"), "audience_mismatch"),
        ("aud", json!(["other", "API"]), "audience_mismatch"),
        ("aud", json!([]), "audience_mismatch"),
        ("aud", Json::Null, "audience_mismatch"),
        ("aud", json!({"api": true}), "token_malformed"),
        ("iss", json!("https://issuer.example/"), "issuer_unknown"),
        ("iss", json!("https://issuer.example.evil"), "issuer_unknown"),
        ("iss", json!(["https://issuer.example"]), "issuer_unknown"),
        ("iss", Json::Null, "issuer_unknown"),
        ("sub", Json::Null, "claim_missing"),
        ("sub", json!(""), "token_malformed"),
        ("sub", json!(["alice"]), "token_malformed"),
        ("act", json!("agent"), "token_malformed"),
        ("scope", json!(7), "token_malformed"),
        ("cnf", json!({}), "token_malformed"),
        ("cnf", json!({"jkt": "thumb"}), "proof_mismatch"),
        ("cnf", json!({"unknown": "thumb"}), "proof_mismatch"),
    ] {
        table.push((code, signed(&head, &with(claims(), name, value))));
    }
    let good = signed(&head, &body);
    let (signed_part, own) = good.rsplit_once('.').unwrap();
    let other = signed(&head, &with(claims(), "sub", json!("mallory")));
    table.extend([
        ("token_malformed", signed(&head, &body.replacen('{', r#"{"sub":"mallory","#, 1))),
        ("token_malformed", signed(&head.replacen('{', r#"{"alg":"none","#, 1), &body)),
        ("signature_invalid", format!("{signed_part}.")),
        ("signature_invalid", format!("{}.{own}", other.rsplit_once('.').unwrap().0)),
        ("signature_invalid", format!("{signed_part}.{}", encoded([0; 64]))),
        ("token_malformed", format!("{good}=")),
        ("token_malformed", format!("{good} ")),
        ("token_malformed", format!("{good}.x.y")),
        ("token_malformed", "a".repeat(1 << 20)),
        ("token_malformed", String::new()),
        ("token_malformed", "..".to_owned()),
    ]);
    assert!(table.len() >= 40);
    let verifier = verifier();
    for (code, token) in table {
        let found = ask(&verifier, token.clone()).map_err(Invalid::code);
        assert_eq!(found, Err(code), "{token:.200}");
    }
    for name in ["jku", "x5u", "jwk", "x5c"] {
        // Not looked at: what counts is the issuer's own key.
        let token = signed(&with(header(), name, json!("https://evil.example/keys")), &body);
        assert!(ask(&verifier, token).is_ok(), "{name}");
    }
}

#[test]
fn time_proof_keys_and_subject_count_on_every_decision() {
    let verifier = verifier();
    let token = Secret::from(signed(&header().to_string(), &with(claims(), "cnf", json!({"jkt": "thumb"}))));
    let proof = Proof { jkt: Some("thumb".to_owned()), x5t_s256: None };
    let verify = |proof: &Proof, seconds| verifier.verify(&token, proof, at(seconds)).map_err(Invalid::code);
    assert!(verify(&proof, NOW).is_ok());
    assert_eq!(verify(&Proof::default(), NOW), Err("proof_mismatch"));
    assert_eq!(verify(&proof, NOW + 630), Err("token_expired"));
    let mallory = Subject { kind: "user".to_owned(), id: "mallory".to_owned(), properties: Object::new() };
    let found = verifier.verify_for(&token, &proof, at(NOW), Some(&mallory));
    assert_eq!(found, Err(Invalid::SubjectMismatch));
    verifier.publish("main", Some(KeySet::parse(br#"{"keys": []}"#).unwrap()));
    assert_eq!(verify(&proof, NOW), Err("key_unknown"));
    verifier.publish("main", None);
    assert_eq!(verify(&proof, NOW), Err("keys_unavailable"));
}

#[test]
fn what_is_remembered_is_bounded_in_bytes_and_changes_no_answer() {
    let sized = |bytes| {
        let verifier = Verifier::new(vec![issuer()], Arc::new(Nothing), bytes);
        verifier.publish("main", Some(keys()));
        verifier
    };
    let token = |n: usize, long: usize| {
        let claims = with(claims(), "x", json!(format!("{n}{}", "x".repeat(long))));
        signed(&header().to_string(), &claims)
    };
    for (bytes, least) in [(0, 0), (1 << 20, 100), (64 << 20, 600)] {
        let verifier = sized(bytes);
        for n in 0..600 {
            let token = token(n, 100);
            assert!(ask(&verifier, token.clone()).is_ok() && ask(&verifier, token).is_ok());
        }
        // More than a part may have is not remembered.
        assert!(ask(&verifier, token(0, 9_000)).is_ok());
        let (held, tokens) = verifier.cache().held();
        assert!(held <= bytes && tokens >= least, "{held} of {bytes} bytes, {tokens} tokens");
    }
}

#[derive(Default)]
struct All(AtomicBool);

impl Revocations for All {
    fn is_revoked(&self, issuer: &str, claims: &Object) -> bool {
        assert_eq!((issuer, claims.get("sub")), ("main", Some(&Value::from("alice"))));
        self.0.load(SeqCst)
    }
}

#[test]
fn what_is_revoked_is_refused_whatever_is_remembered() {
    let revocations = Arc::new(All::default());
    let verifier = Verifier::new(vec![issuer()], Arc::clone(&revocations) as Arc<dyn Revocations>, 1 << 20);
    verifier.publish("main", Some(keys()));
    let token = signed(&header().to_string(), &claims().to_string());
    assert!(ask(&verifier, token.clone()).is_ok());
    assert_eq!(verifier.cache().held().1, 1);
    revocations.0.store(true, SeqCst);
    assert_eq!(ask(&verifier, token.clone()), Err(Invalid::Revoked));
    revocations.0.store(false, SeqCst);
    assert!(ask(&verifier, token).is_ok());
}

#[test]
fn nothing_shows_a_secret() {
    assert_eq!(format!("{:?}", Secret::from("canary".to_owned())), "Secret(…)");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_valid_token_is_accepted(position: prop::sample::Index, with: u8, how in 0..4_u8) {
        static VALID: LazyLock<(Verifier, String)> =
            LazyLock::new(|| (verifier(), signed(&header().to_string(), &claims().to_string())));
        let (verifier, token) = &*VALID;
        let mut bytes = token.clone().into_bytes();
        let at = position.index(bytes.len());
        match how {
            0 => bytes[at] = with & 127,
            1 => bytes.insert(at, with & 127),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
        let mutated = String::from_utf8(bytes).unwrap();
        prop_assume!(mutated != *token);
        prop_assert!(ask(verifier, mutated).is_err());
    }
}
