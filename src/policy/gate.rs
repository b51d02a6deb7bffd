//! The static gate: constructs that the evaluator must never meet.
//!
//! A function that calls itself overflows the stack and ends the process; an unknown function makes `not f(x)` true.
//! Both are refused before a policy set is compiled, not found when a request reaches them.

mod chains;
mod negation;
mod open;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use regorus::unstable::{Expr, Module, Ref};

use super::{
    builtins,
    fault::Fault,
    index,
    syntax::{self, MAX_NESTING, Node},
};
use crate::decision::{EntryPoint, SourcePosition};

/// How many functions may be on the stack at once.
const MAX_CALL_DEPTH: usize = 100;

/// The most faults that are told.
const MAX_FAULTS: usize = 50;

/// A function of the policy set, and what it calls.
#[derive(Default)]
struct Function {
    calls: BTreeMap<String, SourcePosition>,
    arity: usize,
}

/// Every fault of the modules; `text` gives a file's text.
pub(super) fn check(modules: &[Ref<Module>], text: &dyn Fn(&str) -> String) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut place = |fault: Fault, at: &SourcePosition, length: usize| {
        // Each holds its file's text. What nests too deep is told in any case: nothing else may look at it.
        let known = |fault: &Fault| faults.iter().any(|known: &Fault| known.code == fault.code);
        if faults.len() >= MAX_FAULTS && (fault.code != "rego_nesting_error" || known(&fault)) {
            return;
        }
        faults.push(fault.at(&at.file, &text(&at.file), at.line, at.column, length));
    };
    let mut functions: BTreeMap<String, Function> = BTreeMap::new();
    for (package, rule) in rules(modules) {
        if syntax::is_function(rule)
            && let Some(path) = syntax::path(syntax::head_reference(rule))
        {
            let function = functions.entry(name(package.iter().chain(&path.parts))).or_default();
            function.arity = syntax::arity(rule);
        }
    }
    for module in modules {
        let package = syntax::package(module);
        let imports: HashMap<String, Vec<String>> = module.imports.iter().filter_map(index::import).collect();
        for rule in &module.policy {
            let mut calls = Vec::new();
            let nesting = syntax::walk(rule, &mut |node| match node {
                Node::Expr(Expr::Call { fcn, params, .. }) => calls.push((fcn.as_ref(), Some(params.len()))),
                // A replacement in `with` may be a value, so it need not name a function.
                Node::With(with) if is_reference(&with.r#as) => calls.push((with.r#as.as_ref(), None)),
                Node::Expr(_) | Node::With(_) | Node::Statement(_) => {}
            });
            if let Err(at) = nesting {
                let cause = format!("expressions nest more than {MAX_NESTING} deep here");
                place(Fault::new("rego_nesting_error", cause).help("name parts of it as rules of their own"), &at, 1);
                continue;
            }
            let mut called = BTreeMap::new();
            for (expr, given) in calls {
                let Some(path) = syntax::path(expr) else { continue };
                let Some(target) = resolve(&path.parts, &package, &imports, &functions) else {
                    if given.is_some() {
                        let written = path.parts.join(".");
                        let fault = Fault::new("rego_type_error", format!("undefined function `{written}`"));
                        place(
                            fault.help("define it, or call it by its whole path"),
                            &syntax::position(expr),
                            written.chars().count(),
                        );
                    }
                    continue;
                };
                if let Some(given) = given
                    && let Some(arity) = arity(&target, &functions)
                    && ![arity, arity + 1].contains(&given)
                {
                    // One more than it takes stands for its result, as in `count(xs, n)`.
                    let cause = format!("`{}` takes {arity} arguments, and gets {given}", path.parts.join("."));
                    let fault = Fault::new("rego_type_error", cause)
                        .help("a call with the wrong arguments is undefined, and `not` of it true");
                    place(fault, &syntax::position(expr), 1);
                }
                called.entry(target).or_insert_with(|| syntax::position(expr));
            }
            if syntax::is_function(rule)
                && let Some(path) = syntax::path(syntax::head_reference(rule))
                && let Some(function) = functions.get_mut(&name(package.iter().chain(&path.parts)))
            {
                function.calls.extend(called.into_iter().filter(|(target, _)| target.starts_with("data.")));
            }
        }
    }
    for (fault, at) in open::faults(modules).into_iter().chain(chains::faults(modules)) {
        place(fault, &at, 1);
    }
    for (cause, help, at, length) in call_faults(&functions) {
        place(Fault::new("rego_recursion_error", cause).help(help), &at, length);
    }
    faults
}

