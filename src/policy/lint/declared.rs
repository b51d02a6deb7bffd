//! Variables that are declared twice in one scope, as OPA's compiler counts: by `some`, `some … in`, `:=`, as an argument,
//! or by an `every`; and those that a condition asks for before they are declared. regorus takes some of these for another
//! variable, and some for the same.

use std::{collections::HashSet, ptr};

use super::{finding::Finding, names::Source};
use crate::policy::rego::{
    ast::{Body, Expr, ExprKind, Operator, Rule, Span, Term, TermKind},
    lower::names::{declared_by, variables},
    visit::{self, Node},
};

/// Adds a fault for each second declaration.
pub(super) fn check<'a>(source: &Source<'a>, found: &mut Vec<Finding<'a>>) {
    for rule in &source.module.rules {
        let mut arguments = Vec::new();
        rule.head.arguments.iter().flatten().for_each(|argument| variables(argument, &mut arguments));
        let own = own(rule);
        visit::rule(rule, &mut |node, _| match node {
            Node::Body(body) => {
                let outer = if own.contains(&ptr::from_ref(body)) { arguments.as_slice() } else { &[] };
                twice(outer, body, &mut |name, span| found.push(fault(source, name, span)));
                late(body, &mut |name, span| found.push(late_fault(source, name, span)));
            }
            Node::Expr(Expr { kind: ExprKind::Every { key, value, body, .. }, .. }) => {
                let names: Vec<&str> = key.iter().chain([value]).map(|name| name.text.as_str()).collect();
                if key.as_ref().is_some_and(|key| key.text == value.text && value.text != "_") {
                    found.push(fault(source, &value.text, value.span));
                }
                // What is twice in the body alone is told there.
                let mut alone = HashSet::new();
                twice(&[], body, &mut |name, span| {
                    alone.insert((name, span));
                });
                twice(&names, body, &mut |name, span| {
                    if !alone.contains(&(name, span)) {
                        found.push(fault(source, name, span));
                    }
                });
            }
            _ => {}
        });
    }
}

/// The bodies of the rule and of its `else`s, in which its arguments are.
fn own(rule: &Rule) -> HashSet<*const Body> {
    let others = rule.otherwise.iter().filter_map(|otherwise| otherwise.body.as_ref());
    rule.body.iter().chain(others).map(ptr::from_ref).collect()
}

/// Calls `tell` for each name of a body that is declared in it and before.
fn twice<'a>(outer: &[&'a str], body: &'a Body, tell: &mut dyn FnMut(&'a str, Span)) {
    let mut known: HashSet<&str> = outer.iter().copied().collect();
    for expression in &body.expressions {
        let mut names = Vec::new();
        declared_by(expression, &mut names);
        // A pattern of `some … in` may have a name twice: it is the same then.
        if matches!(expression.kind, ExprKind::SomeIn { .. }) {
            let mut seen = HashSet::new();
            names.retain(|name| seen.insert(*name));
        }
        for name in names.into_iter().filter(|name| *name != "_") {
            if !known.insert(name) {
                tell(name, place(expression));
            }
        }
    }
}

/// Calls `tell` for each name that a condition of a body asks for, and a later one declares.
fn late<'a>(body: &'a Body, tell: &mut dyn FnMut(&'a str, Span)) {
    let (mut asked, mut known) = (HashSet::new(), HashSet::new());
    for expression in &body.expressions {
        let mut names = Vec::new();
        declared_by(expression, &mut names);
        // What is declared twice is told once.
        for name in names.into_iter().filter(|name| *name != "_") {
            if known.insert(name) && asked.contains(name) {
                tell(name, place(expression));
            }
        }
        used_by(expression, &mut asked);
    }
}

/// The names that a condition asks for; not those in its comprehensions and bodies, which are scopes of their own.
fn used_by<'a>(expression: &'a Expr, names: &mut HashSet<&'a str>) {
    let terms: Vec<&Term> = match &expression.kind {
        ExprKind::Term(Term { kind: TermKind::Infix { operator: Operator::Assign, right, .. }, .. }) => vec![right],
        ExprKind::Term(term) => vec![term],
        ExprKind::SomeIn { collection, .. } => vec![collection],
        ExprKind::Every { domain, .. } => vec![domain],
        ExprKind::Some(_) | ExprKind::Not(_) | ExprKind::Logical { .. } => Vec::new(),
    };
    for term in terms.into_iter().chain(expression.with.iter().map(|with| &with.value)) {
        let mut scopes: Vec<Span> = Vec::new();
        visit::term(term, &mut |node, _| {
            let (name, span) = match node {
                Node::Term(inner) if is_scope(inner) => return scopes.push(inner.span),
                Node::Name(name, span) => (name, span),
                Node::Ref(reference) | Node::Call { function: reference, .. } => match &reference.head.kind {
                    TermKind::Var(name) => (name.as_str(), reference.head.span),
                    _ => return,
                },
                _ => return,
            };
            if !scopes.iter().any(|scope| scope.start <= span.start && span.end <= scope.end) {
                names.insert(name);
            }
        });
    }
}

