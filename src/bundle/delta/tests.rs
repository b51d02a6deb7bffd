//! What deltas do, each made with `opa eval` of the documented semantics or of OPA's source.

use super::*;
use crate::bundle::InvalidArchive;

fn package(files: &[(&str, &str)]) -> Package {
    let files = files.iter().map(|(path, text)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() });
    let package: Result<_, InvalidArchive> = Package::from_files(files);
    package.unwrap()
}

fn patched(data: &str, operations: &str) -> Result<String, String> {
    let delta = package(&[("patch.json", &format!("{{\"data\": [{operations}]}}"))]);
    let whole = package(&[("data.json", data), ("p.rego", "package p")]).apply(&delta);
    let whole = whole.map_err(|error| error.to_string())?;
    Ok(String::from_utf8(whole.file("data.json").unwrap().bytes.clone()).unwrap())
}

#[test]
fn operations_are_opas() {
    for (data, operations, expected) in [
        (r#"{"a":{"b":1}}"#, r#"{"op":"upsert","path":"/a/b","value":2}"#, r#"{"a":{"b":2}}"#),
        (r#"{"a":{"b":1}}"#, r#"{"op":"upsert","path":"/a/c/d","value":null}"#, r#"{"a":{"b":1,"c":{"d":null}}}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"upsert","path":"/a/1","value":7}"#, r#"{"a":[1,7,2]}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"upsert","path":"a/-/","value":7}"#, r#"{"a":[1,2,7]}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"upsert","path":"/a/2","value":7}"#, r#"{"a":[1,2,7]}"#),
        (r#"{"a":[1,{"b":2}]}"#, r#"{"op":"replace","path":"/a/1/b","value":[]}"#, r#"{"a":[1,{"b":[]}]}"#),
        (r#"{"a":[1,2]}"#, r#"{"op":"remove","path":"/a/0"}"#, r#"{"a":[2]}"#),
        (r#"{"a":1,"b":2}"#, r#"{"op":"remove","path":"/a","value":4}"#, r#"{"b":2}"#),
        (r#"{"a":1}"#, r#"{"op":"replace","path":"/","value":{"c":1}}"#, r#"{"c":1}"#),
        (r#"{"a/b":{"~":1}}"#, r#"{"op":"replace","path":"/a~1b/~0","value":2}"#, r#"{"a/b":{"~":2}}"#),
        (r#"{"a b":1}"#, r#"{"op":"replace","path":"/a%20b","value":2}"#, r#"{"a b":2}"#),
        ("{}", r#"{"op":"upsert","path":"/a","value":{}},{"op":"upsert","path":"/a/b","value":1}"#, r#"{"a":{"b":1}}"#),
        (
            r#"{"a":12345678901234567890123,"b":1.10,"c":1e400}"#,
            r#"{"op":"upsert","path":"/d","value":0.10000000000000000000001}"#,
            r#"{"a":12345678901234567890123,"b":1.10,"c":1e400,"d":0.10000000000000000000001}"#,
        ),
    ] {
        assert_eq!(patched(data, operations).as_deref(), Ok(expected), "{data} {operations}");
    }
}

#[test]
fn what_is_not_there_is_neither_replaced_nor_removed() {
    for (data, operations, expected) in [
        (r#"{"a":1}"#, r#"{"op":"replace","path":"/b","value":2}"#, "there is no `b`"),
        (r#"{"a":1}"#, r#"{"op":"remove","path":"/b"}"#, "there is no `b`"),
        (r#"{"a":1}"#, r#"{"op":"upsert","path":"/a/b","value":2}"#, "there is no `b`"),
        (r#"{"a":1}"#, r#"{"op":"upsert","path":"/a/b/c","value":2}"#, "there is no `b`"),
        (r#"{"a":[1]}"#, r#"{"op":"upsert","path":"/a/3","value":2}"#, "there is no `3`"),
        (r#"{"a":[1]}"#, r#"{"op":"upsert","path":"/a/1/x","value":2}"#, "there is no `1`"),
        (r#"{"a":[1]}"#, r#"{"op":"remove","path":"/a/-"}"#, "there is no `-`"),
        (r#"{"a":[1]}"#, r#"{"op":"replace","path":"/a/1","value":2}"#, "there is no `1`"),
        (r#"{"a":[1]}"#, r#"{"op":"replace","path":"/a/x","value":2}"#, "there is no `x`"),
        (r#"{"a":1}"#, r#"{"op":"remove","path":"/"}"#, "all of the data can't be removed"),
        (r#"{"a":1}"#, r#"{"op":"replace","path":"","value":[]}"#, "all of the data is an object"),
        (r#"{"a":1}"#, r#"{"op":"add","path":"/b","value":1}"#, "there is no such operation"),
        (r#"{"a":1}"#, r#"{"op":"upsert","path":"/b"}"#, "it has no `value`"),
        (r#"{"a":1}"#, r#"{"op":"upsert","path":"/%zz","value":1}"#, "a `%` in it escapes nothing"),
        (r#"{"a":1}"#, r#"{"op":"upsert","value":1}"#, "missing field `path`"),
        (r#"{"a":1}"#, r#"{"op":"upsert","op":"remove","path":"/a","value":1}"#, "duplicate field `op`"),
        (r#"{"a":1}"#, "7", "invalid type"),
        ("[1]", r#"{"op":"upsert","path":"/b","value":1}"#, "conflicts with other data"),
    ] {
        let found = patched(data, operations).unwrap_err();
        assert!(found.contains(expected), "{data} {operations}: {found}");
    }
    let deep = format!("{{\"op\":\"upsert\",\"path\":\"{}\",\"value\":1}}", "/a".repeat(20_000));
    assert!(patched("{}", &deep).unwrap_err().contains("deeper than 127"));
    let deep = format!("{}1{}", "{\"a\":".repeat(20_000), "}".repeat(20_000));
    let whole = package(&[("data.json", &deep), ("a/data.json", &deep)]);
    let delta = package(&[("patch.json", r#"{"data":[{"op":"upsert","path":"/b","value":1}]}"#)]);
    assert!(whole.apply(&delta).unwrap_err().to_string().contains("deeper than 127"));
}

#[test]
fn a_delta_keeps_to_its_bundle() {
    let whole = package(&[
        (".manifest", r#"{"revision":"1","roots":["a","b/c"],"rego_version":0}"#),
        ("a/data.yaml", "x: 1\n\"y\": [2]"),
        ("b/c/data.json", "{}"),
        (".signatures.json", "{}"),
        ("p.rego", "package a.p"),
    ]);
    let with = |manifest: &str, path: &str| {
        let patch = format!("{{\"data\": [{{\"op\": \"upsert\", \"path\": \"{path}\", \"value\": 1}}]}}");
        whole.apply(&package(&[(".manifest", manifest), ("patch.json", &patch)]))
    };
    let changed = with(r#"{"revision":"2","roots":["b/c","/a"],"metadata":{"k":1}}"#, "/a/z").unwrap();
    assert_eq!((changed.manifest.revision.as_str(), changed.manifest.rego_version), ("2", Some(0)));
    assert_eq!(changed.signatures, None);
    let names: Vec<&str> = changed.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, [".manifest", "data.json", "p.rego"]);
    assert_eq!(changed.file("data.json").unwrap().bytes, br#"{"a":{"x":1,"y":[2],"z":1},"b":{"c":{}}}"#);
    assert_eq!(Package::from_files(changed.files.clone()).unwrap(), changed);

    assert!(matches!(with(r#"{"revision":"2"}"#, "/a/z"), Err(InvalidDelta::Roots { .. })));
    assert!(matches!(with(r#"{"roots":["a"]}"#, "/a/z"), Err(InvalidDelta::Roots { .. })));
    for path in ["/b/d", "/", "/b", "/b%2Fc", "/ab"] {
        let found = with(r#"{"roots":["a","b/c"]}"#, path).unwrap_err().to_string();
        assert!(found.contains("outside of the bundle's roots"), "{path}: {found}");
    }
    let with = |files: &[(&str, &str)]| whole.apply(&package(files));
    assert_eq!(with(&[("data.json", "{}")]), Err(InvalidDelta::Whole));
    assert!(matches!(with(&[("patch.json", "{}"), ("p.rego", "package a")]), Err(InvalidDelta::Content { .. })));
    assert!(matches!(with(&[("patch.json", "{}"), ("x/data.yml", "a: 1")]), Err(InvalidDelta::Content { .. })));
    let roots = (".manifest", r#"{"roots":["a","b/c"]}"#);
    assert!(matches!(with(&[roots, ("patch.json", r#"{"Data":[]}"#)]), Err(InvalidDelta::Patch { .. })));
    let delta = package(&[("patch.json", "{}")]);
    assert_eq!(delta.apply(&delta), Err(InvalidDelta::OfDelta));
}

#[test]
fn an_empty_delta_changes_nothing() {
    let whole = package(&[("data.json", "{\"a\": 1}"), ("p.rego", "package p"), (".signatures.json", "{}")]);
    for patch in ["{}", "{\"data\": []}", "{\"data\": null}"] {
        assert_eq!(whole.apply(&package(&[("patch.json", patch)])), Ok(whole.clone()), "{patch}");
    }
    let named = whole.apply(&package(&[(".manifest", "{\"revision\": \"7\"}"), ("patch.json", "{}")])).unwrap();
    assert_eq!((named.manifest.revision.as_str(), named.file("data.json")), ("7", whole.file("data.json")));
}