fn rules(modules: &[Ref<Module>]) -> impl Iterator<Item = (Vec<String>, &regorus::unstable::Rule)> {
    modules.iter().flat_map(|module| {
        let package = syntax::package(module);
        module.policy.iter().map(move |rule| (package.clone(), rule.as_ref()))
    })
}

fn name<'a>(parts: impl Iterator<Item = &'a String>) -> String {
    EntryPoint::from_parts(parts.cloned()).as_str().to_owned()
}

fn is_reference(expr: &Expr) -> bool {
    matches!(expr, Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. })
}

/// How many arguments a function takes; `None` for `print`, which takes any.
fn arity(target: &str, functions: &BTreeMap<String, Function>) -> Option<usize> {
    let built_in = || builtins::arity(target).map(usize::from);
    functions.get(target).map(|function| function.arity).or_else(built_in)
}

/// The function that a call means: one of the policy set (`data.…`), or a built-in.
fn resolve(
    parts: &[String],
    package: &[String],
    imports: &HashMap<String, Vec<String>>,
    functions: &BTreeMap<String, Function>,
) -> Option<String> {
    let (first, rest) = parts.split_first()?;
    if first == "data" {
        return Some(name(rest.iter())).filter(|path| functions.contains_key(path));
    }
    if let Some(target) = imports.get(first) {
        return Some(name(target.iter().chain(rest))).filter(|path| functions.contains_key(path));
    }
    let local = name(package.iter().chain(parts));
    if functions.contains_key(&local) {
        return Some(local);
    }
    let written = parts.join(".");
    (builtins::arity(written.as_str()).is_some() || written == "print").then_some(written)
}

type CallFault = (String, String, SourcePosition, usize);

/// Functions that call themselves, directly or through others, and chains of calls that are too long.
fn call_faults(functions: &BTreeMap<String, Function>) -> Vec<CallFault> {
    let mut faults = Vec::new();
    let mut depth: HashMap<&str, usize> = HashMap::new();
    for start in functions.keys() {
        // Depth-first without recursion: a chain of any length must not take our own stack.
        let mut chain: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut on_chain: BTreeSet<&str> = BTreeSet::new();
        let mut next = Some(start.as_str());
        loop {
            if let Some(function) = next.take()
                && !depth.contains_key(function)
            {
                let calls =
                    functions.get(function).map(|f| f.calls.keys().map(String::as_str).collect()).unwrap_or_default();
                on_chain.insert(function);
                chain.push((function, calls));
            }
            let Some((function, calls)) = chain.last_mut() else { break };
            let function = *function;
            match calls.pop() {
                Some(callee) if on_chain.contains(callee) => {
                    let at = functions.get(function).and_then(|f| f.calls.get(callee));
                    if let Some(at) = at {
                        let from = chain.iter().position(|(name, _)| *name == callee).unwrap_or(0);
                        let mut names: Vec<&str> = chain.iter().skip(from).map(|(name, _)| *name).collect();
                        names.push(callee);
                        let cause = format!("function `{callee}` is recursive: {}", names.join(" -> "));
                        let help = "Rego has no recursion; iterate with `some`, `every`, `walk` or `graph.reachable`";
                        faults.push((cause, help.to_owned(), at.clone(), 1));
                    }
                }
                Some(callee) => next = Some(callee),
                None => {
                    let deepest = functions
                        .get(function)
                        .and_then(|f| f.calls.keys().filter_map(|callee| depth.get(callee.as_str())).max())
                        .copied()
                        .unwrap_or(0);
                    depth.insert(function, deepest + 1);
                    if deepest == MAX_CALL_DEPTH
                        && let Some(at) = functions.get(function).and_then(|f| f.calls.values().next())
                    {
                        let cause =
                            format!("more than {MAX_CALL_DEPTH} functions call each other in a row from `{function}`");
                        faults.push((cause, "shorten the chain of calls".to_owned(), at.clone(), 1));
                    }
                    on_chain.remove(function);
                    chain.pop();
                }
            }
        }
    }
    faults
}
