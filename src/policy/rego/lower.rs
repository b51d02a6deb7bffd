//! What the author wrote, in the words that regorus knows, and with OPA's meaning where regorus' differs.
//!
//! - Names of imports become the whole references that they stand for, as in OPA.
//! - Keywords in references become `["…"]`; rules whose names begin with one go to a package that is named by it.
//! - Template strings become calls of [`TEMPLATE`], with a set comprehension for each expression, as in OPA: what is
//!   undefined has no element.
//! - Arithmetic and set operators become calls, because regorus' own operators give errors that end the evaluation where
//!   OPA's are undefined (its strict mode is on: without it, it drops errors of functions).
//! - What OPA asks before a `not` or a `with` is asked before it (`hoist.rs`), and what a head asks at the end of its body,
//!   where that may have several solutions.
//! - What may err and OPA asks before the rest of a condition or a head is asked before it, where regorus would not come to
//!   ask it (`order.rs`).
//! - `in` becomes [`MEMBER`] and [`MEMBER_WITH_KEY`], which are undefined where an operand is; a plain one that is a condition
//!   stays regorus' own, as false and undefined are the same there.
//! - The variables of an `every` are copied first thing in its body: regorus does not see the given ones in the brackets of
//!   a reference that is negated.
//! - `some x in xs` becomes `x := xs[_]` where `xs` is a reference; other collections of `some … in` pass through
//!   [`COLLECTION`]: over what is no collection OPA finds nothing, regorus' own `some … in` an error.
//! - `data.a[x].b`, where there are rules below `data.a`, becomes an object of the `b` of everything below `data.a`: regorus
//!   would evaluate every rule there.
//! - `data.a[x]` in a condition, where only `data.json` says what is at `data.a`, becomes `v[x]` of a variable `v := data.a`:
//!   regorus would look through all modules for rules there, each time (`looked_up.rs`).
//! - `data.a[x]`, where there is an array of base data at `data.a` and `x` may be a text, becomes a call of [`ELEMENT`]: OPA
//!   takes the element with that number (`elements.rs`).
//! - `data.p.r[x]`, where a rule makes what is at `data.p.r` and `x` may be a number, becomes a call of [`MADE`]: regorus
//!   would find a text with its digits, as OPA does in base data alone. So becomes a constant number in what may be either,
//!   where base data has no such text. Where a `with` may put something in the place of base data, [`BASE_ELEMENT`] tells
//!   which of them it is by its memory, and [`COPIED`] makes that differ.
//! - `data.p`, where a `with` may put an object in the place of one of base data below it, becomes a call of
//!   [`BASE_MERGED`]: OPA merges the two for what reads above, and regorus' `with` replaces (`above.rs`).
//! - A constant in a head, where another definition has a variable, becomes a variable, too: regorus would keep the two
//!   apart, and evaluate one without the other. OPA ignores such a `default`.
//! - What an object in a pattern is held against passes through [`SHAPED`] (`patterns.rs`): regorus takes a pattern for met by
//!   any object that has its keys. Arguments with objects, or with a variable of another argument, become variables, of
//!   which the body asks the pattern.
//! - The variables of an `every` get their values in its body, where regorus would not know that they have one.
//! - An object whose keys may turn out to be the same becomes a call of [`OBJECT`].
//! - A built-in as the value of a `with` becomes a function that calls it.
//! - A function with definitions in several files becomes one for each, and one that calls them (`shared.rs`).
//! - What fails in a query by a `not` or an `every` alone becomes the value of a call of [`HOLDS`]: regorus gives such a query
//!   an answer all the same.
//! - `rego.metadata.chain()` and `rego.metadata.rule()` become their values.
//!
//! Lines stay; `Edited` knows the columns.

mod above;
mod bodies;
mod calls;
mod dynamic;
mod elements;
mod hoist;
mod looked_up;
pub(in crate::policy) mod names;
mod order;
mod patterns;
mod rules;
mod shared;
mod terms;

