//! The built-in functions: regorus' own behind a bound, and those that it lacks or has wrong, a file a family.
//!
//! All of them reach regorus as extensions, so that one place says what a failure means. As in OPA, a built-in that
//! fails is undefined, unless errors are strict; what must not be undefined (a spent bound: `not` of it would be true)
//! halts the evaluation.

mod aggregates;
mod arithmetic;
mod arrays;
mod aws;
mod bounds;
#[cfg(test)]
mod corpus;
mod crypto;
mod evaluation;
mod globs;
mod graphql;
mod identifiers;
mod json;
mod jwt;
mod lowered;
mod net;
mod network;
mod numbers;
mod objects;
#[cfg(test)]
mod opa;
mod operand;
mod precision;
mod regex;
mod rego;
mod schema;
mod sprintf;
mod strings;
mod template;
mod term;
mod time;
mod uri;

#[cfg(test)]
mod tests;

pub(super) use bounds::{loses_digits, opens_too_much, reserved_name, unsafe_number};
pub(super) use evaluation::Query;
pub(super) use network::close as ask_no_more;
pub use network::{Hosts, InvalidHost, Network, NetworkSettings, network_cache_figures};

use std::{cell::Cell, sync::OnceLock};

use anyhow::{Error, anyhow};
use regorus::{
    LimitError, Value as Rego,
    unstable::{BUILTINS, Expr, Ref, Rule, RuleHead, Span},
};

use super::{
    budget::Spent,
    meter::{self, Kind, Stop},
    rego::lower::{BASE_ELEMENT, BASE_MERGED},
};

/// What may answer otherwise the next time that it is asked the same: it looks at the clock, at chance, or at what is outside.
pub(super) const UNREPEATABLE: [&str; 12] = [
    "crypto.x509.parse_and_verify_certificates",
    "crypto.x509.parse_and_verify_certificates_with_options",
    "http.send",
    "io.jwt.decode_verify",
    "io.jwt.encode_sign",
    "io.jwt.encode_sign_raw",
    "net.lookup_ip_addr",
    "opa.runtime",
    "rand.intn",
    "test.sleep",
    "time.now_ns",
    "uuid.rfc4122",
];

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
const FAMILIES: &[&[Function]] = &[
    #[cfg(test)]
    tests::ALL,
    aggregates::ALL,
    arithmetic::ALL,
    arrays::ALL,
    aws::ALL,
    crypto::ALL,
    evaluation::ALL,
    globs::ALL,
    graphql::ALL,
    identifiers::ALL,
    json::ALL,
    jwt::ALL,
    lowered::ALL,
    net::ALL,
    network::ALL,
    numbers::ALL,
    objects::ALL,
    regex::ALL,
    rego::ALL,
    schema::ALL,
    sprintf::ALL,
    strings::ALL,
    template::ALL,
    time::ALL,
    uri::ALL,
];

/// Built-ins that regorus itself must call: it treats them by their names.
const KEPT: [&str; 2] = ["walk", "trace"];

/// What a built-in's own errors point at; nobody sees it, because those errors are undefined, as in OPA.
struct Place {
    span: Span,
    params: Vec<Ref<Expr>>,
}

thread_local! {
    static STRICT: Cell<bool> = const { Cell::new(false) };
}

/// Says whether built-ins that fail on this thread are errors from now on, also in engines that are not strict.
pub(super) fn strictly(strict: bool) {
    STRICT.set(strict);
}

