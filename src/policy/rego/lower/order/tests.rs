use super::super::tests::{body, lowered};

#[test]
fn calls_are_made_before_loops() {
    for (text, expected) in [
        ("input.b[_] == own(1)", "__verdict_1 := own(1); input.b[_] == __verdict_1"),
        ("x := input.b[_] == own(1)", "__verdict_1 := own(1); x := input.b[_] == __verdict_1"),
        ("input.b[_] == own", "input.b[_] == own"),
        ("own == input.b[_]", "__verdict_1 := own; __verdict_1 == input.b[_]"),
        ("g(own, input.b[_])", "__verdict_1 := own; g(__verdict_1, input.b[_])"),
        ("input.b[_][own(1)]", "__verdict_1 := own(1); input.b[_][__verdict_1]"),
    ] {
        assert_eq!(body(text), expected, "{text}");
    }
}

#[test]
fn calls_are_made_before_elements_that_may_have_no_value() {
    for (text, expected) in [
        ("[input.b, own(1)] == [1, 2]", "__verdict_1 := own(1); [input.b, __verdict_1] == [1, 2]"),
        ("x := {\"b\": input.b, \"a\": own(1)}", "__verdict_1 := own(1); x := {\"b\": input.b, \"a\": __verdict_1}"),
        // With all that OPA asks before them, in its order.
        (
            "x := {\"b\": count(input.b), \"a\": own(1)}",
            "__verdict_1 := own(1); x := {\"b\": count(input.b), \"a\": __verdict_1}",
        ),
        ("x := {\"a\": count(input.b), \"b\": own(1)}", "x := {\"a\": count(input.b), \"b\": own(1)}"),
        (
            "x := [input.a, count(input.b), own(1)]",
            "__verdict_1 := input.b; __verdict_2 := count(__verdict_1); __verdict_3 := own(1); \
             x := [input.a, __verdict_2, __verdict_3]",
        ),
        (
            "[input.b, own(1)] == 2 with input.a as 1",
            "__verdict_1 := own(1) with input.a as 1; [input.b, __verdict_1] == 2 with input.a as 1",
        ),
        (
            "input.b[_] == [input.a[_], own]",
            "__verdict_1 := input.a[_]; __verdict_2 := own; input.b[_] == [__verdict_1, __verdict_2]",
        ),
        (
            "not count([[own | true], input.b])",
            "__verdict_1 := [own | true]; __verdict_2 := input.b; not count([__verdict_1, __verdict_2])",
        ),
        // A set's elements are in order, and rules begin with `data`.
        ("x := {input.b[_], own}", "__verdict_1 := own; x := {input.b[_], __verdict_1}"),
        ("some x in [input.b, own(1)]", "__verdict_1 := own(1); some x in [input.b, __verdict_1]"),
        (
            "not count([input.b, own(1)])",
            "__verdict_1 := own(1); __verdict_2 := input.b; not count([__verdict_2, __verdict_1])",
        ),
    ] {
        assert_eq!(body(text), expected, "{text}");
    }
}

#[test]
fn what_is_asked_in_order_stays() {
    for text in [
        "input.owner == own(input.user)",
        "own(input.user) == 1",
        "own(input.b[_])",
        "own[_] == input.a",
        "own[own(1)][_] == 1",
        "count(own(input.a)) > count(input.b)",
        "[own(input.a), input.b] == [1, 2]",
        "input.b[_] == count(input.a)",
        // OPA calls it when the loop has given it its argument.
        "input.b[i] == own(i)",
    ] {
        assert!(!body(text).contains(" := own"), "{text}");
    }
}

#[test]
fn calls_need_variables_that_have_values() {
    for (text, expected) in [
        ("i := 1; input.b[_] == own(i)", "i := 1; __verdict_1 := own(i); input.b[_] == __verdict_1"),
        ("i = 1; input.b[_] == own(i)", "i = 1; __verdict_1 := own(i); input.b[_] == __verdict_1"),
        // OPA puts that condition last.
        ("input.b[_] == own(i); i = 1", "__verdict_1 := own(i); input.b[_] == [__verdict_1][0]; i = 1"),
        ("input.b[_][own(i)]; i = 1", "__verdict_1 := own(i); input.b[_][[__verdict_1][0]]; i = 1"),
        (
            "x := count([1 | input.b[_] == own(i)]); i = 1",
            "x := count([1 | __verdict_1 := own(i); input.b[_] == __verdict_1]); i = 1",
        ),
        (
            "every i in [1] { input.b[_] == own(i) }",
            "every __verdict_1 in [1] { i := __verdict_1; __verdict_2 := own(i); input.b[_] == __verdict_2 }",
        ),
    ] {
        assert_eq!(body(text), expected, "{text}");
    }
}

#[test]
fn heads_are_asked_in_order() {
    for (rule, expected) in [
        (
            "r := [input.a, own(1)]",
            "r := [__verdict_2, __verdict_1] if { __verdict_1 := own(1); __verdict_2 := input.a }",
        ),
        (
            "r contains [input.b[i], own(i)] if { i = 1 }",
            "r contains [__verdict_2, __verdict_1] if { i = 1; __verdict_1 := own(i); __verdict_2 := input.b[i] }",
        ),
        ("r := [own(1), input.a]", "r := [own(1), input.a]"),
    ] {
        assert_eq!(lowered(&format!("package p\n{rule}")), format!("package p\n{expected}"));
    }
    for (text, expected) in [
        (
            "x := {input.b[_]: own(1) | true}",
            "x := {__verdict_2: __verdict_1 | true; __verdict_1 := own(1); __verdict_2 := input.b[_]}",
        ),
        (
            "true with input.a as [input.b, own(1)]",
            "__verdict_1 := own(1); __verdict_2 := input.b; true with input.a as [__verdict_2, __verdict_1]",
        ),
    ] {
        assert_eq!(body(text), expected);
    }
}
