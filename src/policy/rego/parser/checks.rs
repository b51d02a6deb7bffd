//! What is wrong with a statement that can be read.

use std::collections::HashSet;

use super::super::ast::{Expr, ExprKind, Head, Import, Ref, RefPartKind, Rule, Span, TemplatePart, Term, TermKind};
use super::head::is_reserved;
use super::{Parse, SyntaxError, fault};

/// Whether it is `import rego.v1`.
pub(super) fn is_v1_import(import: &Import) -> bool {
    import.path.iter().map(|name| name.text.as_str()).eq(["rego", "v1"])
}

/// What Rego v1 demands of a rule.
pub(super) fn v1(rule: &Rule) -> Vec<SyntaxError> {
    let mut faults = Vec::new();
    let mut refuse = |span: Span, cause: &str| faults.push(fault(span, cause));
    let head = &rule.head;
    let is_named = matches!(&head.reference.head.kind, TermKind::Var(name) if is_reserved(name, true));
    if head.reference.parts.is_empty() && is_named {
        refuse(head.span, "a keyword can't be the name of a rule");
    }
    if head.key.is_some() && !head.contains {
        refuse(head.span, "a rule that makes a set has `contains` before its key");
    }
    if rule.default {
        return faults;
    }
    let is_function = head.arguments.is_some();
    if rule.body.is_none() && head.value.is_none() && head.key.is_none() && !is_function {
        refuse(head.span, "a rule has a value or a body");
    }
    if rule.body.is_some() && !head.if_ {
        refuse(head.span, "`if` is missing before the body");
    }
    for other in &rule.otherwise {
        if other.body.is_some() && !other.if_ {
            refuse(other.span, "`if` is missing before the body of `else`");
        }
    }
    faults
}

/// What makes `else` impossible.
pub(super) fn may_have_else(head: &Head) -> Result<(), &'static str> {
    let is_indexed = head.reference.parts.len() == 1 && head.arguments.is_none();
    if head.key.is_some() || (is_indexed && (!head.if_ || is_variable_index(&head.reference))) {
        return Err("a rule that makes a set or an object has no `else`");
    }
    if !has_ground_parts(&head.reference) {
        return Err("a rule with a variable in its name has no `else`");
    }
    Ok(())
}

/// Whether a condition is a set, which always holds.
pub(super) fn is_set(condition: &Expr) -> bool {
    let is_bare = !condition.negated;
    matches!(&condition.kind, ExprKind::Term(Term { kind: TermKind::Set(_), .. }) if is_bare)
}

/// A default's value is constant, and its arguments are different names.
pub(super) fn default(rule: &Rule) -> Parse<()> {
    let head = &rule.head;
    // OPA takes `default p` for `default p := true`.
    let is_bare = !head.contains && (head.reference.parts.len() != 1 || head.arguments.is_some());
    if head.value.is_none() && !is_bare {
        return Err(fault(rule.span, "a default has a value"));
    }
    if let Some(span) = head.value.as_ref().and_then(variable) {
        return Err(fault(span, "a default's value has no variables, references and calls"));
    }
    let mut names = HashSet::new();
    for argument in rule.head.arguments.iter().flatten() {
        match &argument.kind {
            TermKind::Var(name) if name == "_" || names.insert(name) => {}
            TermKind::Var(_) => return Err(fault(argument.span, "a default's arguments have different names")),
            _ => return Err(fault(argument.span, "a default's arguments are names")),
        }
    }
    Ok(())
}

/// A variable, reference or call outside of comprehensions.
fn variable(term: &Term) -> Option<Span> {
    match &term.kind {
        TermKind::Null
        | TermKind::Bool(_)
        | TermKind::Number(_)
        | TermKind::String { .. }
        | TermKind::ArrayComprehension(..)
        | TermKind::SetComprehension(..)
        | TermKind::ObjectComprehension(..) => None,
        TermKind::Array(terms) | TermKind::Set(terms) => terms.iter().find_map(variable),
        TermKind::Object(pairs) => pairs.iter().find_map(|(key, value)| variable(key).or_else(|| variable(value))),
        TermKind::Parenthesised(inner) => variable(inner),
        TermKind::Template { parts, .. } => parts.iter().find_map(|part| match part {
            TemplatePart::Text(_) => None,
            TemplatePart::Expr(condition) => match &condition.kind {
                ExprKind::Term(term) if condition.with.is_empty() => variable(term),
                _ => Some(condition.span),
            },
        }),
        TermKind::Var(_)
        | TermKind::Ref(_)
        | TermKind::Call { .. }
        | TermKind::Infix { .. }
        | TermKind::MemberWithKey { .. }
        | TermKind::Minus(_) => Some(term.span),
    }
}

/// Whether the one part of a rule's name is a variable or a reference, as `p[x]` has it.
pub(in crate::policy::rego) fn is_variable_index(reference: &Ref) -> bool {
    let refers = |term: &Term| matches!(without_parentheses(term).kind, TermKind::Ref(_));
    let [part] = reference.parts.as_slice() else { return false };
    matches!(&part.kind, RefPartKind::Bracket(term) if refers(term) || !is_ground(term))
}

fn without_parentheses(mut term: &Term) -> &Term {
    while let TermKind::Parenthesised(inner) = &term.kind {
        term = inner;
    }
    term
}

fn has_ground_parts(reference: &Ref) -> bool {
    reference.parts.iter().all(|part| match &part.kind {
        RefPartKind::Dot(_) => true,
        RefPartKind::Bracket(term) => is_ground(term),
    })
}

/// Whether it has no variables, as OPA counts: the head of a reference is none.
fn is_ground(term: &Term) -> bool {
    match &term.kind {
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => true,
        TermKind::Array(terms) | TermKind::Set(terms) => terms.iter().all(is_ground),
        TermKind::Object(pairs) => pairs.iter().all(|(key, value)| is_ground(key) && is_ground(value)),
        TermKind::Parenthesised(inner) | TermKind::Minus(inner) => is_ground(inner),
        TermKind::Ref(reference) => has_ground_parts(reference),
        TermKind::Call { arguments, .. } => arguments.iter().all(is_ground),
        TermKind::Infix { left, right, .. } => is_ground(left) && is_ground(right),
        TermKind::MemberWithKey { key, value, collection } => {
            [key, value, collection].iter().all(|term| is_ground(term))
        }
        TermKind::Template { .. }
        | TermKind::Var(_)
        | TermKind::ArrayComprehension(..)
        | TermKind::SetComprehension(..)
        | TermKind::ObjectComprehension(..) => false,
    }
}
