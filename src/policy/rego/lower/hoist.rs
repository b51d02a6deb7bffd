//! What is asked before the condition that it stands in.
//!
//! OPA asks what is inside of a call, an operator or a composite before the condition that they are in, and so before its
//! `not`: `not startswith(input.x, "a")` has no solution where `input.x` is undefined. regorus asks all of it inside of the
//! `not`, and would find it true.

use super::{
    super::SyntaxError,
    super::ast::{Operator, Ref, Span, Term, TermKind},
    super::edit::{Edit, Edited},
    super::visit::{self, Node},
    HELD, Lowering, SEEN, names,
};

impl<'a> Lowering<'a> {
    /// A negated condition. `with` is what it is asked with.
    pub(super) fn negated(&mut self, term: &'a Term, with: &str) {
        if let Some(value) = self.reported(term, SEEN) {
            return self.negated(value, with);
        }
        match &term.kind {
            TermKind::Parenthesised(inner) => self.negated(inner, with),
            TermKind::Ref(_) => self.side(term, with),
            TermKind::Infix { operator: Operator::Equal | Operator::Unify, left, right, .. } => {
                self.side(left, with);
                self.replace(left.span.between(right.span), " == ");
                self.side(right, with);
            }
            TermKind::Infix { operator: Operator::Assign, operator_span, .. } => self.refused.push(SyntaxError {
                span: *operator_span,
                cause: "cannot assign vars inside negated expression".to_owned(),
                help: Some("compare with `==`".to_owned()),
            }),
            TermKind::Infix { operator, operator_span, left, right } => {
                let hoist = |lowering: &mut Self, operand| lowering.operand(operand, with);
                self.infix(term.span, (*operator, *operator_span), [left, right], hoist);
            }
            TermKind::MemberWithKey { key, value, collection } => {
                self.member_with_key(term.span, [key, value, collection], |lowering, part| {
                    lowering.operand(part, with);
                });
            }
            TermKind::Call { function, arguments } if self.is_walk(function) && arguments.len() == 2 => {
                if let [of, into] = arguments.as_slice() {
                    self.insert(term.span.start, "[1 | ");
                    self.walk(term.span, function, (of, Some(into)), |lowering, part| lowering.hoist(part, with));
                    self.insert(term.span.end, "] != []");
                }
            }
            TermKind::Call { function, arguments } if self.operator(function).is_some() => {
                let Some(operator) = self.operator(function) else { return };
                self.operation(term.span, (operator, " == "), arguments, |lowering, part| lowering.operand(part, with));
            }
            TermKind::Call { function, arguments } if !self.is_special(function) => {
                self.called(function);
                for argument in arguments {
                    self.operand(argument, with);
                }
            }
            TermKind::Array(_) | TermKind::Set(_) | TermKind::Object(_) | TermKind::Minus(_) => {
                self.operand(term, with);
            }
            _ => self.term(term),
        }
    }

    /// A side of `==`: a reference is asked in its place, but not what is in its brackets.
    fn side(&mut self, term: &'a Term, with: &str) {
        if let Some(value) = self.reported(term, SEEN) {
            return self.side(value, with);
        }
        match &term.kind {
            TermKind::Ref(reference) => {
                self.keyed(reference);
                if self.dynamic(reference, true, |lowering, index| lowering.member(index, with)) {
                    return;
                }
                self.elements_by_calls(reference, 0, true);
                self.bare_head(reference);
                match reference.head.kind {
                    TermKind::Var(_) => self.head_of_reference(&reference.head),
                    // Of a call, the call is asked before, but not what is taken of its value.
                    _ => self.hoist(&reference.head, with),
                }
                self.parts(&reference.parts, &mut |lowering, index| lowering.member(index, with));
            }
            TermKind::Var(_) => self.term(term),
            TermKind::Parenthesised(inner) => self.side(inner, with),
            _ => self.operand(term, with),
        }
    }

    /// What is in the brackets of a reference in a `not`. OPA asks it when its variables have their values; regorus would
    /// give them the keys that are there, and so ask the `not` of these alone, unless the brackets have a reference in them.
    fn member(&mut self, index: &'a Term, with: &str) {
        let waits = !with.is_empty() || self.needs_variables(index);
        if waits {
            self.insert(index.span.start, "[");
        }
        self.operand(index, with);
        if waits {
            self.insert(index.span.end, "][0]");
        }
    }

    fn needs_variables(&self, term: &Term) -> bool {
        let mut needs = false;
        visit::term(term, &mut |node, scopes| {
            let name = match node {
                Node::Name(name, _) => name,
                Node::Ref(reference) => head_of(reference),
                _ => return,
            };
            // What begins another way is met for itself. Of `_` the gate tells that it has no value.
            needs |= !scopes.declares(name) && !self.is_global(name);
        });
        needs
    }

