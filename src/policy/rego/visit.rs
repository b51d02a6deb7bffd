//! A walk over a syntax tree that knows which names are declared where it is.

use std::collections::HashSet;

use super::{
    ast::{Body, Expr, ExprKind, Ref, RefPartKind, Rule, Span, TemplatePart, Term, TermKind},
    lower::names,
};

/// Something that a walk comes by, outermost first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a> {
    /// A name that stands alone, `input` and `data` among them.
    Name(&'a str, Span),
    /// A reference; its head, and what is in its brackets, come after it.
    Ref(&'a Ref),
    /// A call; its function is no [`Node::Ref`] of its own.
    Call { function: &'a Ref, arguments: &'a [Term], span: Span },
    /// What a `with` replaces; its value comes after it.
    Target(&'a Ref),
    /// A body, of a rule or of anything in it; its conditions come after it.
    Body(&'a Body),
    /// A condition.
    Expr(&'a Expr),
    /// Any term.
    Term(&'a Term),
}

/// The names that are declared at a place, inmost scope last.
#[derive(Debug, Default)]
pub(crate) struct Scopes<'a>(Vec<HashSet<&'a str>>);

impl Scopes<'_> {
    /// Whether a name is declared, and so neither a rule nor an import.
    pub(crate) fn declares(&self, name: &str) -> bool {
        self.0.iter().any(|scope| scope.contains(name))
    }
}

/// Calls `visit` for everything in a rule but the reference of its head.
pub(crate) fn rule<'a>(rule: &'a Rule, visit: &mut dyn FnMut(Node<'a>, &Scopes<'a>)) {
    let mut walk = Walk { visit, scopes: Scopes::default() };
    let mut arguments = Vec::new();
    rule.head.arguments.iter().flatten().for_each(|argument| names::variables(argument, &mut arguments));
    walk.scopes.0.push(arguments.into_iter().collect());
    walk.scopes.0.push(rule.body.as_ref().map(declared).unwrap_or_default());
    walk.brackets(&rule.head.reference);
    let head = rule.head.arguments.iter().flatten().chain(&rule.head.key).chain(&rule.head.value);
    head.for_each(|term| walk.term(term));
    if let Some(body) = &rule.body {
        walk.expressions(body);
    }
    walk.scopes.0.pop();
    for otherwise in &rule.otherwise {
        walk.scopes.0.push(otherwise.body.as_ref().map(declared).unwrap_or_default());
        otherwise.value.iter().for_each(|value| walk.term(value));
        if let Some(body) = &otherwise.body {
            walk.expressions(body);
        }
        walk.scopes.0.pop();
    }
}

/// Calls `visit` for everything in a query.
pub(crate) fn query<'a>(body: &'a Body, visit: &mut dyn FnMut(Node<'a>, &Scopes<'a>)) {
    let mut walk = Walk { visit, scopes: Scopes::default() };
    walk.scopes.0.push(declared(body));
    walk.expressions(body);
}

/// Calls `visit` for everything in a condition, itself included.
pub(crate) fn condition<'a>(condition: &'a Expr, visit: &mut dyn FnMut(Node<'a>, &Scopes<'a>)) {
    Walk { visit, scopes: Scopes::default() }.expression(condition);
}

/// Calls `visit` for everything in a term, itself included.
pub(crate) fn term<'a>(term: &'a Term, visit: &mut dyn FnMut(Node<'a>, &Scopes<'a>)) {
    Walk { visit, scopes: Scopes::default() }.term(term);
}

fn declared(body: &Body) -> HashSet<&str> {
    names::declared(body).into_iter().collect()
}

struct Walk<'a, 'v> {
    visit: &'v mut dyn FnMut(Node<'a>, &Scopes<'a>),
    scopes: Scopes<'a>,
}

impl<'a> Walk<'a, '_> {
    fn see(&mut self, node: Node<'a>) {
        (self.visit)(node, &self.scopes);
    }

    fn expressions(&mut self, body: &'a Body) {
        self.see(Node::Body(body));
        body.expressions.iter().for_each(|expression| self.expression(expression));
    }

    fn body(&mut self, body: &'a Body, items: &[&'a Term]) {
        self.scopes.0.push(declared(body));
        for item in items {
            self.term(item);
        }
        self.expressions(body);
        self.scopes.0.pop();
    }

    fn expression(&mut self, expression: &'a Expr) {
        self.see(Node::Expr(expression));
        match &expression.kind {
            ExprKind::Some(_) => {}
            ExprKind::SomeIn { key, value, collection } => {
                key.iter().chain([value, collection]).for_each(|term| self.term(term));
            }
            ExprKind::Every { key, value, domain, body } => {
                self.term(domain);
                self.scopes.0.push(key.iter().chain([value]).map(|name| name.text.as_str()).collect());
                self.body(body, &[]);
                self.scopes.0.pop();
            }
            ExprKind::Not(body) => self.body(body, &[]),
            ExprKind::Logical { left, right, .. } => [left, right].into_iter().for_each(|side| self.body(side, &[])),
            ExprKind::Term(term) => self.term(term),
        }
        for with in &expression.with {
            self.see(Node::Target(&with.target));
            self.brackets(&with.target);
            self.term(&with.value);
        }
    }

    fn reference(&mut self, reference: &'a Ref) {
        self.see(Node::Ref(reference));
        if !matches!(reference.head.kind, TermKind::Var(_)) {
            self.term(&reference.head);
        }
        self.brackets(reference);
    }

    fn brackets(&mut self, reference: &'a Ref) {
        for part in &reference.parts {
            if let RefPartKind::Bracket(index) = &part.kind {
                self.term(index);
            }
        }
    }

    fn term(&mut self, term: &'a Term) {
        self.see(Node::Term(term));
        match &term.kind {
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => {}
            TermKind::Template { parts, .. } => {
                for part in parts {
                    if let TemplatePart::Expr(expression) = part {
                        self.expression(expression);
                    }
                }
            }
            TermKind::Var(name) => self.see(Node::Name(name, term.span)),
            TermKind::Ref(reference) => self.reference(reference),
            TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| self.term(item)),
            TermKind::Object(members) => members.iter().for_each(|(key, value)| {
                self.term(key);
                self.term(value);
            }),
            TermKind::ArrayComprehension(item, body) | TermKind::SetComprehension(item, body) => {
                self.body(body, &[item]);
            }
            TermKind::ObjectComprehension(member, body) => self.body(body, &[&member.0, &member.1]),
            TermKind::Call { function, arguments } => {
                self.see(Node::Call { function, arguments, span: term.span });
                self.brackets(function);
                for argument in arguments {
                    self.term(argument);
                }
            }
            TermKind::Infix { left, right, .. } => [left, right].into_iter().for_each(|side| self.term(side)),
            TermKind::MemberWithKey { key, value, collection } => {
                for part in [key, value, collection] {
                    self.term(part);
                }
            }
            TermKind::Parenthesised(inner) | TermKind::Minus(inner) => self.term(inner),
        }
    }
}
