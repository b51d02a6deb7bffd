//! Names in a body: which are bound, and what the others stand for.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::rego::{
    ast::{Body, Expr, ExprKind, Module, Operator, Ref, RefPartKind, TemplatePart, Term, TermKind},
    visit::{self, Node},
};

/// The root of a path that stands for a local variable: hidden names are hidden there, too.
const LOCAL: &str = "local";

/// The names that a module gives to what is outside of its rules, and the rules of its package.
#[derive(Debug, Default)]
pub(super) struct Names {
    package: Vec<String>,
    /// Name to path: `data.a.b`, `input.x`.
    imports: BTreeMap<String, Vec<String>>,
    /// The first names of the package's rules, of all its files.
    rules: BTreeSet<String>,
}

/// What is bound at a place of a body.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    bound: BTreeSet<String>,
    declared: BTreeSet<String>,
    /// The paths that the value of a variable comes from.
    made_of: BTreeMap<String, Vec<Vec<String>>>,
}

/// What can be said of a term.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// The paths that it reads, as far as they are constant, `data` or `input` first.
    pub(super) paths: Vec<Vec<String>>,
    /// The same, and what the local variables in it were made of.
    pub(super) sources: Vec<Vec<String>>,
    /// References below local variables, after [`LOCAL`]: `c.password`.
    members: Vec<Vec<String>>,
    /// The local variables in it.
    pub(super) locals: Vec<String>,
    /// Whether it goes through a collection by a variable that nothing has bound.
    pub(super) iterates: bool,
    /// Whether it calls `walk`, which regorus knows by its place.
    pub(super) walks: bool,
}

impl Names {
    /// Reads the imports of a module; `rules` are its package's.
    pub(super) fn new(module: &Module, rules: BTreeSet<String>) -> Self {
        let package = package(module);
        let imports = module.imports.iter().filter_map(|import| {
            let path: Vec<String> = import.path.iter().map(|name| name.text.clone()).collect();
            let known = path.first().is_some_and(|root| root == "data" || root == "input");
            known.then(|| import.name().map(|name| (name.to_owned(), path)))?
        });
        Self { package, imports: imports.collect(), rules }
    }

    fn root(&self, name: &str) -> Option<Vec<String>> {
        if name == "data" || name == "input" {
            return Some(vec![name.to_owned()]);
        }
        if self.rules.contains(name) {
            let parts = self.package.iter().map(String::as_str).chain([name]);
            return Some(std::iter::once("data").chain(parts).map(str::to_owned).collect());
        }
        self.imports.get(name).cloned()
    }
}

impl Scope {
    /// Binds a name.
    pub(super) fn bind(&mut self, name: &str) {
        self.bound.insert(name.to_owned());
    }

    /// Binds every variable of a pattern that nothing else gives a value.
    pub(super) fn bind_pattern(&mut self, pattern: &Term, names: &Names) {
        let mut found = Vec::new();
        variables(pattern, &mut found);
        found.retain(|name| self.declared.contains(name) || names.root(name).is_none());
        self.bind_all(found);
    }

    /// Says where the values of all that is bound come from.
    pub(super) fn come_from(&mut self, source: &[String]) {
        self.made_of = self.bound.iter().map(|name| (name.clone(), vec![source.to_vec()])).collect();
    }

    /// Says that a name is local from here on, without a value yet.
    pub(super) fn declare(&mut self, name: &str) {
        self.declared.insert(name.to_owned());
    }

    /// Binds what a condition binds.
    pub(super) fn after(&mut self, condition: &Expr, names: &Names) {
        if condition.negated {
            return;
        }
        let known = self.bound.clone();
        let sources = self.uses_of(condition, names).sources;
        self.bind_by(condition, names);
        for name in self.bound.difference(&known) {
            self.made_of.insert(name.clone(), sources.clone());
        }
    }

    fn bind_by(&mut self, condition: &Expr, names: &Names) {
        match &condition.kind {
            ExprKind::Some(declared) => declared.iter().for_each(|name| self.declare(&name.text)),
            ExprKind::SomeIn { key, value, .. } => {
                for pattern in key.iter().chain([value]) {
                    let mut found = Vec::new();
                    variables(pattern, &mut found);
                    self.bind_all(found);
                }
            }
            ExprKind::Every { .. } | ExprKind::Not(_) | ExprKind::Logical { .. } => {}
            ExprKind::Term(term) => {
                match &term.kind {
                    TermKind::Infix { operator: Operator::Assign, left, .. } => {
                        let mut found = Vec::new();
                        variables(left, &mut found);
                        self.bind_all(found);
                    }
                    TermKind::Infix { operator: Operator::Unify, left, right, .. } => {
                        self.bind_pattern(left, names);
                        self.bind_pattern(right, names);
                    }
                    TermKind::Call { arguments, .. } => {
                        for argument in arguments {
                            self.bind_pattern(argument, names);
                        }
                    }
                    _ => {}
                }
                let mut indices = Vec::new();
                index_variables(term, &mut indices);
                indices.retain(|name| names.root(name).is_none());
                self.bind_all(indices);
            }
        }
    }

