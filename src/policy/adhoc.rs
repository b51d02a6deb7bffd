//! Any Rego query on a policy set, for people who try things out. Questions never come this way: they name an entry
//! point, and no text of theirs is read as Rego.

use std::{sync::Arc, time::Duration};

use regorus::{
    Expression, QueryResult, Value as Rego,
    unstable::{Literal, Rule},
};

use super::{
    builtins,
    compile::{self, Options},
    engine::{Engine, Failure},
    fault::{Fault, Faults},
    lowering, order,
    rego::{edit::Edited, parser},
    rejection,
    text::{Text, Texts},
};
use crate::bundle::{Bundle, Module};

/// What the query is called where faults say where they are.
pub(super) const FILE: &str = "query";

/// What a query came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// OPA's JSON: `{"result":[…]}`, or `{}` if it is undefined.
    pub json: String,
    /// Whether it has results.
    pub defined: bool,
    /// What it printed, a line an entry.
    pub prints: Vec<String>,
}

/// What a query sees as `input`.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Nothing: `input` is undefined.
    Undefined,
    /// JSON.
    Json(&'a str),
    /// A Rego term, which can have sets and comprehensions in it.
    Term(&'a str),
}

impl Input<'_> {
    #[expect(clippy::result_large_err, reason = "it is made once a question")]
    fn value(self, budget: Duration) -> Result<Option<Rego>, Fault> {
        match self {
            Self::Undefined => Ok(None),
            Self::Json(text) if builtins::unsafe_number(text, true).is_some() => {
                let cause = builtins::unsafe_number(text, true).unwrap_or_default();
                Err(Fault::new("input_error", format!("the input can't be read: {cause}")))
            }
            Self::Json(text) => Rego::from_json_str(text).map(Some).map_err(|error| {
                Fault::new("input_error", format!("the input is not JSON: {error}")).help("write it like `{\"x\": 1}`")
            }),
            Self::Term(text) => {
                let fault = |cause: String| Fault::new("input_error", format!("the input is no term: {cause}"));
                let mut engine =
                    Engine::prepare(Engine::blank(Options::default())).map_err(|e| fault(e.to_string()))?;
                let results = engine.query(text, budget).map_err(|failure| fault(format!("{failure:?}")))?;
                let value = results.result.into_iter().flat_map(|result| result.expressions).next();
                Ok(value.map(|expression| expression.value))
            }
        }
    }
}

/// A query on a policy set, compiled once to be asked about many inputs.
pub struct Prepared {
    engine: Engine,
    texts: Arc<Texts>,
    written: String,
    lowered: Edited,
}

impl Prepared {
    /// Compiles the policy set and checks `query`, whose text passes the same gate as a policy's.
    pub fn new(bundle: &Bundle, options: Options, query: &str) -> Result<Self, Faults> {
        let one = |fault| Faults(vec![fault]);
        let options = Options { evaluators: 1, tests: true, ..options };
        let compiled = compile::compile(bundle, options, &[])?;
        let module = Module { path: FILE.to_owned(), text: query.to_owned(), ..Module::default() };
        let engine = compiled.engines.into_iter().map(|(engine, _)| engine).next();
        let engine = engine.ok_or_else(|| one(Fault::new("internal_error", "the compiler gave no evaluator")))?;
        let lowered = lowering::lower_query(query, &compiled.texts, &engine.data())
            .map_err(|errors| Faults(errors.into_iter().map(|error| lowering::fault(&module, error)).collect()))?;
        // After its syntax, as the gate reads it in the braces of a rule, and might speak of those.
        gate(bundle, options, query)?;
        let again = again(query, &compiled.texts, &engine.data(), options)?;
        let (engine, texts) = again.map_or((engine, compiled.texts), |(engine, texts)| (engine, Arc::new(texts)));
        if loses_results(options.rego_v0, &lowered.text) {
            return Err(one(lossy().at(FILE, query, 1, 1, 1)));
        }
        Ok(Self { engine, texts, written: query.to_owned(), lowered })
    }

