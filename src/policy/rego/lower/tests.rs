use super::*;
use crate::policy::rego::parser;

pub(super) fn lowered(text: &str) -> String {
    lowered_whole(text).module.text
}

pub(super) fn lowered_whole(text: &str) -> Lowered {
    let module = parser::parse(text, true).unwrap();
    let arity = |name: &str| match name {
        "count" => Some(1),
        "opa.runtime" => Some(0),
        _ => None,
    };
    let world = World {
        built_in: &arity,
        defined: &|name| name == "own",
        children: &|path, rest| (path == ["pol"] && rest == ["v"]).then(|| vec!["a".to_owned(), "if".to_owned()]),
        base: &|path| path == ["base", "roles"] || path == ["levels"],
        arrays: &|path| {
            let path: Vec<&str> = path.iter().map(|name| name.as_deref().unwrap_or("_")).collect();
            match path.as_slice() {
                ["levels" | "deep"] | ["deep", "_", "x"] | ["pol", "_", "v", "_"] => Some(Arrays::Alone),
                ["mocked" | "_"] => Some(Arrays::AmongOthers),
                _ => None,
            }
        },
        numbered: &|path| path.last() == Some(&Some("numbers".to_owned())),
        replaced: &|path| path == [Some("put".to_owned())],
        unclear: &|path| path.first() == Some(&Some("both".to_owned())),
        above: &|path| match path {
            [] => Some(Above::Known { names: 0, targets: vec![Vec::new()] }),
            [Some(name)] if name == "over" => Some(Above::Known { names: 1, targets: Vec::new() }),
            [Some(name), None] if name == "over" => {
                Some(Above::Known { names: 1, targets: vec![vec!["over".to_owned(), "x".to_owned()]] })
            }
            [Some(name), None, None] if name == "over" => Some(Above::Unclear),
            [_, Some(name), Some(beside)] if name == "own" && beside == "beside" => Some(Above::Unclear),
            _ => None,
        },
        marked: &|target| target == ["over", "x"],
        made: &|path| path.starts_with(&[Some("p".to_owned()), Some("made".to_owned())]),
        defaults: &BTreeMap::new(),
        mixed: &|rule| {
            let first = rule.head.reference.parts.first()?;
            names::constant(&first.kind).filter(|name| *name == "mixed").map(|_| 0)
        },
        shared: &|_| None,
        mocked: &|name| name == "io.jwt.decode",
        function: &|name| (name == "data.p.f").then_some(1),
        metadata: &|rule, chain| (!chain).then(|| format!("{{\"rule\": {}}}", rule.rule)),
    };
    lower(text, &module, &world)
}

pub(super) fn body(text: &str) -> String {
    let module = format!("package p\nimport data.a.b\nimport input.user as u\nr if {{ {text} }}");
    let lowered = lowered(&module);
    let body = lowered.lines().nth(3).unwrap();
    body.strip_prefix("r if { ").unwrap().strip_suffix(" }").unwrap().to_owned()
}

#[test]
fn imports_become_what_they_stand_for() {
    for (text, expected) in [
        ("b.x == u.name", "data.a.b.x == input.user.name"),
        ("b == u", "data.a.b == input.user"),
        ("b.f(u)", "data.a.b.f(input.user)"),
        ("true with b.x as 1", "true with data.a.b.x as 1"),
        ("x.b[u] == b[b]", "x.b[input.user] == data.a.b[data.a.b]"),
        // Declared names hide them, in their scope.
        ("b := 1; b == 2", "b := 1; b == 2"),
        ("some b; b == 2", "some b; b == 2"),
        ("[b | b := 1] == b", "[b | b := 1] == data.a.b"),
        ("every b in [1] { b == 1 }", "every __verdict_1 in [1] { b := __verdict_1; b == 1 }"),
        ("some [b, _] in [[1]]; b == 1", "some [b, _] in [[1]]; b == 1"),
    ] {
        assert_eq!(body(text), expected);
    }
    assert_eq!(lowered("package p\nimport data.b\nf(b) := b\ng := b"), "package p\n\nf(b) := b\ng := data.b");
}