use above::WITHS;
pub(crate) use above::{Above, withs};
pub(crate) use elements::{Arrays, Pattern};
pub(crate) use shared::Shared;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    SyntaxError,
    ast::{Module, Ref, Rule, Span, Term, TermKind},
    edit::{Edit, Edited},
    visit::{self, Node},
};
use crate::policy::builtins::loses_digits;

/// The function that merges an array of objects.
pub(crate) const MERGED: &str = "__verdict__.merged";
/// What our own functions begin with; no policy may call them by name (`policy/lint/reserved.rs`).
pub(crate) const OWN: &str = "__verdict__";
/// What all names begin with that are lowering's own: of those functions, of packages, of variables.
pub(crate) const RESERVED: &str = "__verdict";
/// The function of a template string: an array of strings and of sets with at most one element.
pub(crate) const TEMPLATE: &str = "__verdict__.template";
/// The function that gives a collection, or an empty one for anything else.
pub(crate) const COLLECTION: &str = "__verdict__.collection";

/// The function that gives a value whose objects have the keys that a shape has, and `false` for any other.
pub(crate) const SHAPED: &str = "__verdict__.shaped";
/// Whether [`SHAPED`] gives a value.
pub(crate) const IS_SHAPED: &str = "__verdict__.is_shaped";
/// The function that gives a collection with only the members whose key and value have two shapes.
pub(crate) const SHAPED_ITEMS: &str = "__verdict__.shaped_items";
/// The function that makes an object of `[key, value]`; it stops the evaluation where two have the same key.
pub(crate) const OBJECT: &str = "__verdict__.object";

/// The function that looks a part of a reference up in base data, where a text may be an array's number.
pub(crate) const ELEMENT: &str = "__verdict__.element";
/// The same where rules or a `with` may put something else in its place; the last argument is the path, with `null` for what
/// is not known.
pub(crate) const BASE_ELEMENT: &str = "__verdict__.base_element";

/// The function that gives what a `with` below a path puts with the rest of base data there (`above.rs`).
pub(crate) const BASE_MERGED: &str = "__verdict__.base_merged";

/// The function that copies a value, for what a `with` puts to be other memory than base data.
pub(crate) const COPIED: &str = "__verdict__.copied";

/// The function that looks a part of a reference up in what rules make, where a number finds no text.
pub(crate) const MADE: &str = "__verdict__.made";

/// The function that lists `[path, value]` of everything in a value.
pub(crate) const WALK: &str = "__verdict__.walk";

/// The function that is true of what has an item, and undefined of what has none.
pub(crate) const HOLDS: &str = "__verdict__.holds";

/// The functions of `a in b` and `k, v in b`.
pub(crate) const MEMBER: &str = "__verdict__.member";
/// See [`MEMBER`].
pub(crate) const MEMBER_WITH_KEY: &str = "__verdict__.member_with_key";

/// What explanations put around a value, as the last argument (`policy/explain/record.rs`): the text means what it means
/// without.
pub(crate) const SEEN: &str = "verdict__seen";
/// The same around what a head gives.
pub(crate) const HELD: &str = "verdict__held";

/// The variable that stands for a constant in a head.
const KEY: &str = "__verdict_key";

/// The package of the functions that call built-ins that a `with` replaces.
pub(crate) const MOCKED: &str = "__verdict_built_ins__";

/// That package, for these built-ins and their numbers of arguments.
pub(crate) fn mocked<'a>(built_ins: impl Iterator<Item = (&'a str, u8)>) -> String {
    let functions: Vec<String> = built_ins.map(|(name, arity)| names::wrapper(name, arity)).collect();
    format!("package {MOCKED}\n{}\n", functions.join("\n"))
}

/// The packages that only lowering knows.
pub(crate) const PACKAGES: [&str; 2] = [MOCKED, WITHS];

/// Where in a module something stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The number of the rule.
    pub(crate) rule: usize,
    /// Whether it is in an `else` of it.
    pub(crate) in_else: bool,
}