fn is_scope(term: &Term) -> bool {
    matches!(
        term.kind,
        TermKind::ArrayComprehension(..) | TermKind::SetComprehension(..) | TermKind::ObjectComprehension(..)
    )
}

/// Of an assignment, what is assigned to.
fn place(expression: &Expr) -> Span {
    match &expression.kind {
        ExprKind::Term(Term { kind: TermKind::Infix { operator: Operator::Assign, left, .. }, .. }) => left.span,
        _ => expression.span,
    }
}

fn fault<'a>(source: &Source<'a>, name: &str, span: Span) -> Finding<'a> {
    let cause = format!("`{name}` is declared twice here");
    let help = "give one of them another name; to compare, write `==`";
    Finding::fault("rego_compile_error", source, span, cause, help)
}

fn late_fault<'a>(source: &Source<'a>, name: &str, span: Span) -> Finding<'a> {
    let cause = format!("`{name}` is declared here, and asked for above");
    let help = "put the declaration first, or give one of them another name";
    Finding::fault("rego_compile_error", source, span, cause, help)
}

#[cfg(test)]
mod tests {
    use crate::{
        bundle::Bundle,
        policy::{Options, Snapshot},
    };

    fn is_refused(rule: &str) -> bool {
        let bundle = Bundle::from_files([("p.rego".to_owned(), format!("package p\n{rule}\n").into_bytes())]).unwrap();
        let faults = Snapshot::compile(&bundle, 1, Options::default()).err().map(|faults| faults.0).unwrap_or_default();
        let told = faults.iter().filter(|fault| fault.to_string().contains("`x` is declared twice here")).count();
        assert!(faults.len() == told && told < 2, "{rule}: {faults:?}");
        told == 1
    }

    /// As `opa check` 1.20.2 says.
    #[test]
    fn what_is_declared_after_it_is_asked_for_is_refused() {
        let late = |rule: &str| {
            let text = format!("package p\nimport data.q\n{rule}\n");
            let bundle = Bundle::from_files([("p.rego".to_owned(), text.into_bytes())]).unwrap();
            let faults =
                Snapshot::compile(&bundle, 1, Options::default()).err().map(|faults| faults.0).unwrap_or_default();
            faults.iter().any(|fault| fault.to_string().contains("`x` is declared here, and asked for above"))
        };
        for rule in [
            "r if { x == 1; some x in [1] }",
            "r if { input[x]; x := 1 }",
            "r if { y := x; x := 1; y }",
            "r if { x.a; x := input }",
            "r if { not x; x := 1 }",
            "r if { every y in x { y }; some x in [1] }",
            "r if { z := $\"{x}\"; z; some x in [1] }",
            "r if { input.a with input.b as x; some x in [1] }",
            "r if { x; x := 1 }\nx := 3",
            "r if { x(1); x := 1 }\nx(y) := y",
            "r if { x = 1; x := 1 }",
            "r := 1 if { false } else := 2 if { x; some x in [1] }",
        ] {
            assert!(late(rule), "{rule}");
        }
        for rule in [
            "r if { y := [x | some x in [1]]; some x in y }",
            "r if { every x in [1] { x == 1 }; x := 1 }",
            "r if { input.x == 1; x := 1 }",
            "r if { q.x; x := 1 }",
            "r if { x := 1; x == 1 }",
        ] {
            assert!(!late(rule), "{rule}");
        }
    }

    /// As `opa check` 1.20.2 says.
    #[test]
    fn what_is_declared_twice_is_refused() {
        for rule in [
            "r if { some x; some x; x = 1 }",
            "r if { some x in [1]; some x in [1] }",
            "r if { x := 1; some x; x = 1 }",
            "r if { some x, x; x = 1 }",
            "r if { some x; x := 1 }",
            "r if { x := 1; x := 2 }",
            "r if { [x, x] := [1, 1] }",
            "r := [x | some x; x = 1; some x in [1]]",
            "f(x) if { some x; x = 1 }",
            "f(x) := 1 if { false } else := 2 if { x := 3; x }",
            "f([x, y]) := y if { some x in [1] }",
            "r if { every x in [1] { x := 2; x == 2 } }",
            "r if { every x, x in [0] { x == 0 } }",
        ] {
            assert!(is_refused(rule), "{rule}");
        }
        for rule in [
            "r if { some x; x = 1; y := [x | some x; x = 2]; y == [2] }",
            "r if { some [x, x] in [[1, 1]] }",
            "r if { some x, x in [0] }",
            "f(x) := [x | x := 2]",
            "r if { _ := 1; _ := 2 }",
            "r if { x := 1; x == 1 } else if { x := 2; x == 2 }",
            "r if { some x; x = 1; every y in [1] { x := y; x == 1 } }",
        ] {
            assert!(!is_refused(rule), "{rule}");
        }
    }
}