#[test]
fn what_only_data_says_is_looked_up_before() {
    for (text, expected) in [
        ("data.base.roles[u]", "__verdict_1 := data.base.roles; __verdict_1[input.user]"),
        ("x == data.base.roles[u].y", "__verdict_1 := data.base.roles; x == __verdict_1[input.user].y"),
        (
            "data.base.roles[_].x == data.base.roles[u]",
            "__verdict_1 := data.base.roles; __verdict_1[_].x == __verdict_1[input.user]",
        ),
        (
            "true; some x in u.y; data.base.roles[x] == 1",
            "true; __verdict_1 := data.base.roles; x := input.user.y[_]; __verdict_1[x] == 1",
        ),
        ("some x in data.base.roles[u]", "__verdict_1 := data.base.roles; x := __verdict_1[input.user][_]"),
        ("[1 | data.base.roles[u]] == [1]", "[1 | __verdict_1 := data.base.roles; __verdict_1[input.user]] == [1]"),
        ("[data.base.roles[x] | x := 1] == [1]", "__verdict_1 := data.base.roles; [__verdict_1[x] | x := 1] == [1]"),
        // Where a `with` or a negation is about, or something else may be there, all stays.
        ("not data.base.roles[u]", "__verdict_1 := input.user; not data.base.roles[__verdict_1]"),
        ("data.base.roles[u] with input as 1", "data.base.roles[input.user] with input as 1"),
        ("data.other.x[u]", "data.other.x[input.user]"),
        ("data.base.roles.x == 1", "data.base.roles.x == 1"),
    ] {
        assert_eq!(body(text), expected, "{text}");
    }
    let lowered =
        lowered("package p\nimport data.base.roles\nr := $\"{data.base.roles[input.x]}\"\nq if roles[input.x]");
    assert!(
        lowered.contains("{__verdict_1 | __verdict_2 := data.base.roles; __verdict_1 := __verdict_2[input.x]}"),
        "{lowered}"
    );
    assert!(lowered.contains("q if { __verdict_3 := data.base.roles; __verdict_3[input.x] }"), "{lowered}");
}

#[test]
fn arrays_of_base_data_are_asked_by_texts() {
    for (text, expected) in [
        ("not data.deep[u]", "__verdict_1 := input.user; not ELEMENT(data.deep, __verdict_1)"),
        ("data.deep[u].x == 1", "ELEMENT(data.deep, input.user).x == 1"),
        ("data.deep[\"1\"]", "ELEMENT(data.deep, \"1\")"),
        ("data.deep[(u)][_] == 1", "ELEMENT(data.deep, (input.user))[_] == 1"),
        ("x := data.deep[count(u)]", "x := ELEMENT(data.deep, count(input.user))"),
        ("some x in data.deep[u]", "x := ELEMENT(data.deep, input.user)[_]"),
        // Looked up before, where nothing else is there.
        ("data.levels[u] == 1", "__verdict_1 := data.levels; ELEMENT(__verdict_1, input.user) == 1"),
        ("not data.levels[own]", "__verdict_1 := own; not ELEMENT(data.levels, __verdict_1)"),
        // And what comes after it: a number may be a name there, as in a reference to data.
        ("data.deep[u].x[\"0\"]", "ELEMENT(ELEMENT(data.deep, input.user).x, \"0\")"),
        ("data.deep[u][0].y", "ELEMENT(ELEMENT(data.deep, input.user), 0).y"),
        ("data.deep[_].x[u]", "ELEMENT(data.deep[_].x, input.user)"),
        // Where rules or a `with` may be in its place, it is told whether it is base data.
        ("data.mocked[u] == 1", "BASE(data.mocked, input.user, [\"mocked\"]) == 1"),
        ("data[u][u]", "BASE(data[input.user], input.user, [null])"),
        ("data.deep[u] with input as 1", "ELEMENT(data.deep, input.user) with input as 1"),
        // Variables with values.
        ("x := u; data.deep[x]", "x := input.user; ELEMENT(data.deep, x)"),
        ("x = u; data.deep[x]", "x = input.user; ELEMENT(data.deep, x)"),
        ("u.y[x]; data.deep[x]", "input.user.y[x]; ELEMENT(data.deep, x)"),
        ("some x in u; data.deep[x]", "x := input.user[_]; ELEMENT(data.deep, x)"),
        ("some x, _ in u; data.deep[x]", "some x, _ in __verdict__.collection(input.user); ELEMENT(data.deep, x)"),
        ("x := u; [1 | data.deep[x]] == []", "x := input.user; [1 | ELEMENT(data.deep, x)] == []"),
        ("data.p.f(u, x); data.deep[x]", "data.p.f(input.user, x); ELEMENT(data.deep, x)"),
        ("[x, y] = [u, x]; data.deep[y]", "x = input.user; y = x; ELEMENT(data.deep, y)"),
        ("walk(u, [x, _]); data.deep[x[0]]", "__verdict__.walk(input.user)[_] = [x, _]; ELEMENT(data.deep, x[0])"),
        (
            "every x in u { data.deep[x] }",
            "every __verdict_1 in input.user { x := __verdict_1; ELEMENT(data.deep, x) }",
        ),
        // Of what a rule makes, a number finds no text.
        ("data.p.made[u]", "MADE(data.p.made, input.user)"),
        ("data.p.made[1].x[2]", "MADE(data.p.made, 1).x[2]"),
        ("data.p.made[u + 1]", "MADE(data.p.made, __verdict__.plus(input.user , 1))"),
        ("data.p.made[\"1\"].x", "data.p.made[\"1\"].x"),
        ("data.p.made[x] == u", "data.p.made[x] == input.user"),
        ("x := u; not data.p.made[x]", "x := input.user; not MADE(data.p.made, [x][0])"),
        // In a `not` what is taken out of an operand waits for its variables, but in a call.
        ("not count(u.x[i]) > 1; i = u", "__verdict_1 := count(input.user.x[i]); not __verdict_1 > 1; i = input.user"),
    ] {
        let expected = expected.replace("ELEMENT", ELEMENT).replace("BASE", BASE_ELEMENT).replace("MADE", MADE);
        assert_eq!(body(text), expected, "{text}");
    }
    let lowered =
        lowered("package p\nimport data.deep\nr := deep[input.x]\nf(x) := deep[x]\ng[x] := deep[x] if some x in input");
    assert!(lowered.contains("r := __verdict__.element(data.deep, input.x)\n"), "{lowered}");
    assert!(lowered.contains("f(x) := __verdict__.element(data.deep, x)\n"), "{lowered}");
    assert!(lowered.contains("x := input[_]; __verdict_1 := __verdict__.element(data.deep, x) }"), "{lowered}");
}

