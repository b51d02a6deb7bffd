//! The order in which what a condition asks is asked.
//!
//! OPA makes the calls in a condition or a head before anything else of it: `input.b[_] == f(1)` is `x = f(1)` and then
//! `input.b[_] == x`. Of a call it asks first the calls in its arguments, then their references and comprehensions. regorus
//! asks loops first (`input.b[_]`), and ends an array, a set or an object with the first element that has no value; what
//! errs behind these it does not come to ask, and a rule could hold that ends with an error in OPA. So where a loop, or an
//! element that may have no value, comes before something that may err and that OPA asks earlier, that is asked before
//! the condition, with all that OPA asks before it.

mod bound;
mod steps;

use steps::{Kind, Step};

use super::{
    super::ast::{Expr, ExprKind, Operator, RefPart, RefPartKind, Span, Term, TermKind, With},
    super::visit::{self, Node},
    Lowering, names,
};

/// Where a condition or a head asks what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// In its place: regorus evaluates all operands.
    Inside,
    /// Before it, one after the other (`hoist.rs`).
    Before,
}

impl<'a> Lowering<'a> {
    /// Asks before a condition what OPA asks earlier than regorus would.
    pub(super) fn in_order(&mut self, expression: &'a Expr, with: &str) {
        let mut steps = Vec::new();
        let place = if expression.negated { Asked::Before } else { Asked::Inside };
        match &expression.kind {
            ExprKind::Term(term) => self.steps_of_condition(term, &mut steps),
            ExprKind::SomeIn { collection: term, .. } | ExprKind::Every { domain: term, .. } => {
                self.calls(term, false, &mut steps);
                self.remaining(term, &mut steps);
            }
            ExprKind::Some(_) | ExprKind::Not(_) | ExprKind::Logical { .. } => {}
        }
        self.ask_in_order(&steps, place, with);
    }

    /// The same for what the values of `with` ask: the calls of all come first.
    pub(super) fn values_in_order(&mut self, withs: &'a [With]) {
        let values = || withs.iter().map(|with| &with.value);
        let mut steps = Vec::new();
        values().for_each(|value| self.calls(value, false, &mut steps));
        // A name may be a function's.
        values().filter(|value| !is_name(value)).for_each(|value| self.dynamics(value, false, &mut steps));
        self.ask_in_order(&steps, Asked::Before, "");
    }