    /// The bound variables.
    pub(super) fn bound(&self) -> impl Iterator<Item = &str> {
        self.bound.iter().map(String::as_str)
    }

    /// The paths that a variable's value comes from.
    pub(super) fn sources(&self, name: &str) -> Vec<Vec<String>> {
        let mut sources = self.made_of.get(name).cloned().unwrap_or_default();
        sources.push(vec![LOCAL.to_owned(), name.to_owned()]);
        sources
    }

    /// Whether the name is a local variable.
    pub(super) fn is_local(&self, name: &str) -> bool {
        self.bound.contains(name) || self.declared.contains(name)
    }

    /// Whether a term has a variable in a place where it takes a value: a pattern, not an operand.
    pub(super) fn is_pattern(&self, term: &Term, names: &Names) -> bool {
        let mut found = Vec::new();
        variables(term, &mut found);
        found.iter().any(|name| !self.is_bound(name, names))
    }

    /// Whether a term has a name in it, anywhere, that is not known here.
    pub(super) fn has_unknown(&self, term: &Term, names: &Names) -> bool {
        let mut unknown = false;
        visit::term(term, &mut |node, _| {
            if let Node::Name(name, _) = node {
                unknown |= name != "_" && !self.is_bound(name, names);
            }
        });
        unknown
    }

    /// Looks through a term.
    pub(super) fn uses(&self, term: &Term, names: &Names) -> Uses {
        let mut uses = Uses::default();
        self.look(term, names, &mut uses, false);
        self.trace(uses)
    }

    /// Looks through a function's name.
    pub(super) fn uses_of_reference(&self, reference: &Ref, names: &Names) -> Uses {
        let mut uses = Uses::default();
        self.reference(reference, names, &mut uses, false);
        self.trace(uses)
    }

    /// Looks through a whole condition.
    pub(super) fn uses_of(&self, condition: &Expr, names: &Names) -> Uses {
        let mut uses = Uses::default();
        self.look_at(condition, names, &mut uses, false);
        self.trace(uses)
    }

    fn trace(&self, mut uses: Uses) -> Uses {
        let through = uses.locals.iter().flat_map(|name| self.sources(name));
        uses.sources = uses.paths.iter().chain(&uses.members).cloned().chain(through).collect();
        uses
    }

    fn bind_all(&mut self, found: Vec<String>) {
        self.bound.extend(found.into_iter().filter(|name| name != "_"));
    }

    fn is_bound(&self, name: &str, names: &Names) -> bool {
        self.bound.contains(name) || !self.declared.contains(name) && names.root(name).is_some()
    }

    fn look_at(&self, condition: &Expr, names: &Names, uses: &mut Uses, inside: bool) {
        match &condition.kind {
            ExprKind::Some(_) => {}
            ExprKind::SomeIn { key, value, collection } => {
                for term in key.iter().chain([value, collection]) {
                    self.look(term, names, uses, inside);
                }
            }
            ExprKind::Every { domain, body, .. } => {
                self.look(domain, names, uses, inside);
                self.look_in(body, names, uses);
            }
            ExprKind::Not(body) => self.look_in(body, names, uses),
            ExprKind::Logical { left, right, .. } => {
                self.look_in(left, names, uses);
                self.look_in(right, names, uses);
            }
            ExprKind::Term(term) => self.look(term, names, uses, inside),
        }
        condition.with.iter().for_each(|with| self.look(&with.value, names, uses, inside));
    }

    /// A body of a comprehension or of an `every`: what it iterates over, and its variables, are its own.
    fn look_in(&self, body: &Body, names: &Names, uses: &mut Uses) {
        body.expressions.iter().for_each(|expression| self.look_at(expression, names, uses, true));
    }