#[test]
fn numbers_of_arrays_and_what_is_elsewhere_stay() {
    for text in [
        "data.deep[_].y == 1",
        "data.deep[x] == 1",
        "data.deep[x]; x == input.y",
        "data.deep[x]; x = input.y",
        // OPA asks that condition last.
        "count(x) == 1; data.deep[x]",
        "x > 1; data.deep[x]",
        "x == input.y; data.deep[x]",
        "not input[x]; data.deep[x]",
        "data.p.f(x) == 1; data.deep[x]",
        "data.p.f(x, 1); data.deep[x]",
        "x = y; data.deep[x]; y = 1",
        "x := 1; [1 | some x; data.deep[x]] == []",
        "data.deep[0].y",
        "data.deep[\"y\"]",
        "data.deep[[1, 2]]",
        "data.deep[null]",
        "data.other[input.x]",
        "input.deep[input.x]",
        "deep := data.deep; deep[input.x]",
        "true with data.deep as 1",
        "data.deep.f(1)",
    ] {
        let lowered = body(text);
        assert!(!lowered.contains(ELEMENT) && !lowered.contains(BASE_ELEMENT), "{text}: {lowered}");
    }
    // Below a name that is not known of which there are rules.
    assert_eq!(
        body("data.pol[u].v[0][u] == 1"),
        "__verdict__.element(__verdict__.merged([{\"a\": __verdict_1 | __verdict_1 := data.pol.a.v}, \
         {\"if\": __verdict_2 | __verdict_2 := data.pol.if.v}])[input.user][0], input.user) == 1"
    );
}

#[test]
fn what_was_lowered_before_keeps_its_variables() {
    let again = lowered("package p\nr if { __verdict_7 := 1; data.base.roles[__verdict_7] }");
    assert_eq!(again, "package p\nr if { __verdict_7 := 1; __verdict_8 := data.base.roles; __verdict_8[__verdict_7] }");
}

#[test]
fn rules_named_by_keywords_go_to_packages_of_their_own() {
    let text = "package a\nas.x contains y if { if.q == own.z + y }\nr if { as.x == 1 }";
    let module = parser::parse(text, true).unwrap();
    let defined = |name: &str| ["own", "as", "if", "r"].contains(&name);
    let world = World {
        built_in: &|_| None,
        defined: &defined,
        children: &|_, _| None,
        base: &|_| false,
        arrays: &|_| None,
        numbered: &|_| false,
        replaced: &|_| false,
        unclear: &|_| false,
        above: &|_| None,
        marked: &|_| false,
        made: &|_| false,
        defaults: &BTreeMap::new(),
        mixed: &|rule| {
            let first = rule.head.reference.parts.first()?;
            names::constant(&first.kind).filter(|name| *name == "mixed").map(|_| 0)
        },
        shared: &|_| None,
        mocked: &|_| false,
        function: &|_| None,
        metadata: &|_, _| None,
    };
    let Lowered { module, keyword_packages, .. } = lower(text, &module, &world);
    assert_eq!(module.text, "package a\n\nr if { data.a.as.x == 1 }");
    let [(keywords, part)] = keyword_packages.as_slice() else { panic!("{keyword_packages:?}") };
    assert_eq!(keywords, &["as"]);
    let sum = format!("{OWN}.plus(data.a.own.z , y)");
    assert_eq!(part.text, format!("package a.as\nx contains y if {{ data.a.if.q == {sum} }}\n"));
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
    let expected = "package p\nr if { true with time.now_ns as __verdict_with_opa__runtime }\ns if { __verdict_1 := own; true with f as __verdict_1 }\n\
                    __verdict_with_opa__runtime() := opa.runtime()\n";
    assert_eq!(lowered(text), expected);
}

