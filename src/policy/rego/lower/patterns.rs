//! Patterns with objects in them.
//!
//! OPA unifies objects that have the same keys; regorus takes a pattern for met by any object that has its keys. So what a
//! pattern is held against passes through [`SHAPED`], which gives something that meets no pattern where an object has
//! other keys. Where that is a variable that may get its value from the pattern, [`IS_SHAPED`] is asked after it.
//!
//! A shape is the pattern's text with `null` for whatever is neither an object nor an array of some: `{"a": null}`.

mod known;

use std::collections::BTreeSet;

pub(super) use known::leaves_of;

use known::{bare, has_object, is_wildcard, key_of, may_repeat, same_keys};

use super::{
    super::{
        SyntaxError,
        ast::{Operator, Ref, RefPart, RefPartKind, Rule, Span, Term, TermKind},
    },
    HELD, IS_SHAPED, Lowering, OBJECT, SEEN, SHAPED, SHAPED_ITEMS, names,
};

/// What passes through [`SHAPED`], and the shape.
type Wraps = Vec<(Span, String)>;

/// How two terms are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equation {
    /// `:=`: what is assigned gets no value.
    Assigned,
    /// `=` or `==`: either side may give the other's variables values.
    Unified,
}

impl<'a> Lowering<'a> {
    /// A term that may give variables values. An object in it stays one.
    pub(super) fn pattern(&mut self, pattern: &'a Term) {
        match &pattern.kind {
            TermKind::Array(items) => items.iter().for_each(|item| self.pattern(item)),
            TermKind::Object(members) => members.iter().for_each(|(key, value)| {
                self.term(key);
                self.pattern(value);
            }),
            TermKind::Parenthesised(inner) => self.pattern(inner),
            _ => self.term(pattern),
        }
    }

    /// Whether a variable in a pattern may get a value from it.
    pub(super) fn binds(&self, pattern: &Term) -> bool {
        let mut found = Vec::new();
        names::variables(pattern, &mut found);
        found.into_iter().any(|name| !self.is_rule(name))
    }

