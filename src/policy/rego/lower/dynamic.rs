//! References to rules by names that are known only when evaluated: `data.policies[name].violation`.

use std::fmt::Write as _;

use super::{
    super::SyntaxError,
    super::ast::{Ref, RefPartKind, Span, Term, TermKind},
    Lowering, MERGED, names,
};

/// Such a reference, taken apart.
struct Dynamic {
    /// The names before the part that is not known.
    prefix: Vec<String>,
    /// The number of that part.
    at: usize,
    /// The names after it.
    rest: Vec<String>,
    children: Vec<String>,
}

impl<'a> Lowering<'a> {
    /// Lowers such a reference, and what is in its brackets by `index`; `false` for any other, and then nothing is done.
    pub(super) fn dynamic(
        &mut self,
        reference: &'a Ref,
        in_not: bool,
        mut index: impl FnMut(&mut Self, &'a Term),
    ) -> bool {
        let Some(Dynamic { prefix, at, rest, children }) = self.taken_apart(reference) else { return false };
        let Some(unknown) = reference.parts.get(at) else { return false };
        let after = at + 1 + rest.len();
        if let RefPartKind::Bracket(index) = &unknown.kind
            && children.iter().any(|child| names::may_be_a_number(child))
            && self.may_be_a_number(index, in_not)
        {
            self.refused.push(SyntaxError {
                span: index.span,
                cause: "this may be a number, and one of what it looks up among rules and base data is named by one"
                    .to_owned(),
                help: Some("begin the names with letters".to_owned()),
            });
        }
        self.elements_by_calls(reference, after, in_not);
        let mut all = format!("{MERGED}([");
        for (number, child) in children.iter().enumerate() {
            let variable = self.variable();
            let path = names::data(prefix.iter().chain([child]).chain(&rest));
            let comma = if number > 0 { ", " } else { "" };
            // Writing to a string does not fail.
            let _ = write!(all, "{comma}{{{}: {variable} | {variable} := {path}}}", names::quoted(child));
        }
        all.push_str("])");
        self.replace(Span { start: reference.span.start, end: unknown.span.start }, all);
        self.parts(reference.parts.get(at..=at).unwrap_or_default(), &mut index);
        let end = reference.parts.get(after - 1).map_or(unknown.span.end, |part| part.span.end);
        self.replace(Span { start: unknown.span.end, end }, "");
        self.parts(reference.parts.get(after..).unwrap_or_default(), &mut index);
        true
    }

    /// The names below `data` before the first part of a reference that is not known, and that part's number.
    pub(super) fn known(&self, reference: &Ref) -> Option<(Vec<String>, usize)> {
        let TermKind::Var(head) = &reference.head.kind else { return None };
        if self.is_local(head) {
            return None;
        }
        let mut prefix: Vec<String> = match self.import_paths.get(head.as_str()) {
            Some(path) => path.clone(),
            None if head == "data" => Vec::new(),
            None => return None,
        };
        let at = reference.parts.iter().position(|part| names::constant(&part.kind).is_none())?;
        prefix.extend(constants(reference, 0));
        Some((prefix, at))
    }

    fn taken_apart(&self, reference: &Ref) -> Option<Dynamic> {
        let (prefix, at) = self.known(reference)?;
        // A number is no name of a rule.
        if let Some(RefPartKind::Bracket(index)) = reference.parts.get(at).map(|part| &part.kind)
            && matches!(index.kind, TermKind::Number(_) | TermKind::Bool(_) | TermKind::Null)
        {
            return None;
        }
        let mut path: Vec<Option<String>> = prefix.iter().cloned().map(Some).chain([None]).collect();
        let mut rest = Vec::new();
        for name in constants(reference, at + 1) {
            if self.asks_an_array(&path, &name) {
                break;
            }
            path.push(Some(name.clone()));
            rest.push(name);
        }
        if rest.is_empty() {
            return None;
        }
        let children = (self.world.children)(&prefix, &rest)?;
        Some(Dynamic { prefix, at, rest, children })
    }
}

/// The names from a part on, up to the first that is not known.
fn constants(reference: &Ref, from: usize) -> impl Iterator<Item = String> {
    let parts = reference.parts.get(from..).unwrap_or_default();
    parts.iter().map_while(|part| names::constant(&part.kind)).map(str::to_owned)
}