#[test]
fn collections_are_loops_or_pass_through_a_function_of_ours() {
    for (text, expected) in [
        ("some x in input.xs", "x := input.xs[_]".to_owned()),
        ("some x in input.xs[input.y].z[\"a\"]", "x := input.xs[input.y].z[\"a\"][_]".to_owned()),
        ("some k, x in input.xs", format!("some k, x in {COLLECTION}(input.xs)")),
        ("some _ in input.xs", format!("some _ in {COLLECTION}(input.xs)")),
        ("some x in object.keys(input.xs)", format!("some x in {COLLECTION}(object.keys(input.xs))")),
        ("some x in input.xs[_]", format!("some x in {COLLECTION}(input.xs[_])")),
        ("some x in [1]", "some x in [1]".to_owned()),
    ] {
        assert_eq!(body(text), expected);
    }
}

#[test]
fn membership_is_regorus_own_only_as_a_condition() {
    for (text, expected) in [
        ("input.x in input.xs", "input.x in input.xs"),
        ("\"a\" in [input.x, 1]", "\"a\" in [input.x, 1]"),
        ("y := input.x in input.xs", "y := __verdict__.member(input.x , input.xs)"),
        ("input.x in object.keys(input.xs)", "__verdict__.member(input.x , object.keys(input.xs))"),
        ("(input.x in input.xs) == false", "(__verdict__.member(input.x , input.xs)) == false"),
    ] {
        assert_eq!(body(text), expected);
    }
}

#[test]
fn annotations_become_values() {
    assert_eq!(lowered("package p\na := 1\nb := rego.metadata.rule()"), "package p\na := 1\nb := {\"rule\": 1}");
}

#[test]
fn what_opa_asks_before_a_negation_is_asked_before_it() {
    for (text, expected) in [
        ("not input.x", "not input.x"),
        ("not input.x == 1", "not input.x == 1"),
        ("not g(input.x)", "__verdict_1 := input.x; not g(__verdict_1)"),
        ("not g(1, [input.x])", "__verdict_1 := input.x; not g(1, [__verdict_1])"),
        ("not input.x[input.y]", "__verdict_1 := input.y; not input.x[__verdict_1]"),
        ("not input.x < 1", "__verdict_1 := input.x; not __verdict_1 < 1"),
        (
            "not input.x < u",
            "__verdict_1 := input.x; __verdict_2 := input.user; not __verdict__.less(__verdict_1 , __verdict_2)",
        ),
        (
            "not input.x in u",
            "__verdict_1 := input.x; __verdict_2 := input.user; not __verdict__.member(__verdict_1 , __verdict_2)",
        ),
        ("not count(u) == 0", "__verdict_1 := count(input.user); not __verdict_1 == 0"),
        ("x := 1; not g(x)", "x := 1; not g(x)"),
        ("not own", "not own"),
        ("not g(own)", "__verdict_1 := own; not g(__verdict_1)"),
        ("not count([x | x := input.a]) == 0", "__verdict_1 := count([x | x := input.a]); not __verdict_1 == 0"),
        (
            "not g(input.x) with input.x as 1",
            "__verdict_1 := input.x with input.x as 1; not g(__verdict_1) with input.x as 1",
        ),
    ] {
        assert_eq!(body(text), expected);
    }
    assert_eq!(
        lowered("package p\nr if not g(input.x)"),
        "package p\nr if { __verdict_1 := input.x; not g(__verdict_1) }"
    );
    assert_eq!(lowered("package p\nr if not input.x"), "package p\nr if not input.x");
}

