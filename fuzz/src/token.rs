//! Bytes as a bearer token, as its payload, as its header, and as the issuer's keys. The first one chooses.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value as Json;
use verdict::identity::{Algorithm, Identity, Issuer, KeySet, Mapping, Nothing, Proof, Secret, Verifier};

use super::{chosen, forge};

const HEADER: &str = r#"{"alg": "EdDSA", "typ": "at+jwt", "kid": "key"}"#;
const PAYLOAD: &str = r#"{"iss": "https://issuer.example", "sub": "alice", "aud": ["api", "x"], "iat": 1700000000, "nbf": 1700000000, "exp": 1700000600, "client_id": "app", "scope": "read write", "act": {"sub": "bot"}}"#;
const NOW: u64 = 1_700_000_100;

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| verifier(forge::keys().as_bytes()));

/// Good or not; good is only what the issuer's key signed, for this audience, at this time.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    match choice % 4 {
        0 => {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            let good = verify(&VERIFIER, text).is_some();
            assert!(!good || forge::is_ours(rest), "{text}");
        }
        1 => {
            let Some(subject) = verify(&VERIFIER, &forge::token(HEADER.as_bytes(), rest)) else { return };
            let claims: Json = serde_json::from_slice(rest).unwrap();
            assert_eq!(claims["iss"], "https://issuer.example");
            assert_eq!(claims["sub"], *subject);
            let audience = &claims["aud"];
            assert!(audience == "api" || audience.as_array().is_some_and(|all| all.iter().any(|one| one == "api")));
            assert!(claims["exp"].as_f64().is_some_and(|exp| exp > NOW as f64 - 1.0), "{claims}");
        }
        2 => {
            if verify(&VERIFIER, &forge::token(rest, PAYLOAD.as_bytes())).is_some() {
                let header: Json = serde_json::from_slice(rest).unwrap();
                assert_eq!(header["alg"], "EdDSA");
                assert!(header.get("crit").is_none() && header.get("b64").is_none(), "{header}");
            }
        }
        _ => {
            if KeySet::parse(rest).is_ok() {
                verify(&verifier(rest), &forge::token(HEADER.as_bytes(), PAYLOAD.as_bytes()));
            }
        }
    }
}

/// The id of whom a token is of.
fn verify(verifier: &Verifier, token: &str) -> Option<String> {
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let proof = Proof { jkt: None, x5t_s256: None };
    verifier.verify(&Secret::from(token.to_owned()), &proof, now as SystemTime).ok().map(|caller| caller.subject.id)
}

fn verifier(keys: &[u8]) -> Verifier {
    let issuer = Issuer {
        name: "main".to_owned(),
        identity: Identity::Issuer("https://issuer.example".to_owned()),
        algorithms: Algorithm::ALL.to_vec(),
        audience: vec!["api".to_owned()],
        types: vec!["at+jwt".to_owned()],
        leeway: Duration::ZERO,
        max_age: None,
        max_lifetime: None,
        required_claims: Vec::new(),
        bound: false,
        subject: Mapping::default(),
    };
    let verifier = Verifier::new(vec![issuer], Arc::new(Nothing), 1 << 20);
    verifier.publish("main", KeySet::parse(keys).ok());
    verifier
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let good = forge::token(HEADER.as_bytes(), PAYLOAD.as_bytes());
    vec![
        ("good", chosen(0, good)),
        ("unsigned", chosen(0, "eyJhbGciOiJub25lIn0.e30.")),
        ("payload", chosen(1, PAYLOAD)),
        ("payload-other", chosen(1, PAYLOAD.replace("[\"api\", \"x\"]", "\"other\""))),
        ("payload-bound", chosen(1, PAYLOAD.replace("\"act\"", "\"cnf\": {\"jkt\": \"k\"}, \"act\""))),
        ("header", chosen(2, HEADER)),
        ("header-crit", chosen(2, HEADER.replace('}', r#", "crit": ["b64"], "b64": false, "jwk": {}}"#))),
        ("keys", chosen(3, forge::keys())),
        (
            "keys-ec",
            chosen(
                3,
                r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}"#,
            ),
        ),
    ]
}
