//! What a term asks, in OPA's order.

use std::cmp::Ordering;

use super::super::{
    super::ast::{Ref, RefPartKind, Term, TermKind},
    super::visit::{self, Node},
    HELD, Lowering, SEEN, names,
};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Call,
    Reference,
    /// A comprehension, a template, or what a reference begins with.
    Value,
}

/// One question.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) term: &'a Term,
    pub(super) kind: Kind,
    /// Whether it may be an error: it calls a function of the policies or asks a rule.
    pub(super) errs: bool,
    /// Whether it is an element of an array, a set or an object.
    pub(super) inside: bool,
    /// Whether it is asked in the condition itself.
    pub(super) stays: bool,
}

impl<'a> Lowering<'a> {
    /// The value in a report of an explanation. A policy's own function of that name is none.
    pub(in super::super) fn value_reported(&self, term: &'a Term) -> Option<&'a Term> {
        let TermKind::Call { function, arguments } = &term.kind else { return None };
        let TermKind::Var(name) = &function.head.kind else { return None };
        let is_report = [SEEN, HELD].contains(&name.as_str()) && function.parts.is_empty();
        if !is_report || self.is_local(name) || self.is_rule(name) {
            return None;
        }
        arguments.last()
    }

    /// The calls in a term, each after what is in its arguments.
    pub(super) fn calls(&self, term: &'a Term, inside: bool, steps: &mut Vec<Step<'a>>) {
        if let Some(value) = self.value_reported(term) {
            return self.calls(value, inside, steps);
        }
        let arguments: Vec<&'a Term> = match &term.kind {
            TermKind::Call { function, .. } if Self::is_annotation(function) => return,
            TermKind::Call { arguments, .. } => arguments.iter().collect(),
            TermKind::Infix { left, right, .. } => vec![left, right],
            TermKind::MemberWithKey { key, value, collection } => vec![key, value, collection],
            TermKind::Minus(inner) => vec![inner],
            TermKind::Template { .. } => return self.push(term, Kind::Value, inside, steps),
            TermKind::Ref(reference) => return self.calls_of_reference(reference, inside, steps),
            TermKind::Array(_) | TermKind::Set(_) | TermKind::Object(_) => {
                return self.elements(term).into_iter().for_each(|element| self.calls(element, true, steps));
            }
            TermKind::Parenthesised(inner) => return self.calls(inner, inside, steps),
            _ => return,
        };
        for argument in &arguments {
            self.calls(argument, inside, steps);
        }
        for argument in &arguments {
            self.dynamics(argument, inside, steps);
        }
        self.push(term, Kind::Call, inside, steps);
    }

    fn calls_of_reference(&self, reference: &'a Ref, inside: bool, steps: &mut Vec<Step<'a>>) {
        self.calls(&reference.head, inside, steps);
        for part in &reference.parts {
            if let RefPartKind::Bracket(index) = &part.kind {
                self.calls(index, inside, steps);
            }
        }
        let is_called = |head: &Term| matches!(head.kind, TermKind::Var(_) | TermKind::Ref(_) | TermKind::Call { .. });
        if !is_called(&reference.head) {
            self.dynamics(&reference.head, inside, steps);
            self.push(&reference.head, Kind::Value, inside, steps);
        }
    }

    /// The references and comprehensions in a term whose calls are made.
    pub(super) fn dynamics(&self, term: &'a Term, inside: bool, steps: &mut Vec<Step<'a>>) {
        if let Some(value) = self.value_reported(term) {
            return self.dynamics(value, inside, steps);
        }
        match &term.kind {
            TermKind::Var(name) if self.is_rule(name) => self.push(term, Kind::Reference, inside, steps),
            TermKind::Ref(reference) => {
                for part in &reference.parts {
                    if let RefPartKind::Bracket(index) = &part.kind {
                        self.dynamics(index, inside, steps);
                    }
                }
                self.push(term, Kind::Reference, inside, steps);
            }
            TermKind::ArrayComprehension(..) | TermKind::SetComprehension(..) | TermKind::ObjectComprehension(..) => {
                self.push(term, Kind::Value, inside, steps);
            }
            TermKind::Array(_) | TermKind::Set(_) | TermKind::Object(_) => {
                self.elements(term).into_iter().for_each(|element| self.dynamics(element, true, steps));
            }
            TermKind::Parenthesised(inner) => self.dynamics(inner, inside, steps),
            _ => {}
        }
    }

    fn push(&self, term: &'a Term, kind: Kind, inside: bool, steps: &mut Vec<Step<'a>>) {
        steps.push(Step { term, kind, errs: self.may_err(term, kind), inside, stays: false });
    }

