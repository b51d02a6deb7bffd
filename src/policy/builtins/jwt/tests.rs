//! Against `opa` 1.20.2: `cases.json` has what it answered, made with keys of our own.

use std::time::{Duration, Instant};

use super::super::corpus;

#[test]
fn answers_as_opa_does() {
    corpus::check(include_str!("cases.json"));
}

#[test]
fn what_crashes_opa_does_not_verify() {
    let sign = |claims: &str, header: &str| {
        format!(r#"io.jwt.encode_sign({header}, {claims}, {{"kty": "oct", "k": "c2VjcmV0"}})"#)
    };
    let plain = r#"{"alg": "HS256"}"#;
    let verify = |token: &str| format!(r#"io.jwt.decode_verify({token}, {{"secret": "secret", "iss": "me"}})[0]"#);
    assert_eq!(corpus::value(&verify(&sign(r#"{"iss": "me"}"#, plain)), false), Ok(Some("true".to_owned())));
    for issuer in ["1", "null", "[\"me\"]", "{\"me\": 1}"] {
        let token = sign(&format!("{{\"iss\": {issuer}}}"), plain);
        assert_eq!(corpus::value(&verify(&token), false), Ok(Some("false".to_owned())), "{issuer}");
    }
    let token = sign("{}", r#"{"alg": "HS256", "cty": 1}"#);
    assert_eq!(corpus::value(&format!("io.jwt.decode({token})"), false), Ok(None));
}

#[test]
fn the_time_is_now_where_the_policy_gives_none() {
    for (claims, expected) in [
        (r#"{"exp": 4000000000}"#, "true"),
        (r#"{"exp": 1000000000}"#, "false"),
        (r#"{"nbf": 4000000000}"#, "false"),
        ("{}", "true"),
    ] {
        let token = format!(r#"io.jwt.encode_sign({{"alg": "HS256"}}, {claims}, {{"kty": "oct", "k": "c2VjcmV0"}})"#);
        let rego = format!(r#"io.jwt.decode_verify({token}, {{"secret": "secret"}})[0]"#);
        assert_eq!(corpus::value(&rego, false), Ok(Some(expected.to_owned())), "{claims}");
    }
}

#[test]
fn what_would_take_long_ends_the_evaluation() {
    let key = r#"{"kty":"EC","crv":"P-256","x":"MTIz","y":"MTIz"}"#;
    let keys = vec![key; 101].join(",");
    for rego in [
        // Two million bytes of a token, and as many of a key.
        r#"io.jwt.decode(sprintf("%2000000d", [1]))"#.to_owned(),
        r#"io.jwt.verify_rs256("a.b.c", sprintf("%2000000d", [1]))"#.to_owned(),
        format!("io.jwt.verify_es256(\"e30.e30.\", `{{\"keys\":[{keys}]}}`)"),
        // Deeper than the parser of JSON goes, and an exponent that would fill memory.
        format!(
            r#"io.jwt.decode(concat(".", [base64url.encode("{{}}"), base64url.encode("{}"), ""]))"#,
            "[".repeat(500)
        ),
        r#"io.jwt.decode(concat(".", ["e30", base64url.encode("{\"exp\": 1e999999999}"), ""]))"#.to_owned(),
    ] {
        let started = Instant::now();
        let result = corpus::value(&rego, false);
        assert!(result.is_err(), "{} gave {result:?}", rego.chars().take(100).collect::<String>());
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn numbers_of_keys_that_are_too_large_verify_nothing() {
    // An exponent and a modulus that would take hours.
    let large = "_".repeat(40_000);
    for key in [
        format!(r#"{{"kty":"RSA","n":"{large}","e":"AQAB"}}"#),
        format!(r#"{{"kty":"RSA","n":"{large}","e":"{large}"}}"#),
        format!(r#"{{"kty":"RSA","n":"{large}","e":"AQAB","d":"{large}","p":"{large}","q":"{large}"}}"#),
    ] {
        let started = Instant::now();
        let result = corpus::value(&format!("io.jwt.verify_rs256(\"e30.e30.{large}\", `{key}`)"), false);
        assert_ne!(result, Ok(Some("true".to_owned())));
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn no_secret_is_in_an_error() {
    for rego in [
        r#"io.jwt.decode_verify("a.b.c", {"secret": "hunter2", "cert": "hunter2"})"#,
        r#"io.jwt.encode_sign({"alg": "RS256"}, {}, {"kty": "oct", "k": "hunter2a"})"#,
        r#"io.jwt.encode_sign_raw("{}", "{}", "hunter2")"#,
        r#"crypto.parse_private_keys("-----BEGIN PRIVATE KEY-----\nhunter2a\n-----END PRIVATE KEY-----\n")"#,
        r#"providers.aws.sign_req({"method": "get", "url": "http://x"}, {"aws_service": 1,
            "aws_access_key": "hunter2", "aws_secret_access_key": "hunter2", "aws_region": "r"}, 1)"#,
    ] {
        let error = corpus::value(rego, true).unwrap_err();
        let cause = error.lines().last().unwrap_or_default();
        assert!(cause.contains("error") && !cause.contains("hunter2"), "{cause}");
    }
}