/// The names at some names below a path.
type Children<'a> = dyn Fn(&[String], &[String]) -> Option<Vec<String>> + 'a;

/// What lowering must know of the world.
pub(crate) struct World<'a> {
    /// How many arguments a built-in takes; `None` for what is none.
    pub(crate) built_in: &'a dyn Fn(&str) -> Option<u8>,
    /// The names that the module's package defines, in any file.
    pub(crate) defined: &'a dyn Fn(&str) -> bool,
    /// The names below a path of `data` that may have a rule or a value at those names below them; `None` where that can't
    /// be told, or there are no rules below the path.
    pub(crate) children: &'a Children<'a>,
    /// Whether there is always a value at a path of `data`, and never a rule at it, above it or below it, whatever a
    /// `with` of the set says.
    pub(crate) base: &'a dyn Fn(&[String]) -> bool,
    /// Whether a path of `data` may lead to an array of base data.
    pub(crate) arrays: &'a dyn Fn(&Pattern) -> Option<Arrays>,
    /// Whether a path of `data` may lead to an object of base data that has names which are numbers.
    pub(crate) numbered: &'a dyn Fn(&Pattern) -> bool,
    /// Whether a `with` may put something in the place of base data that a path of `data` leads to.
    pub(crate) replaced: &'a dyn Fn(&Pattern) -> bool,
    /// Whether what a path of `data` leads to may be base data and may be something else, of which that is not told.
    pub(crate) unclear: &'a dyn Fn(&Pattern) -> bool,
    /// How what a path of `data` leads to is merged with base data, where a `with` may put something in the place of an
    /// object below it.
    pub(crate) above: &'a dyn Fn(&Pattern) -> Option<Above>,
    /// Whether what reads above other targets must know that a `with` of this target is in force.
    pub(crate) marked: &'a dyn Fn(&[String]) -> bool,
    /// Whether what a path of `data` leads to is part of what a rule makes, and no base data.
    pub(crate) made: &'a dyn Fn(&Pattern) -> bool,
    /// The texts of default definitions that the module gets, by the keywords that their names begin with.
    pub(crate) defaults: &'a BTreeMap<Vec<String>, String>,
    /// The number of the part of a rule's head that is to be a variable; the number after the last is the key's.
    pub(crate) mixed: &'a dyn Fn(&Rule) -> Option<usize>,
    /// How the head of a rule names its function, where other files have definitions of it, too.
    pub(crate) shared: &'a dyn Fn(&Rule) -> Option<String>,
    /// Whether a built-in is called by a function in [`MOCKED`].
    pub(crate) mocked: &'a dyn Fn(&str) -> bool,
    /// How many arguments the function with a whole name, `data.a.f`, takes; `None` for what is none.
    pub(crate) function: &'a dyn Fn(&str) -> Option<usize>,
    /// JSON of `rego.metadata.chain()` (`true`) or `rego.metadata.rule()` where it is asked.
    pub(crate) metadata: &'a dyn Fn(Place, bool) -> Option<String>,
}

/// A module, lowered.
#[derive(Debug)]
pub(crate) struct Lowered {
    /// The module.
    pub(crate) module: Edited,
    /// The rules whose names begin with keywords: in packages of their own, named by these.
    pub(crate) keyword_packages: Vec<(Vec<String>, Edited)>,
    /// What can't be lowered.
    pub(crate) refused: Vec<SyntaxError>,
}

