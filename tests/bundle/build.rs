//! `verdict bundle build`.

use std::fs;

use crate::{common::folder, keys, policies, ran};

#[test]
fn the_same_files_make_the_same_bytes() {
    let (one, other) = (policies(), policies());
    fs::write(other.path().join("policies/authz/new.rego"), "").unwrap();
    fs::remove_file(other.path().join("policies/authz/new.rego")).unwrap();
    keys::write(one.path(), "k", "RS256");
    for name in ["k.key", "k.pub"] {
        fs::copy(one.path().join(name), other.path().join(name)).unwrap();
    }
    for extra in [&[][..], &["--compression", "zstd"], &["--signing-key", "k.key", "--revision", "x"]] {
        let made = [&one, &other].map(|folder| {
            ran(folder.path(), &[&["build", "policies"], extra].concat(), 0);
            fs::read(folder.path().join("bundle.tar.gz")).unwrap()
        });
        assert_eq!(made[0], made[1], "{extra:?}");
    }
}

#[test]
fn flags_make_the_manifest() {
    let folder = policies();
    let flags = ["--revision", "v2", "--root", "/authz/", "--root", "authz_test", "--root", "limits", "--root", "more"];
    let more = ["--metadata", "team=a=b", "--rego-version", "1"];
    let (_, said) = ran(folder.path(), &[&["build", "policies", "-o", "b.tar.gz"], &flags[..], &more].concat(), 0);
    assert!(said.starts_with("b.tar.gz: 5 files, ") && said.contains("revision v2; sha256:"), "{said}");
    let (out, _) = ran(folder.path(), &["inspect", "b.tar.gz", "--format", "json"], 0);
    let inspected: serde_json::Value = serde_json::from_str(&out).unwrap();
    let wanted = serde_json::json!({
        "revision": "v2",
        "roots": ["authz", "authz_test", "limits", "more"],
        "rego_version": 1,
        "metadata": {"kept": true, "team": "a=b"},
    });
    assert_eq!(inspected["manifest"], wanted);
    let paths: Vec<&str> =
        inspected["files"].as_array().unwrap().iter().filter_map(|file| file["path"].as_str()).collect();
    let wanted = [".manifest", "authz/allow.rego", "authz/allow_test.rego", "limits/data.json", "more/data.yaml"];
    assert_eq!(paths, wanted);
}

#[test]
fn several_folders_are_one_bundle_and_some_files_are_left_out() {
    let folder = folder(&[
        ("one/a/a.rego", "package a\nallow if data.b.x\n"),
        ("one/a/a_test.rego", "package a_test\n"),
        ("one/drafts/c.rego", "not rego"),
        ("two/b/data.yml", "x: true\n"),
        ("three/a/a.rego", "package a\n"),
    ]);
    let flags = ["--exclude", "drafts", "--without-tests", "-o", "b.tar.zst"];
    ran(folder.path(), &[&["build", "one", "two"], &flags[..]].concat(), 0);
    let archive = fs::read(folder.path().join("b.tar.zst")).unwrap();
    assert_eq!(archive[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    let (out, _) = ran(folder.path(), &["inspect", "b.tar.zst"], 0);
    assert!(out.contains("a/a.rego") && out.contains("b/data.yml") && out.contains("files      3,"), "{out}");
    let (_, said) = ran(folder.path(), &["build", "one", "three", "--exclude", "drafts"], 2);
    assert!(said.contains("`a/a.rego` is in `one` and in `three`"), "{said}");
}

#[test]
fn faults_keep_a_bundle_from_being_built() {
    let folder = folder(&[
        ("bad/a.rego", "package a\nallow if nosuch(1)\n"),
        ("v0/a.rego", "package a\nallow { input.x }\n"),
        ("outside/b/data.json", "{\"x\": 1}"),
        ("outside/.manifest", "{\"roots\": [\"a\"]}"),
        ("empty/README.md", ""),
    ]);
    let (_, said) = ran(folder.path(), &["build", "bad"], 1);
    assert!(said.contains("undefined function `nosuch`") && said.contains("a.rego:2"), "{said}");
    ran(folder.path(), &["build", "bad", "--no-check"], 0);
    ran(folder.path(), &["build", "v0"], 1);
    ran(folder.path(), &["build", "v0", "--rego-version", "0", "-o", "v0.tar.gz"], 0);
    let (out, _) = ran(folder.path(), &["inspect", "v0.tar.gz"], 0);
    assert!(out.contains("rego       v0") && out.contains("packages   data.a"), "{out}");
    let (_, said) = ran(folder.path(), &["build", "outside"], 2);
    assert!(said.contains("b/data.json"), "{said}");
    let (_, said) = ran(folder.path(), &["build", "empty"], 2);
    assert!(said.contains("no policies and no data"), "{said}");
    ran(folder.path(), &["build", "nowhere"], 2);
    ran(folder.path(), &["build"], 64);
    ran(folder.path(), &["build", "v0", "--rego-version", "2"], 64);
    ran(folder.path(), &["build", "v0", "--exclude", "["], 64);
    ran(folder.path(), &["build", "v0", "--metadata", "x"], 64);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".part")), "{left:?}");
}