    fn look(&self, term: &Term, names: &Names, uses: &mut Uses, inside: bool) {
        let mut each = |term: &Term| self.look(term, names, uses, inside);
        match &term.kind {
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => {}
            TermKind::Var(name) => self.name(name, &[], names, uses),
            TermKind::Ref(reference) => self.reference(reference, names, uses, inside),
            TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(each),
            TermKind::Object(members) => members.iter().flat_map(|(key, value)| [key, value]).for_each(each),
            TermKind::ArrayComprehension(head, body) | TermKind::SetComprehension(head, body) => {
                self.look(head, names, uses, true);
                self.look_in(body, names, uses);
            }
            TermKind::ObjectComprehension(head, body) => {
                self.look(&head.0, names, uses, true);
                self.look(&head.1, names, uses, true);
                self.look_in(body, names, uses);
            }
            TermKind::Call { function, arguments } => {
                self.reference(function, names, uses, inside);
                uses.walks |= matches!(&function.head.kind, TermKind::Var(name) if name == "walk");
                for argument in arguments {
                    self.look(argument, names, uses, inside);
                }
            }
            TermKind::Infix { left, right, .. } => {
                each(left);
                each(right);
            }
            TermKind::MemberWithKey { key, value, collection } => {
                each(key);
                each(value);
                each(collection);
            }
            TermKind::Parenthesised(inner) | TermKind::Minus(inner) => each(inner),
            TermKind::Template { parts, .. } => {
                for part in parts {
                    if let TemplatePart::Expr(expression) = part {
                        self.look_at(expression, names, uses, inside);
                    }
                }
            }
        }
    }

    fn reference(&self, reference: &Ref, names: &Names, uses: &mut Uses, inside: bool) {
        let mut parts = Vec::new();
        let mut constant = true;
        for part in &reference.parts {
            match &part.kind {
                RefPartKind::Dot(name) if constant => parts.push(name.clone()),
                RefPartKind::Bracket(Term { kind: TermKind::String { value, .. }, .. }) if constant => {
                    parts.push(value.clone());
                }
                RefPartKind::Dot(_) => {}
                RefPartKind::Bracket(index) => {
                    constant = false;
                    if let TermKind::Var(name) = &index.kind {
                        uses.iterates |= !inside && !self.is_bound(name, names);
                    }
                    self.look(index, names, uses, inside);
                }
            }
        }
        match &reference.head.kind {
            TermKind::Var(name) => self.name(name, &parts, names, uses),
            _ => self.look(&reference.head, names, uses, inside),
        }
    }

    fn name(&self, name: &str, parts: &[String], names: &Names, uses: &mut Uses) {
        if self.is_local(name) {
            if !parts.is_empty() {
                let own = [LOCAL, name].map(str::to_owned);
                uses.members.push(own.into_iter().chain(parts.iter().cloned()).collect());
            }
            if self.bound.contains(name) && !uses.locals.iter().any(|known| known == name) {
                uses.locals.push(name.to_owned());
            }
        } else if let Some(mut path) = names.root(name) {
            path.extend(parts.iter().cloned());
            if !uses.paths.contains(&path) {
                uses.paths.push(path);
            }
        }
    }
}

/// The names of a module's package.
pub(super) fn package(module: &Module) -> Vec<String> {
    module.package.path.iter().map(|name| name.text.clone()).collect()
}

/// The variables of a pattern: those that stand alone, in arrays and in objects.
fn variables(pattern: &Term, found: &mut Vec<String>) {
    match &pattern.kind {
        TermKind::Var(name) => found.push(name.clone()),
        TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| variables(item, found)),
        TermKind::Object(members) => members.iter().for_each(|(_, value)| variables(value, found)),
        TermKind::Parenthesised(inner) => variables(inner, found),
        _ => {}
    }
}

/// The variables that stand alone in brackets, outside of comprehensions.
fn index_variables(term: &Term, found: &mut Vec<String>) {
    let mut each = |term: &Term| index_variables(term, found);
    match &term.kind {
        TermKind::Ref(reference) => {
            each(&reference.head);
            for part in &reference.parts {
                if let RefPartKind::Bracket(index) = &part.kind {
                    if let TermKind::Var(name) = &index.kind
                        && name != "_"
                    {
                        found.push(name.clone());
                    }
                    index_variables(index, found);
                }
            }
        }
        TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(each),
        TermKind::Object(members) => members.iter().flat_map(|(key, value)| [key, value]).for_each(each),
        TermKind::Call { arguments, .. } => arguments.iter().for_each(each),
        TermKind::Infix { left, right, .. } => {
            each(left);
            each(right);
        }
        TermKind::Parenthesised(inner) => each(inner),
        _ => {}
    }
}
