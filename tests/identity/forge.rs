//! Makes keys and signs tokens, good ones and others.

use std::{
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaPair, KeySize},
    signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use der::{Decode as _, asn1::Uint};
use serde_json::{Value as Json, json};

/// The keys of an issuer.
pub(crate) struct Keys {
    pub(crate) rsa: RsaPair,
    curves: Vec<(&'static str, &'static str, EcdsaKeyPair)>,
    edwards: Ed25519KeyPair,
}

pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::new);

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Keys {
    pub(crate) fn new() -> Self {
        let curve = |alg, name, algorithm: &'static EcdsaSigningAlgorithm| {
            (alg, name, EcdsaKeyPair::generate(algorithm).unwrap())
        };
        Self {
            rsa: RsaPair::generate(KeySize::Rsa2048).unwrap(),
            curves: vec![
                curve("ES256", "P-256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
                curve("ES384", "P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
                curve("ES512", "P-521", &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            ],
            edwards: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The set, with every key's id after `prefix`, for this use.
    pub(crate) fn set(&self, prefix: &str, purpose: &str) -> Json {
        // RFC 8017 §A.1.1: a sequence of the modulus and the exponent.
        let rsa = Vec::<Uint>::from_der(self.rsa.public_key().as_ref()).unwrap();
        let [n, e] = rsa.as_slice() else { panic!("{rsa:?}") };
        let mut keys = vec![
            json!({"kty": "RSA", "n": encoded(n.as_bytes()), "e": encoded(e.as_bytes()), "kid": "RSA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(self.edwards.public_key()), "kid": "EdDSA"}),
            json!({"kty": "oct", "k": encoded("secret"), "kid": "secret"}),
        ];
        for (alg, name, pair) in &self.curves {
            let (x, y) = pair.public_key().as_ref()[1..].split_at((pair.public_key().as_ref().len() - 1) / 2);
            keys.push(json!({"kty": "EC", "crv": name, "x": encoded(x), "y": encoded(y), "kid": alg}));
        }
        for key in &mut keys {
            key["use"] = json!(purpose);
            key["kid"] = json!(format!("{prefix}{}", key["kid"].as_str().unwrap()));
        }
        json!({"keys": keys})
    }

    /// Signs these texts with the key of that algorithm, whatever the header says.
    pub(crate) fn sign(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let text = format!("{}.{}", encoded(header), encoded(claims));
        let random = SystemRandom::new();
        let rsa = |how: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(how, &random, text.as_bytes(), &mut signature).unwrap();
            signature
        };
        let signature = match algorithm {
            "RS256" => rsa(&signature::RSA_PKCS1_SHA256),
            "RS384" => rsa(&signature::RSA_PKCS1_SHA384),
            "RS512" => rsa(&signature::RSA_PKCS1_SHA512),
            "PS256" => rsa(&signature::RSA_PSS_SHA256),
            "PS384" => rsa(&signature::RSA_PSS_SHA384),
            "PS512" => rsa(&signature::RSA_PSS_SHA512),
            "EdDSA" => self.edwards.sign(text.as_bytes()).as_ref().to_vec(),
            _ => {
                let (_, _, pair) = self.curves.iter().find(|(name, _, _)| *name == algorithm).unwrap();
                pair.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec()
            }
        };
        format!("{text}.{}", encoded(signature))
    }

    /// A token of these claims, by the key whose id is `prefix` and the algorithm's.
    pub(crate) fn token(&self, algorithm: &str, prefix: &str, claims: &Json) -> String {
        let family = if algorithm.starts_with('R') || algorithm.starts_with('P') { "RSA" } else { algorithm };
        let header = json!({"alg": algorithm, "typ": "at+jwt", "kid": format!("{prefix}{family}")});
        self.sign(algorithm, &header.to_string(), &claims.to_string())
    }
}

/// The header of a good token.
pub(crate) fn header() -> Json {
    json!({"alg": "ES256", "typ": "at+jwt", "kid": "ES256"})
}

/// The claims of a good token.
pub(crate) fn claims() -> Json {
    json!({
        "iss": "https://issuer.example", "sub": "alice", "aud": "api", "iat": now(), "exp": now() + 600,
        "client_id": "app", "jti": "id-1", "scope": "read write", "realm": {"roles": ["editor"]},
    })
}

/// A good token with these claims in place of the usual ones; null takes one away.
pub(crate) fn token(changed: &Json) -> String {
    KEYS.token("ES256", "", &changed_claims(changed))
}

pub(crate) fn changed_claims(changed: &Json) -> Json {
    let mut claims = claims();
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Json::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}