/// Lowers a module. `text` is what it was parsed from.
pub(crate) fn lower(text: &str, module: &Module, world: &World<'_>) -> Lowered {
    let mut packages: BTreeSet<Vec<String>> = module.rules.iter().map(names::keywords).collect();
    packages.extend(world.defaults.keys().cloned());
    // The module itself is the last.
    packages.remove(&Vec::new());
    let mut refused = Vec::new();
    if let Some(name) = module.package.path.iter().find(|name| names::may_be_a_number(&name.text)) {
        refused.push(SyntaxError {
            span: name.span,
            cause: "a package is named by a number, which would find its text".to_owned(),
            help: Some("begin the name with a letter".to_owned()),
        });
    }
    for rule in &module.rules {
        visit::rule(rule, &mut |node, _| lost_digits(node, &mut refused));
    }
    let mut texts = packages.into_iter().chain([Vec::new()]).map(|keywords| {
        let edited = lower_part(text, module, world, &keywords, &mut refused);
        (keywords, edited)
    });
    let mut keyword_packages: Vec<(Vec<String>, Edited)> = texts.by_ref().collect();
    let whole = keyword_packages.pop().map(|(_, edited)| edited).unwrap_or_default();
    drop(texts);
    Lowered { module: whole, keyword_packages, refused }
}

/// The rules of a module whose names begin with these keywords.
fn lower_part(
    text: &str,
    module: &Module,
    world: &World<'_>,
    keywords: &[String],
    refused: &mut Vec<SyntaxError>,
) -> Edited {
    let mut lowering = Lowering::new(text, world, names::imports(module));
    lowering.package = module.package.path.iter().map(|name| name.text.clone()).collect();
    lowering.import_paths = names::import_paths(module);
    lowering.keywords = keywords.to_vec();
    lowering.comments = module.comments.iter().map(|comment| comment.span).collect();
    lowering.module(module);
    refused.append(&mut lowering.refused);
    let mut edits = lowering.edits;
    if let Some(defaults) = world.defaults.get(keywords) {
        edits.push(Edit::insert(u32::try_from(text.len()).unwrap_or(u32::MAX), format!("\n{defaults}\n")));
    }
    if !lowering.wrappers.is_empty() {
        let functions: Vec<String> =
            lowering.wrappers.iter().map(|(name, arity)| names::wrapper(name, *arity)).collect();
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        edits.push(Edit::insert(end, format!("\n{}\n", functions.join("\n"))));
    }
    Edited::new(text, edits)
}

/// Lowers a query: the body of a rule of a module without imports.
pub(crate) fn lower_query(text: &str, body: &super::ast::Body, world: &World<'_>) -> Result<Edited, Vec<SyntaxError>> {
    let mut lowering = Lowering::new(text, world, HashMap::new());
    lowering.query = Some(body);
    lowering.seeing([], |lowering| lowering.body(body));
    visit::query(body, &mut |node, _| lost_digits(node, &mut lowering.refused));
    if lowering.refused.is_empty() { Ok(Edited::new(text, lowering.edits)) } else { Err(lowering.refused) }
}

/// Refuses a number that regorus would read as a whole number that it is not.
fn lost_digits(node: Node<'_>, refused: &mut Vec<SyntaxError>) {
    let Node::Term(Term { kind: TermKind::Number(number), span }) = node else { return };
    if loses_digits(number) {
        refused.push(SyntaxError {
            span: *span,
            cause: "this number has so many digits that it would become another one".to_owned(),
            help: Some("write it with at most 15 digits; decimals are doubles".to_owned()),
        });
    }
}