    /// The same for an operand in a `not`. OPA takes references out of it once their variables have values, but for those
    /// in a call in it, which is asked for itself.
    fn operand(&mut self, term: &'a Term, with: &str) {
        if let Some(value) = self.reported(term, HELD) {
            return self.operand(value, with);
        }
        match &term.kind {
            TermKind::Ref(_) if !self.settled.contains_key(&term.span) && self.waits_in_brackets(term) => {
                let variable = self.variable();
                let text = self.lowered(term.span, |lowering| lowering.side(term, with));
                self.before.push(format!("{variable} := {text}{with}"));
                self.replace(term.span, variable);
            }
            TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| self.operand(item, with)),
            TermKind::Object(members) => {
                self.object(term.span, members, |lowering, part| lowering.operand(part, with));
            }
            TermKind::Parenthesised(inner) => self.operand(inner, with),
            _ => self.hoist(term, with),
        }
    }

    /// Has references and calls in a term asked before, into variables that stand in their places.
    pub(super) fn hoist(&mut self, term: &'a Term, with: &str) {
        if let Some(value) = self.reported(term, HELD) {
            return self.hoist(value, with);
        }
        if self.settled.contains_key(&term.span) {
            return self.term(term);
        }
        match &term.kind {
            TermKind::Var(name) if self.is_rule(name) => self.ask(term, with),
            TermKind::Ref(_)
            | TermKind::Call { .. }
            | TermKind::Infix { .. }
            | TermKind::MemberWithKey { .. }
            | TermKind::Minus(_) => self.ask(term, with),
            TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| self.hoist(item, with)),
            TermKind::Object(members) => {
                self.object(term.span, members, |lowering, part| lowering.hoist(part, with));
            }
            TermKind::Parenthesised(inner) => self.hoist(inner, with),
            _ => self.term(term),
        }
    }

    /// What a head asks, in OPA's order.
    pub(super) fn asked_by_head(&mut self, terms: &[&'a Term]) -> Vec<String> {
        self.apart(|lowering| {
            lowering.head_in_order(terms);
            for term in terms {
                lowering.hoist(term, "");
            }
        })
    }

    /// The left side of a unification of arrays, which regorus takes apart: a rule or a call of a function in it is asked
    /// before, as in OPA, which asks it where an element of the right side is undefined, too.
    pub(super) fn apart_from(&mut self, side: &'a Term) {
        match &side.kind {
            TermKind::Array(items) => items.iter().for_each(|item| self.apart_from(item)),
            TermKind::Parenthesised(inner) => self.apart_from(inner),
            _ if self.is_settled(side) => {
                let with = self.with.clone();
                self.ask(side, &with);
            }
            _ => self.pattern(side),
        }
    }

    /// Whether a term asks a rule or calls a function, and needs no variable.
    fn is_settled(&self, term: &Term) -> bool {
        if self.settled.contains_key(&term.span)
            || !matches!(term.kind, TermKind::Var(_) | TermKind::Ref(_) | TermKind::Call { .. })
        {
            return false;
        }
        let (mut asks, mut needs) = (false, false);
        visit::term(term, &mut |node, scopes| {
            let (name, called) = match node {
                Node::Name(name, _) => (name, false),
                Node::Ref(reference) => (head_of(reference), false),
                Node::Call { function, .. } => (head_of(function), true),
                _ => return,
            };
            if !scopes.declares(name) && !name.is_empty() {
                let ours = name == "data" || self.is_rule(name);
                asks |= ours;
                needs |= !ours && !called && name != "input";
            }
        });
        asks && !needs
    }

    /// The value in a report of an explanation, which stays where it is.
    fn reported(&mut self, term: &'a Term, report: &str) -> Option<&'a Term> {
        let value = self.value_reported(term)?;
        let TermKind::Call { function, arguments } = &term.kind else { return None };
        if head_of(function) != report {
            return None;
        }
        let (_, before) = arguments.split_last()?;
        for argument in before {
            self.term(argument);
        }
        Some(value)
    }

    pub(super) fn is_rule(&self, name: &str) -> bool {
        !self.is_local(name) && (self.imports.contains_key(name) || (self.world.defined)(name))
    }

    pub(super) fn ask(&mut self, term: &'a Term, with: &str) {
        let variable = self.variable();
        let text = self.lowered(term.span, |lowering| lowering.term(term));
        self.before.push(format!("{variable} := {text}{with}"));
        self.replace(term.span, variable);
    }

    /// A name that no author has.
    pub(super) fn variable(&mut self) -> String {
        self.variables = self.variables.wrapping_add(1);
        format!("{}{}", names::VARIABLE, self.variables)
    }

    /// The lowered text of a part, on one line.
    pub(super) fn lowered(&mut self, at: Span, work: impl FnOnce(&mut Self)) -> String {
        let outer = std::mem::take(&mut self.edits);
        let flat = std::mem::replace(&mut self.flat, true);
        work(self);
        self.flat = flat;
        let mut edits = std::mem::replace(&mut self.edits, outer);
        let inside = |comment: &&Span| comment.start >= at.start && comment.end <= at.end;
        let free =
            |comment: &&Span| edits.iter().all(|edit| edit.at.end <= comment.start || comment.end <= edit.at.start);
        let comments: Vec<Edit> =
            self.comments.iter().filter(inside).filter(free).map(|comment| Edit::replace(*comment, "")).collect();
        edits.extend(comments);
        for edit in &mut edits {
            edit.at = Span { start: edit.at.start.saturating_sub(at.start), end: edit.at.end.saturating_sub(at.start) };
        }
        Edited::new(self.text.get(at.range()).unwrap_or_default(), edits).text.replace(['\n', '\r'], " ")
    }

    /// Whether lowering makes something else than a call of a call.
    pub(super) fn is_special(&self, function: &Ref) -> bool {
        let name = names::dotted(function);
        matches!(name.as_deref(), Some("rego.metadata.chain" | "rego.metadata.rule"))
            || (name.as_deref() == Some("walk") && !self.is_local("walk"))
    }
}

/// The name that a reference begins with; empty where it begins with none.
pub(super) fn head_of(reference: &Ref) -> &str {
    match &reference.head.kind {
        TermKind::Var(name) => name,
        _ => "",
    }
}
