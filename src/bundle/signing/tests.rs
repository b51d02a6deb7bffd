use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair as RsaPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, KeyPair as _,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;
use crate::bundle::File;

mod tampering;

const NOW: u64 = 1_800_000_000;
const SECRET: &[u8] = b"a secret of a good length, for tests only";

/// A key pair in PEM: private, public. For the HS algorithms both are the secret.
fn pair(algorithm: Algorithm) -> (Vec<u8>, Vec<u8>) {
    let pem = |tag: &str, der: &[u8]| pem::encode(&pem::Pem::new(tag, der)).into_bytes();
    let ecdsa = |kind| {
        let pair = EcdsaKeyPair::generate(kind).unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        let public = pair.public_key().as_der().unwrap();
        (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref()))
    };
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => (SECRET.to_vec(), SECRET.to_vec()),
        Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::Es512 => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING),
        _ => {
            let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
            let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            let public = pair.public_key().as_der().unwrap();
            (pem("PRIVATE KEY", private.as_ref()), pem("PUBLIC KEY", public.as_ref()))
        }
    }
}

fn package(files: &[(&str, &str)]) -> Package {
    let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() };
    let mut files: Vec<File> = files.iter().map(file).collect();
    files.sort();
    Package { files, ..Package::default() }
}

