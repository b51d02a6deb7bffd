use serde_json::json;

use super::super::parser::parse;
use super::*;

/// The causes of the faults of a module with this text below its package.
fn faults(text: &str) -> Vec<String> {
    let faults = parse(&format!("package a.b\n{text}"), true).err();
    faults.into_iter().flatten().map(|fault| fault.cause).collect()
}

#[test]
fn a_rule_has_a_chain_as_in_opa() {
    let text = r"# METADATA
# scope: subpackages
# title: sub
package a.b

# METADATA
# title: 1.50
# description: |
#   foo
#   bar
# authors:
# - Jane Doe <j@x.org>
# - {email: z}
# organizations: [A, 2]
# related_resources:
# - https://x.org/a b
# - {ref: http://y, description: ' d '}
# schemas:
# - input: schema.foo
# - data.x.y: schema['b c']
# - input.z: {type: string}
# custom: {n: 1.50, l: [1, {a: b}], nul: null, y: yes, o: 0o17}
# labels: {a: b}
# compile: {unknowns: [input.x]}
# foo: bar
p[x] := 1 if x := 1

q := 2
# METADATA
# scope: document
# entrypoint: true
r.s.t := 3

# METADATA
# title: second
r.s.t := 4 if false else := 5
"
    .replace("schema['b c']", "schema[\"b c\"]");
    let module = parse(&text, true).unwrap();
    let other = parse("# METADATA\n# title: pkg\npackage a.b\nz := 1", true).unwrap();
    let chain = |at: usize, in_else: bool| chain(&[&other, &module], &module, &module.rules[at], in_else);
    let above = [
        json!({"annotations": {"scope": "package", "title": "pkg"}, "path": ["a", "b"]}),
        json!({"annotations": {"scope": "subpackages", "title": "sub"}, "path": ["a", "b"]}),
    ];
    let p = json!({"path": ["a", "b", "p"], "annotations": {
        "scope": "rule", "title": "1.50", "description": "foo\nbar\n", "organizations": ["A", "2"],
        "authors": [{"name": "Jane Doe", "email": "j@x.org"}, {"email": "z"}],
        "related_resources": [{"ref": "https://x.org/a%20b"}, {"ref": "http://y", "description": "d"}],
        "schemas": [
            {"path": ["input"], "schema": ["schema", "foo"]},
            {"path": ["data", "x", "y"], "schema": ["schema", "b c"]},
            {"path": ["input", "z"], "definition": {"type": "string"}},
        ],
        "custom": {"n": 1.5, "l": [1, {"a": "b"}], "nul": null, "y": "yes", "o": 15}, "labels": {"a": "b"},
    }});
    assert_eq!(chain(0, false), json!([p, above[0], above[1]]));
    assert_eq!(chain(1, false), json!([{"path": ["a", "b", "q"]}, above[0], above[1]]));
    let path = json!(["a", "b", "r", "s", "t"]);
    let document = json!({"path": path, "annotations": {"scope": "document", "entrypoint": true}});
    assert_eq!(chain(2, false), json!([{"path": path}, document, above[0], above[1]]));
    let second = json!({"path": path, "annotations": {"scope": "rule", "title": "second"}});
    assert_eq!(chain(3, false), json!([second, document, above[0], above[1]]));
    assert_eq!(chain(3, true), json!([{"path": path}, document, above[0], above[1]]));
    assert_eq!(rule(&module, &module.rules[3], false), json!({"scope": "rule", "title": "second"}));
    assert_eq!(rule(&module, &module.rules[1], false), json!({}));
    assert_eq!(redeclared(&[&other, &module, &other])[0].0, 2);
}

#[test]
fn accepts_what_opa_accepts() {
    for text in [
        "# METADATA\n# title: x\n# METADATA\n# title: y\nx := 1",
        "# METADATA\n# entrypoint: yes\nx := 1",
        "# METADATA\n# title: null\nx := 1",
        "# METADATA\n# custom: {1: 2}\nx := 1",
        "# METADATAFOO\n# title: a\nx := 1",
        " # METADATA\n# scope: none\nx := 1",
        "#METADATA\n#title: a\nx := 1",
        "x := 1 # METADATA\n# scope: none\ny := 1",
        "# METADATA\r\n# title: a\r\n# scope: rule\r\nx := 1",
    ] {
        assert_eq!(faults(text), [] as [&str; 0], "{text}");
    }
}

#[test]
fn says_what_is_wrong_with_a_block() {
    for (text, cause) in [
        ("x := 1\n# METADATA\n# title: x", "no rule follows"),
        ("# METADATA\nx := 1", "nothing follows"),
        ("# METADATA\n# scope: foo\nx := 1", "there is no scope `foo`"),
        ("# METADATA\n# scope: package\nx := 1", "stands above the package"),
        ("# METADATA\n# title: x\nimport data.a", "an import"),
        ("# METADATA\n# - a\nx := 1", "not as it should be"),
        ("# METADATA\n# title: [\nx := 1", "not as it should be"),
        ("# METADATA\n# title: a\n# title: b\nx := 1", "not as it should be"),
        ("# METADATA\n# organizations: x\nx := 1", "not as it should be"),
        ("# METADATA\n# authors: x\nx := 1", "not as it should be"),
        ("# METADATA\n# entrypoint: true\n# scope: rule\nx := 1", "an entry point"),
        ("# METADATA\n# custom: {a: {1: 2}}\nx := 1", "no text"),
        ("# METADATA\n# authors: ['']\nx := 1", "an author is empty"),
        ("# METADATA\n# schemas: [{x: schema.a}]\nx := 1", "a schema is of a document"),
        ("# METADATA\n# related_resources: ['']\nx := 1", "no URL"),
    ] {
        let faults = faults(text);
        assert!(faults.len() == 1 && faults[0].contains(cause), "{text}: {faults:?}");
    }
}

#[test]
fn a_fault_of_yaml_is_at_its_line() {
    let text = "package p\n# METADATA\n# title: a\n# custom: [\nx := 1";
    let fault = parse(text, true).unwrap_err().remove(0);
    assert!(text[..fault.span.range().start].matches('\n').count() >= 3, "{fault:?}");
}