/// Gives the engine every built-in. `strict` makes failures errors, as OPA's `--strict-builtin-errors` does.
pub(super) fn install(engine: &mut regorus::Engine, strict: bool, network: Network) {
    network.install(engine, strict);
    // What needs the data comes with it.
    let needs_data = |name: &str| [BASE_ELEMENT, BASE_MERGED].contains(&name);
    for function in FAMILIES.iter().copied().flatten().filter(|function| !needs_data(function.name)) {
        let Function { name, arity, call } = function;
        let (bound, kind) = (bounds::of(name), Kind::of(name));
        let wrapped = move |arguments: Vec<Rego>| {
            meter::admit(&kind, &arguments)?;
            let bounded = bound.map_or(Ok(()), |bound| bound(&arguments).map_err(Failure::Spent));
            settle(&kind, bounded.and_then(|()| call(&arguments)), strict)
        };
        // Fails only for a name that has one already: an earlier family's.
        let _ = engine.add_extension((*name).to_owned(), *arity, Box::new(wrapped));
    }
    for (name, (function, arity)) in BUILTINS.iter() {
        let (name, function, arity) = (*name, *function, *arity);
        if KEPT.contains(&name) {
            continue;
        }
        let (bound, kind) = (bounds::of(name), Kind::of(name));
        let wrapped = move |arguments: Vec<Rego>| -> Result<Rego, Error> {
            meter::admit(&kind, &arguments)?;
            if let Some(bound) = bound
                && let Err(fault) = bound(&arguments)
            {
                return settle(&kind, Err(Failure::Spent(fault)), strict);
            }
            let Some(place) = place() else { return Err(anyhow!("`{name}` can't be called")) };
            match function(&place.span, &place.params, &arguments, strict || STRICT.get()) {
                Ok(value) => settle(&kind, Ok(value), strict),
                Err(error) if error.downcast_ref::<LimitError>().is_some() => {
                    settle(&kind, Err(Failure::Spent(error.to_string())), strict)
                }
                Err(error) => settle(&kind, Err(of_regorus(&error)), strict),
            }
        };
        let _ = engine.add_extension(name.to_owned(), arity, Box::new(wrapped));
    }
}

/// Gives the engine the built-ins that need its data, which is all there.
pub(super) fn install_of_data(engine: &mut regorus::Engine) {
    let (data, kind) = (engine.get_data(), Kind::of(BASE_ELEMENT));
    let element = move |arguments: Vec<Rego>| {
        meter::admit(&kind, &arguments)?;
        settle(&kind, lowered::of_base(&data, &arguments), false)
    };
    let (data, kind) = (engine.get_data(), Kind::of(BASE_MERGED));
    let merged = move |arguments: Vec<Rego>| {
        meter::admit(&kind, &arguments)?;
        let value = meter::within(&kind, |left| lowered::merged_with_base(&data, &arguments, left))?;
        settle(&kind, value, false)
    };
    // Fails only where it has them already.
    let _ = engine.add_extension(BASE_ELEMENT.to_owned(), 3, Box::new(element));
    let _ = engine.add_extension(BASE_MERGED.to_owned(), 4, Box::new(merged));
}

/// Whether there is a built-in of this name, and how many arguments it takes.
pub(super) fn arity(name: &str) -> Option<u8> {
    let own = FAMILIES.iter().copied().flatten().find(|function| function.name == name);
    own.map(|function| function.arity).or_else(|| BUILTINS.get(name).map(|(_, arity)| *arity))
}

/// Whether regorus itself has a built-in of this name.
pub(super) fn is_regorus(name: &str) -> bool {
    BUILTINS.contains_key(name)
}

/// The names of all.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().copied().flatten().map(|function| function.name).chain(BUILTINS.keys().copied())
}

/// A built-in's result as regorus takes it.
fn settle(kind: &Kind, result: Result<Rego, Failure>, strict: bool) -> Result<Rego, Error> {
    let name = kind.name;
    match result {
        Ok(value) => meter::made(kind, &value).map(|()| value),
        Err(Failure::Type(_) | Failure::Operand(_)) if !(strict || STRICT.get()) => Ok(Rego::Undefined),
        Err(Failure::Type(fault)) => Err(anyhow!("eval_type_error: {}: {fault}", shown(name))),
        Err(Failure::Operand(fault)) => Err(anyhow!("eval_builtin_error: {}: {fault}", shown(name))),
        Err(Failure::Halt(fault)) => Err(meter::stop(Stop::Forbidden(format!("`{name}`: {fault}")))),
        Err(Failure::Spent(fault)) => Err(meter::stop(Stop::Spent(Spent::Work, format!("`{name}`: {fault}")))),
    }
}

/// A built-in's name as authors know it: operators are calls of ours.
fn shown(name: &'static str) -> &'static str {
    match name.strip_prefix("__verdict__.") {
        Some("divide") => "div",
        Some(operator) => operator,
        None => name,
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