struct Lowering<'a> {
    text: &'a str,
    world: &'a World<'a>,
    /// Name to what it imports, as text.
    imports: HashMap<String, String>,
    /// Name to the path below `data` that it imports.
    import_paths: HashMap<String, Vec<String>>,
    /// Where what the `some … in` that is being lowered iterates over is.
    iterated: Option<Span>,
    /// The module's package.
    package: Vec<String>,
    /// What the names of the rules that are lowered begin with; their package is named by it, too.
    keywords: Vec<String>,
    /// Names that are declared, inmost last.
    scopes: Vec<Vec<&'a str>>,
    /// Those of bodies, with the names that later conditions declare, by the numbers of their scopes.
    declared: BTreeMap<usize, BTreeSet<&'a str>>,
    /// A rule's arguments, and names of which bodies speak, also without a declaration, inmost last (`order/bound.rs`).
    levels: Vec<BTreeSet<&'a str>>,
    /// Those of the inmost body that have values.
    given: BTreeSet<&'a str>,
    /// Those that may get their values in the condition that is being lowered.
    opens: BTreeSet<&'a str>,
    /// What calls of the condition need, and so no brackets of it give.
    called: BTreeSet<&'a str>,
    /// Those that surely have values, wherever OPA asks the conditions (`order/valued.rs`).
    valued: BTreeSet<&'a str>,
    /// The parts of the references that are being lowered which calls look up (`elements.rs`).
    elements: elements::Elements,
    /// In the order of the text.
    edits: Vec<Edit>,
    /// Built-ins that are values of a `with`.
    wrappers: BTreeMap<String, u8>,
    place: Place,
    /// Variables so far: each has a number.
    variables: usize,
    /// Whether all must come to stand on one line.
    flat: bool,
    /// A query, where that is what is being lowered.
    query: Option<&'a super::ast::Body>,
    comments: Vec<Span>,
    /// What must be asked before the condition that is being lowered.
    before: Vec<String>,
    /// Whether parts of `data` are looked up before that condition.
    looks_up: bool,
    /// What is looked up before it.
    looked_up: Vec<String>,
    /// What copies the variables of an `every`, for its body to begin with.
    copies: String,
    /// Whether the rule that is being lowered has at most one solution.
    once: bool,
    /// What the head of the rule that is being lowered asks.
    asked_of_head: Vec<String>,
    /// Where calls stand that were asked before, and the variables with what they gave.
    settled: HashMap<Span, String>,
    /// What gives a value to the variable that stands for a constant in that head.
    key: Option<String>,
    /// What the bodies of the rule that is being lowered ask of its arguments.
    first: Vec<String>,
    /// The `with` of the condition that is being lowered.
    with: String,
    refused: Vec<SyntaxError>,
}

impl<'a> Lowering<'a> {
    fn new(text: &'a str, world: &'a World<'a>, imports: HashMap<String, String>) -> Self {
        Self {
            text,
            world,
            imports,
            import_paths: HashMap::new(),
            iterated: None,
            package: Vec::new(),
            keywords: Vec::new(),
            scopes: Vec::new(),
            declared: BTreeMap::new(),
            levels: Vec::new(),
            given: BTreeSet::new(),
            opens: BTreeSet::new(),
            called: BTreeSet::new(),
            valued: BTreeSet::new(),
            elements: Vec::new(),
            edits: Vec::new(),
            wrappers: BTreeMap::new(),
            place: Place::default(),
            variables: names::numbered(text),
            flat: false,
            query: None,
            comments: Vec::new(),
            before: Vec::new(),
            looks_up: false,
            looked_up: Vec::new(),
            copies: String::new(),
            once: false,
            asked_of_head: Vec::new(),
            settled: HashMap::new(),
            key: None,
            first: Vec::new(),
            with: String::new(),
            refused: Vec::new(),
        }
    }

    fn replace(&mut self, at: Span, with: impl Into<String>) {
        self.edits.push(Edit::replace(at, with));
    }

    fn insert(&mut self, at: u32, with: impl Into<String>) {
        self.edits.push(Edit::insert(at, with));
    }

    fn is_local(&self, name: &str) -> bool {
        self.is_declared(name) || self.is_late(name)
    }

    /// Whether a name is declared before the condition that is being lowered, or in it.
    fn is_declared(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope.contains(&name))
    }

    /// Whether a name is declared only after that. A body in that condition may still have it: it is another variable. Each
    /// `_` is one of its own anyway.
    fn is_late(&self, name: &str) -> bool {
        name != "_" && !self.is_declared(name) && self.declared.values().any(|names| names.contains(name))
    }

    fn declares_later(&self, scope: usize, name: &str) -> bool {
        self.declared.get(&scope).is_some_and(|names| names.contains(name))
    }
}

#[cfg(test)]
mod tests;
