//! Which variables surely have a value where a condition stands, in OPA's order of conditions.

use std::collections::BTreeSet;

use super::super::{
    super::SyntaxError,
    super::ast::{Body, Expr, ExprKind, Operator, Ref, RefPartKind, Span, Term, TermKind},
    super::visit::{self, Node},
    Lowering,
    hoist::head_of,
    names,
    patterns::leaves_of,
};

impl<'a> Lowering<'a> {
    /// Whether a name has a value before the condition that is being lowered, wherever that is asked.
    pub(in super::super) fn has_its_value(&self, name: &str) -> bool {
        if name == "_" {
            return false;
        }
        if self.is_rule(name) || self.valued.contains(name) {
            return true;
        }
        let declares = self.scopes.last().is_some_and(|own| own.contains(&name));
        let around = self.levels.split_last().map_or(&[][..], |(_, around)| around);
        !declares && around.iter().any(|level| level.contains(name))
    }

    /// What conditions give a value, one after the other.
    pub(super) fn valued_by(&self, body: &'a Body) -> BTreeSet<&'a str> {
        let mut valued = BTreeSet::new();
        body.expressions.iter().for_each(|expression| self.adds_values(expression, &mut valued));
        valued
    }

    /// Adds what a condition gives a value. One that waits for a later condition gives none here.
    pub(super) fn adds_values(&self, expression: &'a Expr, valued: &mut BTreeSet<&'a str>) {
        if let Some((given, true)) = self.gives(expression, valued) {
            valued.extend(given);
        }
    }

    /// Refuses a condition that waits for a later one and has open brackets after base data that a text or a number finds in
    /// another way: which of the two it meets depends on what gives the variables their values, and when.
    pub(super) fn waiting(&mut self, expression: &'a Expr) {
        let Some((_, false)) = self.gives(expression, &self.valued) else { return };
        let (outside, _) = parts_of(expression);
        let Some(open) = outside.into_iter().find_map(|reference| self.open_index(reference)) else { return };
        self.refused.push(SyntaxError {
            span: open.span,
            cause: "what this finds in `data` depends on a later condition, for which this one waits".to_owned(),
            help: Some("write this condition after those that give its variables their values".to_owned()),
        });
    }

    /// What a condition gives values, and whether it has all that it needs for that before those that come later. `None`
    /// for one that gives none.
    fn gives(&self, expression: &'a Expr, valued: &BTreeSet<&'a str>) -> Option<(BTreeSet<&'a str>, bool)> {
        let mut given = BTreeSet::new();
        let mut needed = BTreeSet::new();
        expression.with.iter().for_each(|with| used(&with.value, &mut given, &mut needed));
        match &expression.kind {
            ExprKind::Some(_) | ExprKind::Not(_) | ExprKind::Logical { .. } => return None,
            _ if expression.negated => return None,
            ExprKind::SomeIn { key, value, collection } => {
                used(collection, &mut given, &mut needed);
                let mut pattern = Vec::new();
                key.iter().chain([value]).for_each(|term| names::variables(term, &mut pattern));
                given.extend(pattern);
            }
            ExprKind::Every { domain, .. } => used(domain, &mut given, &mut needed),
            ExprKind::Term(term) => self.of_term(term, (&mut given, &mut needed), valued),
        }
        // What is in a body of its own gets no value there that the body around knows.
        let own = self.levels.last();
        needed.extend(parts_of(expression).1.into_iter().filter(|name| own.is_some_and(|own| own.contains(name))));
        let has_value = |name: &&str| {
            given.contains(name)
                || valued.contains(name)
                || ["input", "data"].contains(name)
                || self.has_its_value(name)
        };
        let waits = !needed.iter().all(has_value);
        Some((given, !waits))
    }

    fn of_term(
        &self,
        term: &'a Term,
        (given, needed): (&mut BTreeSet<&'a str>, &mut BTreeSet<&'a str>),
        valued: &BTreeSet<&'a str>,
    ) {
        match &term.kind {
            TermKind::Parenthesised(inner) => self.of_term(inner, (given, needed), valued),
            TermKind::Infix { operator: Operator::Assign, left, right, .. } => {
                used(right, given, needed);
                let mut pattern = Vec::new();
                names::variables(left, &mut pattern);
                given.extend(pattern);
            }
            TermKind::Infix { operator: Operator::Unify, left, right, .. } => {
                used(left, given, needed);
                used(right, given, needed);
                let mut pairs = Vec::new();
                leaves_of(left, right, &mut pairs);
                // One that has no value yet may get it from a later one.
                for _ in 0..pairs.len().min(MAX_PASSES) {
                    for (left, right) in &pairs {
                        self.unified(left, right, given, valued);
                    }
                }
            }
            TermKind::Call { function, arguments } => {
                let outputs = self.outputs(function, arguments);
                for argument in arguments.iter().take(arguments.len() - outputs) {
                    used(argument, given, needed);
                }
                let mut pattern = Vec::new();
                arguments.iter().rev().take(outputs).for_each(|output| names::variables(output, &mut pattern));
                given.extend(pattern);
            }
            _ => used(term, given, needed),
        }
    }

    /// Adds what the sides of an equation give each other.
    fn unified(&self, left: &'a Term, right: &'a Term, given: &mut BTreeSet<&'a str>, valued: &BTreeSet<&'a str>) {
        let (mut sides, mut open) = ([Vec::new(), Vec::new()], [false, false]);
        for ((side, names), is_open) in [left, right].into_iter().zip(&mut sides).zip(&mut open) {
            names::variables(side, names);
            let has_value = |name: &&str| given.contains(name) || valued.contains(name) || self.has_its_value(name);
            *is_open = !names.iter().all(has_value);
        }
        // Of two sides without values neither gives the other one.
        if open != [true, true] {
            given.extend(sides.into_iter().flatten());
        }
    }

    /// How many of the arguments of a condition's call are what it gives.
    fn outputs(&self, function: &Ref, arguments: &[Term]) -> usize {
        let arity = names::dotted(function).and_then(|name| self.arity(&name));
        let is_more = arity.is_some_and(|arity| arguments.len() > arity);
        usize::from(is_more || (self.is_walk(function) && arguments.len() == 2))
    }

    /// How many arguments a function or a built-in takes.
    fn arity(&self, name: &str) -> Option<usize> {
        let (first, rest) = name.split_at(name.find('.').unwrap_or(name.len()));
        if self.is_local(first) {
            return None;
        }
        let whole = match self.imports.get(first) {
            Some(target) => format!("{target}{rest}"),
            None if (self.world.defined)(first) => format!("data.{}.{name}", self.package.join(".")),
            None => name.to_owned(),
        };
        (self.world.function)(&whole).or_else(|| (self.world.built_in)(&whole).map(usize::from))
    }
}

/// What a condition has outside of bodies in it and of its templates: the references; and inside of these: the names that
/// are not declared there.
fn parts_of(expression: &Expr) -> (Vec<&Ref>, BTreeSet<&str>) {
    let (mut outside, mut inside, mut bodies) = (Vec::new(), BTreeSet::new(), Vec::<Span>::new());
    visit::condition(expression, &mut |node, scopes| {
        let (name, at) = match node {
            Node::Body(Body { span, .. }) => return bodies.push(*span),
            Node::Term(Term { kind, span }) if has_body(kind) => return bodies.push(*span),
            Node::Name(name, at) => (name, at),
            Node::Ref(reference) => (head_of(reference), reference.span),
            _ => return,
        };
        if bodies.iter().any(|body| body.start <= at.start && at.end <= body.end) {
            inside.extend(Some(name).filter(|name| !scopes.declares(name)));
        } else if let Node::Ref(reference) = node {
            outside.push(reference);
        }
    });
    (outside, inside)
}

fn has_body(kind: &TermKind) -> bool {
    matches!(
        kind,
        TermKind::ArrayComprehension(..)
            | TermKind::SetComprehension(..)
            | TermKind::ObjectComprehension(..)
            | TermKind::Template { .. }
    )
}

/// The most often that an equation's parts are gone over.
const MAX_PASSES: usize = 10;

/// The names that a term gives a value by the brackets of its references, and those that it needs.
fn used<'t>(term: &'t Term, given: &mut BTreeSet<&'t str>, needed: &mut BTreeSet<&'t str>) {
    match &term.kind {
        TermKind::Var(name) if name != "_" => {
            needed.insert(name);
        }
        TermKind::Ref(reference) => {
            used(&reference.head, given, needed);
            for part in &reference.parts {
                let RefPartKind::Bracket(index) = &part.kind else { continue };
                let mut pattern = Vec::new();
                names::variables(index, &mut pattern);
                if pattern.is_empty() {
                    used(index, given, needed);
                }
                given.extend(pattern);
            }
        }
        TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| used(item, given, needed)),
        TermKind::Object(members) => members.iter().for_each(|(key, value)| {
            used(key, given, needed);
            used(value, given, needed);
        }),
        TermKind::Call { arguments, .. } => arguments.iter().for_each(|argument| used(argument, given, needed)),
        TermKind::Infix { left, right, .. } => {
            used(left, given, needed);
            used(right, given, needed);
        }
        TermKind::MemberWithKey { key, value, collection } => {
            for part in [key, value, collection] {
                used(part, given, needed);
            }
        }
        TermKind::Parenthesised(inner) | TermKind::Minus(inner) => used(inner, given, needed),
        _ => {}
    }
}