#[test]
fn a_negation_waits_for_what_gives_its_variables_values() {
    for (text, expected) in [
        ("not input.x[i]; input.y[i]", "not input.x[[i][0]]; input.y[i]"),
        ("input.y[i]; not input.x[i]", "input.y[i]; not input.x[[i][0]]"),
        ("not (input.x[i]) == 1; i = 1", "not (input.x[[i][0]]) == 1; i = 1"),
        ("not input.x[[i, 1]]; i = 1", "not input.x[[[i, 1]][0]]; i = 1"),
        ("not count(input.z)[i]; i = 1", "__verdict_1 := count(input.z); not __verdict_1[[i][0]]; i = 1"),
        ("not input.x[i + 0]; i = 1", "__verdict_1 := __verdict__.plus(i , 0); not input.x[[__verdict_1][0]]; i = 1"),
        ("not input.x[input.z[i]]; i = 1", "__verdict_1 := input.z[[i][0]]; not input.x[[__verdict_1][0]]; i = 1"),
        (
            "not data.pol[i].v; i = \"a\"",
            "not __verdict__.merged([{\"a\": __verdict_1 | __verdict_1 := data.pol.a.v}, \
             {\"if\": __verdict_2 | __verdict_2 := data.pol.if.v}])[[i][0]]; i = \"a\"",
        ),
        // Neither gives a variable a value.
        ("not i = 1; i = 2", "not i == 1; i = 2"),
        ("not plus(1, 1, i); i = 2", "not __verdict__.plus(1, 1) == i; i = 2"),
        // Needs none; and of `_` the gate tells.
        ("not input.x[\"a\"][u]", "__verdict_1 := input.user; not input.x[\"a\"][__verdict_1]"),
        ("not input.x[_]", "not input.x[_]"),
    ] {
        assert_eq!(body(text), expected);
    }
    assert_eq!(
        lowered("package p\nr := {input.y[i] | some i; not input.x[i]}"),
        "package p\nr := {__verdict_1 | some i; not input.x[[i][0]]; __verdict_1 := input.y[i]}"
    );
    let module = parser::parse("package p\nr if { not x := 1 }", true).unwrap();
    let world = World {
        built_in: &|_| None,
        defined: &|_| false,
        children: &|_, _| None,
        base: &|_| false,
        arrays: &|_| None,
        numbered: &|_| false,
        replaced: &|_| false,
        unclear: &|_| false,
        above: &|_| None,
        marked: &|_| false,
        made: &|_| false,
        defaults: &BTreeMap::new(),
        mixed: &|_| None,
        shared: &|_| None,
        mocked: &|_| false,
        function: &|_| None,
        metadata: &|_, _| None,
    };
    let refused = lower("package p\nr if { not x := 1 }", &module, &world).refused;
    assert_eq!(
        refused.iter().map(|error| error.cause.as_str()).collect::<Vec<_>>(),
        ["cannot assign vars inside negated expression"]
    );
}

#[test]
fn every_waits_for_what_gives_the_variables_of_its_body_values() {
    for (text, expected) in [
        (
            "every x in [1] { input.m[i] == x }; i = 1",
            "every __verdict_1 in [[1], i][0] { x := __verdict_1; input.m[i] == x }; i = 1",
        ),
        // What is its own stays so.
        ("every x in [1] { input.m[i] == x }", "every __verdict_1 in [1] { x := __verdict_1; input.m[i] == x }"),
    ] {
        assert_eq!(body(text), expected);
    }
    assert_eq!(
        lowered("package p\nf(a) := input.y[i] if { every x in [a] { not input.m[i]; x == a } }"),
        "package p\nf(a) := __verdict_1 if { every __verdict_2 in [[a], i][0] \
         { x := __verdict_2; not input.m[[i][0]]; x == a }; __verdict_1 := input.y[i] }"
    );
}

#[test]
fn a_variable_that_is_declared_later_is_another_one_in_a_body_before() {
    for (text, expected) in [
        ("x := [1 | input.m[i]]; some i in [1]", "x := [1 | input.m[__verdict_other_i]]; some i in [1]"),
        // Each `_` is another, also before one that is declared.
        ("input.a[_] == 1; input.b[_] == 2; some _ in [1]", "input.a[_] == 1; input.b[_] == 2; some _ in [1]"),
        (
            "every x in [1] { input.m[i] == x }; i := 1",
            "every __verdict_1 in [1] { x := __verdict_1; input.m[__verdict_other_i] == x }; i := 1",
        ),
        ("some i in [1]; x := [1 | input.m[i]]", "some i in [1]; x := [1 | input.m[i]]"),
        (
            "x := [i | some i in [2]]; some i in [1]",
            "x := [__verdict_local1_i | some __verdict_local1_i in [2]]; some i in [1]",
        ),
        (
            "some i in [1]; x := [1 | y := [1 | input.m[i]]; some i in y]",
            "some i in [1]; x := [1 | y := [1 | input.m[i]]; __verdict_local1_i := y[_]]",
        ),
    ] {
        assert_eq!(body(text), expected);
    }
}

#[test]
fn the_values_of_with_are_asked_before() {
    for (text, expected) in [
        ("true with input.a as 1", "true with input.a as 1"),
        ("true with input.a as input.b", "__verdict_1 := input.b; true with input.a as __verdict_1"),
        ("true with own as 2", "true with data.p.own as 2"),
        ("true with count as f", "true with count as f"),
    ] {
        assert_eq!(body(text), expected);
    }
}