    /// The same for what a head asks, at the end of its body.
    pub(super) fn head_in_order(&mut self, terms: &[&'a Term]) {
        let steps = self.steps_of_head(terms);
        self.ask_in_order(&steps, Asked::Before, "");
    }

    /// Whether regorus would ask a head that stays as it is in another order.
    pub(super) fn is_out_of_order(&self, terms: &[&'a Term]) -> bool {
        self.last_too_late(&self.steps_of_head(terms), Asked::Inside).is_some()
    }

    fn steps_of_head(&self, terms: &[&'a Term]) -> Vec<Step<'a>> {
        let mut steps = Vec::new();
        for term in terms {
            self.calls(term, false, &mut steps);
        }
        for term in terms {
            self.dynamics(term, false, &mut steps);
        }
        steps
    }

    fn steps_of_condition(&self, term: &'a Term, steps: &mut Vec<Step<'a>>) {
        if let Some(value) = self.value_reported(term) {
            return self.steps_of_condition(value, steps);
        }
        let operands: Vec<&'a Term> = match &term.kind {
            TermKind::Parenthesised(inner) => return self.steps_of_condition(inner, steps),
            TermKind::Infix { operator: Operator::Equal | Operator::Unify | Operator::Assign, left, right, .. } => {
                let sides: [&'a Term; 2] = [left, right];
                for side in sides {
                    self.calls(side, false, steps);
                }
                for side in sides {
                    self.remaining(side, steps);
                }
                // What stays is asked last.
                return steps.sort_by_key(|step| step.stays);
            }
            TermKind::Infix { left, right, .. } => vec![left, right],
            TermKind::MemberWithKey { key, value, collection } => vec![key, value, collection],
            TermKind::Call { arguments, .. } => arguments.iter().collect(),
            TermKind::Minus(inner) => vec![inner],
            _ => {
                self.calls(term, false, steps);
                return self.remaining(term, steps);
            }
        };
        for operand in &operands {
            self.calls(operand, false, steps);
        }
        for operand in &operands {
            self.dynamics(operand, false, steps);
        }
    }

    /// What stays in a condition when its calls are made: a reference, which is asked in it, or what is asked before it.
    fn remaining(&self, term: &'a Term, steps: &mut Vec<Step<'a>>) {
        if let Some(value) = self.value_reported(term) {
            return self.remaining(value, steps);
        }
        let before = steps.len();
        self.dynamics(term, false, steps);
        if let Some(last) = steps.get_mut(before..).and_then(|own| own.last_mut())
            && last.term.span == bare(term).span
        {
            last.stays = true;
        }
    }

    fn ask_in_order(&mut self, steps: &[Step<'a>], place: Asked, with: &str) {
        let Some(last) = self.last_too_late(steps, place) else { return };
        let mut asked: Vec<Span> = Vec::new();
        let mut late: Option<String> = None;
        for step in steps.iter().take(last + 1) {
            // In a `not` it may have no value.
            if (step.stays && place == Asked::Before) || self.needs(step, &asked, Self::has_no_value) {
                continue;
            }
            let variable = self.variable();
            let mut text = self.lowered(step.term.span, |lowering| lowering.term(step.term));
            let mut stands = variable.clone();
            // OPA asks all that follows such a step after the conditions that it waits for; regorus, which puts conditions in
            // order, too, must see that it needs it, also where a variable could be what brackets give a value.
            if let Some(late) = &late {
                text = format!("[{text}, {late}][0]");
            }
            if late.is_some() || self.needs(step, &asked, Self::gets_its_value_later) {
                late = Some(variable.clone());
                stands = format!("[{variable}][0]");
            }
            self.before.push(format!("{variable} := {text}{with}"));
            self.settled.insert(step.term.span, stands);
            asked.push(step.term.span);
        }
    }

    /// The last step that may err and would be asked too late.
    fn last_too_late(&self, steps: &[Step<'a>], place: Asked) -> Option<usize> {
        if !steps.iter().any(|step| step.errs) {
            return None;
        }
        let loops: Vec<Option<u32>> = steps.iter().map(|step| self.first_loop(step)).collect();
        let is_late = |at: &usize| {
            let Some(early) = steps.get(*at).filter(|step| step.errs) else { return false };
            let is_loop = loops.get(*at).is_some_and(Option::is_some);
            steps.iter().zip(&loops).skip(at + 1).any(|(later, its_loop)| {
                let precedes = later.term.span.start < early.term.span.start;
                let ends = precedes && !contains(later.term.span, early.term.span);
                // What is in the brackets before those of the loop is asked with its collection.
                let loops = its_loop.is_some_and(|place| place < early.term.span.start || !precedes);
                // A comprehension is not asked before, but what comes after it is.
                let stays = early.kind == Kind::Value && place == Asked::Before;
                stays || (loops && !is_loop) || (ends && (early.inside || place == Asked::Before))
            })
        };
        (0..steps.len()).rev().find(is_late)
    }

    /// Where the first brackets of a reference are that make it a loop.
    fn first_loop(&self, step: &Step<'a>) -> Option<u32> {
        if step.kind == Kind::Call {
            let TermKind::Call { function, .. } = &step.term.kind else { return None };
            return self.is_walk(function).then_some(step.term.span.start);
        }
        let TermKind::Ref(reference) = &step.term.kind else { return None };
        reference.parts.iter().find(|part| self.is_loop(part)).map(|part| part.span.start)
    }

    fn is_loop(&self, part: &RefPart) -> bool {
        let RefPartKind::Bracket(index) = &part.kind else { return false };
        let mut variables = Vec::new();
        names::variables(index, &mut variables);
        variables.into_iter().any(|name| name == "_" || self.has_no_value(name))
    }

    /// Whether a step needs a variable that is `open`: what gets its value in the same condition OPA asks after that. `asked`
    /// is what has a variable of its own.
    fn needs(&self, step: &Step<'a>, asked: &[Span], is_open: impl Fn(&Self, &str) -> bool) -> bool {
        let mut own = Vec::new();
        if let TermKind::Ref(reference) = &step.term.kind {
            let indexes = reference.parts.iter().filter_map(|part| match &part.kind {
                RefPartKind::Bracket(index) => Some(index),
                RefPartKind::Dot(_) => None,
            });
            indexes.for_each(|index| spans(index, &mut own));
        }
        let mut open = false;
        visit::term(step.term, &mut |node, scopes| {
            let (name, at) = match node {
                Node::Name(name, at) => (name, at),
                Node::Ref(reference) => match &reference.head.kind {
                    TermKind::Var(name) => (name.as_str(), reference.head.span),
                    _ => return,
                },
                _ => return,
            };
            open |= !scopes.declares(name)
                && is_open(self, name)
                && !own.contains(&at)
                && !asked.iter().any(|asked| contains(*asked, at));
        });
        open
    }
}

/// The places of the variables of a pattern.
fn spans(pattern: &Term, places: &mut Vec<Span>) {
    match &pattern.kind {
        TermKind::Var(_) => places.push(pattern.span),
        TermKind::Array(items) | TermKind::Set(items) => items.iter().for_each(|item| spans(item, places)),
        TermKind::Object(members) => members.iter().for_each(|(_, value)| spans(value, places)),
        TermKind::Parenthesised(inner) => spans(inner, places),
        _ => {}
    }
}

fn contains(outer: Span, inner: Span) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn is_name(term: &Term) -> bool {
    match &bare(term).kind {
        TermKind::Var(_) => true,
        TermKind::Ref(reference) => matches!(reference.head.kind, TermKind::Var(_)),
        _ => false,
    }
}

fn bare(mut term: &Term) -> &Term {
    while let TermKind::Parenthesised(inner) = &term.kind {
        term = inner;
    }
    term
}

#[cfg(test)]
mod tests;
