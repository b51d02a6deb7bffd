//! Bytes as a bundle's `.signatures.json`, as the payload of the token in it, and as its header. The first one chooses.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde_json::Value as Json;
use verdict::bundle::{
    File, Package,
    signing::{self, Algorithm, Verification, VerificationKey},
};

use super::chosen;

const HEADER: &str = r#"{"alg": "HS256", "kid": "main"}"#;
const SECRET: &[u8] = b"a secret of 32 bytes, for nothing";
const NOW: u64 = 1_700_000_000;

/// Verified or not; verified is only what the key signed, with every file in it, before it ends.
pub fn run(bytes: &[u8]) {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let signatures = match choice % 3 {
        0 => rest.to_vec(),
        1 => file(&token(HEADER.as_bytes(), rest)),
        _ => file(&token(rest, payload().as_bytes())),
    };
    let package = Package { signatures: Some(signatures.clone()), ..package() };
    let _ = signing::claimed(&package);
    if verification().verify(&package, NOW).is_err() {
        return;
    }
    let parsed: Json = serde_json::from_slice(&signatures).unwrap();
    let text = parsed["signatures"][0].as_str().unwrap();
    let mut parts = text.split('.').map(|part| BASE64URL.decode(part).unwrap());
    let (header, payload) = (parts.next().unwrap(), parts.next().unwrap());
    assert_eq!(text, token(&header, &payload), "not signed by the key");
    // What stands in members that nobody reads need not be text (`"\ud800"`): it is not looked at.
    if let Ok(header) = serde_json::from_slice::<Json>(&header) {
        assert_eq!(header["alg"], "HS256");
    }
    let Ok(payload) = serde_json::from_slice::<Json>(&payload) else { return };
    let mut names: Vec<&str> =
        payload["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    names.sort_by_key(|name| name.trim_start_matches('/'));
    assert_eq!(names.len(), package.files.len(), "{payload}");
    assert!(payload["exp"].is_null() || payload["exp"].as_f64().is_some_and(|exp| exp > NOW as f64), "{payload}");
}

fn package() -> Package {
    let file = |path: &str, text: &str| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
    let files =
        [file("a/p.rego", "package a"), file("a/data.json", r#"{"x": [1.50, "y"]}"#), file("a/b/data.yaml", "z: 1")];
    Package::from_files(files).unwrap()
}

fn verification() -> Verification {
    let key = VerificationKey::new("HS256".parse::<Algorithm>().unwrap(), SECRET, "").unwrap();
    Verification::new(BTreeMap::from([("main".to_owned(), key)]), None, None, &[]).unwrap()
}

fn payload() -> String {
    let key = signing::SigningKey::new("HS256".parse().unwrap(), SECRET).unwrap();
    let signed = signing::sign(&package(), &key, &signing::Options::default()).unwrap();
    let signed = Package { signatures: Some(signed), ..package() };
    let files = signing::claimed(&signed).unwrap().unwrap().files;
    format!(r#"{{"files": {}, "iat": 1600000000, "exp": 1800000000}}"#, serde_json::to_string(&files).unwrap())
}

fn token(header: &[u8], payload: &[u8]) -> String {
    let text = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), text.as_bytes());
    format!("{text}.{}", BASE64URL.encode(tag))
}

fn file(token: &str) -> Vec<u8> {
    format!(r#"{{"signatures": ["{token}"]}}"#).into_bytes()
}

/// Inputs to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let good = file(&token(HEADER.as_bytes(), payload().as_bytes()));
    vec![
        ("good", chosen(0, good)),
        ("two", chosen(0, r#"{"signatures": ["a.b.c", "d.e.f"], "plugin": "x"}"#)),
        ("payload", chosen(1, payload())),
        ("payload-scope", chosen(1, payload().replace("\"iat\"", "\"scope\": \"write\", \"nbf\": 1, \"iat\""))),
        ("header", chosen(2, HEADER)),
        ("header-jku", chosen(2, r#"{"alg": "RS256", "jku": "x", "crit": ["exp"]}"#)),
    ]
}