fn example() -> Package {
    package(&[
        (".manifest", r#"{"revision":"r1","roots":["authz"]}"#),
        ("authz/data.json", r#"{"limits":{"b":2,"a":1.50},"names":["x","y"],"on":true}"#),
        ("authz/more/data.yaml", "colours:\n  - red\n  - blue\nsize: 12\n"),
        ("authz/p.rego", "package authz\n\nallow if input.user == \"alice\"\n"),
        ("authz/p_test.rego", "package authz_test\n\ntest_a if true\n"),
    ])
}

fn verification(algorithm: Algorithm, public: &[u8]) -> Verification {
    let key = VerificationKey::new(algorithm, public, "").unwrap();
    Verification::new(BTreeMap::from([("k".to_owned(), key)]), Some("k".to_owned()), None, &[]).unwrap()
}

fn secret() -> (SigningKey, Verification) {
    (SigningKey::new(Algorithm::Hs256, SECRET).unwrap(), verification(Algorithm::Hs256, SECRET))
}

fn signed_with(mut package: Package, claims: Json) -> Package {
    let Json::Object(claims) = claims else { panic!("claims are an object") };
    package.signatures = Some(sign(&package, &secret().0, &Options { key_id: None, claims }).unwrap());
    package
}

/// A package with a token of these parts, signed with the secret whatever they say.
fn token_of(package: &Package, header: &Json, payload: &Json) -> Package {
    let message = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let signature = secret().0.sign(message.as_bytes()).unwrap();
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    Package { signatures: Some(json!({"signatures": [token]}).to_string().into_bytes()), ..package.clone() }
}

fn payload(package: &Package) -> Json {
    let file = |file: &SignedFile| json!({"name": file.name, "hash": file.hash, "algorithm": file.algorithm});
    let claimed = claimed(package).unwrap().unwrap();
    json!({"files": claimed.files.iter().map(file).collect::<Json>()})
}

#[test]
fn every_algorithm_signs_and_verifies_and_takes_no_other_key() {
    for algorithm in Algorithm::ALL {
        let (private, public) = pair(algorithm);
        let key = SigningKey::new(algorithm, &private).unwrap();
        let mut package = example();
        package.signatures = Some(sign(&package, &key, &Options::default()).unwrap());
        assert_eq!(verification(algorithm, &public).verify(&package, NOW), Ok(()), "{algorithm}");
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
        if !algorithm.is_symmetric() {
            let other = verification(algorithm, &pair(algorithm).1);
            let refused = other.verify(&package, NOW).unwrap_err();
            assert_eq!(refused, InvalidSignature::Signature { id: "k".to_owned() }, "{algorithm}");
            // A public key is no secret, and a private key is none to verify with.
            let hs = VerificationKey::new(Algorithm::Hs256, &public, "").unwrap_err();
            assert!(matches!(hs, InvalidKey::PemAsSecret { .. }), "{hs}");
            assert!(matches!(VerificationKey::new(algorithm, &private, ""), Err(InvalidKey::Label { .. })));
            assert!(matches!(SigningKey::new(algorithm, &public), Err(InvalidKey::Label { .. })));
        }
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let Ok(key) = VerificationKey::new(other, &public, "") else { continue };
            let other = Verification::new(BTreeMap::from([("k".to_owned(), key)]), Some("k".to_owned()), None, &[]);
            let refused = other.unwrap().verify(&package, NOW).unwrap_err();
            assert!(matches!(refused, InvalidSignature::Algorithm { .. }), "{algorithm}: {refused}");
        }
    }
}

#[test]
fn keys_are_not_printed() {
    let (private, public) = pair(Algorithm::Rs256);
    for debug in [
        format!("{:?}", secret()),
        format!("{:?}", SigningKey::new(Algorithm::Rs256, &private)),
        format!("{:?}", VerificationKey::new(Algorithm::Rs256, &public, "")),
        format!("{:?} {0:#?}", SigningKey::new(Algorithm::Hs256, b"  ").unwrap_err()),
    ] {
        for part in ["secret of a good", "115, 101, 99, 114", "BEGIN", "48, 130"] {
            assert!(!debug.contains(part), "{debug}");
        }
    }
}

#[test]
fn weak_and_wrong_keys_are_refused() {
    for material in [&b"not pem"[..], b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
        assert!(VerificationKey::new(Algorithm::Rs256, material, "").is_err());
        assert!(SigningKey::new(Algorithm::Es256, material).is_err());
    }
    assert_eq!(VerificationKey::new(Algorithm::Hs256, b" \n", "").unwrap_err(), InvalidKey::Empty);
    let public = pair(Algorithm::Es384).1;
    assert!(VerificationKey::new(Algorithm::Es256, &public, "").is_err(), "another curve");
    assert!(VerificationKey::new(Algorithm::Rs256, &public, "").is_err(), "another kind");
}

#[test]
fn the_token_does_not_choose_how_it_is_checked() {
    let (_, verification) = secret();
    let package = signed_with(example(), json!({}));
    let payload = payload(&package);
    let check = |header: Json| verification.verify(&token_of(&package, &header, &payload), NOW);
    assert_eq!(check(json!({"alg": "HS256"})), Ok(()));
    for alg in ["none", "None", "", "HS384", "RS256", "EdDSA"] {
        let refused = check(json!({"alg": alg})).unwrap_err();
        assert!(matches!(refused, InvalidSignature::Algorithm { .. }), "{alg}: {refused}");
    }
    for name in ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"] {
        assert_eq!(check(json!({"alg": "HS256", name: {}})), Err(InvalidSignature::Header { name }), "{name}");
    }
    assert!(matches!(check(json!({})), Err(InvalidSignature::Token { .. })));
    // Unsigned, in the way of RFC 7515 appendix A.5.
    let message = [json!({"alg": "none"}), payload.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signatures = json!({"signatures": [format!("{}.", message.join("."))]}).to_string().into_bytes();
    let none = Package { signatures: Some(signatures), ..package.clone() };
    assert!(matches!(verification.verify(&none, NOW), Err(InvalidSignature::Algorithm { .. })));
}

#[test]
fn a_public_key_is_not_used_as_a_secret() {
    let (_, public) = pair(Algorithm::Rs256);
    let verification = verification(Algorithm::Rs256, &public);
    let package = signed_with(example(), json!({}));
    let message = [json!({"alg": "HS256"}), payload(&package)].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = message.join(".");
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &public);
    let signature = URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, message.as_bytes()));
    let signatures = json!({"signatures": [format!("{message}.{signature}")]}).to_string().into_bytes();
    let forged = Package { signatures: Some(signatures), ..package };
    assert!(matches!(verification.verify(&forged, NOW), Err(InvalidSignature::Algorithm { .. })));
}