#[test]
fn what_a_head_asks_is_asked_at_the_end_of_the_body() {
    for (rule, expected) in [
        ("r contains v.b if { some v in [1] }", "r contains __verdict_1 if { some v in [1]; __verdict_1 := v.b }"),
        (
            "r[v.k] := v.b if some v in [1]",
            "r[__verdict_1] := __verdict_2 if { some v in [1]; __verdict_1 := v.k; __verdict_2 := v.b }",
        ),
        ("r := x if { x := 1 }", "r := x if { x := 1 }"),
        (
            "r := {\"code\": \"c\", \"x\": f(v)} if { some v in [1] }",
            "r := {\"code\": \"c\", \"x\": __verdict_1} if { some v in [1]; __verdict_1 := f(v) }",
        ),
        ("r := input.x", "r := input.x"),
        (
            "r := 1 if { false } else := input.x if { true }",
            "r := 1 if { false } else := __verdict_1 if { true; __verdict_1 := input.x }",
        ),
    ] {
        assert_eq!(lowered(&format!("package p\n{rule}")), format!("package p\n{expected}"));
    }
    // Lines stay, also where a head has several.
    let text = "package p\nr contains {\n\t\"a\": v.b, # why\n} if {\n\tsome v in [1]\n}\ns := 1";
    assert_eq!(lowered(text).lines().position(|line| line == "s := 1"), Some(6));
}

#[test]
fn what_a_head_with_one_solution_asks_stays_in_it() {
    for rule in [
        "r := {\"code\": \"c\", \"x\": f(1)} if { true }",
        "r := input.x if { x := input.xs[0]; x == input.y }",
        "r := input.x if { not input.y; every x in input.xs { x == input.ys[_] } }",
        "f(x) := input[x] if { input.xs[x] }",
    ] {
        assert_eq!(
            lowered(&format!("package p\n{rule}")).matches("__verdict_").count(),
            rule.matches("every").count() * 2
        );
    }
    for rule in [
        "r := input.x if { input.xs[_] }",
        "r := input.x[_] if { input.y }",
        "r := input.x if { some x; input.xs[x] }",
        "r := input.x if { input.xs[x] == 1; x = 2 }",
        "r := input.x if { walk(input.y, [p, v]) }",
        "r := input.x if { true with input.y as input.xs[_] }",
        "r := input.x if { input.y } else := 2",
        "r contains input.x if { input.y }",
        "r[input.k] := 1 if { input.y }",
        "r := input.x if { input.xs[input.ys[_]] }",
        "r := v.k if { [_, y] := input.p; v := input.xs[_]; v.r == y }",
        "r := v.k if { _ := input.p; v := input.xs[_] }",
        "f(_) := v.k if { v := input.xs[_] }",
    ] {
        assert!(lowered(&format!("package p\n{rule}")).contains("; __verdict_"), "{rule}");
    }
}

#[test]
fn a_condition_in_brackets_does_not_belong_to_the_line_before() {
    let lines = "package p\nr if {\n\tx := input.a # why\n\t(x - 1) == 0\n\t[x] == [1]\n\tx\n}";
    let text = lowered(lines);
    assert!(text.contains("x := input.a; # why\n\t") && text.contains("== 0;\n\t[x] == [1]\n\tx\n"), "{text}");
}

#[test]
fn constants_beside_variables_become_variables() {
    for (rule, expected) in [
        ("r.mixed.q := 1", "r[__verdict_key].q := 1 if { __verdict_key := \"mixed\" }"),
        ("r[\"mixed\"] if input.x", "r[__verdict_key] if { __verdict_key := \"mixed\"; input.x }"),
        (
            "r.mixed contains x.y if { some x in [1] } ",
            "r[__verdict_key] contains __verdict_1 if { __verdict_key := \"mixed\"; some x in [1]; __verdict_1 := x.y } ",
        ),
        (
            "r.mixed := 1 if { input.x } else := 2",
            "r[__verdict_key] := 1 if { __verdict_key := \"mixed\"; input.x } else := 2 if { __verdict_key := \"mixed\" }",
        ),
        ("default r.mixed := 1", ""),
        ("default r[\"a\"][\"b-c\"].d := 1", "default r.a[\"b-c\"].d := 1"),
        ("r.a := 1", "r.a := 1"),
    ] {
        assert_eq!(lowered(&format!("package p\n{rule}")), format!("package p\n{expected}"));
    }
}

#[test]
fn late_declarations_go_to_the_front() {
    assert_eq!(body("input.o[_]; some i; x := input.xs[i]"), "some i; input.o[_]; true; x := input.xs[i]");
    assert_eq!(body("some i; input.o[i]"), "some i; input.o[i]");
}

#[test]
fn variables_with_the_names_of_rules_get_others() {
    for (text, expected) in [
        ("some own in [1]; own.x == 1", "some __verdict_local_own in [1]; __verdict_local_own.x == 1"),
        ("own := 1; own == 1", "__verdict_local_own := 1; __verdict_local_own == 1"),
        ("some own; own = 1", "some __verdict_local_own; __verdict_local_own = 1"),
        (
            "every k, own in [1] { own > k }",
            "every __verdict_1, __verdict_2 in [1] { k := __verdict_1; __verdict_local_own := __verdict_2; \
             __verdict__.greater(__verdict_local_own , k) }",
        ),
        ("x := [own | own := 1]; own == x", "x := [__verdict_local_own | __verdict_local_own := 1]; own == x"),
    ] {
        assert_eq!(body(text), expected);
    }
}