    /// An object with `keys` that are not all known, as a call: two of them may be the same.
    pub(super) fn object(&mut self, at: Span, members: &'a [(Term, Term)], mut part: impl FnMut(&mut Self, &'a Term)) {
        if !may_repeat(members) {
            return members.iter().for_each(|(key, value)| {
                part(self, key);
                part(self, value);
            });
        }
        let mut from = Span { start: at.start, end: at.start };
        let mut open = format!("{OBJECT}([[");
        for (key, value) in members {
            self.replace(
                Span { start: from.end, end: key.span.start },
                std::mem::replace(&mut open, "], [".to_owned()),
            );
            part(self, key);
            self.replace(key.span.between(value.span), ", ");
            part(self, value);
            from = value.span;
        }
        self.replace(Span { start: from.end, end: at.end }, "]])");
    }

    /// `left = right`, `left == right` or `left := right`, which `lower` lowers.
    pub(super) fn unification(
        &mut self,
        equation: Equation,
        left: &'a Term,
        right: &'a Term,
        lower: impl FnOnce(&mut Self),
    ) {
        let mut wraps = Wraps::new();
        if (has_object(left) || has_object(right))
            && (self.binds(left) || (equation != Equation::Assigned && self.binds(right)))
        {
            self.shapes(equation, left, right, &mut wraps);
        }
        for (at, _) in &wraps {
            self.insert(at.start, format!("{SHAPED}("));
        }
        lower(self);
        for (at, shape) in wraps {
            self.insert(at.end, format!(", {shape})"));
        }
    }

    /// Both sides of a unification.
    pub(super) fn sides(&mut self, operator: Operator, left: &'a Term, right: &'a Term) {
        let assigned = operator == Operator::Assign;
        let equation = if assigned { Equation::Assigned } else { Equation::Unified };
        self.unification(equation, left, right, |lowering| {
            let patterns = (assigned || lowering.binds(left), lowering.binds(right));
            let arrays = [left, right].into_iter().all(|side| matches!(bare(side).kind, TermKind::Array(_)));
            if arrays {
                lowering.apart_from(left);
            } else if patterns.0 {
                lowering.pattern(left);
            } else {
                lowering.term(left);
            }
            if assigned {
                lowering.assigned(left, right);
            } else if patterns.1 {
                lowering.pattern(right);
            } else {
                lowering.term(right);
            }
        });
    }

    fn shapes(&mut self, equation: Equation, left: &'a Term, right: &'a Term, wraps: &mut Wraps) {
        let (left, right, assigned) = (bare(left), bare(right), equation == Equation::Assigned);
        // What is assigned gets no value.
        if !has_object(left) && (assigned || !has_object(right)) {
            return;
        }
        match (&left.kind, &right.kind) {
            (TermKind::Array(ours), TermKind::Array(theirs)) if ours.len() == theirs.len() => {
                ours.iter().zip(theirs).for_each(|(left, right)| self.shapes(equation, left, right, wraps));
            }
            (TermKind::Object(ours), TermKind::Object(theirs)) => match same_keys(ours, theirs) {
                Some(pairs) => pairs.into_iter().for_each(|(left, right)| self.shapes(equation, left, right, wraps)),
                None => self.objects(assigned, left, right, wraps),
            },
            (TermKind::Var(name), _) if equation == Equation::Unified && !self.is_rule(name) => {
                self.shaped_later(left, right);
            }
            (_, TermKind::Var(name)) if equation == Equation::Unified && !self.is_rule(name) => {
                self.shaped_later(right, left);
            }
            // Two that can't be the same, or not by their lengths.
            (TermKind::Array(_) | TermKind::Object(_), TermKind::Array(_) | TermKind::Object(_)) => {}
            _ if has_object(left) => wraps.push((right.span, self.shape(left))),
            _ => wraps.push((left.span, self.shape(right))),
        }
    }

    /// Objects whose keys are not known to be the same.
    fn objects(&mut self, assigned: bool, left: &'a Term, right: &'a Term, wraps: &mut Wraps) {
        if assigned || !self.binds(right) {
            wraps.push((right.span, self.shape(left)));
        } else if !self.binds(left) {
            wraps.push((left.span, self.shape(right)));
        } else {
            self.refused.push(SyntaxError {
                span: left.span,
                cause: "objects with variables on both sides of `=`, whose keys are not known to be the same"
                    .to_owned(),
                help: Some("give one of them a name before: `x := {…}`".to_owned()),
            });
        }
    }

    fn shaped_later(&mut self, variable: &'a Term, pattern: &'a Term) {
        if !is_wildcard(variable) {
            let variable = self.lowered(variable.span, |lowering| lowering.term(variable));
            let shape = self.shape(pattern);
            let with = self.with.clone();
            self.before.push(format!("{IS_SHAPED}({variable}, {shape}){with}"));
        }
    }

    /// The shape of a pattern.
    fn shape(&mut self, pattern: &'a Term) -> String {
        match &pattern.kind {
            TermKind::Parenthesised(inner) => self.shape(inner),
            TermKind::Array(items) if has_object(pattern) => {
                let items: Vec<String> = items.iter().map(|item| self.shape(item)).collect();
                format!("[{}]", items.join(", "))
            }
            TermKind::Object(members) => {
                let call = may_repeat(members);
                let (open, between, close) = if call { ("[", ", ", "]") } else { ("", ": ", "") };
                let mut member = |(key, value): &'a (Term, Term)| {
                    let key = self.lowered(key.span, |lowering| lowering.term(key));
                    format!("{open}{key}{between}{}{close}", self.shape(value))
                };
                let members: Vec<String> = members.iter().map(&mut member).collect();
                let members = members.join(", ");
                if call { format!("{OBJECT}([{members}])") } else { format!("{{{members}}}") }
            }
            _ => "null".to_owned(),
        }
    }

    /// The shape of a pattern that has an object and variables that may get values.
    pub(super) fn shape_of(&mut self, pattern: &'a Term) -> Option<String> {
        (has_object(pattern) && self.binds(pattern)).then(|| self.shape(pattern))
    }

    /// `[x, y] = [y, 1]` becomes `x = y; y = 1`, where a variable of one side is held against one of the other: regorus puts
    /// conditions in order, but not what is in them. `false` for any other, and then nothing is done.
    pub(super) fn split(&mut self, at: Span, left: &'a Term, right: &'a Term) -> bool {
        let mut leaves = Vec::new();
        leaves_of(left, right, &mut leaves);
        let open = |(left, right): &(&Term, &Term)| {
            self.binds(left) && self.binds(right) && !(is_wildcard(left) && is_wildcard(right))
        };
        if leaves.len() < 2 || !leaves.iter().any(open) {
            return false;
        }
        let mut conditions = Vec::new();
        for (left, right) in leaves {
            let mut wraps = Wraps::new();
            self.shapes(Equation::Unified, left, right, &mut wraps);
            let [left, right] = [left, right].map(|side| {
                // regorus would ask `_ = x` before `x` has a value.
                if is_wildcard(side) {
                    return self.variable();
                }
                let text = self.lowered(side.span, |lowering| {
                    if lowering.binds(side) { lowering.pattern(side) } else { lowering.term(side) }
                });
                match wraps.iter().find(|(at, _)| *at == side.span) {
                    Some((_, shape)) => format!("{SHAPED}({text}, {shape})"),
                    None => text,
                }
            });
            conditions.push(format!("{left} = {right}"));
        }
        let last = conditions.pop().unwrap_or_default();
        let with = self.with.clone();
        self.before.extend(conditions.into_iter().map(|condition| condition + &with));
        self.replace(at, last);
        true
    }

    /// `f(a, {"x": x})`, whose last argument may be what takes its value, becomes `f(a, y)`, and `y = {"x": x}` is asked
    /// before. `false` for any other, and then nothing is done.
    pub(super) fn output_later(&mut self, function: &'a Ref, arguments: &'a [Term]) -> bool {
        let Some((output, before)) = arguments.split_last() else { return false };
        let name = names::dotted(function);
        let known = name.is_none_or(|name| [SEEN, HELD].contains(&&*name) || (self.world.built_in)(&name).is_some());
        if known || !has_object(output) || !self.binds(output) {
            return false;
        }
        let variable = self.variable();
        let pattern = self.lowered(output.span, |lowering| lowering.pattern(output));
        let (shape, with) = (self.shape(output), self.with.clone());
        self.before.push(format!("{variable} = {pattern}{with}"));
        self.before.push(format!("{IS_SHAPED}({variable}, {shape}){with}"));
        self.called(function);
        for argument in before {
            self.term(argument);
        }
        self.replace(output.span, variable);
        true
    }

    /// The shapes of the key and the value of a `some … in`, where one has an object.
    pub(super) fn some_shapes(&mut self, key: Option<&'a Term>, value: &'a Term) -> Option<(String, String)> {
        if !key.into_iter().chain([value]).any(has_object) {
            return None;
        }
        let mut declared = Vec::new();
        for pattern in key.into_iter().chain([value]) {
            names::variables(pattern, &mut declared);
        }
        if let Some(at) = key.into_iter().chain([value]).find_map(|pattern| key_of(pattern, &declared)) {
            self.refused.push(SyntaxError {
                span: at,
                cause: "a key of this pattern is a variable that the same `some` declares".to_owned(),
                help: Some("take the object as a whole, `some x in …`, and then what is in it".to_owned()),
            });
        }
        Some((key.map_or_else(|| "null".to_owned(), |key| self.shape(key)), self.shape(value)))
    }

    /// A reference whose brackets have objects with variables: what is before them has only the keys of their shape.
    pub(super) fn keyed(&mut self, reference: &'a Ref) {
        for part in &reference.parts {
            if self.pattern_in(part).is_some() {
                self.insert(reference.span.start, format!("{SHAPED_ITEMS}("));
            }
        }
    }

    /// The end of what [`Lowering::keyed`] begins, before a part.
    pub(super) fn keyed_part(&mut self, part: &'a RefPart) {
        if let Some(pattern) = self.pattern_in(part) {
            let shape = self.shape(pattern);
            self.insert(part.span.start, format!(", {shape}, null)"));
        }
    }

    /// What is in the brackets of a reference.
    pub(super) fn bracket(&mut self, index: &'a Term) {
        if has_object(index) && self.binds(index) {
            return self.pattern(index);
        }
        // regorus would give it the keys that are there.
        let waits = self.is_called(index);
        if waits {
            self.insert(index.span.start, "[");
        }
        self.term(index);
        if waits {
            self.insert(index.span.end, "][0]");
        }
    }

    fn pattern_in<'p>(&self, part: &'p RefPart) -> Option<&'p Term> {
        match &part.kind {
            RefPartKind::Bracket(index) if has_object(index) && self.binds(index) => Some(index),
            _ => None,
        }
    }

    /// The arguments that regorus would not take as OPA does, by their numbers, and the variables in their places; to
    /// `self.first` goes what the bodies ask of these. They have an object, or a variable of an earlier one: regorus would
    /// give it another value.
    pub(super) fn parameters(&mut self, rule: &'a Rule) -> Vec<(usize, String)> {
        let mut seen = BTreeSet::new();
        let mut replaced = Vec::new();
        for (number, argument) in rule.head.arguments.iter().flatten().enumerate() {
            let mut own = Vec::new();
            names::variables(argument, &mut own);
            own.retain(|name| *name != "_");
            let repeats = own.iter().any(|name| seen.contains(name));
            seen.extend(own);
            if rule.default || !(repeats || has_object(argument)) {
                continue;
            }
            let variable = self.variable();
            let pattern = self.lowered(argument.span, |lowering| lowering.pattern(argument));
            let value = if has_object(argument) && self.binds(argument) {
                format!("{SHAPED}({variable}, {})", self.shape(argument))
            } else {
                variable.clone()
            };
            self.first.push(format!("{pattern} = {value}"));
            replaced.push((number, variable));
        }
        replaced
    }
}
