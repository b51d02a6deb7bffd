//! What the evaluator would answer otherwise than OPA, and that no lowering closes.

use std::collections::BTreeSet;

use super::{
    World,
    calls::bare,
    finding::Finding,
    names::{Callee, Source},
};
use crate::policy::rego::{
    ast::{Expr, Rule, Span, Term, TermKind, With},
    visit::{self, Node, Scopes},
};

/// Every such construct.
pub(super) fn check<'a>(world: &World<'_, 'a>, found: &mut Vec<Finding<'a>>) {
    for source in world.sources {
        for rule in &source.module.rules {
            visit::rule(rule, &mut |node, scopes| match node {
                Node::Term(Term { kind: TermKind::Object(members), .. }) => twice(source, members, found),
                Node::Expr(Expr { with, .. }) if !source.is_test() => {
                    found.extend(with.iter().filter_map(|with| lazy(world, source, (with, scopes))));
                }
                _ => {}
            });
        }
    }
}

/// Of two members with the same constant for a key, OPA drops the first unasked. Here it would be asked.
fn twice<'a>(source: &Source<'a>, members: &[(Term, Term)], found: &mut Vec<Finding<'a>>) {
    let mut known: Vec<(&Term, bool)> = Vec::new();
    for (key, value) in members {
        if let Some((_, asks)) = known.iter_mut().find(|(other, _)| is_same(other, key)) {
            if std::mem::replace(asks, !is_scalar(value)) {
                let cause = "this key is in the object twice, and OPA would not ask for the first value";
                let help = "delete the first of the two members, or rename its key";
                found.push(Finding::fault("rego_unsupported", source, key.span, cause, help));
            }
        } else {
            known.push((key, !is_scalar(value)));
        }
    }
}

/// `with count as r`: where `r` is no function, OPA asks for it when `count` is called. Here it is asked for before, and
/// must have a value.
fn lazy<'a>(world: &World<'_, 'a>, source: &Source<'a>, (with, scopes): (&With, &Scopes<'_>)) -> Option<Finding<'a>> {
    let target = match source.callee(&with.target, scopes) {
        Callee::Path(path) => world.functions.contains_key(&path),
        Callee::BuiltIn(name) => name != "input" && name.split('.').next() != Some("data"),
        Callee::Unknown => false,
    };
    let (path, span) = rule_of(source, &with.value, scopes).filter(|_| target)?;
    if world.functions.contains_key(&path) || world.graph.find(&path).is_none() || always(world, &path) {
        return None;
    }
    let cause = "this rule may have no value, and takes the place of a function";
    let help = "give the rule a `default`, or a definition without conditions; or make it a function";
    Some(Finding::fault("rego_unsupported", source, span, cause, help))
}

/// The path below `data` of the rule that a term names as a whole.
fn rule_of(source: &Source<'_>, value: &Term, scopes: &Scopes<'_>) -> Option<(Vec<String>, Span)> {
    let value = bare(value);
    let node = match &value.kind {
        TermKind::Var(name) => Node::Name(name, value.span),
        TermKind::Ref(reference) => Node::Ref(reference),
        _ => return None,
    };
    let (pattern, span) = source.meant(node, scopes)?;
    Some((pattern.into_iter().collect::<Option<_>>()?, span))
}

/// Whether a definition of a rule gives it a value whatever is asked.
fn always(world: &World<'_, '_>, path: &[String]) -> bool {
    world.sources.iter().any(|source| {
        let own = source.module.rules.iter().filter(|rule| source.head(rule).as_deref() == Some(path));
        own.into_iter().any(|rule| rule.default || is_unconditional(rule))
    })
}

fn is_unconditional(rule: &Rule) -> bool {
    let mut asks = BTreeSet::new();
    visit::rule(rule, &mut |node, _| {
        if let Node::Name(name, _) = node {
            asks.insert(name);
        } else if let Node::Ref(reference) = node {
            asks.extend(match &reference.head.kind {
                TermKind::Var(name) => Some(name.as_str()),
                _ => None,
            });
        }
    });
    rule.body.is_none() && asks.is_empty()
}

fn is_scalar(term: &Term) -> bool {
    matches!(bare(term).kind, TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. })
}

/// Whether two keys are the same constant.
fn is_same(one: &Term, other: &Term) -> bool {
    match (&bare(one).kind, &bare(other).kind) {
        (TermKind::Null, TermKind::Null) => true,
        (TermKind::Bool(one), TermKind::Bool(other)) => one == other,
        (TermKind::String { value: one, .. }, TermKind::String { value: other, .. }) => one == other,
        (TermKind::Number(one), TermKind::Number(other)) => {
            let number = |text: &str| text.parse::<f64>().ok();
            one == other || (number(one).is_some() && number(one) == number(other))
        }
        _ => false,
    }
}
