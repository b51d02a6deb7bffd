//! What the author wrote, in the words that regorus knows, and with OPA's meaning where regorus' differs.
//!
//! - Names of imports become the whole references that they stand for, as in OPA.
//! - Keywords in references become `["…"]`.
//! - Template strings become calls of [`TEMPLATE`], with a set comprehension for each expression, as in OPA: what is
//!   undefined has no element.
//! - Arithmetic and set operators become calls, because regorus' own operators give errors that end the evaluation where
//!   OPA's are undefined (its strict mode is on: without it, it drops errors of functions).
//! - Collections of `some … in` pass through [`COLLECTION`]: over what is no collection OPA finds nothing.
//! - A built-in as the value of a `with` becomes a function that calls it.
//! - `rego.metadata.chain()` and `rego.metadata.rule()` become their values.
//!
//! Lines stay; `Edited` knows the columns.

pub(super) mod names;
mod rules;
mod terms;

use std::collections::{BTreeMap, HashMap};

use super::{
    ast::{Module, Span},
    edit::{Edit, Edited},
};

/// What our own functions begin with; no policy may call them by name.
pub(crate) const OWN: &str = "__verdict__";
/// The function of a template string: an array of strings and of sets with at most one element.
pub(crate) const TEMPLATE: &str = "__verdict__.template";
/// The function that gives a collection, or an empty one for anything else.
pub(crate) const COLLECTION: &str = "__verdict__.collection";

/// What lowering must know of the world.
pub(crate) struct World<'a> {
    /// How many arguments a built-in takes; `None` for what is none.
    pub(crate) built_in: &'a dyn Fn(&str) -> Option<u8>,
    /// The names that the module's package defines, in any file.
    pub(crate) defined: &'a dyn Fn(&str) -> bool,
    /// JSON of `rego.metadata.chain()` (`true`) or `rego.metadata.rule()` for the rule with that number.
    pub(crate) metadata: &'a dyn Fn(usize, bool) -> Option<String>,
}

/// Lowers a module. `text` is what it was parsed from.
pub(crate) fn lower(text: &str, module: &Module, world: &World<'_>) -> Edited {
    let mut lowering = Lowering::new(text, world, names::imports(module));
    lowering.module(module);
    let mut edits = lowering.edits;
    if !lowering.wrappers.is_empty() {
        let functions: Vec<String> =
            lowering.wrappers.iter().map(|(name, arity)| names::wrapper(name, *arity)).collect();
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        edits.push(Edit::insert(end, format!("\n{}\n", functions.join("\n"))));
    }
    Edited::new(text, edits)
}

/// Lowers a query: the body of a rule of a module without imports.
pub(crate) fn lower_query(text: &str, body: &super::ast::Body, world: &World<'_>) -> Edited {
    let mut lowering = Lowering::new(text, world, HashMap::new());
    lowering.body(body);
    Edited::new(text, lowering.edits)
}

struct Lowering<'a> {
    text: &'a str,
    world: &'a World<'a>,
    /// Name to what it imports, as text.
    imports: HashMap<String, String>,
    /// Names that are declared, inmost last.
    scopes: Vec<Vec<&'a str>>,
    /// In the order of the text.
    edits: Vec<Edit>,
    /// Built-ins that are values of a `with`.
    wrappers: BTreeMap<String, u8>,
    rule: usize,
    /// Template strings so far: their variables have a number each.
    templates: usize,
}

impl<'a> Lowering<'a> {
    fn new(text: &'a str, world: &'a World<'a>, imports: HashMap<String, String>) -> Self {
        Self {
            text,
            world,
            imports,
            scopes: Vec::new(),
            edits: Vec::new(),
            wrappers: BTreeMap::new(),
            rule: 0,
            templates: 0,
        }
    }

    fn replace(&mut self, at: Span, with: impl Into<String>) {
        self.edits.push(Edit::replace(at, with));
    }

    fn insert(&mut self, at: u32, with: impl Into<String>) {
        self.edits.push(Edit::insert(at, with));
    }

    fn is_local(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(&name))
    }
}

#[cfg(test)]
mod tests;
