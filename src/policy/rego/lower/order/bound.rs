//! Which variables have a value where a condition stands.

use std::collections::BTreeSet;

use super::super::{
    super::ast::{Body, Expr, ExprKind, RefPartKind, Term, TermKind},
    super::visit::{self, Node},
    Lowering,
    hoist::head_of,
    names,
};

impl<'a> Lowering<'a> {
    /// Whether a variable gets its value in the condition that is being lowered.
    pub(in super::super) fn has_no_value(&self, name: &str) -> bool {
        self.opens.contains(name) && self.is_new(name)
    }

    /// Whether a variable gets its value in a condition after the one that is being lowered.
    pub(super) fn gets_its_value_later(&self, name: &str) -> bool {
        let own = self.levels.last();
        !self.opens.contains(name) && own.is_some_and(|own| own.contains(name)) && self.is_new(name)
    }

    /// Whether a term in brackets is a variable that a call of the condition needs: nothing there gives it a value.
    pub(in super::super) fn is_called(&self, index: &Term) -> bool {
        let TermKind::Var(name) = &index.kind else { return false };
        // What gives it a value before may wait itself.
        self.called.contains(name.as_str()) && !self.is_global(name) && (self.is_new(name) || !self.has_its_value(name))
    }

    /// Whether brackets in a term have a variable that may get its value only later.
    pub(in super::super) fn waits_in_brackets(&self, term: &Term) -> bool {
        let mut found = BTreeSet::new();
        in_brackets(term, &mut found);
        found.into_iter().any(|name| !self.is_global(name) && !self.has_its_value(name))
    }

    fn is_new(&self, name: &str) -> bool {
        let around = self.levels.split_last().map_or(&[][..], |(_, around)| around);
        !["input", "data"].contains(&name)
            && !self.given.contains(name)
            && !self.is_rule(name)
            && (self.is_late(name) || !around.iter().any(|level| level.contains(name)))
    }

    /// Lowers what sees these names.
    pub(in super::super) fn seeing(&mut self, names: impl IntoIterator<Item = &'a str>, work: impl FnOnce(&mut Self)) {
        self.levels.push(names.into_iter().collect());
        work(self);
        self.levels.pop();
    }

    /// Lowers conditions, each of which `Lowering::is_given` when it is done.
    pub(in super::super) fn in_body<T>(
        &mut self,
        body: &'a Body,
        head: impl IntoIterator<Item = &'a Term>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let given = std::mem::take(&mut self.given);
        let opens = std::mem::take(&mut self.opens);
        let called = std::mem::take(&mut self.called);
        let valued = std::mem::take(&mut self.valued);
        let mut own = of_body(body);
        head.into_iter().for_each(|term| of_term(term, &mut own));
        self.levels.push(own);
        let done = work(self);
        self.levels.pop();
        (self.given, self.opens, self.called, self.valued) = (given, opens, called, valued);
        done
    }

