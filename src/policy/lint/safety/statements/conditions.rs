//! Conditions, and the bodies in them.

use super::{Builder, Closure, Kind, Shape, Statement};
use crate::policy::{
    builtins,
    lint::{calls, names::Callee},
    rego::{
        ast::{Body, Expr, ExprKind, Name, Operator, Ref, Term, TermKind},
        lower::names::{declared, dotted, variables},
        visit::Scopes,
    },
};

impl<'a> Builder<'_, 'a> {
    pub(super) fn expression(&mut self, expression: &'a Expr, before: &mut Vec<Statement>) {
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

    pub(super) fn call(
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