    /// Whether a step may be an error, apart from what is asked in steps before it.
    fn may_err(&self, term: &Term, kind: Kind) -> bool {
        match (&term.kind, kind) {
            (TermKind::Call { function, .. }, Kind::Call) => {
                self.is_of_policies(function) || names::dotted(function).is_some_and(|name| (self.world.mocked)(&name))
            }
            (TermKind::Ref(reference), Kind::Reference) => self.is_of_policies(reference),
            (TermKind::Var(name), Kind::Reference) => self.names_policies(name),
            (_, Kind::Value) => {
                let mut found = false;
                visit::term(term, &mut |node, scopes| {
                    found |= match node {
                        Node::Name(name, _) => !scopes.declares(name) && self.names_policies(name),
                        Node::Ref(reference) | Node::Call { function: reference, .. } => {
                            let TermKind::Var(name) = &reference.head.kind else { return };
                            !scopes.declares(name) && self.is_of_policies(reference)
                        }
                        _ => false,
                    };
                });
                found
            }
            _ => false,
        }
    }

    /// Whether a reference asks a rule or is a function's, as far as that can be told.
    fn is_of_policies(&self, reference: &Ref) -> bool {
        let TermKind::Var(name) = &reference.head.kind else { return false };
        self.names_policies(name) && !self.known(reference).is_some_and(|(path, _)| (self.world.base)(&path))
    }

    fn names_policies(&self, name: &str) -> bool {
        if self.is_local(name) {
            return false;
        }
        match self.imports.get(name) {
            Some(target) => target.starts_with("data"),
            None => name == "data" || (self.world.defined)(name),
        }
    }

    /// What OPA has a name for when it sorts: imports and rules are whole references then, and variables have others.
    fn whole_name(&self, name: &str) -> String {
        if self.is_local(name) {
            return "__local".to_owned();
        }
        match self.imports.get(name) {
            Some(target) => target.clone(),
            None if (self.world.defined)(name) => names::data(self.package.iter().chain([&name.to_owned()])),
            None => name.to_owned(),
        }
    }

    fn is_annotation(function: &Ref) -> bool {
        matches!(names::dotted(function).as_deref(), Some("rego.metadata.chain" | "rego.metadata.rule"))
    }

    /// The elements of a composite. OPA has those of sets and the keys of objects in order.
    fn elements(&self, term: &'a Term) -> Vec<&'a Term> {
        match &term.kind {
            TermKind::Array(items) => items.iter().collect(),
            TermKind::Set(items) => {
                let mut items: Vec<&Term> = items.iter().collect();
                items.sort_by(|one, other| self.compare(one, other));
                items
            }
            TermKind::Object(members) => {
                let mut members: Vec<&(Term, Term)> = members.iter().collect();
                members.sort_by(|one, other| self.compare(&one.0, &other.0));
                members.into_iter().flat_map(|(key, value)| [key, value]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// OPA's order of terms, as far as it tells calls and constants apart.
    fn compare(&self, one: &Term, other: &Term) -> Ordering {
        let rank = |term: &Term| match &term.kind {
            TermKind::Null => 0,
            TermKind::Bool(_) => 1,
            TermKind::Number(_) => 2,
            TermKind::String { .. } => 3,
            TermKind::Var(name) if !self.is_rule(name) => 4,
            TermKind::Var(_) | TermKind::Ref(_) => 5,
            TermKind::Array(_) => 6,
            TermKind::Object(_) => 7,
            TermKind::Set(_) => 8,
            TermKind::ArrayComprehension(..) => 9,
            TermKind::ObjectComprehension(..) => 10,
            TermKind::SetComprehension(..) => 11,
            _ => 12,
        };
        let name = |term: &Term| match &term.kind {
            TermKind::String { value, .. } => value.clone(),
            TermKind::Var(name) => self.whole_name(name),
            TermKind::Ref(reference) | TermKind::Call { function: reference, .. } => {
                let TermKind::Var(head) = &reference.head.kind else { return String::new() };
                let parts = reference.parts.iter().map_while(|part| names::constant(&part.kind));
                parts.fold(self.whole_name(head), |name, part| name + "." + part)
            }
            TermKind::Infix { operator, .. } => operator.builtin().unwrap_or_default().to_owned(),
            TermKind::Minus(_) => "minus".to_owned(),
            TermKind::Template { .. } => "internal.template_string".to_owned(),
            TermKind::MemberWithKey { .. } => "internal.member_3".to_owned(),
            _ => String::new(),
        };
        rank(one).cmp(&rank(other)).then_with(|| name(one).cmp(&name(other)))
    }
}
