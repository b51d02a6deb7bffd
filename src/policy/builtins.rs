//! The built-in functions: regorus' own behind a bound, and those that it lacks or has wrong, a file a family.
//!
//! All of them reach regorus as extensions, so that one place says what a failure means. As in OPA, a built-in that
//! fails is undefined, unless errors are strict; what must not be undefined (a spent bound: `not` of it would be true)
//! halts the evaluation.

mod bounds;
mod lowered;

pub(super) use bounds::has_huge_exponent;

use std::sync::OnceLock;

use anyhow::{Error, anyhow};
use regorus::{
    LimitError, Value as Rego,
    unstable::{BUILTINS, Expr, Ref, Rule, RuleHead, Span},
};

use super::{
    budget::Spent,
    meter::{self, Stop},
};

/// Why a built-in gave no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// An operand has a type that the built-in does not take: undefined, or `eval_type_error` where errors are strict.
    Type(String),
    /// It failed on these operands: undefined, or `eval_builtin_error` where errors are strict.
    Operand(String),
    /// The evaluation must end: asking this is forbidden.
    Halt(String),
    /// The evaluation must end: it would take more than it may.
    Spent(String),
}

/// A built-in of ours.
pub(super) struct Function {
    /// Its name in Rego.
    pub(super) name: &'static str,
    /// How many arguments it takes.
    pub(super) arity: u8,
    /// Its value for defined arguments, as many as `arity`. `Undefined` is a value here.
    pub(super) call: fn(&[Rego]) -> Result<Rego, Failure>,
}

/// The families, the first that has a name defines it.
const FAMILIES: &[&[Function]] = &[lowered::ALL];

/// Built-ins that regorus itself must call: it treats them by their names.
const KEPT: [&str; 2] = ["walk", "trace"];

/// The built-ins whose value is the same for one evaluation: regorus caches them by their names.
const CACHED: [&str; 4] = ["opa.runtime", "rand.intn", "time.now_ns", "uuid.rfc4122"];

/// What a built-in's own errors point at; nobody sees it, because those errors are undefined, as in OPA.
struct Place {
    span: Span,
    params: Vec<Ref<Expr>>,
}

/// Gives the engine every built-in. `strict` makes failures errors, as OPA's `--strict-builtin-errors` does.
pub(super) fn install(engine: &mut regorus::Engine, strict: bool) {
    for function in FAMILIES.iter().copied().flatten() {
        let Function { name, arity, call } = function;
        let wrapped = move |arguments: Vec<Rego>| {
            meter::admit(name, &arguments)?;
            settle(name, call(&arguments), strict)
        };
        // Fails only for a name that has one already: an earlier family's.
        let _ = engine.add_extension((*name).to_owned(), *arity, Box::new(wrapped));
    }
    for (name, (function, arity)) in BUILTINS.iter() {
        let (name, function, arity) = (*name, *function, *arity);
        if KEPT.contains(&name) || CACHED.contains(&name) {
            continue;
        }
        let bound = bounds::ALL.iter().find(|(bounded, _)| *bounded == name).map(|(_, bound)| *bound);
        let wrapped = move |arguments: Vec<Rego>| -> Result<Rego, Error> {
            meter::admit(name, &arguments)?;
            if let Some(bound) = bound
                && let Err(fault) = bound(&arguments)
            {
                return settle(name, Err(Failure::Spent(fault)), strict);
            }
            let Some(place) = place() else { return Err(anyhow!("`{name}` can't be called")) };
            match function(&place.span, &place.params, &arguments, strict) {
                Ok(value) => settle(name, Ok(value), strict),
                Err(error) if error.downcast_ref::<LimitError>().is_some() => {
                    settle(name, Err(Failure::Spent(error.to_string())), strict)
                }
                Err(error) => settle(name, Err(of_regorus(&error)), strict),
            }
        };
        let _ = engine.add_extension(name.to_owned(), arity, Box::new(wrapped));
    }
}

/// Whether there is a built-in of this name, and how many arguments it takes.
pub(super) fn arity(name: &str) -> Option<u8> {
    let own = FAMILIES.iter().copied().flatten().find(|function| function.name == name);
    own.map(|function| function.arity).or_else(|| BUILTINS.get(name).map(|(_, arity)| *arity))
}

/// The names of all.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().copied().flatten().map(|function| function.name).chain(BUILTINS.keys().copied())
}

/// A built-in's result as regorus takes it.
fn settle(name: &'static str, result: Result<Rego, Failure>, strict: bool) -> Result<Rego, Error> {
    match result {
        Ok(value) => meter::made(name, &value).map(|()| value),
        Err(Failure::Type(_) | Failure::Operand(_)) if !strict => Ok(Rego::Undefined),
        Err(Failure::Type(fault)) => Err(anyhow!("eval_type_error: {name}: {fault}")),
        Err(Failure::Operand(fault)) => Err(anyhow!("eval_builtin_error: {name}: {fault}")),
        Err(Failure::Halt(fault)) => Err(meter::stop(Stop::Forbidden(format!("`{name}`: {fault}")))),
        Err(Failure::Spent(fault)) => Err(meter::stop(Stop::Spent(Spent::Work, format!("`{name}`: {fault}")))),
    }
}

