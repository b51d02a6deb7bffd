//! Conditions whose result is written in them.

use super::{calls::bare, finding::Finding, names::Source};
use crate::policy::rego::{
    ast::{Expr, ExprKind, Operator, Term, TermKind},
    visit::{self, Node},
};

/// Every constant condition but `true`, which says on purpose that something always holds.
pub(super) fn check<'a>(source: &Source<'a>, found: &mut Vec<Finding<'a>>) {
    for rule in &source.module.rules {
        visit::rule(rule, &mut |node, _| {
            if let Node::Expr(expression) = node
                && let Some(holds) = constant(expression)
            {
                let (cause, help) = if holds {
                    ("this condition always holds", "delete it, or compare what was meant")
                } else {
                    (
                        "this condition never holds, so nothing beside it counts",
                        "delete the rule, or compare what was meant",
                    )
                };
                found.push(Finding::warning("constant_condition", source, expression.span, cause, help));
            }
        });
    }
}

fn constant(expression: &Expr) -> Option<bool> {
    let ExprKind::Term(term) = &expression.kind else { return None };
    if matches!(bare(term).kind, TermKind::Bool(true)) {
        return None;
    }
    // With `with`, or in a `not`, it is as constant.
    truth(term).map(|holds| holds != expression.negated)
}

fn truth(term: &Term) -> Option<bool> {
    match &bare(term).kind {
        TermKind::Bool(value) => Some(*value),
        TermKind::Null | TermKind::Number(_) | TermKind::String { .. } => Some(true),
        TermKind::Infix { operator, left, right, .. } => {
            let same = same(bare(left), bare(right))?;
            match operator {
                Operator::Equal | Operator::Unify => Some(same),
                Operator::NotEqual => Some(!same),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether two constants of one type are the same, where that is plain to see.
fn same(one: &Term, other: &Term) -> Option<bool> {
    match (&one.kind, &other.kind) {
        (TermKind::Bool(one), TermKind::Bool(other)) => Some(one == other),
        (TermKind::String { value: one, .. }, TermKind::String { value: other, .. }) => Some(one == other),
        (TermKind::Number(one), TermKind::Number(other)) if one == other => Some(true),
        (TermKind::Number(one), TermKind::Number(other)) => {
            let plain = |number: &String| number.parse::<i64>().ok().filter(|_| number.len() < 18);
            Some(plain(one)? == plain(other)?)
        }
        (TermKind::Null, TermKind::Null) => Some(true),
        _ => None,
    }
}
