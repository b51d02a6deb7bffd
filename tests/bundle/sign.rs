//! `verdict bundle sign` and `verify`.

use std::fs;

use crate::{keys, policies, ran};

#[test]
fn signs_and_verifies_with_every_algorithm() {
    let folder = policies();
    let at = folder.path();
    ran(at, &["build", "policies", "-o", "b.tar.zst"], 0);
    for algorithm in keys::ALGORITHMS {
        keys::write(at, "k", algorithm);
        let signing = ["--signing-key", "k.key", "--signing-alg", algorithm, "--signing-key-id", "k1", "--scope", "s"];
        ran(at, &[&["sign", "b.tar.zst"], &signing[..], &["-o", "s.tar.zst"]].concat(), 0);
        let verifying = ["verify", "s.tar.zst", "--verification-key", "k.pub", "--alg", algorithm, "--scope", "s"];
        let (said, _) = ran(at, &verifying, 0);
        assert!(said.starts_with("s.tar.zst: the signature holds for 5 files; sha256:"), "{said}");
        ran(at, &[&verifying[..], &["--verification-key-id", "k1"]].concat(), 0);
        ran(at, &[&verifying[..], &["--verification-key-id", "k2"]].concat(), 1);
        ran(at, &verifying[..6], 1);
    }
    let (out, _) = ran(at, &["inspect", "s.tar.zst"], 0);
    assert!(out.contains("signature  not verified: ES512, by the key `k1`, for `s`, over 5 files"), "{out}");
    let unsigned = ["verify", "b.tar.zst", "--verification-key", "k.pub", "--alg", "ES512"];
    let (_, said) = ran(at, &unsigned, 1);
    assert!(said.contains("not signed"), "{said}");
}

#[test]
fn a_bundle_is_signed_in_its_place_and_stays_what_it_was() {
    let folder = policies();
    let at = folder.path();
    keys::write(at, "k", "HS256");
    ran(at, &["build", "policies", "-o", "b.tar.gz"], 0);
    ran(at, &["sign", "b.tar.gz", "--signing-key", "k.key", "--signing-alg", "HS256"], 0);
    let once = fs::read(at.join("b.tar.gz")).unwrap();
    ran(at, &["sign", "b.tar.gz", "--signing-key", "k.key", "--signing-alg", "HS256"], 0);
    assert_eq!(fs::read(at.join("b.tar.gz")).unwrap(), once);
    ran(at, &["verify", "b.tar.gz", "--verification-key", "k.pub", "--alg", "HS256"], 0);
    ran(at, &["build", "policies", "-o", "b2.tar.gz", "--signing-key", "k.key", "--signing-alg", "HS256"], 0);
    assert_eq!(fs::read(at.join("b2.tar.gz")).unwrap(), once);
}

#[test]
fn time_and_claims_count() {
    let folder = policies();
    let at = folder.path();
    keys::write(at, "k", "HS256");
    fs::write(at.join("past.json"), "{\"exp\": 1700000000, \"iss\": \"ci\"}").unwrap();
    fs::write(at.join("future.json"), "{\"nbf\": 4000000000}").unwrap();
    fs::write(at.join("files.json"), "{\"files\": []}").unwrap();
    let signing = ["--signing-key", "k.key", "--signing-alg", "HS256", "-o", "s.tar.gz", "--claims-file"];
    let verifying = ["verify", "s.tar.gz", "--verification-key", "k.pub", "--alg", "HS256"];
    ran(at, &["build", "policies", "-o", "b.tar.gz"], 0);
    ran(at, &[&["sign", "b.tar.gz"], &signing[..], &["past.json"]].concat(), 0);
    assert!(ran(at, &verifying, 1).1.contains("expired"));
    assert!(ran(at, &["inspect", "s.tar.gz"], 0).0.contains("expires 2023-11-14T22:13:20Z"));
    ran(at, &[&["sign", "b.tar.gz"], &signing[..], &["future.json"]].concat(), 0);
    assert!(ran(at, &verifying, 1).1.contains("not valid for"));
    ran(at, &[&["sign", "b.tar.gz"], &signing[..], &["files.json"]].concat(), 2);
}

#[test]
fn what_can_not_be_done_is_2_and_says_why() {
    let folder = policies();
    let at = folder.path();
    keys::write(at, "rs", "RS256");
    keys::write(at, "hs", "HS256");
    ran(at, &["build", "policies", "-o", "b.tar.gz"], 0);
    for (arguments, word) in [
        (&["sign", "b.tar.gz", "--signing-key", "nowhere"][..], "keys and secrets are in files"),
        (&["sign", "b.tar.gz", "--signing-key", "rs.pub"], "not a private key"),
        (&["sign", "b.tar.gz", "--signing-key", "hs.key"], "RS256 needs a key in PEM"),
        (&["sign", "b.tar.gz", "--signing-key", "rs.key", "--signing-alg", "HS256"], "needs a secret, and this is PEM"),
        (&["verify", "b.tar.gz", "--verification-key", "rs.key"], "not a public key"),
        (&["verify", "rs.key", "--verification-key", "rs.pub"], "`rs.key` is no bundle"),
    ] {
        let (_, said) = ran(at, arguments, 2);
        assert!(said.contains(word), "{said}");
        assert!(!said.contains("secret of hs") && !said.contains("MII"), "{said}");
    }
    for arguments in [
        &["sign", "b.tar.gz"][..],
        &["verify", "b.tar.gz"],
        &["sign", "b.tar.gz", "--signing-key", "rs.key", "--signing-alg", "none"],
        &["verify", "b.tar.gz", "--verification-key", "rs.pub", "--alg", "ES257"],
    ] {
        ran(at, arguments, 64);
    }
}
