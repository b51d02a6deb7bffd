//! Rules that let through what says nothing: a `deny` whose conditions all need a value that a question may leave out,
//! and an `allow` that takes a missing value for a harmless one.
//!
//! Every question has a subject, an action and a resource with types and ids; `properties` and `context` are optional.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    World,
    calls::bare,
    finding::Finding,
    names::{Pattern, Source, head_name},
};
use crate::policy::rego::{
    ast::{Body, Expr, ExprKind, Operator, Rule, Span, Term, TermKind},
    visit::{self, Node},
};

type Path = Vec<String>;

/// What the rules of a package ask of optional paths.
#[derive(Default)]
struct Asked {
    /// Each path that a `deny` has in a `not`, or gives a default.
    handled: BTreeSet<Path>,
    /// For each definition of `allow`, what it cannot do without.
    allow: Vec<BTreeSet<Path>>,
}

/// Every such rule.
pub(super) fn check<'a>(sources: &[Source<'a>], found: &mut Vec<Finding<'a>>) {
    let mut packages: BTreeMap<&[String], Asked> = BTreeMap::new();
    for source in sources {
        let asked = packages.entry(&source.package).or_default();
        for rule in &source.module.rules {
            asked.handled.extend(handled(source, rule));
            if head_name(rule) == Some("allow") && !rule.default {
                asked.allow.push(needed(source, rule).into_keys().collect());
            }
        }
    }
    for source in sources.iter().filter(|source| !source.is_test()) {
        let Some(asked) = packages.get(source.package.as_slice()) else { continue };
        for rule in source.module.rules.iter().filter(|rule| rule.head.arguments.is_none()) {
            match head_name(rule) {
                Some("deny" | "violation") => deny(source, rule, asked, found),
                Some("allow") => allow(source, rule, found),
                _ => {}
            }
        }
    }
}

/// A `violation` beside `allow` or `decision` that nothing asks for: a verdict hears `deny` and `reasons` only.
pub(super) fn unheard<'a>(world: &World<'_, 'a>, found: &mut Vec<Finding<'a>>) {
    let sources = || world.sources.iter().filter(|source| !source.is_test());
    let mut decides: BTreeMap<&[String], bool> = BTreeMap::new();
    for source in sources() {
        for name in source.module.rules.iter().filter_map(head_name).filter(|name| ["allow", "decision"].contains(name))
        {
            *decides.entry(&source.package).or_default() |= name == "decision";
        }
    }
    let mut told = BTreeSet::new();
    for source in sources() {
        let Some(decision) = decides.get(source.package.as_slice()) else { continue };
        for rule in source.module.rules.iter().filter(|rule| rule.head.arguments.is_none() && !rule.default) {
            let Some(name) = head_name(rule).filter(|name| ["violation", "violations"].contains(name)) else {
                continue;
            };
            let Some(number) = source.head(rule).and_then(|path| world.graph.find(&path)) else { continue };
            if !told.insert(number) || asked_for(world, number) {
                continue;
            }
            let (beside, heard) =
                if *decision { ("decision", "`decision` alone is") } else { ("allow", "`deny` and `reasons` are") };
            let cause = format!("`{name}` denies nothing: beside `{beside}`, {heard} heard");
            let help = format!("name it `deny`, or have `{beside}` ask for it: `count({name}) == 0`");
            found.push(Finding::warning("unheard_rule", source, rule.head.span, cause, help));
        }
    }
}

/// Whether a rule that is not of a test asks for this one.
fn asked_for(world: &World<'_, '_>, number: usize) -> bool {
    let is_test = |file: &str| world.sources.iter().any(|source| source.file == file && source.is_test());
    let others = world.graph.rules.iter().enumerate().filter(|(other, rule)| *other != number && !is_test(&rule.file));
    others.flat_map(|(_, rule)| rule.refers.keys()).any(|pattern| world.graph.reached(pattern).contains(&number))
}

fn deny<'a>(source: &Source<'a>, rule: &'a Rule, asked: &Asked, found: &mut Vec<Finding<'a>>) {
    for (path, span) in needed(source, rule) {
        let covers = |handled: &Path| path.starts_with(handled);
        let required = !asked.allow.is_empty() && asked.allow.iter().all(|needed| needed.iter().any(covers_of(&path)));
        if required || asked.handled.iter().any(covers) {
            continue;
        }
        let shown = shown(&path);
        let cause = format!("this denies nothing where `{shown}` is missing");
        let (last, whole) = path
            .split_last()
            .map_or((String::new(), String::new()), |(last, whole)| (last.clone(), self::shown(whole)));
        let help = format!(
            "add a rule for what is missing (`… if not {shown}`), or give it a value: \
             `object.get({whole}, \"{last}\", …)`"
        );
        found.push(Finding::warning("fails_open", source, span, cause, help));
    }
}

