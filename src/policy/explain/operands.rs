//! The operands of a condition, each wrapped where it stands.

use super::{
    insert::Insertion,
    instrument::{MAX_OPERANDS, Writer, Writing, group, is_literal},
    paths::path_of,
    program::{Operand, Shape},
    record::{ConditionId, MET, SEEN},
    scope::Scope,
};
use crate::policy::{
    builtins,
    rego::ast::{Expr, Operator, Ref, RefPartKind, Term, TermKind},
};

impl Writer<'_> {
    /// The report of a condition that is a term.
    pub(super) fn term(&mut self, writing: &mut Writing<'_>, term: &Term) -> Shape {
        match &term.kind {
            TermKind::Infix { operator: Operator::Assign, right, .. } => {
                self.operand(writing, right);
                Shape::Assign
            }
            TermKind::Infix { operator: Operator::Unify, left, right, .. } => {
                let patterns = [left, right].map(|side| writing.scope.is_pattern(side, self.names));
                match patterns {
                    [false, false] => self.comparison(writing, Operator::Unify, left, right),
                    [true, false] => {
                        self.operand(writing, right);
                        Shape::Assign
                    }
                    [false, true] => {
                        self.operand(writing, left);
                        Shape::Assign
                    }
                    [true, true] => Shape::Other,
                }
            }
            TermKind::Infix { operator, left, right, .. } if is_comparison(*operator) => {
                self.comparison(writing, *operator, left, right)
            }
            TermKind::Call { function, arguments } if self.arity(function, writing.scope) != Some(arguments.len()) => {
                // Its last argument takes its value: it can't be wrapped, nor the call as a whole.
                self.arguments(writing, arguments.split_last().map(|(_, before)| before).unwrap_or_default());
                Shape::Other
            }
            kind => {
                let call = matches!(kind, TermKind::Call { .. });
                self.operand(writing, term);
                Shape::Truth { call }
            }
        }
    }

    /// The report of a negated condition. What it asks is asked before it, so each part tells of itself.
    pub(super) fn negated(&mut self, writing: &mut Writing<'_>, term: &Term) -> Shape {
        match &term.kind {
            TermKind::Infix { operator: Operator::Assign | Operator::Unify, .. } => self.term(writing, term),
            TermKind::Call { function, arguments } if self.arity(function, writing.scope) != Some(arguments.len()) => {
                self.term(writing, term)
            }
            TermKind::Infix { operator, .. } if is_comparison(*operator) => {
                writing.apart = true;
                writing.first = false;
                // No operand: that it is asked is all that is told.
                let met = format!("{MET}({}, {})", writing.number, writing.locals);
                self.open(term.span.start, format!("{SEEN}({met}, {MAX_OPERANDS}, ("));
                let shape = self.term(writing, term);
                self.close(term.span.end, "))".to_owned());
                shape
            }
            _ => {
                writing.apart = true;
                self.term(writing, term)
            }
        }
    }

    /// The values of its `with`, which are asked before the condition.
    pub(super) fn replacements(&mut self, writing: &mut Writing<'_>, expression: &Expr) {
        let first = std::mem::replace(&mut writing.first, false);
        let apart = std::mem::replace(&mut writing.apart, true);
        for with in &expression.with {
            if !is_literal(&with.value) && !self.is_function(&with.value, writing.scope) {
                self.operand(writing, &with.value);
            }
        }
        (writing.first, writing.apart) = (first, apart);
    }

    /// Whether a term names a function, rather than a value.
    fn is_function(&self, term: &Term, scope: &Scope) -> bool {
        let name = match &term.kind {
            TermKind::Var(name) => name.clone(),
            TermKind::Ref(reference) => path_of(reference).join("."),
            _ => return false,
        };
        let uses = scope.uses(term, self.names);
        let path = uses.paths.first().and_then(|path| path.get(1..));
        path.is_some_and(|path| self.arities.contains_key(path)) || builtins::arity(&name).is_some()
    }

    fn comparison(&mut self, writing: &mut Writing<'_>, operator: Operator, left: &Term, right: &Term) -> Shape {
        self.operand(writing, left);
        let condition = self.program.conditions.get(writing.number);
        let number = condition.map_or(0, |condition| condition.operands.len());
        self.operand(writing, right);
        Shape::Compare { operator, right: number }
    }

    /// How many arguments a function takes, where that is known.
    fn arity(&self, function: &Ref, scope: &Scope) -> Option<usize> {
        let uses = scope.uses_of_reference(function, self.names);
        if let Some(arity) = uses.paths.first().and_then(|path| self.arities.get(path.get(1..)?)) {
            return Some(*arity);
        }
        builtins::arity(&path_of(function).join(".")).map(usize::from)
    }

    /// Wraps an operand, and the arguments of the calls in it.
    pub(super) fn operand(&mut self, writing: &mut Writing<'_>, term: &Term) {
        if writing.scope.is_pattern(term, self.names) {
            return;
        }
        let Some(number) = self.note(writing, term) else { return };
        let met = if std::mem::take(&mut writing.first) {
            format!("{MET}({}, {})", writing.number, writing.locals)
        } else if writing.apart {
            let part = self.part(writing, term, number);
            format!("{MET}({part}, {})", writing.locals)
        } else {
            writing.number.to_string()
        };
        let (before, after) = group(term);
        self.open(term.span.start, format!("{SEEN}({met}, {number}, {before}"));
        self.inside(writing, term);
        self.close(term.span.end, format!("{after})"));
    }

    fn inside(&mut self, writing: &mut Writing<'_>, term: &Term) {
        match &term.kind {
            TermKind::Call { arguments, .. } => self.arguments(writing, arguments),
            TermKind::Infix { left, right, .. } => {
                for side in [left, right] {
                    match &side.kind {
                        TermKind::Ref(_) | TermKind::Var(_) => self.operand(writing, side),
                        _ => self.inside(writing, side),
                    }
                }
            }
            TermKind::Parenthesised(inner) => self.inside(writing, inner),
            TermKind::Array(items) | TermKind::Set(items) if writing.apart => self.arguments(writing, items),
            TermKind::Object(members) if writing.apart => {
                for (key, value) in members {
                    self.arguments(writing, std::slice::from_ref(key));
                    self.arguments(writing, std::slice::from_ref(value));
                }
            }
            TermKind::Ref(reference) => {
                for part in &reference.parts {
                    if let RefPartKind::Bracket(index @ Term { kind: TermKind::Ref(_), .. }) = &part.kind {
                        self.operand(writing, index);
                    }
                }
            }
            _ => {}
        }
    }

    fn arguments(&mut self, writing: &mut Writing<'_>, arguments: &[Term]) {
        for argument in arguments {
            match &argument.kind {
                TermKind::Ref(_) | TermKind::Var(_) => self.operand(writing, argument),
                TermKind::Call { .. } if !writing.apart => self.inside(writing, argument),
                _ if writing.apart && !is_literal(argument) => self.operand(writing, argument),
                _ => {}
            }
        }
    }

    /// The operand as a condition of its own, in the order in which things are asked.
    fn part(&mut self, writing: &Writing<'_>, term: &Term, operand: usize) -> ConditionId {
        let body = self.program.condition(writing.number).map_or(0, |condition| condition.body);
        let uses = writing.scope.uses(term, self.names);
        let shape = Shape::Part { of: writing.number, operand };
        self.condition(body, term.span, shape, &uses, writing.scope)
    }

    /// Adds an operand to its condition, if there may be one more.
    fn note(&mut self, writing: &Writing<'_>, term: &Term) -> Option<usize> {
        let uses = writing.scope.uses(term, self.names);
        let condition = self.program.conditions.get_mut(writing.number)?;
        if condition.operands.len() >= MAX_OPERANDS {
            return None;
        }
        condition.operands.push(Operand { span: term.span, literal: is_literal(term), sources: uses.sources });
        Some(condition.operands.len() - 1)
    }

    pub(super) fn open(&mut self, at: u32, text: String) {
        self.insertions.push(Insertion { at, closes: false, rank: 3, text });
    }

    pub(super) fn close(&mut self, at: u32, text: String) {
        self.insertions.push(Insertion { at, closes: true, rank: 0, text });
    }
}

fn is_comparison(operator: Operator) -> bool {
    use Operator::{Equal, Greater, GreaterOrEqual, In, Less, LessOrEqual, NotEqual};
    matches!(operator, Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual | In)
}