    /// The variables of the bodies around that a body needs, but for arguments, which always have a value, and those in
    /// `own`, which it is given.
    pub(in super::super) fn needed_from_around(&self, own: &BTreeSet<&str>, body: &'a Body) -> BTreeSet<&'a str> {
        let (arguments, around) =
            self.levels.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
        let is_argument = |name| {
            let hidden = self.scopes.iter().skip(1).any(|scope| scope.contains(&name));
            !hidden && arguments.is_some_and(|arguments| arguments.contains(name))
        };
        let mut needed = BTreeSet::new();
        visit::query(body, &mut |node, scopes| {
            let name = match node {
                Node::Name(name, _) => name,
                Node::Ref(reference) => head_of(reference),
                _ => return,
            };
            let is_around = || around.iter().any(|level| level.contains(name)) && !is_argument(name);
            if !scopes.declares(name)
                && !own.contains(name)
                && is_around()
                && !self.is_global(name)
                && !self.is_late(name)
            {
                needed.insert(name);
            }
        });
        needed
    }

    /// Whether a name is no variable.
    pub(in super::super) fn is_global(&self, name: &str) -> bool {
        ["", "_", "input", "data"].contains(&name) || self.is_rule(name)
    }

    /// A condition is about to be lowered.
    pub(in super::super) fn begins(&mut self, expression: &'a Expr) {
        self.called = called_by(expression);
        self.opens = opened_by(expression, &self.called);
        self.waiting(expression);
    }

    /// A condition has been asked: its variables have their values.
    pub(in super::super) fn is_given(&mut self, expression: &'a Expr) {
        of_condition(expression, &mut self.given);
        let mut valued = std::mem::take(&mut self.valued);
        self.adds_values(expression, &mut valued);
        self.valued = valued;
    }

    /// Lowers what a body's head asks, which is asked when all that the body gives is there.
    pub(in super::super) fn in_head<T>(
        &mut self,
        body: Option<&'a Body>,
        terms: impl IntoIterator<Item = &'a Term>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let own = body.map(of_body).unwrap_or_default();
        let mut opened = BTreeSet::new();
        terms.into_iter().for_each(|term| in_brackets(term, &mut opened));
        let given = std::mem::replace(&mut self.given, own);
        let opens = std::mem::replace(&mut self.opens, opened);
        let called = std::mem::take(&mut self.called);
        self.levels.push(self.given.clone());
        let valued = body.map(|body| self.valued_by(body)).unwrap_or_default();
        let valued = std::mem::replace(&mut self.valued, valued);
        self.levels.last_mut().into_iter().for_each(BTreeSet::clear);
        let done = work(self);
        self.levels.pop();
        (self.given, self.opens, self.called, self.valued) = (given, opens, called, valued);
        done
    }
}

/// The names that may get a value in a condition.
fn opened_by<'t>(expression: &'t Expr, called: &BTreeSet<&'t str>) -> BTreeSet<&'t str> {
    let (mut found, mut patterns) = (BTreeSet::new(), Vec::new());
    match &expression.kind {
        ExprKind::SomeIn { key, value, collection } => {
            key.iter().chain([value]).for_each(|pattern| names::variables(pattern, &mut patterns));
            key.iter().chain([value, collection]).for_each(|term| in_brackets(term, &mut found));
        }
        ExprKind::Every { domain, .. } => in_brackets(domain, &mut found),
        ExprKind::Term(term) => {
            in_brackets(term, &mut found);
            match &term.kind {
                TermKind::Infix { left, right, .. } => {
                    for side in [left, right] {
                        names::variables(side, &mut patterns);
                    }
                }
                TermKind::Call { arguments, .. } => {
                    arguments.last().into_iter().for_each(|output| names::variables(output, &mut patterns));
                }
                _ => {}
            }
        }
        ExprKind::Some(_) | ExprKind::Not(_) | ExprKind::Logical { .. } => {}
    }
    expression.with.iter().for_each(|with| in_brackets(&with.value, &mut found));
    found.retain(|name| !called.contains(name));
    found.extend(patterns);
    found
}

/// The names that calls in a condition are made with: they need a value before it, so that OPA asks all of it later. Where the
/// condition is a call, its last argument may get its value.
fn called_by(expression: &Expr) -> BTreeSet<&str> {
    let mut names = Vec::new();
    let mut whole = None;
    let mut terms: Vec<&Term> = expression.with.iter().map(|with| &with.value).collect();
    match &expression.kind {
        ExprKind::SomeIn { key, value, collection } => terms.extend(key.iter().chain([value, collection])),
        ExprKind::Every { domain, .. } => terms.push(domain),
        ExprKind::Term(term) => {
            whole = Some(term.span);
            terms.push(term);
        }
        ExprKind::Some(_) | ExprKind::Not(_) | ExprKind::Logical { .. } => {}
    }
    for term in terms {
        visit::term(term, &mut |node, scopes| {
            let Node::Call { arguments, span, .. } = node else { return };
            let given = if whole == Some(span) { arguments.len().saturating_sub(1) } else { arguments.len() };
            let mut own = Vec::new();
            arguments.iter().take(given).for_each(|argument| names::variables(argument, &mut own));
            names.extend(own.into_iter().filter(|name| !scopes.declares(name)));
        });
    }
    names.into_iter().collect()
}

/// The names in brackets of references, which may get their values there.
fn in_brackets<'t>(term: &'t Term, found: &mut BTreeSet<&'t str>) {
    visit::term(term, &mut |node, _| {
        let Node::Ref(reference) = node else { return };
        for part in &reference.parts {
            if let RefPartKind::Bracket(index) = &part.kind {
                let mut names = Vec::new();
                names::variables(index, &mut names);
                found.extend(names);
            }
        }
    });
}

/// The names in a body's conditions, without those of bodies in it.
fn of_body(body: &Body) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    body.expressions.iter().for_each(|expression| of_condition(expression, &mut found));
    found
}

fn of_condition<'t>(expression: &'t Expr, found: &mut BTreeSet<&'t str>) {
    if expression.negated {
        return;
    }
    match &expression.kind {
        ExprKind::SomeIn { key, value, collection } => {
            key.iter().chain([value, collection]).for_each(|term| of_term(term, found));
        }
        ExprKind::Every { domain, .. } => of_term(domain, found),
        ExprKind::Term(term) => of_term(term, found),
        ExprKind::Some(_) | ExprKind::Not(_) | ExprKind::Logical { .. } => {}
    }
    expression.with.iter().for_each(|with| of_term(&with.value, found));
}

fn of_term<'t>(term: &'t Term, found: &mut BTreeSet<&'t str>) {
    match &term.kind {
        TermKind::Var(name) if name != "_" => {
            found.insert(name);
        }
        TermKind::Ref(reference) => {
            of_term(&reference.head, found);
            for part in &reference.parts {
                if let RefPartKind::Bracket(index) = &part.kind {
                    of_term(index, found);
                }
            }
        }
        TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| of_term(item, found)),
        TermKind::Object(members) => members.iter().for_each(|(key, value)| {
            of_term(key, found);
            of_term(value, found);
        }),
        TermKind::Call { arguments, .. } => arguments.iter().for_each(|argument| of_term(argument, found)),
        TermKind::Infix { left, right, .. } => [left, right].into_iter().for_each(|side| of_term(side, found)),
        TermKind::MemberWithKey { key, value, collection } => {
            for part in [key, value, collection] {
                of_term(part, found);
            }
        }
        TermKind::Parenthesised(inner) | TermKind::Minus(inner) => of_term(inner, found),
        _ => {}
    }
}
