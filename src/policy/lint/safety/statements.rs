//! A rule as statements over variables: calls that are inside of something are statements of their own, before it.

mod conditions;
mod terms;

use std::collections::{HashMap, HashSet};

use super::super::{World, names::Source};
use crate::policy::rego::{
    ast::{Body, RefPartKind, Rule, Span, Term},
    lower::names::{declared, variables},
    visit::{self, Node},
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

    fn declares(&self, name: &str) -> bool {
        self.scopes.iter().any(|(_, names)| names.contains(name))
    }
}

/// Every variable of an argument, wherever in it.
fn everywhere<'a>(argument: &'a Term, names: &mut Vec<&'a str>) {
    visit::term(argument, &mut |node, scopes| {
        if let Node::Name(name, _) = node
            && name != "_"
            && !scopes.declares(name)
        {
            names.push(name);
        }
    });
}
