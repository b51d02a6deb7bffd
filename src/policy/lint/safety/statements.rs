//! A rule as statements over variables: calls that are inside of something are statements of their own, before it.

use std::collections::{HashMap, HashSet};

use super::super::{
    World, calls,
    names::{Callee, Source},
};
use crate::policy::{
    builtins,
    rego::{
        ast::{Body, Expr, ExprKind, Name, Operator, Ref, RefPartKind, Rule, Span, TemplatePart, Term, TermKind},
        lower::names::{declared, dotted, variables},
        visit::Scopes,
    },
};

/// The number of a variable.
pub(super) type Variable = usize;

/// What a term is made of, as far as variables go.
pub(super) enum Shape {
    /// A value without variables.
    Ground,
    Variable(Variable),
    /// A reference: the variable that it goes into, `None` for a document, and what is in its brackets.
    Reference(Option<Variable>, Vec<Self>),
    Array(Vec<Self>),
    Set(Vec<Self>),
    Object(Vec<(Self, Self)>),
    /// What is in it is a [`Closure`] of the statement.
    Comprehension,
}

/// A condition.
pub(super) struct Statement {
    pub(super) negated: bool,
    /// The values of its `with`.
    pub(super) with: Vec<Shape>,
    pub(super) kind: Kind,
    pub(super) closures: Vec<Closure>,
}

/// The kinds of conditions.
pub(super) enum Kind {
    Equal { assigned: bool, left: Shape, right: Shape },
    Call { inputs: Vec<Shape>, outputs: Vec<Shape> },
    Term(Shape),
}

/// A body inside of a condition.
pub(super) struct Closure {
    /// What an `every` gives it.
    pub(super) given: Vec<Variable>,
    pub(super) statements: Vec<Statement>,
}

