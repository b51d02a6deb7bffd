//! Bundles to archives and back, and several to one set.

use std::sync::Arc;

use super::*;

fn package(files: &[(&str, &str)]) -> Package {
    try_package(files).unwrap()
}

fn try_package(files: &[(&str, &str)]) -> Result<Package, InvalidArchive> {
    Package::from_files(
        files.iter().map(|(path, text)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() }),
    )
}

fn set(bundles: &[(&str, &[(&str, &str)])]) -> Result<Bundle, InvalidSet> {
    let packages: Vec<_> = bundles.iter().map(|(name, files)| ((*name).to_owned(), Arc::new(package(files)))).collect();
    assemble(&packages)
}

#[test]
fn what_is_written_is_read_again() {
    let long = format!("{}p.rego", "a-long-folder/".repeat(12));
    let written = package(&[
        (".manifest", r#"{"revision":"r1","roots":["a"]}"#),
        ("a/p.rego", "package a"),
        (&long, "package a.b"),
        ("README.md", "# not OPA's"),
        (".signatures.json", "{}"),
    ]);
    assert_eq!((written.files.len(), written.signatures.as_deref()), (4, Some(&b"{}"[..])));
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        let bytes = written.write(compression);
        assert_eq!(bytes, written.clone().write(compression), "{compression:?}");
        assert_eq!(Package::read(&bytes, &Limits::default()), Ok(written.clone()), "{compression:?}");
    }
}

#[test]
fn a_single_bundle_has_the_digest_of_its_files() {
    let files: &[(&str, &str)] = &[("p.rego", "package a"), ("data.json", "{}"), ("p_test.rego", "package a_test")];
    let folder = Bundle::from_files(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    assert_eq!(set(&[("one", files)]).unwrap().digest, folder.unwrap().digest);
    let v0 = set(&[("one", &[files, &[(".manifest", r#"{"rego_version":0}"#)]].concat())]).unwrap();
    assert_ne!(v0.digest, set(&[("one", files)]).unwrap().digest);
    assert_eq!(v0.modules[0].version, Some(RegoVersion::V0));
}

#[test]
fn bundles_together_keep_to_their_roots() {
    let a: (&str, &[(&str, &str)]) = (
        "a",
        &[
            (".manifest", r#"{"revision":"1","roots":["a","/x/y/"]}"#),
            ("p.rego", "package a"),
            ("data.json", r#"{"a": {"n": 1}, "x": {"y": 2.5}}"#),
            ("x/data.yaml", "\"y\": [1]"),
        ],
    );
    let b: (&str, &[(&str, &str)]) =
        ("b", &[(".manifest", r#"{"roots":["b"]}"#), ("p.rego", "package b"), ("b/data.json", "17")]);
    let both = set(&[a, b]).unwrap();
    assert_eq!(both.modules.iter().map(|module| module.path.as_str()).collect::<Vec<_>>(), ["a/p.rego", "b/p.rego"]);
    assert_eq!(both.bundles, [("a", "1"), ("b", "")].map(|(name, it)| (name.to_owned(), it.to_owned())).into());
    let refused = |bundles: &[(&str, &[(&str, &str)])]| set(bundles).unwrap_err().to_string();
    assert_eq!(
        refused(&[a, ("c", &[(".manifest", r#"{"roots":["x/y/z"]}"#)])]),
        "bundles `a` and `c` both own `x/y/z`; make the `roots` of their manifests disjoint"
    );
    assert_eq!(
        refused(&[a, ("c", &[("p.rego", "package c")])]),
        "bundles `a` and `c` both own `a`; make the `roots` of their manifests disjoint"
    );
    let nested = |name: &'static str, root: &str, path: &'static str| {
        let manifest = format!("{{\"roots\": [\"{root}\"]}}");
        (name.to_owned(), Arc::new(package(&[(".manifest", &manifest), (path, "package x")])))
    };
    let same = assemble(&[nested("n", "a", "m/p.rego"), nested("n/m", "b", "p.rego")]);
    assert_eq!(same, Err(InvalidSet::SamePath { path: "n/m/p.rego".to_owned() }));
    for (data, path) in [
        (r#"{"a": 1, "b": 2}"#, "b"),
        (r#"{"x": {"z": 2}}"#, "x/z"),
        (r#"{"x": 3}"#, "x"),
        (r#"{"x": [3]}"#, "x"),
        (r#"{"x": "t"}"#, "x"),
        (r#"{"c": {"d": 1}}"#, "c"),
    ] {
        for name in ["data.json", "data.yaml"] {
            let found = refused(&[("a", &[(".manifest", r#"{"roots":["a","x/y"]}"#), (name, data)])]);
            assert!(
                found.starts_with(&format!("bundle `a`: {name} has data at `{path}`, but its roots are")),
                "{found}"
            );
        }
    }
    let outside = refused(&[("a", &[(".manifest", r#"{"roots":["a"]}"#), ("b/data.json", "{}")])]);
    assert!(outside.contains("`b`"), "{outside}");
}

fn bundle(files: &[(&str, &str)]) -> Bundle {
    Bundle::from_files(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))).unwrap()
}

#[test]
fn tells_policies_tests_and_data_apart() {
    let bundle = bundle(&[
        ("a/p.rego", "package a"),
        ("a/p_test.rego", "package a_test"),
        ("a/b/data.yaml", "x: 1"),
        ("data.json", "{}"),
        ("notes.md", "# no"),
    ]);
    assert_eq!(bundle.modules.len(), 1);
    assert_eq!(bundle.tests.len(), 1);
    assert_eq!(bundle.data.iter().map(|document| document.mount.join(".")).collect::<Vec<_>>(), ["a.b", ""]);
}

#[test]
fn hashes_what_is_served_and_nothing_else() {
    let one = bundle(&[("a.rego", "package a"), ("b.rego", "package b")]).digest;
    assert_eq!(one, bundle(&[("b.rego", "package b"), ("a.rego", "package a"), ("a_test.rego", "package t")]).digest);
    assert_ne!(one, bundle(&[("a.rego", "package a"), ("b.rego", "package c")]).digest);
    assert_ne!(one, bundle(&[("a.regob.rego", "package apackage b")]).digest);
}
