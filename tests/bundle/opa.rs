//! What the real `opa` makes is taken here, and what is made here is taken by it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    common::{code, err, out},
    keys, policies, ran,
};

/// The program, or a word that the test is skipped.
fn find() -> Option<PathBuf> {
    let named = env::var_os("VERDICT_TEST_OPA").map(PathBuf::from).filter(|file| file.is_file());
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = || env::split_paths(&path).map(|folder| folder.join("opa")).find(|file| file.is_file());
    let found = named.or_else(on_path);
    if found.is_none() {
        let required = env::var("VERDICT_TEST_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|tool| tool == "opa"), "VERDICT_TEST_OPA names no program");
        println!("skipped: no opa (name it in VERDICT_TEST_OPA)");
    }
    found
}

fn opa(program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).current_dir(folder).output().unwrap()
}

#[track_caller]
fn opa_takes(program: &Path, folder: &Path, arguments: &[&str]) -> String {
    let output = opa(program, folder, arguments);
    assert_eq!(code(&output), 0, "opa {arguments:?}\n{}{}", out(&output), err(&output));
    out(&output)
}

/// A signature is over names as the archive has them; `./` is left out by us, and not by OPA.
fn pack(folder: &Path) {
    let names = "cd policies && tar czf ../packed.tar.gz $(find . -type f | sed 's#^./##')";
    assert!(Command::new("sh").args(["-c", names]).current_dir(folder).status().unwrap().success());
}

#[test]
fn a_bundle_built_here_is_evaluated_by_opa() {
    let Some(program) = find() else { return };
    let folder = policies();
    ran(
        folder.path(),
        &[
            "build",
            "policies",
            "-o",
            "b.tar.gz",
            "--root",
            "authz",
            "--root",
            "authz_test",
            "--root",
            "limits",
            "--root",
            "more",
        ],
        0,
    );
    fs::write(folder.path().join("input.json"), "{\"size\": 14.9}").unwrap();
    let said =
        opa_takes(&program, folder.path(), &["eval", "-b", "b.tar.gz", "-i", "input.json", "-f", "values", "data"]);
    let values: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(values[0]["authz"]["allow"], json!(true), "{said}");
    assert_eq!(values[0]["limits"]["big"].to_string(), "123456789012345678901234567890");
    assert_eq!(values[0]["more"]["b"][3], json!(31));
    let inspected = opa_takes(&program, folder.path(), &["inspect", "b.tar.gz", "-f", "json"]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["manifest"]["revision"], json!("r1"), "{inspected}");
    opa_takes(&program, folder.path(), &["test", "-b", "b.tar.gz"]);
}

#[test]
fn a_bundle_signed_here_is_verified_by_opa_and_the_other_way() {
    let Some(program) = find() else { return };
    let folder = policies();
    let at = folder.path();
    // Outside of the folder that is bundled, as OPA takes every file.
    fs::remove_dir_all(at.join("policies/.git")).unwrap();
    for algorithm in keys::ALGORITHMS {
        keys::write(at, algorithm, algorithm);
        keys::write(at, "other", algorithm);
        let (key, public) = (format!("{algorithm}.key"), format!("{algorithm}.pub"));
        let signing = ["--signing-key", &key, "--signing-alg", algorithm];
        let verifying = ["--verification-key", &public, "--signing-alg", algorithm];
        let others = ["--verification-key", "other.pub", "--signing-alg", algorithm];

        ran(at, &[&["build", "policies", "-o", "ours.tar.gz"], &signing[..]].concat(), 0);
        opa_takes(&program, at, &[&["build", "-b", "ours.tar.gz", "-o", "again.tar.gz"], &verifying[..]].concat());
        let refused = opa(&program, at, &[&["build", "-b", "ours.tar.gz", "-o", "no.tar.gz"], &others[..]].concat());
        assert_ne!(code(&refused), 0, "{algorithm}");

        opa_takes(&program, at, &[&["build", "-b", "policies", "-o", "theirs.tar.gz"], &signing[..]].concat());
        ran(at, &[&["verify", "theirs.tar.gz"], &verifying[..]].concat(), 0);
        ran(at, &[&["verify", "theirs.tar.gz"], &others[..]].concat(), 1);
    }
}

/// `opa sign` signs files as they are: JSON and YAML are made canonical by it, and by us.
#[test]
fn a_folder_signed_by_opa_is_verified_here_as_a_folder_and_as_an_archive() {
    let Some(program) = find() else { return };
    let folder = policies();
    let at = folder.path();
    fs::remove_dir_all(at.join("policies/.git")).unwrap();
    keys::write(at, "k", "ES256");
    fs::write(at.join("claims.json"), "{\"scope\": \"write\", \"exp\": 4000000000, \"keyid\": \"k\"}").unwrap();
    let inside = at.join("policies");
    let signing = ["sign", "--bundle", ".", "--signing-key", "../k.key", "--signing-alg", "ES256"];
    opa_takes(&program, &inside, &[&signing[..], &["--claims-file", "../claims.json"]].concat());
    let verifying = ["--verification-key", "k.pub", "--signing-alg", "ES256"];
    let scope = ["--scope", "write"];
    ran(at, &[&["verify", "policies"], &verifying[..], &scope].concat(), 0);
    ran(at, &[&["verify", "policies"], &verifying[..], &scope, &["--verification-key-id", "k"]].concat(), 0);
    ran(at, &[&["verify", "policies"], &verifying[..], &scope, &["--verification-key-id", "j"]].concat(), 1);
    let (_, refused) = ran(at, &[&["verify", "policies"], &verifying[..]].concat(), 1);
    assert!(refused.contains("scope `write`"), "{refused}");
    let tar = Command::new("tar").args(["czf", "packed.tar.gz", "-C", "policies", "."]).current_dir(at).status();
    assert!(tar.unwrap().success());
    ran(at, &[&["verify", "packed.tar.gz"], &verifying[..], &scope].concat(), 0);
    pack(at);
    ran(at, &[&["verify", "packed.tar.gz"], &verifying[..], &scope].concat(), 0);
    opa_takes(&program, at, &[&["build", "-b", "packed.tar.gz", "-o", "o.tar.gz"], &verifying[..], &scope].concat());
    fs::write(inside.join("more/data.yaml"), "a: 1.5\n").unwrap();
    let (_, refused) = ran(at, &[&["verify", "policies"], &verifying[..], &scope].concat(), 1);
    assert!(refused.contains("`more/data.yaml` was changed"), "{refused}");
}

#[test]
fn a_folder_signed_here_is_verified_by_opa() {
    let Some(program) = find() else { return };
    let folder = policies();
    let at = folder.path();
    fs::remove_dir_all(at.join("policies/.git")).unwrap();
    keys::write(at, "k", "HS256");
    ran(at, &["sign", "policies", "--signing-key", "k.key", "--signing-alg", "HS256"], 0);
    let tar = Command::new("tar").args(["czf", "packed.tar.gz", "-C", "policies", "."]).current_dir(at).status();
    assert!(tar.unwrap().success());
    let verifying = ["--verification-key", "k.pub", "--signing-alg", "HS256"];
    ran(at, &[&["verify", "packed.tar.gz"], &verifying[..]].concat(), 0);
    pack(at);
    opa_takes(&program, at, &[&["build", "-b", "packed.tar.gz", "-o", "o.tar.gz"], &verifying[..]].concat());
}