/// Whether what is needed is at the path or below it.
fn covers_of(path: &Path) -> impl Fn(&Path) -> bool + '_ {
    move |needed| needed.starts_with(path)
}

/// `not input.context.risk > 5`: true where there is no risk at all.
fn allow<'a>(source: &Source<'a>, rule: &'a Rule, found: &mut Vec<Finding<'a>>) {
    let needed = needed(source, rule);
    visit::rule(rule, &mut |node, scopes| {
        let Node::Expr(Expr { negated: true, kind: ExprKind::Term(term), .. }) = node else { return };
        let TermKind::Infix { left, right, .. } = &bare(term).kind else { return };
        for side in [left, right] {
            if let TermKind::Ref(reference) = &bare(side).kind
                && let Some(path) = source.of_input(reference, scopes).and_then(optional)
                && !needed.keys().any(covers_of(&path))
            {
                let cause = format!("this holds where `{}` is missing, too", shown(&path));
                let help = "compare without `not`, so that what is missing does not hold: `!=` for `==`, `<=` for `>`";
                found.push(Finding::warning("fails_open", source, side.span, cause, help));
            }
        }
    });
}

/// The optional paths without which no definition of the rule holds, and where they are asked.
fn needed(source: &Source<'_>, rule: &Rule) -> BTreeMap<Path, Span> {
    let mut found = BTreeMap::new();
    let Some(body) = rule.body.as_ref().filter(|_| !rule.default) else { return found };
    // The conditions of the body itself; what is in other bodies may be asked or not.
    let own: Vec<Span> =
        body.expressions.iter().filter(|one| !one.negated && one.with.is_empty()).flat_map(asks).collect();
    visit::rule(rule, &mut |node, scopes| {
        if let Node::Ref(reference) = node
            && own.contains(&reference.span)
            && let Some(path) = source.of_input(reference, scopes).and_then(optional)
        {
            found.entry(path).or_insert(reference.span);
        }
    });
    found
}

/// The references that a condition compares, or is.
fn asks(condition: &Expr) -> Vec<Span> {
    let ExprKind::Term(term) = &condition.kind else { return Vec::new() };
    let mut spans = Vec::new();
    let mut side = |term: &Term| {
        if let TermKind::Ref(reference) = &bare(term).kind {
            spans.push(reference.span);
        }
    };
    match &bare(term).kind {
        TermKind::Infix { operator: Operator::Assign, .. } => {}
        TermKind::Infix { left, right, .. } => [left, right].into_iter().for_each(|term| side(term)),
        _ => side(term),
    }
    spans
}

/// The optional paths that a rule has in a `not`, and those that it gives a default by another rule.
fn handled(source: &Source<'_>, rule: &Rule) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    let negated = negated(rule.body.as_ref());
    visit::rule(rule, &mut |node, scopes| match node {
        Node::Ref(reference)
            if negated.iter().any(|span| span.start <= reference.span.start && reference.span.end <= span.end) =>
        {
            found.extend(source.of_input(reference, scopes).and_then(names));
        }
        Node::Call { function, arguments, .. } => {
            let is_get =
                matches!(source.callee(function, scopes), super::names::Callee::BuiltIn(name) if name == "object.get");
            if let (true, [object, key, ..]) = (is_get, arguments)
                && let TermKind::Ref(reference) = &bare(object).kind
                && let Some(mut path) = source.of_input(reference, scopes).and_then(names)
            {
                match &bare(key).kind {
                    TermKind::String { value, .. } => path.push(value.clone()),
                    TermKind::Array(keys) => path.extend(keys.iter().map_while(|key| match &key.kind {
                        TermKind::String { value, .. } => Some(value.clone()),
                        _ => None,
                    })),
                    _ => return,
                }
                found.insert(path);
            }
        }
        _ => {}
    });
    found
}

fn negated(body: Option<&Body>) -> Vec<Span> {
    let expressions = body.into_iter().flat_map(|body| &body.expressions);
    expressions.filter(|one| one.negated || matches!(one.kind, ExprKind::Not(_))).map(|one| one.span).collect()
}

/// A path that a question may leave out.
fn optional(pattern: Pattern) -> Option<Path> {
    let path = names(pattern)?;
    let is_optional = match path.first().map(String::as_str)? {
        "subject" | "action" | "resource" => path.get(1).is_some_and(|name| name == "properties") && path.len() > 2,
        "context" => path.len() > 1,
        _ => false,
    };
    is_optional.then_some(path)
}

fn names(pattern: Pattern) -> Option<Path> {
    pattern.into_iter().collect()
}

fn shown(path: &[String]) -> String {
    format!("input.{}", path.join("."))
}
