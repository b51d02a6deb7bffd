//! Against answers of OPA 1.20.2 (the files in `tests`), and against texts that are made to hurt.

use std::time::{Duration, Instant};

use super::*;

const SCHEMA: &str = include_str!("tests/schema.graphql");

fn call(function: fn(&[Rego]) -> Result<Rego, Failure>, arguments: &[&str]) -> Result<Rego, Failure> {
    let arguments: Vec<Rego> = arguments.iter().map(|argument| Rego::from(*argument)).collect();
    function(&arguments)
}

/// Lines of `true` or `false`, and a JSON string.
fn cases(text: &str) -> Vec<(bool, String)> {
    let case = |line: &str| {
        let (valid, text) = line.split_once(' ').unwrap();
        (valid.parse().unwrap(), serde_json::from_str(text).unwrap())
    };
    text.lines().map(case).collect()
}

#[test]
fn queries_are_valid_where_opa_finds_them_so() {
    for (valid, query) in cases(include_str!("tests/queries.txt")) {
        assert_eq!(call(is_valid, &[&query, SCHEMA]), Ok(Rego::Bool(valid)), "{query}");
        let verified = call(parse_and_verify, &[&query, SCHEMA]).unwrap();
        assert_eq!(verified.as_array().unwrap().iter().next(), Some(&Rego::Bool(valid)), "{query}");
        assert_eq!(call(parse, &[&query, SCHEMA]).is_ok(), valid, "{query}");
    }
}

#[test]
fn schemas_are_valid_where_opa_finds_them_so() {
    for (valid, schema) in cases(include_str!("tests/schemas.txt")) {
        assert_eq!(call(schema_is_valid, &[&schema]), Ok(Rego::Bool(valid)), "{schema}");
        if let Ok(tree) = call(parse_schema, &[&schema]) {
            assert_eq!(schema_is_valid(&[tree]), Ok(Rego::Bool(valid)), "the tree of {schema}");
        }
    }
}

#[test]
fn trees_have_the_comments_that_opa_gives() {
    let expected = |json: &str| Ok(Rego::from_json_str(json).unwrap());
    let query = call(parse_query, &[include_str!("tests/comments_query.graphql")]);
    assert_eq!(query, expected(include_str!("tests/comments_query.json")));
    let schema = call(parse_schema, &[include_str!("tests/comments_schema.graphql")]);
    assert_eq!(schema, expected(include_str!("tests/comments_schema.json")));
}

#[test]
fn objects_are_read_as_go_reads_them() {
    let valid = |json: &str| is_valid(&[Rego::from_json_str(json).unwrap(), Rego::from(SCHEMA)]);
    for (expected, json) in [
        (true, r#"{"Operations": [{"SelectionSet": [{"Name": "dog", "SelectionSet": [{"Name": "id"}]}]}]}"#),
        // The case of names does not count, except where gqlparser has decoders of its own.
        (false, r#"{"operations": [{"Operation": "query", "SelectionSet": [{"Name": "nope"}]}]}"#),
        (false, r#"{"Operations": [{"Operation": "query", "SelectionSet": [{"name": "num"}]}]}"#),
        (
            true,
            r#"{"Operations": [{"SelectionSet": [{"Name": "num",
                "Arguments": [{"name": "i", "value": {"raw": "1", "kind": 1}}]}]}]}"#,
        ),
        (false, r#"{"Operations": "x"}"#),
        (false, r#"{"Operations": [{"SelectionSet": 5}]}"#),
        (true, r#"{"Operations": [{"SelectionSet": [5, "x", {"Name": "num"}]}]}"#),
        (true, r#"{"Operations": null}"#),
        (true, "{}"),
    ] {
        assert_eq!(valid(json), Ok(Rego::Bool(expected)), "{json}");
    }
}

#[test]
fn only_texts_and_objects_are_documents() {
    let arguments = [Rego::from(1_i64), Rego::from(SCHEMA)];
    assert_eq!(is_valid(&arguments), Ok(Rego::Bool(false)));
    assert!(matches!(parse(&arguments), Err(Failure::Type(_))));
    assert!(matches!(parse_query(&arguments), Err(Failure::Type(_))));
    assert!(matches!(parse_schema(&arguments), Err(Failure::Type(_))));
}

#[test]
fn hostile_documents_end_soon() {
    let fields = "dog { friend { ... on Dog { id ".repeat(200) + &"} } }".repeat(200);
    let doubling: String = (0..60)
        .map(|number| format!("fragment F{number} on Query {{ ...F{0} ...F{0} }} ", number + 1))
        .chain(["{ ...F0 } fragment F60 on Query { num }".to_owned()])
        .collect();
    let chain: String = (0..20_000)
        .map(|number| format!("fragment F{number} on Query {{ ...F{} }} ", number + 1))
        .chain(["{ ...F0 } fragment F20000 on Query { num }".to_owned()])
        .collect();
    let introspection: String = (0..60)
        .map(|number| {
            format!("fragment F{number} on __Type {{ a: ofType {{ ...F{0} }} b: ofType {{ ...F{0} }} }} ", number + 1)
        })
        .chain(["{ __type(name: \"x\") { ...F0 } } fragment F60 on __Type { name }".to_owned()])
        .collect();
    let same = format!("{{ {} }}", "dog { friend { __typename } } ".repeat(20_000));
    let overlapping: String = (0..40)
        .map(|number| format!("fragment F{number} on Dog {{ friend {{ ...F{0} ...G{0} }} }} fragment G{number} on Dog {{ friend {{ ...G{0} ...F{0} }} }} ", number + 1))
        .chain(["{ dog { ...F0 ...G0 } } fragment F40 on Dog { id } fragment G40 on Dog { id }".to_owned()])
        .collect();
    let cycle =
        "{ ...A } fragment A on Query { dog { friend { ...B } } } fragment B on Pet { ... on Dog { friend { ...B } } }";
    for query in [
        "{ a ".repeat(100_000),
        format!("{{ a(b: {}) }}", "[".repeat(100_000)),
        format!("query($a: {}) {{ a }}", "[".repeat(100_000)),
        format!("{{ {fields} }}"),
        doubling,
        chain,
        introspection,
        same,
        overlapping,
        cycle.to_owned(),
        "\"".repeat(500_000),
        "#".repeat(2 << 20),
    ] {
        let started = Instant::now();
        let start: String = query.chars().take(60).collect();
        let result = call(is_valid, &[&query, SCHEMA]);
        assert!(started.elapsed() < Duration::from_secs(20), "{start}");
        assert!(!matches!(result, Err(Failure::Type(_) | Failure::Operand(_))), "{start}: {result:?}");
    }
    let mut deep = Rego::from("x");
    for _ in 0..2_000 {
        deep = Rego::from(vec![deep]);
    }
    let object = Rego::from(std::collections::BTreeMap::from([(Rego::from("Operations"), deep)]));
    assert!(matches!(is_valid(&[object, Rego::from(SCHEMA)]), Err(Failure::Spent(_))));
}