#[test]
fn what_is_no_utf_8_is_refused_also_where_nobody_looks() {
    let (key, verification) = secret();
    let package = signed_with(example(), json!({}));
    // An `@` stands for a byte that no UTF-8 has.
    let bytes = |text: &str| -> Vec<u8> { text.bytes().map(|byte| if byte == b'@' { 0xdd } else { byte }).collect() };
    let verified = |header: &str, payload: &str, beside: &str| {
        let message = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(bytes(part))).join(".");
        let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap());
        let file = bytes(&format!(r#"{{"y": "{beside}", "signatures": ["{message}.{signature}"]}}"#));
        verification.verify(&Package { signatures: Some(file), ..package.clone() }, NOW)
    };
    let header = r#"{"alg": "HS256", "y": "y"}"#;
    let payload = payload(&package).to_string().replacen('{', r#"{"y": "y", "#, 1);
    let broken = |text: &str| text.replacen(r#": "y""#, r#": "@""#, 1);
    assert_eq!(verified(header, &payload, "y"), Ok(()));
    assert!(matches!(verified(&broken(header), &payload, "y"), Err(InvalidSignature::Token { .. })));
    assert!(matches!(verified(header, &broken(&payload), "y"), Err(InvalidSignature::Token { .. })));
    assert!(matches!(verified(header, &payload, "@"), Err(InvalidSignature::File { .. })));
}

#[test]
fn times_count() {
    let (_, verification) = secret();
    let check = |claims: Json| verification.verify(&signed_with(example(), claims), NOW);
    for claims in [json!({"exp": NOW + 1, "nbf": NOW, "iat": NOW}), json!({"exp": 1.9e9}), json!({"nbf": -1})] {
        assert_eq!(check(claims), Ok(()));
    }
    assert_eq!(check(json!({"exp": NOW})), Err(InvalidSignature::Expired { at: NOW, now: NOW }));
    assert!(matches!(check(json!({"exp": -1})), Err(InvalidSignature::Expired { .. })));
    assert_eq!(check(json!({"nbf": NOW + 1})), Err(InvalidSignature::NotYetValid { at: NOW + 1, now: NOW }));
    assert!(matches!(check(json!({"exp": "tomorrow"})), Err(InvalidSignature::Token { .. })));
    let text = serde_json::from_str(r#"{"exp": 1e999}"#).unwrap();
    assert!(matches!(check(text), Err(InvalidSignature::Token { .. })));
}

#[test]
fn scopes_must_be_the_same() {
    let key = |scope: &str| VerificationKey::new(Algorithm::Hs256, SECRET, scope).unwrap();
    let check = |of_key: &str, configured: Option<&str>, claimed: Json| {
        let keys = BTreeMap::from([("k".to_owned(), key(of_key))]);
        let verification = Verification::new(keys, Some("k".to_owned()), configured.map(str::to_owned), &[]).unwrap();
        verification.verify(&signed_with(example(), claimed), NOW).is_ok()
    };
    assert!(check("", None, json!({})));
    assert!(check("write", None, json!({"scope": "write"})));
    assert!(check("write", Some("read"), json!({"scope": "read"})));
    assert!(!check("", None, json!({"scope": "write"})));
    assert!(!check("write", None, json!({})));
    assert!(!check("write", Some("read"), json!({"scope": "write"})));
}

#[test]
fn the_key_is_the_configured_one_or_the_one_that_the_token_names() {
    let (signer, _) = secret();
    let key = || VerificationKey::new(Algorithm::Hs256, SECRET, "").unwrap();
    let other = || VerificationKey::new(Algorithm::Hs256, b"some other secret", "").unwrap();
    let keys = || BTreeMap::from([("a".to_owned(), key()), ("b".to_owned(), other())]);
    let check = |configured: Option<&str>, named: Option<&str>, claims: Json| {
        let verification = Verification::new(keys(), configured.map(str::to_owned), None, &[]).unwrap();
        let Json::Object(claims) = claims else { panic!("claims are an object") };
        let mut package = example();
        let options = Options { key_id: named.map(str::to_owned), claims };
        package.signatures = Some(sign(&package, &signer, &options).unwrap());
        verification.verify(&package, NOW)
    };
    assert_eq!(check(Some("a"), None, json!({})), Ok(()));
    assert_eq!(check(Some("a"), Some("b"), json!({})), Ok(()));
    assert_eq!(check(None, Some("a"), json!({})), Ok(()));
    assert_eq!(check(None, None, json!({"keyid": "a"})), Ok(()));
    assert_eq!(check(None, Some("a"), json!({"keyid": "b"})), Ok(()));
    assert!(matches!(check(None, Some("b"), json!({})), Err(InvalidSignature::Signature { .. })));
    assert!(matches!(check(None, Some("c"), json!({})), Err(InvalidSignature::UnknownKey { .. })));
    assert_eq!(check(None, None, json!({})), Err(InvalidSignature::NoKeyId));
    let unknown = Verification::new(keys(), Some("c".to_owned()), None, &[]).unwrap_err();
    assert_eq!(unknown.to_string(), "there is no verification key `c`; there is `a`, `b`");
}

#[test]
fn every_file_is_signed_and_every_signed_file_is_there() {
    let (_, verification) = secret();
    let good = signed_with(example(), json!({}));
    let with = |change: &dyn Fn(&mut Vec<File>)| {
        let mut package = good.clone();
        change(&mut package.files);
        package.files.sort();
        verification.verify(&package, NOW)
    };
    let path = || "x.rego".to_owned();
    let added = with(&|files| files.push(File { path: path(), bytes: Vec::new() }));
    assert_eq!(added, Err(InvalidSignature::NotSigned { path: path() }));
    let missing = with(&|files| files.retain(|file| file.path != "authz/p.rego"));
    assert_eq!(missing, Err(InvalidSignature::Missing { path: "authz/p.rego".to_owned() }));
    let changed = with(&|files| files[3].bytes.push(b' '));
    assert_eq!(changed, Err(InvalidSignature::Changed { path: "authz/p.rego".to_owned() }));
    let twice = with(&|files| files.push(files[3].clone()));
    assert_eq!(twice, Err(InvalidSignature::Duplicate { path: "authz/p.rego".to_owned() }));
    let layout =
        with(&|files| files[1].bytes = br#"{ "on":true, "names":["x","y"],"limits":{"a":1.50,"b":2}}"#.to_vec());
    assert_eq!(layout, Ok(()));
    let number = with(&|files| files[1].bytes = br#"{"on":true,"names":["x","y"],"limits":{"a":1.5,"b":2}}"#.to_vec());
    assert_eq!(number, Err(InvalidSignature::Changed { path: "authz/data.json".to_owned() }));

    let mut listed = payload(&good);
    let first = listed["files"][0].clone();
    listed["files"].as_array_mut().unwrap().push(json!({"name": "./.manifest", "hash": "00", "algorithm": "SHA-256"}));
    let header = json!({"alg": "HS256"});
    let duplicate = verification.verify(&token_of(&good, &header, &listed), NOW);
    assert_eq!(duplicate, Err(InvalidSignature::Duplicate { path: ".manifest".to_owned() }));
    for algorithm in ["MD5", "SHA-1", "", "sha-256"] {
        let mut listed = payload(&good);
        listed["files"][0] = json!({"name": first["name"], "hash": first["hash"], "algorithm": algorithm});
        let refused = verification.verify(&token_of(&good, &header, &listed), NOW).unwrap_err();
        assert!(matches!(refused, InvalidSignature::Hash { .. }), "{algorithm}: {refused}");
    }
}

#[test]
fn names_count_without_what_archives_write_before_them() {
    let (_, verification) = secret();
    let mut good = signed_with(example(), json!({}));
    let mut listed = payload(&good);
    for (at, before) in ["/", "./", ".//"].into_iter().enumerate() {
        let name = format!("{before}{}", listed["files"][at]["name"].as_str().unwrap());
        listed["files"][at]["name"] = json!(name);
    }
    good = token_of(&good, &json!({"alg": "HS256"}), &listed);
    assert_eq!(verification.verify(&good, NOW), Ok(()));
    good.files[4].path.insert(0, '/');
    assert_eq!(verification.verify(&good, NOW), Ok(()));
}

#[test]
fn excluded_files_need_no_signature() {
    let key = VerificationKey::new(Algorithm::Hs256, SECRET, "").unwrap();
    let keys = BTreeMap::from([("k".to_owned(), key)]);
    let verification =
        |exclude: &str| Verification::new(keys.clone(), Some("k".to_owned()), None, &[exclude.to_owned()]).unwrap();
    let mut package = signed_with(example(), json!({}));
    package.files[4].bytes.clear();
    package.files.push(File { path: "authz/z_test.rego".to_owned(), bytes: Vec::new() });
    assert_eq!(verification("authz/*_test.rego").verify(&package, NOW), Ok(()));
    assert!(verification("*_test.rego").verify(&package, NOW).is_err());
    let wrong = Verification::new(keys.clone(), None, None, &["[".to_owned()]).unwrap_err();
    assert_eq!(wrong, InvalidVerification::Pattern { pattern: "[".to_owned() });
}

#[test]
fn nothing_unsigned_is_taken() {
    let (_, verification) = secret();
    assert_eq!(verification.verify(&example(), NOW), Err(InvalidSignature::Unsigned));
    let delta = package(&[("patch.json", r#"{"data":[]}"#)]);
    assert_eq!(verification.verify(&delta, NOW), Err(InvalidSignature::Unsigned));
    let mut delta = signed_with(delta, json!({}));
    assert_eq!(verification.verify(&delta, NOW), Ok(()));
    delta.files[0].bytes.push(b'\n');
    assert!(matches!(verification.verify(&delta, NOW), Err(InvalidSignature::Changed { .. })));
    let good = signed_with(example(), json!({}));
    let Json::Object(file) = serde_json::from_slice(good.signatures.as_ref().unwrap()).unwrap() else { panic!() };
    let token = &file["signatures"][0];
    for (signatures, count) in [(json!({"signatures": []}), 0), (json!({"signatures": [token, token]}), 2)] {
        let package = Package { signatures: Some(signatures.to_string().into_bytes()), ..good.clone() };
        assert_eq!(verification.verify(&package, NOW), Err(InvalidSignature::Count { count }));
    }
    for signatures in ["", "{}", "[]", "{\"signatures\": [1]}", "{\"signatures\":[], \"signatures\":[]}"] {
        let package = Package { signatures: Some(signatures.as_bytes().to_vec()), ..good.clone() };
        let refused = verification.verify(&package, NOW).unwrap_err();
        assert!(matches!(refused, InvalidSignature::File { .. }), "{signatures}: {refused}");
    }
    let plugin = json!({"signatures": [token], "plugin": "custom"}).to_string().into_bytes();
    let package = Package { signatures: Some(plugin), ..good.clone() };
    assert!(matches!(verification.verify(&package, NOW), Err(InvalidSignature::Plugin { .. })));
}

#[test]
fn large_tokens_are_taken() {
    let (_, verification) = secret();
    let files: Vec<File> =
        (0..20_000).map(|at| File { path: format!("a/{at:06}.rego"), bytes: vec![b'#'; at % 7] }).collect();
    let package = signed_with(Package { files, ..Package::default() }, json!({}));
    assert!(package.signatures.as_ref().unwrap().len() > 2_000_000);
    assert_eq!(verification.verify(&package, NOW), Ok(()));
}