#[test]
fn a_function_that_is_all_head_is_true() {
    assert_eq!(lowered("package p\nf(_, 1)"), "package p\nf(_, 1) := true");
}

#[test]
fn built_ins_that_are_replaced_are_called_by_functions() {
    let function = format!("data.{MOCKED}.__verdict_with_io__jwt__decode");
    assert_eq!(body("io.jwt.decode(1) with io.jwt.decode as 2"), format!("{function}(1) with {function} as 2"));
}

#[test]
fn dynamic_references_read_only_what_they_mean() {
    let all = "__verdict__.merged([{\"a\": __verdict_1 | __verdict_1 := data.pol.a.v}, \
               {\"if\": __verdict_2 | __verdict_2 := data.pol.if.v}])";
    assert_eq!(body("data.pol[x].v[_].w == 1"), format!("{all}[x][_].w == 1"));
    assert_eq!(body("data.pol[x].w == 1"), "data.pol[x].w == 1");
    assert_eq!(body("data.pol[1].v == 1"), "data.pol[1].v == 1");
    assert_eq!(body("not f(x).root"), "__verdict_1 := f(x); not __verdict_1.root");
}

#[test]
fn what_a_pattern_with_an_object_is_held_against_has_no_other_keys() {
    let shaped = |value: &str, shape: &str| format!("{SHAPED}({value}, {shape})");
    for (text, expected) in [
        ("{\"a\": x} := input", format!("{{\"a\": x}} := {}", shaped("input", "{\"a\": null}"))),
        ("{\"a\": x} = input.y", format!("{{\"a\": x}} = {}", shaped("input.y", "{\"a\": null}"))),
        ("input.y = [{\"a\": {}}, _]", format!("{} = [{{\"a\": {{}}}}, _]", shaped("input.y", "[{\"a\": {}}, null]"))),
        ("[{\"a\": x}, 1] = [u, 1]", format!("[{{\"a\": x}}, 1] = [{}, 1]", shaped("input.user", "{\"a\": null}"))),
        ("y = {\"a\": x}", format!("{IS_SHAPED}(y, {{\"a\": null}}); y = {{\"a\": x}}")),
        ("{u.k: x} := input", format!("{{input.user.k: x}} := {}", shaped("input", "{input.user.k: null}"))),
        ("some {\"a\": 1} in u", format!("some {{\"a\": 1}} in {SHAPED_ITEMS}(input.user, null, {{\"a\": null}})")),
        ("input.s[{\"a\": x}]", format!("{SHAPED_ITEMS}(input.s, {{\"a\": null}}, null)[{{\"a\": x}}]")),
        (
            "g(1, {\"a\": x})",
            format!("__verdict_1 = {{\"a\": x}}; {IS_SHAPED}(__verdict_1, {{\"a\": null}}); g(1, __verdict_1)"),
        ),
        // What gives no variable a value is compared as a whole, and what is assigned is no pattern.
        ("{\"a\": 1} = input", "{\"a\": 1} = input".to_owned()),
        ("not {\"a\": x} = input", "not {\"a\": x} == input".to_owned()),
        ("y := {\"a\": x}", "y := {\"a\": x}".to_owned()),
        ("[x, 1] = input", "[x, 1] = input".to_owned()),
        ("{\"a\": x} = {\"a\": 1}", "{\"a\": x} = {\"a\": 1}".to_owned()),
        ("{k: [x]} = {k: [y]}", "{k: [x]} = {k: [y]}".to_owned()),
    ] {
        assert_eq!(body(text), expected);
    }
}

#[test]
fn arguments_that_regorus_would_not_compare_become_variables() {
    let shape = "{\"a\": null}";
    for (rule, expected) in [
        ("f(x, x)", "f(x, __verdict_1) := true if { x = __verdict_1 }".to_owned()),
        ("f(x, [x, y]) := y if y > 1", "f(x, __verdict_1) := y if { [x, y] = __verdict_1; y > 1 }".to_owned()),
        ("f([x, x], _, _) := x", "f([x, x], _, _) := x".to_owned()),
        ("f({\"a\": 1}) := 2", "f(__verdict_1) := 2 if { {\"a\": 1} = __verdict_1 }".to_owned()),
        (
            "f({\"a\": x}) := x if { x > 1 } else := 2",
            format!(
                "f(__verdict_1) := x if {{ {{\"a\": x}} = {SHAPED}(__verdict_1, {shape}); x > 1 }} else := 2 if {{ \
                 {{\"a\": x}} = {SHAPED}(__verdict_1, {shape}) }}"
            ),
        ),
        ("default f(_, _) := 1", "default f(_, _) := 1".to_owned()),
    ] {
        assert_eq!(lowered(&format!("package p\n{rule}")), format!("package p\n{expected}"));
    }
}

