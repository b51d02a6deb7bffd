//! Parts of references to `data` that OPA looks up otherwise than regorus: `data.levels[input.level]`.
//!
//! OPA looks base data up by the texts of a reference's parts. So the text `"1"` finds the element with that number, in base
//! data alone: not in what a rule or a `with` makes, and not in a variable. For regorus an array has no element for a text.
//! So where a part that may be a text meets an array of base data, a call of ours looks it up, with all that comes after it.
//! A variable that gets its value there stays: it becomes the elements' numbers.
//!
//! A number finds what its digits name, in base data alone, too. regorus has it so in every reference that begins with
//! `data`. So what a rule makes is asked by a call as well, where a part may be a number.

use std::fmt::Write as _;

use super::{
    super::SyntaxError,
    super::ast::{Ref, RefPart, RefPartKind, Span, Term, TermKind, With},
    BASE_ELEMENT, COPIED, ELEMENT, Lowering, MADE, names,
};

/// What a path of `data` leads to; a name that is not known is none.
pub(crate) type Pattern = [Option<String>];

/// What is where a path of `data` may lead to an array of base data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrays {
    /// Nothing else than base data.
    Alone,
    /// What rules or a `with` make, too.
    AmongOthers,
}

/// The parts of a reference that calls look up, with the function and the end of each call.
pub(super) type Elements = Vec<(Span, &'static str, String)>;

impl<'a> Lowering<'a> {
    /// Begins the calls that look up what regorus would not find, but for the parts before `from`;
    /// [`Lowering::element`] ends them. What is `in_not` is asked when all of its variables have their values.
    pub(super) fn elements_by_calls(&mut self, reference: &'a Ref, from: usize, in_not: bool) {
        if self.merged_by_call(reference) {
            return;
        }
        let found = self.looked_up_by_calls(reference, from, in_not);
        for (_, function, _) in found.iter().rev() {
            self.insert(reference.span.start, format!("{function}("));
        }
        self.elements.extend(found);
        self.unclear(reference, from, in_not);
    }

    /// Refuses brackets after what may be base data or part of what rules make: of the one a number finds a text, of the
    /// other it does not. A constant number where base data has no such text is found in both in the same way, by a call.
    fn unclear(&mut self, reference: &'a Ref, from: usize, in_not: bool) {
        let Some(mut path) = self.path_of_base(reference) else { return };
        for (number, part) in reference.parts.iter().enumerate() {
            if let RefPartKind::Bracket(index) = &part.kind
                && number >= from
                && (self.may_be_a_number(index, in_not) || self.is_value(index, in_not))
                && (self.world.unclear)(&path)
                && !self.finds_numbers_alone(index, &path)
            {
                self.refused.push(SyntaxError {
                    span: index.span,
                    cause: "a number or a text may be looked up here in base data, or in what a rule or a `with` makes: they are not \
                            found in the same way"
                        .to_owned(),
                    help: Some("give base data and packages names of their own, and name them whole".to_owned()),
                });
                return;
            }
            path.push(names::constant(&part.kind).map(str::to_owned));
        }
    }

    /// Whether what is in brackets finds what has that number and no text, also in base data.
    fn finds_numbers_alone(&self, index: &Term, path: &Pattern) -> bool {
        is_number(index) && !(self.world.numbered)(path)
    }

    /// Refuses to have a `with` replace a part of base data where numbers find names; and has what another one puts be other
    /// memory than base data, which is known by that. `text` is the value.
    pub(super) fn put(&mut self, with: &'a With, text: String) -> String {
        let Some(mut path) = self.path_of_base(&with.target) else { return text };
        for part in &with.target.parts {
            let name = names::constant(&part.kind);
            if name.is_some_and(names::may_be_a_number) || (self.world.numbered)(&path) {
                self.refused.push(SyntaxError {
                    span: with.target.span,
                    cause: "this replaces one of several parts of data that are named by numbers".to_owned(),
                    help: Some("replace the whole that it is a part of".to_owned()),
                });
                return text;
            }
            if !path.is_empty() && (self.world.arrays)(&path).is_some() {
                self.refused.push(SyntaxError {
                    span: with.target.span,
                    cause: "this replaces a part of an array of data".to_owned(),
                    help: Some("replace the array".to_owned()),
                });
                return text;
            }
            path.push(name.map(str::to_owned));
        }
        if is_literal(&with.value) {
            return text;
        }
        let variable = self.variable();
        self.before.push(format!("{variable} := {COPIED}({text})"));
        variable
    }

    /// Lowers a part that a call looks up; `false` for any other, and then nothing is done.
    pub(super) fn element(&mut self, part: &'a RefPart, index: &mut impl FnMut(&mut Self, &'a Term)) -> bool {
        let Some(at) = self.elements.iter().position(|(span, ..)| *span == part.span) else { return false };
        let (Span { start, end }, _, close) = self.elements.swap_remove(at);
        if let RefPartKind::Bracket(inner) = &part.kind {
            self.replace(Span { start, end: start + 1 }, ", ");
            index(self, inner);
            self.replace(Span { start: end - 1, end }, close);
        }
        true
    }

    /// The first open brackets of a reference after base data in which a text finds an element, or a number a name.
    pub(super) fn open_index<'t>(&self, reference: &'t Ref) -> Option<&'t Term> {
        let mut path = self.path_of_base(reference)?;
        for part in &reference.parts {
            if let RefPartKind::Bracket(index) = &part.kind
                && self.is_open(index)
                && ((self.world.arrays)(&path).is_some() || (self.world.numbered)(&path))
            {
                return Some(index);
            }
            path.push(names::constant(&part.kind).map(str::to_owned));
        }
        None
    }

    /// Whether a term may be base data in which a text finds an element, or a number a name.
    pub(super) fn is_looked_up(&self, term: &Term) -> bool {
        let path = match &term.kind {
            TermKind::Parenthesised(inner) => return self.is_looked_up(inner),
            TermKind::Ref(reference) => self.path_of_base(reference).map(|mut path| {
                path.extend(reference.parts.iter().map(|part| names::constant(&part.kind).map(str::to_owned)));
                path
            }),
            TermKind::Var(name) => self.path_of_name(name),
            _ => None,
        };
        path.is_some_and(|path| (self.world.arrays)(&path).is_some() || (self.world.numbered)(&path))
    }

    fn is_open(&self, index: &Term) -> bool {
        match &index.kind {
            TermKind::Parenthesised(inner) => self.is_open(inner),
            TermKind::Var(name) => name != "_" && !self.has_its_value(name),
            _ => false,
        }
    }

    /// Whether a reference to base data would ask an array for this constant.
    pub(super) fn asks_an_array(&self, path: &Pattern, name: &str) -> bool {
        names::number_of(name).is_some() && (self.world.arrays)(path).is_some()
    }

    fn looked_up_by_calls(&self, reference: &Ref, from: usize, in_not: bool) -> Elements {
        let Some(mut path) = self.path_of_base(reference) else { return Elements::new() };
        let mut found = Elements::new();
        // Whether what a call gives may be no base data.
        let mut is_shared = false;
        for (number, part) in reference.parts.iter().enumerate() {
            let name = names::constant(&part.kind);
            let may_be_a_number = match &part.kind {
                RefPartKind::Bracket(index) => number >= from && self.may_be_a_number(index, in_not),
                RefPartKind::Dot(_) => false,
            };
            if found.is_empty() && may_be_a_number && (self.world.made)(&path) {
                // What comes after it is no reference to data any more.
                found.push((part.span, MADE, ")".to_owned()));
                break;
            }
            if let RefPartKind::Bracket(index) = &part.kind
                && found.is_empty()
                && may_be_a_number
                && (self.world.unclear)(&path)
                && self.finds_numbers_alone(index, &path)
            {
                found.push((part.span, MADE, ")".to_owned()));
                is_shared = true;
                path.push(None);
                continue;
            }
            let asks = match (&part.kind, name) {
                (_, Some(name)) => names::number_of(name).is_some(),
                // Where a call has looked something up, it is no reference to data any more, in which a number finds what
                // its digits name.
                (RefPartKind::Bracket(index), None) => {
                    (self.is_value(index, in_not) && !is_number(index)) || (may_be_a_number && !found.is_empty())
                }
                (RefPartKind::Dot(_), None) => false,
            };
            let arrays = if asks && number >= from { (self.world.arrays)(&path) } else { None };
            let is_replaced = may_be_a_number && (self.world.replaced)(&path);
            is_shared |= is_replaced || arrays == Some(Arrays::AmongOthers);
            if arrays.is_some() || is_replaced || (asks && !found.is_empty()) {
                found.push(if is_shared {
                    (part.span, BASE_ELEMENT, format!(", {})", written(&path)))
                } else {
                    (part.span, ELEMENT, ")".to_owned())
                });
            }
            path.push(name.map(str::to_owned));
        }
        found
    }

    /// The names below `data` of what a reference begins with; `None` for a reference to anything else.
    pub(super) fn path_of_base(&self, reference: &Ref) -> Option<Vec<Option<String>>> {
        let TermKind::Var(head) = &reference.head.kind else { return None };
        self.path_of_name(head)
    }

    pub(super) fn path_of_name(&self, head: &String) -> Option<Vec<Option<String>>> {
        match self.import_paths.get(head.as_str()) {
            _ if self.is_local(head) => None,
            Some(path) => Some(path.iter().cloned().map(Some).collect()),
            None if self.is_named_from_data(head) => {
                Some(self.package.iter().chain([head]).cloned().map(Some).collect())
            }
            None => (head == "data").then(Vec::new),
        }
    }

    /// Whether what is in brackets has a value, and may be a number.
    pub(super) fn may_be_a_number(&self, index: &Term, in_not: bool) -> bool {
        match &index.kind {
            TermKind::Parenthesised(inner) => self.may_be_a_number(inner, in_not),
            TermKind::Number(_) | TermKind::Infix { .. } | TermKind::Minus(_) => true,
            TermKind::Var(_) | TermKind::Ref(_) | TermKind::Call { .. } => self.is_value(index, in_not),
            _ => false,
        }
    }

    /// Whether what is in brackets has a value, and may be a text.
    fn is_value(&self, index: &Term, in_not: bool) -> bool {
        match &index.kind {
            TermKind::Parenthesised(inner) => self.is_value(inner, in_not),
            TermKind::Var(name) => in_not && name != "_" || self.has_its_value(name) || self.is_called(index),
            TermKind::Ref(_) | TermKind::Call { .. } | TermKind::Template { .. } | TermKind::String { .. } => true,
            _ => false,
        }
    }
}

/// Whether a term is a constant, whatever is asked.
fn is_literal(term: &Term) -> bool {
    match &term.kind {
        TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. } => true,
        TermKind::Array(items) | TermKind::Set(items) => items.iter().all(is_literal),
        TermKind::Object(members) => members.iter().all(|(key, value)| is_literal(key) && is_literal(value)),
        _ => false,
    }
}

fn is_number(index: &Term) -> bool {
    match &index.kind {
        TermKind::Parenthesised(inner) => is_number(inner),
        TermKind::Number(_) => true,
        _ => false,
    }
}

/// A path as an argument: `null` for what is not known.
pub(super) fn written(path: &Pattern) -> String {
    let mut text = "[".to_owned();
    for (number, name) in path.iter().enumerate() {
        let name = name.as_ref().map_or_else(|| "null".to_owned(), |name| names::quoted(name));
        // Writing to a string does not fail.
        let _ = write!(text, "{}{name}", if number > 0 { ", " } else { "" });
    }
    text + "]"
}

#[cfg(test)]
mod tests;
