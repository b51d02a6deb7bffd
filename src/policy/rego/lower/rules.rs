//! Modules, rules and bodies.

use super::{
    super::ast::{Body, Else, Expr, ExprKind, Head, Logical, Module, Rule, Span, With},
    COLLECTION, Lowering, names,
};
use crate::policy::rego::ast::{Term, TermKind};

impl<'a> Lowering<'a> {
    pub(super) fn module(&mut self, module: &'a Module) {
        self.replace_path(module.package.path_span, &module.package.path);
        for import in &module.imports {
            // Its uses are whole references now; regorus would read a package for the name alone.
            let root = import.path.first().map(|name| name.text.as_str());
            if matches!(root, Some("data" | "input")) {
                self.replace(import.span, "");
            }
        }
        for (number, rule) in module.rules.iter().enumerate() {
            self.rule = number;
            self.rule(rule);
        }
    }

    fn replace_path(&mut self, at: super::Span, path: &[super::super::ast::Name]) {
        let written = names::path(path);
        if self.text.get(at.range()) != Some(written.as_str()) {
            self.replace(at, written);
        }
    }

    fn rule(&mut self, rule: &'a Rule) {
        let mut arguments = Vec::new();
        rule.head.arguments.iter().flatten().for_each(|argument| names::variables(argument, &mut arguments));
        self.scopes.push(arguments);
        // The head sees what the body declares.
        self.scopes.push(rule.body.as_ref().map(names::declared).unwrap_or_default());
        self.head(&rule.head);
        if let Some(body) = &rule.body {
            self.expressions(body);
        }
        self.scopes.pop();
        for otherwise in &rule.otherwise {
            self.otherwise(otherwise);
        }
        self.scopes.pop();
    }

    fn head(&mut self, head: &'a Head) {
        // Its first name is what it defines, not a use.
        self.parts(&head.reference);
        head.arguments.iter().flatten().for_each(|argument| self.term(argument));
        head.key.iter().for_each(|key| self.term(key));
        head.value.iter().for_each(|value| self.term(value));
    }

    fn otherwise(&mut self, otherwise: &'a Else) {
        self.scopes.push(otherwise.body.as_ref().map(names::declared).unwrap_or_default());
        otherwise.value.iter().for_each(|value| self.term(value));
        if let Some(body) = &otherwise.body {
            self.expressions(body);
        }
        self.scopes.pop();
    }

    /// A body with names of its own.
    pub(super) fn body(&mut self, body: &'a Body) {
        self.scopes.push(names::declared(body));
        self.expressions(body);
        self.scopes.pop();
    }

    pub(super) fn expressions(&mut self, body: &'a Body) {
        body.expressions.iter().for_each(|expression| self.expression(expression));
    }

    pub(super) fn expression(&mut self, expression: &'a Expr) {
        match &expression.kind {
            ExprKind::Some(_) => {}
            ExprKind::SomeIn { key, value, collection } => {
                key.iter().for_each(|key| self.term(key));
                self.term(value);
                self.collection(collection);
            }
            ExprKind::Every { key, value, domain, body } => {
                self.term(domain);
                let names = key.iter().chain([value]).map(|name| name.text.as_str()).collect();
                self.scopes.push(names);
                self.body(body);
                self.scopes.pop();
            }
            ExprKind::Not(body) => self.negation(expression, body),
            ExprKind::Logical { operator, left, right } => self.logical(expression, *operator, left, right),
            ExprKind::Term(term) => self.term(term),
        }
        expression.with.iter().for_each(|with| self.with(with));
    }

    /// `not { … }` becomes `[1 | …] == []`.
    fn negation(&mut self, expression: &'a Expr, body: &'a Body) {
        self.replace(expression.span.before(body.span), "");
        self.comprehended(body, "[1 | ");
        self.insert(body.span.end, "] == []");
    }

    /// `a and b` becomes `[1 | a; b] != []`, `a or b` becomes `[[1 | a], [1 | b]] != [[], []]`.
    fn logical(&mut self, expression: &'a Expr, operator: Logical, left: &'a Body, right: &'a Body) {
        let (open, between, close) = match operator {
            Logical::And => ("[1 | ", "; ", "] != []"),
            Logical::Or => ("[[1 | ", "], [1 | ", "]] != [[], []]"),
        };
        self.replace(expression.span.before(left.span), "");
        self.comprehended(left, open);
        self.replace(left.span.between(right.span), between);
        self.comprehended(right, "");
        self.insert(right.span.end, close);
    }

    /// What a body asks, without its braces or parentheses.
    fn comprehended(&mut self, body: &'a Body, open: &str) {
        let (Some(first), Some(last)) = (body.expressions.first(), body.expressions.last()) else { return };
        self.replace(body.span.before(first.span), open);
        self.body(body);
        self.replace(Span { start: last.span.end, end: body.span.end }, "");
    }

    fn collection(&mut self, collection: &'a Term) {
        let is_one = matches!(
            collection.kind,
            TermKind::Array(_)
                | TermKind::Set(_)
                | TermKind::Object(_)
                | TermKind::ArrayComprehension(..)
                | TermKind::SetComprehension(..)
                | TermKind::ObjectComprehension(..)
        );
        if is_one {
            return self.term(collection);
        }
        self.insert(collection.span.start, format!("{COLLECTION}("));
        self.term(collection);
        self.insert(collection.span.end, ")");
    }

    fn with(&mut self, with: &'a With) {
        self.reference(&with.target);
        let built_in = match &with.value.kind {
            TermKind::Ref(reference) => names::dotted(reference),
            TermKind::Var(name) => Some(name.clone()),
            _ => None,
        };
        let built_in = built_in.filter(|name| {
            let first = name.split('.').next().unwrap_or_default();
            !self.is_local(first) && !self.imports.contains_key(first) && !(self.world.defined)(first)
        });
        match built_in.and_then(|name| Some(((self.world.built_in)(&name)?, name))) {
            Some((arity, name)) => {
                self.replace(with.value.span, names::wrapper_name(&name));
                self.wrappers.insert(name, arity);
            }
            None => self.term(&with.value),
        }
    }
}
