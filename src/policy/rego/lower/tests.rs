use super::*;
use crate::policy::rego::parser;

fn lowered(text: &str) -> String {
    let module = parser::parse(text, true).unwrap();
    let arity = |name: &str| match name {
        "count" => Some(1),
        "opa.runtime" => Some(0),
        _ => None,
    };
    let world = World {
        built_in: &arity,
        defined: &|name| name == "own",
        metadata: &|rule, chain| (!chain).then(|| format!("{{\"rule\": {rule}}}")),
    };
    lower(text, &module, &world).text
}

fn body(text: &str) -> String {
    let module = format!("package p\nimport data.a.b\nimport input.user as u\nr if {{ {text} }}");
    let lowered = lowered(&module);
    let body = lowered.lines().nth(3).unwrap();
    body.trim_start_matches("r if { ").trim_end_matches(" }").to_owned()
}

#[test]
fn imports_become_what_they_stand_for() {
    for (text, expected) in [
        ("b.x == u.name", "data.a.b.x == input.user.name"),
        ("b == u", "data.a.b == input.user"),
        ("b.f(u)", "data.a.b.f(input.user)"),
        ("true with b.x as u", "true with data.a.b.x as input.user"),
        ("x.b[u] == b[b]", "x.b[input.user] == data.a.b[data.a.b]"),
        // Declared names hide them, in their scope.
        ("b := 1; b == 2", "b := 1; b == 2"),
        ("some b; b == 2", "some b; b == 2"),
        ("[b | b := 1] == b", "[b | b := 1] == data.a.b"),
        ("every b in [1] { b == 1 }", "every b in [1] { b == 1 }"),
        ("some [b, _] in [[1]]; b == 1", "some [b, _] in [[1]]; b == 1"),
    ] {
        assert_eq!(body(text), expected);
    }
    assert_eq!(lowered("package p\nimport data.b\nf(b) := b\ng := b"), "package p\n\nf(b) := b\ng := data.b");
}

#[test]
fn keywords_are_quoted() {
    assert_eq!(body("data.x.if.y == input.in"), "data.x[\"if\"].y == input[\"in\"]");
    let text = "package a.if\nimport data.not.x\np.default := x.with";
    assert_eq!(lowered(text), "package a[\"if\"]\n\np[\"default\"] := data[\"not\"].x[\"with\"]");
}

#[test]
fn operators_become_calls() {
    let name = |function: &str| format!("{OWN}.{function}");
    let (plus, multiply, minus) = (name("plus"), name("multiply"), name("minus"));
    assert_eq!(body("x := 1 + 2"), format!("x := {plus}(1 , 2)"));
    assert_eq!(body("x := 1 + 2 * (3 - y)"), format!("x := {plus}(1 , {multiply}(2 , ({minus}(3 , y))))"));
    assert_eq!(body("1 + 1 == 2"), format!("{plus}(1 , 1) == 2"));
    assert_eq!(body("x == -1"), "x == -1");
}

#[test]
fn templates_become_calls() {
    assert_eq!(
        body("x := $\"a {b.c} \\\" {1 + 1}\""),
        format!(
            "x := {TEMPLATE}([\"a \", {{__verdict_1 | __verdict_1 := data.a.b.c}}, \" \\\" \", \
             {{__verdict_2 | __verdict_2 := {OWN}.plus(1 , 1)}}])"
        )
    );
    assert_eq!(body("x := $\"\""), format!("x := {TEMPLATE}([])"));
    assert_eq!(body("x := $\"a, ])\""), format!("x := {TEMPLATE}([\"a, ])\"])"));
    let text = "package p\nx := $`a\n{y}\nb`\ny := 1";
    let line = lowered(text).lines().position(|line| line == "y := 1");
    assert_eq!(line, text.lines().position(|line| line == "y := 1"));
}

#[test]
fn built_ins_that_replace_others_become_functions() {
    let text = "package p\nr if { true with time.now_ns as opa.runtime }\ns if { true with f as own }";
    let expected = "package p\nr if { true with time.now_ns as __verdict_with_opa__runtime }\ns if { true with f as own }\n\
                    __verdict_with_opa__runtime() := opa.runtime()\n";
    assert_eq!(lowered(text), expected);
}

#[test]
fn collections_pass_through_a_function_of_ours() {
    assert_eq!(body("some x in input.xs"), format!("some x in {COLLECTION}(input.xs)"));
    assert_eq!(body("some x in [1]"), "some x in [1]");
}

#[test]
fn annotations_become_values() {
    assert_eq!(lowered("package p\na := 1\nb := rego.metadata.rule()"), "package p\na := 1\nb := {\"rule\": 1}");
}
