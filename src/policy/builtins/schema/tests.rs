//! Held against answers of OPA 1.20.2: in `answers.jsonl`, document, schema, what `json.verify_schema` gives of it, and
//! what `json.match_schema` gives of both, if anything.

use super::*;

fn json(value: &Rego) -> Json {
    serde_json::from_str(&value.to_json_str().unwrap()).unwrap()
}

/// OPA's order of members is that of a map, another each time.
fn sorted(mut answer: Json) -> Json {
    if let Some(faults) = answer.get_mut(1).and_then(Json::as_array_mut) {
        faults.sort_by_key(ToString::to_string);
    }
    answer
}

#[test]
fn answers_are_those_of_opa() {
    for line in include_str!("answers.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let [document, schema] = [0, 1].map(|at| Rego::from(case[at].as_str().unwrap()));
        let verified = verify_schema(std::slice::from_ref(&schema)).map(|answer| json(&answer));
        assert_eq!(verified.as_ref(), Ok(&case[2]), "{schema}");
        let matched = match_schema(&[document.clone(), schema.clone()]).ok().map(|answer| sorted(json(&answer)));
        assert_eq!(matched, case[3].get(0).cloned().map(sorted), "{document} {schema}");
    }
}

#[test]
fn nothing_is_looked_up_elsewhere() {
    for reference in ["http://json-schema.org/draft-07/schema#", "https://127.0.0.1/x", "file:///etc/passwd"] {
        let schema = Rego::from(format!("{{\"$ref\": \"{reference}\"}}"));
        assert!(matches!(verify_schema(std::slice::from_ref(&schema)), Err(Failure::Halt(_))), "{reference}");
        assert!(matches!(match_schema(&[Rego::from("1"), schema]), Err(Failure::Halt(_))), "{reference}");
    }
}

#[test]
fn schemas_end() {
    let halts = |document: &str, schema: &str| {
        let answer = match_schema(&[Rego::from(document), Rego::from(schema)]);
        assert!(matches!(answer, Err(Failure::Spent(_))), "{answer:?}");
    };
    halts("1", r##"{"$ref": "#"}"##);
    halts("1", r##"{"allOf": [{"$ref": "#"}, {"$ref": "#"}]}"##);
    let chain: Vec<String> = (0..40)
        .map(|n| {
            let next = format!("{{\"$ref\": \"#/definitions/d{}\"}}", n + 1);
            format!("\"d{n}\": {{\"oneOf\": [{next}, {next}, {next}]}}")
        })
        .collect();
    halts("1", &format!("{{\"$ref\": \"#/definitions/d0\", \"definitions\": {{{}, \"d40\": true}}}}", chain.join(",")));
    let deep: Vec<String> =
        (0..400).map(|n| format!("\"d{n}\": {{\"$ref\": \"#/definitions/d{}\"}},", n + 1)).collect();
    let deep = deep.concat();
    halts("1", &format!("{{\"$ref\": \"#/definitions/d0\", \"definitions\": {{{deep} \"d400\": {{}}}}}}"));
    let long = "x".repeat(100_000);
    let items = vec!["1"; 10_000].join(",");
    halts(&format!("[{items}]"), &format!("{{\"items\": {{\"enum\": [\"{long}\"]}}}}"));
    halts("1e999999", "{}");
}
