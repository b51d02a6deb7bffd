//! Terms: calls in them become statements before.

use super::{Builder, Closure, Kind, Shape, Statement, Variable};
use crate::policy::rego::ast::{RefPartKind, TemplatePart, Term, TermKind};

impl<'a> Builder<'_, 'a> {
    /// A variable that has the value of a term.
    pub(super) fn apart(&mut self, term: &'a Term, before: &mut Vec<Statement>) -> Variable {
        let mut closures = Vec::new();
        let right = self.term(term, before, &mut closures);
        let variable = self.new_variable(None);
        let kind = Kind::Equal { assigned: false, left: Shape::Variable(variable), right };
        before.push(Statement { negated: false, with: Vec::new(), kind, closures });
        variable
    }

    /// A variable that has the value of a call.
    fn called(&mut self, mut kind: Kind, closures: Vec<Closure>, before: &mut Vec<Statement>) -> Shape {
        let variable = self.new_variable(None);
        if let Kind::Call { outputs, .. } = &mut kind {
            outputs.push(Shape::Variable(variable));
        } else {
            return Shape::Ground;
        }
        before.push(Statement { negated: false, with: Vec::new(), kind, closures });
        Shape::Variable(variable)
    }

    /// A term; calls in it become statements `before`.
    pub(super) fn term(&mut self, term: &'a Term, before: &mut Vec<Statement>, closures: &mut Vec<Closure>) -> Shape {
        match &term.kind {
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => Shape::Ground,
            TermKind::Template { parts, .. } => {
                for part in parts {
                    if let TemplatePart::Expr(expression) = part {
                        let mut statements = Vec::new();
                        self.expression(expression, &mut statements);
                        closures.push(Closure { given: Vec::new(), statements });
                    }
                }
                Shape::Ground
            }
            TermKind::Var(name) => match self.variable(name, term.span) {
                Some(variable) => Shape::Variable(variable),
                None => Shape::Reference(None, Vec::new()),
            },
            TermKind::Ref(reference) => {
                let head = match &reference.head.kind {
                    TermKind::Var(name) => self.variable(name, reference.head.span),
                    _ => Some(self.apart(&reference.head, before)),
                };
                let parts = reference.parts.iter().filter_map(|part| match &part.kind {
                    RefPartKind::Bracket(index) => Some(self.term(index, before, closures)),
                    RefPartKind::Dot(_) => None,
                });
                Shape::Reference(head, parts.collect())
            }
            TermKind::Array(items) => Shape::Array(self.terms(items, before, closures)),
            TermKind::Set(items) => Shape::Set(self.terms(items, before, closures)),
            TermKind::Object(members) => {
                let pairs = members
                    .iter()
                    .map(|(key, value)| (self.term(key, before, closures), self.term(value, before, closures)));
                Shape::Object(pairs.collect())
            }
            TermKind::ArrayComprehension(item, body) | TermKind::SetComprehension(item, body) => {
                closures.push(self.closure(body, vec![item]));
                Shape::Comprehension
            }
            TermKind::ObjectComprehension(member, body) => {
                closures.push(self.closure(body, vec![&member.0, &member.1]));
                Shape::Comprehension
            }
            TermKind::Call { function, arguments } => {
                let mut own = Vec::new();
                let kind = self.call(function, arguments, before, &mut own);
                self.called(kind, own, before)
            }
            TermKind::Infix { left, right, .. } => self.operation(&[left, right], before),
            TermKind::MemberWithKey { key, value, collection } => self.operation(&[key, value, collection], before),
            TermKind::Minus(inner) => self.operation(&[inner], before),
            TermKind::Parenthesised(inner) => self.term(inner, before, closures),
        }
    }

    fn terms(&mut self, terms: &'a [Term], before: &mut Vec<Statement>, closures: &mut Vec<Closure>) -> Vec<Shape> {
        terms.iter().map(|term| self.term(term, before, closures)).collect()
    }

    fn operation(&mut self, operands: &[&'a Term], before: &mut Vec<Statement>) -> Shape {
        let mut closures = Vec::new();
        let inputs = operands.iter().map(|operand| self.term(operand, before, &mut closures)).collect();
        self.called(Kind::Call { inputs, outputs: Vec::new() }, closures, before)
    }
}
