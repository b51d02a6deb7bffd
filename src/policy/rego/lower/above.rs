//! References to base data above what a `with` puts an object in the place of (`policy/paths/above.rs`).
//!
//! Such a reference becomes a call of [`BASE_MERGED`], as far as its names are constants, and its other parts are taken of
//! what that gives. Where a target may be at or above what is read, the call is told whether its `with` is in force: a
//! function of the package [`WITHS`], which gives `false`, and `true` under each `with` of that target.

use std::fmt::Write as _;

use super::{
    super::SyntaxError,
    super::ast::{ExprKind, Ref, Span, TermKind, With},
    BASE_MERGED, Lowering,
    elements::{Pattern, written},
    names,
};

/// The package of the functions that tell which `with` is in force.
pub(super) const WITHS: &str = "__verdict_withs__";

/// What a path leads to of which a `with` may replace an object below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Above {
    /// What so many of its names lead to is to be merged with base data, where none of these targets is at or above it.
    Known { names: usize, targets: Vec<Vec<String>> },
    /// What is to be merged is known only when evaluated.
    Unclear,
}

/// The package [`WITHS`] for these targets.
pub(crate) fn withs(targets: &[Vec<String>]) -> String {
    let functions = targets.iter().map(|target| format!("{}(_) := false\n", marker(target)));
    format!("package {WITHS}\n{}", functions.collect::<String>())
}

/// The name of a target's function.
fn marker(target: &[String]) -> String {
    let mut name = "at".to_owned();
    for part in target {
        name.push('_');
        for byte in part.bytes() {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
    }
    name
}

impl<'a> Lowering<'a> {
    /// Has a reference above what a `with` replaces be merged with base data, as far as its names are known; whether nothing
    /// else is to be looked up by a call.
    pub(super) fn merged_by_call(&mut self, reference: &'a Ref) -> bool {
        let constants = reference.parts.iter().map(|part| names::constant(&part.kind).map(str::to_owned));
        if let TermKind::Var(name) = &reference.head.kind
            && let Some(mut path) = self.path_of_own(name)
        {
            path.extend(constants);
            return self.refuse_above(reference.span, &mut path);
        }
        let Some(mut path) = self.path_of_base(reference) else { return false };
        let of_head = path.len();
        path.extend(constants);
        let all = path.len();
        match self.above(reference.span, &mut path) {
            None => false,
            Some(Above::Unclear) => {
                self.unclear_above(reference.span);
                true
            }
            Some(Above::Known { names, targets }) => {
                let last = names.checked_sub(of_head + 1).and_then(|last| reference.parts.get(last));
                let end = last.map_or(reference.head.span.end, |part| part.span.end);
                self.merge(Span { start: reference.span.start, end }, &path, names, &targets);
                names < all
            }
        }
    }

    /// The same for a name alone that stands for data.
    pub(super) fn merged_name(&mut self, name: &String, at: Span) {
        if let Some(mut path) = self.path_of_own(name) {
            self.refuse_above(at, &mut path);
            return;
        }
        let Some(mut path) = self.path_of_name(name) else { return };
        match self.above(at, &mut path) {
            None => {}
            Some(Above::Known { names, targets }) => self.merge(at, &path, names, &targets),
            Some(Above::Unclear) => self.unclear_above(at),
        }
    }

    /// What a `some … in` iterates over: of that OPA reads each member.
    pub(super) fn iterates_over(&mut self, kind: &'a ExprKind) {
        let ExprKind::SomeIn { collection, .. } = kind else { return };
        let mut collection = collection;
        loop {
            collection = match &collection.kind {
                TermKind::Parenthesised(inner) => inner,
                _ => match self.value_reported(collection) {
                    Some(inner) => inner,
                    None => break,
                },
            };
        }
        self.iterated = Some(collection.span);
    }

    /// What begins a `with`, for what reads above its target to know that it is in force.
    pub(super) fn mark(&self, with: &With) -> String {
        let Some(target) = self.path_of_target(&with.target).filter(|target| (self.world.marked)(target)) else {
            return String::new();
        };
        format!(" with data.{WITHS}.{} as true", marker(&target))
    }

    fn merge(&mut self, at: Span, path: &Pattern, names: usize, targets: &[Vec<String>]) {
        let deeper = path.len().saturating_sub(names);
        let known = written(path.get(..names).unwrap_or_default());
        let in_force = targets.iter().map(|target| {
            let names: Vec<Option<String>> = target.iter().cloned().map(Some).collect();
            format!("[{}, data.{WITHS}.{}(0)]", written(&names), marker(target))
        });
        let in_force: Vec<String> = in_force.collect();
        self.insert(at.start, format!("{BASE_MERGED}("));
        self.insert(at.end, format!(", {known}, {deeper}, [{}])", in_force.join(", ")));
    }

    fn above(&self, at: Span, path: &mut Vec<Option<String>>) -> Option<Above> {
        path.extend((self.iterated == Some(at)).then_some(None));
        (self.world.above)(path)
    }

    /// Refuses a reference by the name of a rule, where base data is beside the rule; whether it did.
    fn refuse_above(&mut self, at: Span, path: &mut Vec<Option<String>>) -> bool {
        let is_above = self.above(at, path).is_some();
        if is_above {
            self.unclear_above(at);
        }
        is_above
    }

    fn unclear_above(&mut self, at: Span) {
        self.refused.push(SyntaxError {
            span: at,
            cause: "this reads base data of which a `with` replaces an object, and how much of it is known only when \
                    evaluated"
                .to_owned(),
            help: Some("name what is read by constants, or have the `with` replace the whole".to_owned()),
        });
    }

    /// The names below `data` of a rule of this package that is named by its name alone.
    fn path_of_own(&self, name: &String) -> Option<Vec<Option<String>>> {
        let is_own = !self.is_local(name) && !self.imports.contains_key(name) && (self.world.defined)(name);
        is_own.then(|| self.package.iter().chain([name]).cloned().map(Some).collect())
    }

    /// The names below `data` of what a `with` replaces.
    fn path_of_target(&self, target: &Ref) -> Option<Vec<String>> {
        let TermKind::Var(head) = &target.head.kind else { return None };
        let mut path = self.path_of_own(head).or_else(|| self.path_of_base(target))?;
        path.extend(target.parts.iter().map(|part| names::constant(&part.kind).map(str::to_owned)));
        path.into_iter().collect()
    }
}