#[test]
fn variables_on_both_sides_are_held_against_each_other_one_by_one() {
    assert_eq!(body("[x, [y, _]] = [y, [1, z]]"), "x = y; y = 1; __verdict_1 = z");
    assert_eq!(body("[_, x] = [x, 1]"), "__verdict_1 = x; x = 1");
    assert_eq!(body("[x, y] = [1, 2]"), "[x, y] = [1, 2]");
    assert_eq!(
        body("{\"k\": x, \"l\": {\"a\": y}} = {\"l\": input, \"k\": y} with input.x as 1"),
        format!("x = y with input.x as 1; {{\"a\": y}} = {SHAPED}(input, {{\"a\": null}}) with input.x as 1")
    );
}

#[test]
fn objects_whose_keys_may_be_the_same_become_calls() {
    assert_eq!(
        body("x := {\"a\": 1, u.k: 2 + 3}"),
        format!("x := {OBJECT}([[\"a\", 1], [input.user.k, {OWN}.plus(2 , 3)]])")
    );
    assert_eq!(body("x := {u.k: 2}"), "x := {input.user.k: 2}");
    let text = "package p\nr := {\n\t\"a\": 1, # why\n\tinput.k: 2,\n}\ns := 1";
    assert_eq!(lowered(text).lines().position(|line| line == "s := 1"), Some(5));
}

#[test]
fn patterns_that_cannot_be_lowered_are_refused() {
    let world = World {
        built_in: &|_| None,
        defined: &|_| false,
        children: &|_, _| None,
        base: &|_| false,
        arrays: &|_| None,
        numbered: &|_| false,
        replaced: &|_| false,
        unclear: &|_| false,
        above: &|_| None,
        marked: &|_| false,
        made: &|_| false,
        defaults: &BTreeMap::new(),
        mixed: &|_| None,
        shared: &|_| None,
        mocked: &|_| false,
        function: &|_| None,
        metadata: &|_, _| None,
    };
    for condition in ["{input.k: x} = {input.j: y, \"a\": 1}", "some k, {k: v} in input.xs"] {
        let text = format!("package p\nr if {{ {condition} }}");
        let refused = lower(&text, &parser::parse(&text, true).unwrap(), &world).refused;
        assert_eq!(refused.len(), 1, "{condition}");
        assert!(refused[0].help.is_some());
    }
}

#[test]
fn what_waits_with_open_brackets_after_base_data_is_refused() {
    let refused = |text: &str| {
        let text = format!("package p\nr if {{ {text} }}");
        lowered_whole(&text).refused
    };
    for text in [
        "data.deep[i] > j; i = input.x; j = 1",
        "[data.deep[i], j] == [1, 1]; j = 1; i = input.x",
        "x = {\"a\": data.deep[i], \"b\": j}; j = 1; i = input.x",
        "some x in [data.deep[i], j]; x == 1; j = 1; i = input.x",
        "data.deep[i] with input as j; j = 1; i = input.x",
        "data.deep[i] == $\"{j}\"; j = 1; i = input.x",
        "data.deep[i] == count([1 | j == 1]); j = 1; i = input.x",
        "data.numbers[i] == j; j = 1; i = input.x",
        "some \"1\", x in data.deep; x == 1",
        "some input.x, x in data.numbers; x == 1",
    ] {
        let refused = refused(text);
        assert_eq!(refused.len(), 1, "{text}");
        assert!(refused[0].help.is_some());
    }
    for text in [
        "data.deep[i] = j; i = input.x; j = 1",
        "j = 1; data.deep[i] > j; i = input.x",
        "i = input.x; data.deep[i] > j; j = 1",
        "data.other[i] > j; i = input.x; j = 1",
        "x := [1 | data.deep[i] == j]; j = 1; i = input.x; x == 1",
        "data.deep[_] > j; j = 1",
        "some i, x in data.deep; x == i",
        "some \"1\", x in data.other; x == 1",
    ] {
        assert_eq!(refused(text).len(), 0, "{text}");
    }
}

#[test]
fn operators_are_called_by_name() {
    for (text, expected) in [
        ("plus(1, 2, 3)", "__verdict__.plus(1, 2) = 3"),
        ("x := plus(1, minus(2, 3))", "x := __verdict__.plus(1, __verdict__.minus(2, 3))"),
        ("eq(x, 1)", "x = 1"),
        ("not neq(input.a, 1)", "__verdict_1 := input.a; not __verdict_1 != 1"),
        ("x := $\"{1.50} {(1e3)}\"", "x := __verdict__.template([\"1.50\", \" \", \"1e3\"])"),
        ("lt(1, 2, true)", "__verdict__.less(1, 2) = true"),
    ] {
        assert_eq!(body(text), expected);
    }
}