    /// The answer with that `input`, within `budget`. No answer depends on an earlier one.
    ///
    /// Give it a deep stack, as a policy's depth is bounded but not small.
    pub fn answer(&mut self, input: Input<'_>, budget: Duration) -> Result<Answer, Faults> {
        let one = |fault| Faults(vec![fault]);
        let input = input.value(budget).map_err(one)?;
        self.engine.set_input(input.unwrap_or(Rego::Undefined));
        let mut results = self.engine.query(&self.lowered.text, budget).map_err(|failure| {
            one(match failure {
                Failure::Budget => {
                    let cause = self.engine.spent().map(str::to_owned);
                    let cause = cause.unwrap_or_else(|| format!("the query took longer than {budget:?}"));
                    Fault::new("budget_exceeded", cause)
                }
                Failure::Error(error) => {
                    let (written, lowered) = (self.written.as_str().into(), self.lowered.clone());
                    let mut texts = Texts::default();
                    texts.insert(
                        "<query.rego>",
                        Text { written, module: None, rego_v0: false, lowered, parts: Vec::new() },
                    );
                    texts.relocated(self.texts.relocated(rejection::fault_of(&error, "rego_error", &self.texts)))
                }
            })
        })?;
        results.result.retain(|result| holds(result, &self.written));
        let defined = !results.result.is_empty();
        for result in &mut results.result {
            result.bindings = order::presented(&result.bindings).into_owned();
            for expression in &mut result.expressions {
                expression.value = order::presented(&expression.value).into_owned();
            }
        }
        let json = if defined { serde_json::to_string_pretty(&results) } else { Ok("{}".to_owned()) };
        let json = json.map_err(|error| one(Fault::new("rego_error", format!("the result has no JSON: {error}"))))?;
        Ok(Answer { json, defined, prints: self.engine.take_prints() })
    }
}

/// Evaluates `query` with that `input`, within `budget`; [`Prepared`] says what holds for both.
pub fn query(
    bundle: &Bundle,
    options: Options,
    query: &str,
    input: Input<'_>,
    budget: Duration,
) -> Result<Answer, Faults> {
    Prepared::new(bundle, options, query)?.answer(input, budget)
}

/// An evaluator of a set in which a query replaces data that no policy does, with its texts; `None` where it is read as it
/// is without.
pub(super) fn again(
    query: &str,
    texts: &Texts,
    data: &Rego,
    options: Options,
) -> Result<Option<(Engine, Texts)>, Faults> {
    let Ok(body) = parser::parse_query(query) else { return Ok(None) };
    let texts =
        lowering::lower_for(&body, texts, data).map_err(|fault| Faults(vec![fault.at(FILE, query, 1, 1, 1)]))?;
    let Some(texts) = texts else { return Ok(None) };
    Ok(Some((compile::anew(&texts, data, options)?, texts)))
}

/// Whether a result is one: a query of one expression has an answer that may be false; of several, each must hold.
pub(super) fn holds(result: &QueryResult, query: &str) -> bool {
    let is_false = |one: &Expression| one.value == Rego::Bool(false);
    let several = || parser::parse_query(query).is_ok_and(|body| body.expressions.len() > 1);
    !result.expressions.iter().any(is_false) || !several()
}

/// Whether regorus 0.14.1 would answer `{}` for some queries like this: an element for which a later expression fails
/// takes those before and after it along.
pub(super) fn loses_results(rego_v0: bool, query: &str) -> bool {
    let mut engine = Engine::blank(Options { rego_v0, ..Options::default() });
    if engine.add_policy(FILE.to_owned(), format!("{}{query}\n}}", head(rego_v0))).is_err() {
        return true;
    }
    let rules = engine.get_modules().iter().flat_map(|module| &module.policy);
    let bodies =
        rules.filter_map(|rule| if let Rule::Spec { bodies, .. } = rule.as_ref() { Some(bodies) } else { None });
    bodies.flatten().any(|body| {
        let statements = &body.query.stmts;
        statements.len() > 1 && statements.iter().any(|one| matches!(one.literal, Literal::SomeIn { .. }))
    })
}

/// The fault of what [`loses_results`].
pub(super) fn lossy() -> Fault {
    Fault::new("rego_unsupported", "`some … in` beside other expressions loses results here")
        .help("put it into a comprehension: `[x | some x in …; …]`")
}

/// A fault of the rule that a query is read as, where the query has it.
pub(super) fn moved(fault: Fault, query: &str) -> Fault {
    let Some(place) = fault.position.clone() else { return fault };
    let moved = Fault::new(fault.code, fault.cause);
    let moved = match fault.help {
        Some(help) => moved.help(help),
        None => moved,
    };
    moved.at(FILE, query, place.line.saturating_sub(2).max(1), place.column, 1)
}

/// What makes a query the body of a rule: two lines.
pub(super) fn head(rego_v0: bool) -> &'static str {
    if rego_v0 { "package verdict_query\nquery {\n" } else { "package verdict_query\nquery if {\n" }
}