/// What an error of regorus' own built-in is.
fn of_regorus(error: &Error) -> Failure {
    let text = error.to_string();
    let cause = text.lines().last().unwrap_or_default().trim().trim_start_matches("error:").trim().to_owned();
    if cause.contains("expects") || cause.contains("must be") { Failure::Type(cause) } else { Failure::Operand(cause) }
}

fn place() -> Option<&'static Place> {
    static PLACE: OnceLock<Option<Place>> = OnceLock::new();
    let make = || {
        let mut engine = regorus::Engine::new();
        engine.add_policy("built-in".to_owned(), "package p\nx := f(1, 2, 3, 4)".to_owned()).ok()?;
        let module = engine.get_modules().first()?.clone();
        let Rule::Spec { head: RuleHead::Compr { assign: Some(assign), .. }, .. } = module.policy.first()?.as_ref()
        else {
            return None;
        };
        let Expr::Call { span, params, .. } = assign.value.as_ref() else { return None };
        Some(Place { span: span.clone(), params: params.clone() })
    };
    PLACE.get_or_init(make).as_ref()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::policy::engine::Engine;

    /// The value of `expression`, with `s` bound to the input.
    fn value(expression: &str, input: &str) -> Result<Rego, String> {
        let mut engine = Engine::blank(crate::policy::Options::default());
        let rego = format!("package p\nx := v if {{ s := input; v := {expression} }}");
        engine.add_policy("p.rego".to_owned(), rego).unwrap();
        engine.set_input(Rego::from(input));
        engine.eval_rule("data.p.x".to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_would_never_end_is_an_error_at_once() {
        let (long, letters) = ("a".repeat(1 << 19), "a".repeat(1 << 12));
        for (expression, input) in [
            ("json.unmarshal(s)", "1e999999999"),
            ("json.unmarshal(s)", "{\"a\": [1, -1E+99999999]}"),
            ("yaml.unmarshal(s)", "a: 1e999999999"),
            ("to_number(s)", "1e999999999"),
            ("to_number(s)", "-1E99999999999999999999"),
            ("units.parse(s)", "1e999999999"),
            ("units.parse_bytes(s)", "1e999999999Ki"),
            ("numbers.range(1, 1000000000000)", ""),
            ("numbers.range(1000000000000, -1)", ""),
            ("numbers.range_step(1, 1000000000000, 1)", ""),
            ("net.cidr_expand(s)", "10.0.0.0/8"),
            ("net.cidr_expand(s)", "::/0"),
            ("bits.lsh(1, 4000000000)", ""),
            ("sprintf(s, [1])", "%2000000000d"),
            ("sprintf(s, [1])", "%.2000000000f"),
            ("sprintf(s, [1])", &"%9999999d".repeat(20)),
            ("replace(s, \"a\", s)", &long),
            ("replace(s, \"\", s)", &long),
            ("strings.replace_n({\"a\": s}, s)", &long),
            ("regex.replace(s, \"a\", s)", &long),
            ("concat(s, [c | some c in split(s, \"\")])", &letters.repeat(16)),
            ("strings.any_prefix_match(split(s, \"\"), split(s, \"\"))", &letters.repeat(16)),
            ("strings.any_suffix_match(split(s, \"\"), split(s, \"\"))", &letters.repeat(16)),
        ] {
            let started = Instant::now();
            let result = value(expression, input);
            assert!(result.is_err(), "{expression} gave {:?}", result.map(|value| value.to_string().len()));
            assert!(started.elapsed() < Duration::from_secs(20), "{expression}");
        }
    }

    #[test]
    fn what_ends_is_as_without_a_bound() {
        for (expression, input, expected) in [
            ("json.unmarshal(s)", "{\"a\": [1e3, \"1e999999999\"]}", "{\"a\":[1000,\"1e999999999\"]}"),
            ("to_number(s)", "12", "12"),
            ("units.parse_bytes(s)", "2Ki", "2048"),
            ("numbers.range(3, 1)", "", "[3,2,1]"),
            ("count(numbers.range(1, 100000))", "", "100000"),
            ("count(net.cidr_expand(s))", "10.0.0.0/24", "256"),
            ("bits.lsh(1, 70)", "", "1180591620717411303424"),
            ("count(sprintf(s, [7]))", "%05000d", "5000"),
            ("sprintf(s, [7, \"x\"])", "%03d %s", "\"007 x\""),
            ("replace(s, \"a\", \"b\")", "aXa", "\"bXb\""),
            ("concat(\",\", [s, s])", "a", "\"a,a\""),
            ("regex.replace(s, \"a+\", \"b\")", "caat", "\"cbt\""),
            ("strings.any_prefix_match(s, [\"x\", \"a\"])", "abc", "true"),
            ("strings.any_suffix_match([s], \"x\")", "abc", "false"),
        ] {
            assert_eq!(
                value(expression, input).map(|value| serde_json::to_string(&value).unwrap()).as_deref(),
                Ok(expected),
                "{expression}"
            );
        }
        // Undefined, as in OPA, and not an error.
        for (expression, input) in
            [("json.unmarshal(s)", "{"), ("to_number(s)", "x"), ("net.cidr_expand(s)", "nothing")]
        {
            assert_eq!(value(expression, input), Ok(Rego::Undefined), "{expression}");
        }
    }
}
