//! What a condition names, and which variables it mentions.

use std::collections::BTreeSet;

use crate::policy::rego::ast::{Body, Expr, ExprKind, Operator, Ref, RefPartKind, Span, TemplatePart, Term, TermKind};

/// A part of a condition whose value is told.
pub(super) struct Operand {
    pub(super) span: Span,
    /// Whether it is asked under the condition's `with`.
    pub(super) with: bool,
    /// Set for a variable that stands alone.
    pub(super) variable: Option<String>,
    /// Set for a variable of an `every`: its value is that of the elements for which the body does not hold.
    pub(super) every: Option<Every>,
}

/// Where the parts of an `every` are.
#[derive(Clone, Copy)]
pub(super) struct Every {
    /// From the first variable to the end of the domain: `k, v in xs`.
    pub(super) elements: Span,
    /// What must hold, without its braces.
    pub(super) conditions: Span,
}

impl Operand {
    fn at(span: Span, with: bool) -> Self {
        Self { span, with, variable: None, every: None }
    }
}

/// The parts of a condition whose values explain it: its operands, and the variables, references and calls in them;
/// not what is inside comprehensions, whose variables are their own, and not what it defines itself.
pub(super) fn of(expr: &Expr) -> Vec<Operand> {
    let mut operands = Vec::new();
    match &expr.kind {
        ExprKind::SomeIn { collection, .. } => side(collection, true, &mut operands),
        ExprKind::Every { key, value, domain, body } => {
            side(domain, true, &mut operands);
            if let (true, Some(first), Some(last)) =
                (expr.with.is_empty(), body.expressions.first(), body.expressions.last())
            {
                let elements = key.as_ref().map_or(value.span, |key| key.span).to(domain.span);
                let every = Some(Every { elements, conditions: first.span.to(last.span) });
                let named = key.iter().chain([value]).filter(|name| name.text != "_");
                operands.extend(named.map(|name| Operand { every, ..Operand::at(name.span, false) }));
            }
        }
        ExprKind::Term(term) => side(term, true, &mut operands),
        _ => {}
    }
    for with in &expr.with {
        side(&with.value, false, &mut operands);
    }
    operands.sort_by_key(|operand| (operand.span.start, std::cmp::Reverse(operand.span.end)));
    operands
}

/// The value of a rule as a whole, unless it is a constant, and what is in it.
pub(super) fn of_value(value: &Term) -> Vec<Operand> {
    let mut operands = Vec::new();
    if let TermKind::Infix { .. } | TermKind::Template { .. } = value.kind {
        operands.push(Operand::at(value.span, false));
    }
    side(value, false, &mut operands);
    operands
}

/// An operand as a whole, unless it is a constant, and what is in it.
fn side(term: &Term, with: bool, operands: &mut Vec<Operand>) {
    match &term.kind {
        TermKind::Infix { operator, left, right, .. } => {
            let computes = matches!(
                operator,
                Operator::Plus
                    | Operator::Minus
                    | Operator::Multiply
                    | Operator::Divide
                    | Operator::Remainder
                    | Operator::And
                    | Operator::Or
            );
            if computes && mentions_any(term) {
                operands.push(Operand::at(term.span, with));
            }
            if *operator != Operator::Assign {
                side(left, with, operands);
            }
            side(right, with, operands);
        }
        TermKind::MemberWithKey { key, value, collection } => {
            for one in [key, value, collection] {
                side(one, with, operands);
            }
        }
        TermKind::Parenthesised(inner) => side(inner, with, operands),
        TermKind::Array(_) | TermKind::Set(_) | TermKind::Object(_) => {
            if mentions_any(term) {
                operands.push(Operand::at(term.span, with));
            }
        }
        _ => {
            let comprehension = matches!(
                term.kind,
                TermKind::ArrayComprehension(..) | TermKind::SetComprehension(..) | TermKind::ObjectComprehension(..)
            );
            if comprehension || matches!(term.kind, TermKind::Minus(_) | TermKind::Template { .. }) {
                operands.push(Operand::at(term.span, with));
            } else {
                named(term, with, operands);
            }
        }
    }
}

fn mentions_any(term: &Term) -> bool {
    let mut mentioned = Mentioned::default();
    mentioned.term(term);
    !mentioned.names.is_empty()
}

/// A variable, a reference or a call, and those in it.
fn named(term: &Term, with: bool, operands: &mut Vec<Operand>) {
    let mut push = |variable| operands.push(Operand { variable, ..Operand::at(term.span, with) });
    match &term.kind {
        TermKind::Var(name) if name != "_" => push(Some(name.clone())),
        TermKind::Ref(reference) => {
            push(None);
            if !matches!(reference.head.kind, TermKind::Var(_)) {
                named(&reference.head, with, operands);
            }
            for part in &reference.parts {
                if let RefPartKind::Bracket(inner) = &part.kind {
                    named(inner, with, operands);
                }
            }
        }
        TermKind::Call { arguments, .. } => {
            push(None);
            for argument in arguments {
                side(argument, with, operands);
            }
        }
        _ => {}
    }
}

/// Names of variables, wherever they stand.
#[derive(Default)]
pub(super) struct Mentioned {
    pub(super) names: BTreeSet<String>,
}

impl Mentioned {
    pub(super) fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::SomeIn { key, value, collection } => {
                key.iter().chain([value, collection]).for_each(|term| self.term(term));
            }
            ExprKind::Every { domain, body, .. } => {
                self.term(domain);
                self.body(body);
            }
            ExprKind::Term(term) => self.term(term),
            ExprKind::Not(body) => self.body(body),
            ExprKind::Logical { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            // Declaring a variable is not enough to bind it.
            ExprKind::Some(_) => {}
        }
        expr.with.iter().for_each(|with| self.term(&with.value));
    }

    pub(super) fn term(&mut self, term: &Term) {
        match &term.kind {
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => {}
            TermKind::Template { parts, .. } => {
                for part in parts {
                    if let TemplatePart::Expr(expr) = part {
                        self.expr(expr);
                    }
                }
            }
            TermKind::Var(name) => {
                self.names.insert(name.clone());
            }
            TermKind::Ref(reference) => self.reference(reference),
            TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| self.term(item)),
            TermKind::Object(members) => {
                for (key, value) in members {
                    self.term(key);
                    self.term(value);
                }
            }
            TermKind::ArrayComprehension(item, body) | TermKind::SetComprehension(item, body) => {
                self.term(item);
                self.body(body);
            }
            TermKind::ObjectComprehension(member, body) => {
                self.term(&member.0);
                self.term(&member.1);
                self.body(body);
            }
            TermKind::Call { arguments, .. } => arguments.iter().for_each(|argument| self.term(argument)),
            TermKind::Infix { left, right, .. } => {
                self.term(left);
                self.term(right);
            }
            TermKind::MemberWithKey { key, value, collection } => {
                for one in [key, value, collection] {
                    self.term(one);
                }
            }
            TermKind::Parenthesised(inner) | TermKind::Minus(inner) => self.term(inner),
        }
    }

    fn reference(&mut self, reference: &Ref) {
        self.term(&reference.head);
        for part in &reference.parts {
            if let RefPartKind::Bracket(inner) = &part.kind {
                self.term(inner);
            }
        }
    }

    fn body(&mut self, body: &Body) {
        body.expressions.iter().for_each(|expr| self.expr(expr));
    }
}
