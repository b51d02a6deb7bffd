use serde_json::Value;

use super::super::{ast::ExprKind, parser::parse_bare, tests::corpus, visit};
use super::*;

/// The tree of the one term in the second condition of the one rule.
fn term_alone(module: &Module) -> Value {
    let body = module.rules[0].body.as_ref().unwrap();
    let [_, condition] = body.expressions.as_slice() else { panic!("{body:?}") };
    let ExprKind::Term(term) = &condition.kind else { panic!("{condition:?}") };
    writer(module).term(term)
}

fn writer(module: &Module) -> Writer<'_> {
    Writer { module, wildcards: 0, not_body: false, head: Map::new(), is_json: true }
}

#[test]
fn every_term_is_what_its_place_says() {
    let mut terms = 0;
    for (name, text, v1) in corpus() {
        let module = parse_bare(&text, v1).unwrap();
        for rule in &module.rules {
            visit::rule(rule, &mut |node, _| {
                let visit::Node::Term(term) = node else { return };
                let slice = &text[term.span.range()];
                let alone = format!("package p\nx if {{ true; {slice} }}");
                let again = parse_bare(&alone, true).unwrap_or_else(|faults| panic!("{name}: {slice:?}: {faults:?}"));
                assert_eq!(writer(&module).term(term), term_alone(&again), "{name}: {slice:?}");
                terms += 1;
            });
        }
    }
    assert!(terms > 100, "{terms}");
}

/// The JSON of a module with this text below its package.
fn json_of(text: &str) -> Value {
    let text = format!("package p\n{text}");
    super::module(&parse_bare(&text, true).unwrap(), "a.rego", &text).unwrap()
}

#[test]
fn comments_have_their_place_and_nothing_else_has() {
    let tree = json_of("# é\nx := 1 # b");
    assert_eq!(
        tree["comments"],
        json!([
            {"Location": {"file": "a.rego", "row": 2, "col": 1}, "Text": "IMOp"},
            {"Location": {"file": "a.rego", "row": 3, "col": 8}, "Text": "IGI="},
        ])
    );
    assert_eq!(
        tree["rules"][0],
        json!({
            "head": {
                "name": "x", "ref": [{"type": "var", "value": "x"}],
                "value": {"type": "number", "value": 1}, "assign": true,
            },
            "body": [{"index": 0, "terms": {"type": "boolean", "value": true}}],
        })
    );
}

#[test]
fn wildcards_are_numbered_and_arguments_repeated_with_others() {
    let tree = json_of("f(_) := _ if { _ } else := 1");
    let rule = &tree["rules"][0];
    assert_eq!(rule["head"]["args"][0]["value"], "$0");
    assert_eq!(rule["head"]["value"]["value"], "$1");
    assert_eq!(rule["body"][0]["terms"]["value"], "$2");
    assert_eq!(rule["else"]["head"]["args"][0]["value"], "$3");
}

#[test]
fn sets_are_sorted_and_objects_keep_what_they_repeat() {
    let tree = json_of("x := {3, \"a\", 1, 1, null}\ny := {\"b\": 1, \"a\": 2, \"b\": 3}");
    let values = |rule: usize| tree["rules"][rule]["head"]["value"]["value"].clone();
    let kinds: Vec<Value> = values(0).as_array().unwrap().iter().map(|term| term["value"].clone()).collect();
    assert_eq!(kinds, [json!({}), json!(1), json!(3), json!("a")]);
    let pairs: Vec<Value> = values(1).as_array().unwrap().iter().map(|pair| pair[1]["value"].clone()).collect();
    assert_eq!(pairs, [json!(2), json!(1), json!(3)]);
}

#[test]
fn a_number_that_json_lacks_has_no_tree() {
    let text = "package p\nx := .5";
    assert!(super::module(&parse_bare(text, true).unwrap(), "a.rego", text).is_none());
}

#[test]
fn an_operator_is_a_call_of_its_name() {
    let tree = json_of("x if 1 in y\nz := -a");
    assert_eq!(tree["rules"][0]["body"][0]["terms"][0]["value"][1]["value"], "member_2");
    assert_eq!(tree["rules"][1]["head"]["value"]["value"][0]["value"][0]["value"], "minus");
}