/// What makes statements of a rule.
pub(super) struct Builder<'b, 'a> {
    world: &'b World<'b, 'a>,
    source: &'b Source<'a>,
    /// The names that are declared, with the number of their scope, inmost last.
    scopes: Vec<(usize, HashSet<&'a str>)>,
    /// How many scopes there were.
    count: usize,
    known: HashMap<(usize, &'a str), Variable>,
    /// The name of each, and where it first stands; `None` for one that stands for a call.
    all: Vec<Option<(&'a str, Span)>>,
    /// The variables of the arguments, which the caller gives.
    pub(super) arguments: Vec<Variable>,
    /// Names that an `every` declares in vain.
    pub(super) unused: Vec<(&'a str, Span)>,
}

impl<'b, 'a> Builder<'b, 'a> {
    pub(super) fn new(world: &'b World<'b, 'a>, source: &'b Source<'a>, rule: &'a Rule) -> Self {
        let mut builder = Self {
            world,
            source,
            scopes: Vec::new(),
            count: 0,
            known: HashMap::new(),
            all: Vec::new(),
            arguments: Vec::new(),
            unused: Vec::new(),
        };
        let mut names = Vec::new();
        rule.head.arguments.iter().flatten().for_each(|argument| variables(argument, &mut names));
        builder.enter(names);
        builder
    }

    /// The statements of its body, and of each `else`, with what its head asks.
    pub(super) fn rule(&mut self, rule: &'a Rule) -> Vec<Vec<Statement>> {
        let mut names = Vec::new();
        for argument in rule.head.arguments.iter().flatten() {
            everywhere(argument, &mut names);
        }
        for name in names {
            if let Some(variable) = self.variable(name, rule.head.span) {
                self.arguments.push(variable);
            }
        }
        let head = rule.head.reference.parts.iter().filter_map(|part| match &part.kind {
            RefPartKind::Bracket(index) => Some(index),
            RefPartKind::Dot(_) => None,
        });
        let head = head.chain(&rule.head.key).chain(&rule.head.value);
        let mut bodies = vec![self.scoped(rule.body.as_ref(), head.collect())];
        for otherwise in &rule.otherwise {
            bodies.push(self.scoped(otherwise.body.as_ref(), otherwise.value.iter().collect()));
        }
        bodies
    }

    /// The name of a variable that has one, and where it first stands.
    pub(super) fn name(&self, variable: Variable) -> Option<(&'a str, Span)> {
        self.all.get(variable).copied().flatten()
    }

    fn enter(&mut self, names: Vec<&'a str>) {
        self.count += 1;
        self.scopes.push((self.count, names.into_iter().collect()));
    }

    fn new_variable(&mut self, name: Option<(&'a str, Span)>) -> Variable {
        self.all.push(name);
        self.all.len() - 1
    }

    /// What a name stands for; `None` for a document or a rule.
    fn variable(&mut self, name: &'a str, span: Span) -> Option<Variable> {
        if name == "_" {
            return Some(self.new_variable(Some((name, span))));
        }
        let scope = self.scopes.iter().rev().find(|(_, names)| names.contains(name)).map(|(number, _)| *number);
        if scope.is_none() && (matches!(name, "input" | "data") || self.source.is_defined(name)) {
            return None;
        }
        let at = (scope.unwrap_or(0), name);
        Some(if let Some(known) = self.known.get(&at) {
            *known
        } else {
            let variable = self.new_variable(Some((name, span)));
            self.known.insert(at, variable);
            variable
        })
    }

    /// A body with names of its own, and then terms that see them.
    fn scoped(&mut self, body: Option<&'a Body>, terms: Vec<&'a Term>) -> Vec<Statement> {
        self.enter(body.map(declared).unwrap_or_default());
        let mut statements = Vec::new();
        for expression in body.iter().flat_map(|body| &body.expressions) {
            self.expression(expression, &mut statements);
        }
        for term in terms {
            let mut closures = Vec::new();
            let shape = self.term(term, &mut statements, &mut closures);
            statements.push(Statement { negated: false, with: Vec::new(), kind: Kind::Term(shape), closures });
        }
        self.scopes.pop();
        statements
    }

    fn closure(&mut self, body: &'a Body, terms: Vec<&'a Term>) -> Closure {
        Closure { given: Vec::new(), statements: self.scoped(Some(body), terms) }
    }

    fn expression(&mut self, expression: &'a Expr, before: &mut Vec<Statement>) {
        let (mut with, mut closures) = (Vec::new(), Vec::new());
        for one in &expression.with {
            if !is_built_in(&one.value) {
                with.push(self.term(&one.value, before, &mut closures));
            }
        }
        let kind = match &expression.kind {
            ExprKind::Some(_) => return,
            ExprKind::SomeIn { key, value, collection } => {
                let collection = self.apart(collection, before);
                let key = match key {
                    Some(key) => self.term(key, before, &mut closures),
                    None => Shape::Variable(self.new_variable(None)),
                };
                let left = self.term(value, before, &mut closures);
                Kind::Equal { assigned: false, left, right: Shape::Reference(Some(collection), vec![key]) }
            }
            ExprKind::Every { key, value, domain, body } => {
                let domain = self.apart(domain, before);
                closures.push(self.every(key.as_ref(), value, body));
                Kind::Term(Shape::Variable(domain))
            }
            ExprKind::Not(body) => {
                closures.push(self.closure(body, Vec::new()));
                Kind::Term(Shape::Ground)
            }
            ExprKind::Logical { left, right, .. } => {
                closures.extend([left, right].map(|side| self.closure(side, Vec::new())));
                Kind::Term(Shape::Ground)
            }
            ExprKind::Term(term) => self.condition(calls::bare(term), before, &mut closures),
        };
        before.push(Statement { negated: expression.negated, with, kind, closures });
    }

    fn every(&mut self, key: Option<&'a Name>, value: &'a Name, body: &'a Body) -> Closure {
        let names: Vec<&'a Name> = key.into_iter().chain([value]).filter(|name| name.text != "_").collect();
        self.enter(names.iter().map(|name| name.text.as_str()).collect());
        let scope = self.count;
        let statements = self.scoped(Some(body), Vec::new());
        self.scopes.pop();
        let mut given = Vec::new();
        for name in names {
            match self.known.get(&(scope, name.text.as_str())) {
                Some(variable) => given.push(*variable),
                // What its body declares again is told as that.
                None if declared(body).contains(&name.text.as_str()) => {}
                None => self.unused.push((&name.text, name.span)),
            }
        }
        Closure { given, statements }
    }

    /// A whole condition.
    fn condition(&mut self, term: &'a Term, before: &mut Vec<Statement>, closures: &mut Vec<Closure>) -> Kind {
        match &term.kind {
            TermKind::Infix { operator: operator @ (Operator::Assign | Operator::Unify), left, right, .. } => {
                let assigned = *operator == Operator::Assign;
                let value = if assigned { self.assigned(left, right, before, closures) } else { Shape::Ground };
                let left = self.term(left, before, closures);
                let right = if assigned { value } else { self.term(right, before, closures) };
                Kind::Equal { assigned, left, right }
            }
            TermKind::Infix { left, right, .. } => {
                let inputs = [left, right].map(|side| self.term(side, before, closures)).into();
                Kind::Call { inputs, outputs: Vec::new() }
            }
            TermKind::Call { function, arguments } => self.call(function, arguments, before, closures),
            _ => Kind::Term(self.term(term, before, closures)),
        }
    }

    /// What is assigned to a pattern: its names mean in it what they mean around.
    fn assigned(
        &mut self,
        pattern: &'a Term,
        value: &'a Term,
        before: &mut Vec<Statement>,
        closures: &mut Vec<Closure>,
    ) -> Shape {
        let mut names = Vec::new();
        variables(pattern, &mut names);
        if let Some((_, scope)) = self.scopes.last_mut() {
            for name in &names {
                scope.remove(name);
            }
        }
        let shape = self.term(value, before, closures);
        if let Some((_, scope)) = self.scopes.last_mut() {
            scope.extend(names);
        }
        shape
    }

    fn call(
        &mut self,
        function: &'a Ref,
        arguments: &'a [Term],
        before: &mut Vec<Statement>,
        closures: &mut Vec<Closure>,
    ) -> Kind {
        let is_local = matches!(&function.head.kind, TermKind::Var(name) if self.declares(name));
        let callee = if is_local { Callee::Unknown } else { self.source.callee(function, &Scopes::default()) };
        let arity = match callee {
            Callee::BuiltIn(name) if name == "print" => {
                for argument in arguments {
                    let closure = Closure { given: Vec::new(), statements: self.scoped(None, vec![argument]) };
                    closures.push(closure);
                }
                return Kind::Term(Shape::Ground);
            }
            Callee::BuiltIn(name) => {
                if let ("eq", [left, right]) = (name.as_str(), arguments) {
                    let [left, right] = [left, right].map(|side| self.term(side, before, closures));
                    return Kind::Equal { assigned: false, left, right };
                }
                calls::arity(&name)
            }
            Callee::Path(path) => self.world.functions.get(&path).copied(),
            Callee::Unknown => None,
        };
        let mut inputs: Vec<Shape> = arguments.iter().map(|argument| self.term(argument, before, closures)).collect();
        // What is unknown is a fault of its own.
        let outputs = inputs.split_off(arity.unwrap_or(0).min(inputs.len()));
        Kind::Call { inputs, outputs }
    }

    fn declares(&self, name: &str) -> bool {
        self.scopes.iter().any(|(_, names)| names.contains(name))
    }

    /// A variable that has the value of a term.
    fn apart(&mut self, term: &'a Term, before: &mut Vec<Statement>) -> Variable {
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
    fn term(&mut self, term: &'a Term, before: &mut Vec<Statement>, closures: &mut Vec<Closure>) -> Shape {
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

/// Whether a value of a `with` names a built-in.
fn is_built_in(value: &Term) -> bool {
    let name = match &calls::bare(value).kind {
        TermKind::Var(name) => Some(name.clone()),
        TermKind::Ref(reference) => dotted(reference),
        _ => None,
    };
    name.is_some_and(|name| builtins::arity(&name).is_some())
}

/// Every variable of an argument, wherever in it.
fn everywhere<'a>(argument: &'a Term, names: &mut Vec<&'a str>) {
    crate::policy::rego::visit::term(argument, &mut |node, scopes| {
        if let crate::policy::rego::visit::Node::Name(name, _) = node
            && name != "_"
            && !scopes.declares(name)
        {
            names.push(name);
        }
    });
}