/// Refuses what the static gate refuses in a policy: it is read as the body of a rule.
fn gate(bundle: &Bundle, options: Options, query: &str) -> Result<(), Faults> {
    let head = head(options.rego_v0);
    let mut with_query = bundle.clone();
    with_query.modules.push(Module { path: FILE.to_owned(), text: format!("{head}{query}\n}}"), ..Module::default() });
    let Err(Faults(faults)) = compile::compile(&with_query, options, &[]) else { return Ok(()) };
    let own = |fault: Fault| match fault.position.clone() {
        Some(place) if &*place.file == FILE => moved(fault, query),
        _ => fault,
    };
    // A query may ask for all of `data`; that the rule that it is read as is in there, too, is no recursion.
    let itself = |fault: &Fault| {
        fault.code == "rego_recursion_error" && fault.position.as_ref().is_some_and(|place| &*place.file == FILE)
    };
    let faults: Vec<Fault> = faults.into_iter().filter(|fault| !itself(fault)).map(own).collect();
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Result<Answer, Faults> {
        let files = [("p.rego".to_owned(), b"package p\nx := input.a + 1\ny contains 1 if input.a == 1".to_vec())];
        let bundle = Bundle::from_files(files).unwrap();
        query(&bundle, Options::default(), text, Input::Json("{\"a\": 1}"), Duration::from_secs(5))
    }

    #[test]
    fn answers_as_opa_does() {
        let answer = ask("data.p.x").unwrap();
        let json: serde_json::Value = serde_json::from_str(&answer.json).unwrap();
        assert_eq!(json["result"][0]["expressions"][0]["value"], 2);
        assert!(answer.defined);
        let bound = ask("n := [1, 2][_]; n > 1").unwrap();
        assert!(bound.json.contains("\"n\": 2"), "{}", bound.json);
        assert_eq!(ask("data.p.nothing").unwrap().json, "{}");
    }

    /// OPA's answers.
    #[test]
    fn what_does_not_hold_gives_no_answer() {
        for (text, bindings) in [
            ("not 1 == 1", "{}"),
            ("not 1 == 2", "[{}]"),
            ("x := 1; not x == 1", "{}"),
            ("x := 1; not x == 2", r#"[{"x":1}]"#),
            ("not data.p.x", "{}"),
            ("not data.p.nothing", "[{}]"),
            ("every v in [1] { v == 2 }", "{}"),
            ("every v in [1] { v == 1 }", "[{}]"),
            ("xs := [2, 3]; every v in xs { v > 2 }", "{}"),
            ("not data.p.x == 2 with input as {\"a\": 7}", "[{}]"),
            ("not data.p.x == 8 with input as {\"a\": 7}", "{}"),
            ("not to_number(input.a) == 1", "{}"),
            ("1 == 2; x := 1", "{}"),
            ("x := 1; x == 2", "{}"),
            ("x := [1, 2, 3][_]; not x == 2", r#"[{"x":1},{"x":3}]"#),
            ("not __verdict__.holds([1])", "refused"),
            ("x := data.__verdict_withs__", "refused"),
        ] {
            let answer = ask(text).map_or_else(
                |_| "refused".to_owned(),
                |answer| {
                    let json: serde_json::Value = serde_json::from_str(&answer.json).unwrap();
                    let results = json["result"].as_array();
                    let bindings = |results: &Vec<serde_json::Value>| {
                        let of = |result: &serde_json::Value| {
                            result.get("bindings").cloned().unwrap_or_else(|| serde_json::json!({}))
                        };
                        serde_json::Value::from(results.iter().map(of).collect::<Vec<_>>()).to_string()
                    };
                    results.map_or_else(|| "{}".to_owned(), bindings)
                },
            );
            assert_eq!(answer, bindings, "{text}");
        }
    }

    #[test]
    fn a_with_of_data_needs_no_policy() {
        let data = [("data.json".to_owned(), br#"{"n": {"z": {"old": 1}}}"#.to_vec())];
        let bundle = Bundle::from_files(data).unwrap();
        let text = r#"x := data.n with data.n.z as {"new": 1} with data.n as {"z": {"b": 1}}"#;
        let answer = query_of(&bundle, text, Input::Json("{}")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&answer.json).unwrap();
        assert_eq!(json["result"][0]["bindings"]["x"], serde_json::json!({"z": {"b": 1}}));
    }

    #[test]
    fn what_a_query_puts_is_no_base_data_for_the_policies() {
        let policy = "package p\nx if data.base.xs[input.s] == 20\nnx if not data.base.xs[input.s]\n\
                      y if data.base.o[input.n] == \"one\"\nv contains n if data.pol[n].v";
        let data = r#"{"base": {"xs": [10, 20], "o": {"1": "one"}}, "pol": {"z": {"w": 1}}}"#;
        let files = [("p.rego", policy), ("pol.rego", "package pol.a\nv := 1"), ("data.json", data)];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let bundle = Bundle::from_files(files).unwrap();
        let ask = |query: &str| {
            let input = Input::Json(r#"{"s": "1", "n": 1}"#);
            let answer = query_of(&bundle, query, input).unwrap();
            let json: serde_json::Value = serde_json::from_str(&answer.json).unwrap();
            json["result"][0]["expressions"][0]["value"].to_string()
        };
        // OPA's answers.
        for (with, expected) in [
            ("data.base.xs as [10, 20]", r#"[[],[true],[true],[["a"]]]"#),
            ("data.base.xs as {\"1\": 20}", r#"[[true],[],[true],[["a"]]]"#),
            ("data.base.o as {\"1\": \"one\"}", r#"[[true],[],[],[["a"]]]"#),
            ("data.base.o as {1: \"one\"}", r#"[[true],[],[true],[["a"]]]"#),
            ("data.pol.q as {\"v\": 1}", r#"[[true],[],[true],[["a","q"]]]"#),
            ("data.base as {\"xs\": [10, 20], \"o\": {\"1\": \"one\"}}", r#"[[],[true],[],[["a"]]]"#),
            ("data.base.xs as data.base.xs", r#"[[],[true],[true],[["a"]]]"#),
            ("data.n as 1", r#"[[true],[],[true],[["a"]]]"#),
        ] {
            let answers: Vec<String> =
                ["x", "nx", "y", "v"].map(|rule| ask(&format!("[a | a := data.p.{rule} with {with}]"))).into();
            assert_eq!(format!("[{}]", answers.join(",")), expected, "{with}");
        }
    }

    #[test]
    fn a_policy_that_can_not_be_read_so_is_named() {
        let files = [
            ("p.rego", "package p\nx := data.a[k][input.n] if some k in [\"q\", \"r\"]"),
            ("q.rego", "package a.q\nb[k] := 1 if some k in [1]"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let bundle = Bundle::from_files(files).unwrap();
        let ask = |query| query_of(&bundle, query, Input::Json("{\"n\": 1}"));
        assert!(ask("data.p.x").is_ok_and(|answer| !answer.defined));
        let fault = ask("data.p.x with data.a.r as {\"b\": 2}").unwrap_err().0.remove(0);
        assert!(fault.to_string().starts_with("p.rego:2:16: a number or a text may be looked up here"), "{fault}");
    }

    fn query_of(bundle: &Bundle, text: &str, input: Input<'_>) -> Result<Answer, Faults> {
        query(bundle, Options::default(), text, input, Duration::from_secs(5))
    }

    #[test]
    fn prepared_answers_do_not_depend_on_each_other() {
        let files = [("p.rego".to_owned(), b"package p\nx := 1 if input.a\nx := 2 if input.b".to_vec())];
        let bundle = Bundle::from_files(files).unwrap();
        let mut prepared = Prepared::new(&bundle, Options::default(), "data.p.x").unwrap();
        let mut ask = |input| prepared.answer(input, Duration::from_secs(5)).map(|answer| answer.defined);
        assert!(ask(Input::Json("{\"a\": true}")).unwrap());
        assert!(ask(Input::Json("{\"a\": true, \"b\": true}")).is_err());
        assert!(!ask(Input::Undefined).unwrap());
        assert!(ask(Input::Json("{\"b\": true}")).unwrap());
    }

    #[test]
    fn refuses_what_a_policy_may_not_say() {
        for text in [
            "not nosuch(1)",
            "x == ",
            "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",
            "",
            "true } evil if {",
            "some n in [1, 2]; n > 1",
        ] {
            assert!(ask(text).is_err(), "{text}");
        }
        let fault = ask("true\nnot nosuch(1)").unwrap_err().0.remove(0);
        assert_eq!(fault.to_string(), "query:2:5: undefined function `nosuch`");
        let fault = ask("data.p.").unwrap_err().0.remove(0);
        assert!(fault.to_string().starts_with("query:1:") && !fault.to_string().contains('}'), "{fault}");
    }
}
