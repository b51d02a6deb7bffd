//! What each rule asks for: the paths of other rules, and of data.

use std::collections::BTreeSet;

use super::scope::{Names, Scope, package};
use crate::policy::rego::{
    ast::{Body, Expr, Module, Ref, RefPartKind, Rule, Span, Term, TermKind},
    metadata::{self, Target},
};

/// A rule of a module.
pub(in crate::policy) struct Asking {
    pub(in crate::policy) path: Vec<String>,
    pub(in crate::policy) span: Span,
    pub(in crate::policy) default: bool,
    pub(in crate::policy) function: bool,
    /// The paths below `data` that it asks for, and those that it asks for by `not`.
    pub(in crate::policy) asks: BTreeSet<Vec<String>>,
    pub(in crate::policy) asks_not: BTreeSet<Vec<String>>,
}

/// The rules of a module, one of `modules`.
pub(in crate::policy) fn rules(modules: &[&Module], module: &Module) -> Vec<Asking> {
    let all: Vec<Option<&Module>> = modules.iter().map(|module| Some(*module)).collect();
    let names = Names::new(module, rules_of(&all, &package(module)));
    module.rules.iter().map(|rule| asking(rule, module, &names)).collect()
}

fn asking(rule: &Rule, module: &Module, names: &Names) -> Asking {
    let mut found = Asking {
        path: package(module).into_iter().chain(path_of(&rule.head.reference)).collect(),
        span: rule.span,
        default: rule.default,
        function: rule.head.arguments.is_some(),
        asks: BTreeSet::new(),
        asks_not: BTreeSet::new(),
    };
    let mut scope = Scope::default();
    let arguments = rule.head.arguments.iter().flatten();
    arguments.for_each(|argument| scope.bind_pattern(argument, &Names::default()));
    let others = rule.otherwise.iter().map(|other| (other.value.as_ref(), other.body.as_ref()));
    let values = [rule.head.key.as_ref(), rule.head.value.as_ref()].into_iter().map(|value| (value, None));
    for (value, body) in values.chain([(None, rule.body.as_ref())]).chain(others) {
        let mut scope = scope.clone();
        if let Some(body) = body {
            ask_in(body, &mut scope, names, &mut found);
        }
        if let Some(value) = value {
            found.asks.extend(below(scope.uses(value, names).paths));
        }
    }
    found
}

fn ask_in(body: &Body, scope: &mut Scope, names: &Names, found: &mut Asking) {
    for condition in &body.expressions {
        ask(condition, scope, names, found);
        scope.after(condition, names);
    }
}

fn ask(condition: &Expr, scope: &Scope, names: &Names, found: &mut Asking) {
    let paths = below(scope.uses_of(condition, names).paths);
    if condition.negated { found.asks_not.extend(paths) } else { found.asks.extend(paths) }
}

fn below(paths: Vec<Vec<String>>) -> impl Iterator<Item = Vec<String>> {
    paths.into_iter().filter_map(|path| {
        let (root, rest) = path.split_first()?;
        (root == "data" && !rest.is_empty()).then(|| rest.to_vec())
    })
}

/// The first names of all rules of a package.
pub(super) fn rules_of(modules: &[Option<&Module>], name: &[String]) -> BTreeSet<String> {
    let of_package = modules.iter().flatten().filter(|module| package(module) == name);
    let rules = of_package.flat_map(|module| &module.rules);
    rules.filter_map(|rule| path_of(&rule.head.reference).into_iter().next()).collect()
}

/// The constant names of a head's reference.
pub(super) fn path_of(reference: &Ref) -> Vec<String> {
    let TermKind::Var(first) = &reference.head.kind else { return Vec::new() };
    let constant = |kind: &RefPartKind| match kind {
        RefPartKind::Dot(name) => Some(name.clone()),
        RefPartKind::Bracket(Term { kind: TermKind::String { value, .. }, .. }) => Some(value.clone()),
        RefPartKind::Bracket(_) => None,
    };
    std::iter::once(first.clone()).chain(reference.parts.iter().map_while(|part| constant(&part.kind))).collect()
}

/// What METADATA calls a rule, or all rules of its name in the file.
pub(super) fn title(module: &Module, rule: &Rule) -> String {
    let same = |target: &Target| match target {
        Target::Rule(span) => module
            .rules
            .iter()
            .any(|other| other.span == *span && path_of(&other.head.reference) == path_of(&rule.head.reference)),
        Target::Package => false,
    };
    let own = module
        .annotations
        .iter()
        .find(|one| one.scope == metadata::Scope::Rule && one.target == Target::Rule(rule.span));
    let of_document =
        || module.annotations.iter().find(|one| one.scope == metadata::Scope::Document && same(&one.target));
    own.or_else(of_document).map(|one| one.title.clone()).unwrap_or_default()
}
