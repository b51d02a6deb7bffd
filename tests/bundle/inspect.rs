//! `verdict bundle inspect` and `diff`.

use serde_json::{Value, json};

use crate::{common::folder, policies, ran};

#[test]
fn shows_what_is_there_however_bad() {
    let folder = folder(&[
        ("b/.manifest", "{\"revision\": \"r\\u001b[31m\", \"roots\": [\"a\"]}"),
        ("b/a.rego", "package a\nallow if {"),
        ("b/x/b.rego", "package c[\"d\"]\n"),
        ("d/patch.json", "{\"data\": []}"),
    ]);
    let (out, _) = ran(folder.path(), &["inspect", "b"], 0);
    assert!(out.contains("roots      `a`") && out.contains("unreadable") && !out.contains('\u{1b}'), "{out}");
    let (out, _) = ran(folder.path(), &["inspect", "b", "--format", "json"], 0);
    let inspected: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&inspected["kind"], &inspected["packages"]), (&json!("bundle"), &json!(["data.c.d"])));
    assert_eq!(inspected["faults"].as_array().unwrap().len(), 1);
    ran(folder.path(), &["inspect", "nowhere"], 2);
    ran(folder.path(), &["inspect"], 64);
}

#[test]
fn tells_rules_and_data_that_differ() {
    let old = policies();
    let at = old.path();
    ran(at, &["build", "policies", "-o", "old.tar.gz"], 0);
    let (out, _) = ran(at, &["diff", "old.tar.gz", "old.tar.gz"], 0);
    assert_eq!(out, "nothing differs\n");
    let write = |path: &str, text: &str| std::fs::write(at.join("policies").join(path), text).unwrap();
    write(
        "authz/allow.rego",
        "package authz\n\nimport data.limits # same\n\n# why\nallow if { input.size<limits.size }\n\ndeny contains \"x\" if true\n",
    );
    write(
        "limits/data.json",
        "{\"names\":[\"<a>\",\"\\u2028\",\"b/\"],\"size\": 1.50e1,\"big\":123456789012345678901234567891}",
    );
    write("authz/allow_test.rego", "package authz_test\n");
    ran(at, &["build", "policies", "-o", "new.tar.gz", "--revision", "r2"], 0);
    let (out, _) = ran(at, &["diff", "old.tar.gz", "new.tar.gz"], 1);
    let wanted = "\
revision: `r1` -> `r2`
rules:
  + data.authz.deny
  - data.authz_test (imports)
  - data.authz_test.test_a
data:
  ~ /limits/big
policies:
  ~ authz/allow.rego
  ~ authz/allow_test.rego
";
    assert_eq!(out, wanted);
    let (out, _) = ran(at, &["diff", "old.tar.gz", "new.tar.gz", "--format", "json", "--limit", "1"], 1);
    let difference: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        difference["rules"],
        json!({"added": ["data.authz.deny"], "removed": ["data.authz_test (imports)"], "changed": [], "more": 1})
    );
    write("authz/allow.rego", "package authz\n\nallow if {\n");
    ran(at, &["diff", "old.tar.gz", "policies"], 2);
}

#[test]
fn a_push_that_reaches_nobody_is_2() {
    let folder = policies();
    ran(folder.path(), &["build", "policies", "-o", "main.tar.gz"], 0);
    let (_, said) = ran(folder.path(), &["push", "main.tar.gz", "--to", "unix:/nowhere/admin.sock", "--dry-run"], 2);
    assert!(said.contains("can't reach") && said.contains("/nowhere/admin.sock"), "{said}");
    let (_, said) = ran(folder.path(), &["push", "policies/README.md", "--to", "unix:/nowhere/admin.sock"], 2);
    assert!(said.contains("`policies/README.md` is no bundle"), "{said}");
    ran(folder.path(), &["push"], 64);
}
