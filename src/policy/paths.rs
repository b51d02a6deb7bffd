//! The paths that a policy set defines: what is below a path, and which partial objects may be empty.

use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use regorus::Value as Rego;

use super::{
    lowering,
    rego::{
        ast::{Body, Module, Ref, RefPartKind, Rule, Term, TermKind},
        lower::names,
        visit::{self, Node},
    },
};

mod above;
pub(super) mod arrays;

/// Package, and the keywords that names begin with, to definitions.
pub(super) type Defaults = BTreeMap<Vec<String>, BTreeMap<Vec<String>, String>>;

/// The key in the head of a definition that never holds.
const EMPTY: &str = "__verdict_none";

/// The most names that a dynamic reference is written out for.
const MAX_CHILDREN: usize = 500;

/// A policy set's paths below `data`.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Package, and the names of each rule that are constants, to what its definitions are.
    rules: BTreeMap<Vec<String>, Kind>,
    /// What is followed by a variable in the head of a rule.
    variable: BTreeSet<Vec<String>>,
    /// The packages whose first file is Rego v1.
    v1: BTreeSet<Vec<String>>,
    /// What a `with` replaces.
    replaced: BTreeSet<Vec<String>>,
    /// Of which values of data it is known whether a name in them could be that of a number.
    plain: RefCell<BTreeMap<Vec<String>, bool>>,
    /// Of which paths it is known whether they lead to an array of base data.
    arrays: RefCell<BTreeMap<Vec<Option<String>>, bool>>,
    /// Of which paths it is known whether they lead to an object of base data with numbers for names.
    numbered: RefCell<BTreeMap<Vec<Option<String>>, bool>>,
    /// What a `with` replaces and base data has an object for.
    objects: OnceCell<Vec<Vec<String>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    /// How many names of it belong to the package.
    package: usize,
    /// Whether it is an object of sets or of objects, all of whose names are known only when evaluated.
    nested: bool,
    /// Whether a definition is of another form.
    other: bool,
    /// How many definitions are of no function.
    values: usize,
    /// Whether a definition is of all of it, or of members that are known only when evaluated.
    whole: bool,
}

impl Paths {
    pub(super) fn new<'a>(modules: impl Iterator<Item = &'a Module> + Clone) -> Self {
        let mut paths = Self::default();
        for module in modules.clone() {
            let package = lowering::package(module);
            let rules = module.rules.iter().filter(|rule| rule.head.arguments.is_none());
            let open = rules.filter(|rule| next(rule, known(rule).len()).is_some_and(|part| !is_scalar(part)));
            paths.variable.extend(
                open.filter_map(|rule| path(&package, rule))
                    .filter(|path| path.get(package.len()..).is_some_and(|name| !is_test(name))),
            );
        }
        let mut packages = BTreeSet::new();
        for module in modules {
            let package = lowering::package(module);
            if packages.insert(package.clone()) && module.v1 {
                paths.v1.insert(package.clone());
            }
            for rule in &module.rules {
                paths.add(&package, rule);
                visit::rule(rule, &mut |node, _| {
                    if let Node::Target(target) = node
                        && let Some(path) = replaced(module, target)
                    {
                        paths.replaced.insert(path);
                    }
                });
            }
        }
        paths
    }

    /// The same with what a query replaces.
    pub(super) fn with_query(mut self, query: &Body) -> Self {
        self.replaced.extend(replaced_by(query));
        self
    }

    /// Whether a query replaces data that no policy does.
    pub(super) fn replaces_more(&self, query: &Body) -> bool {
        replaced_by(query).iter().any(|path| !self.replaced.contains(path))
    }

    /// The names below `path` under which there may be something at `rest`; `None` where there are no rules, where a
    /// `with` may put something there, or where there are too many.
    pub(super) fn children(&self, data: Option<&Rego>, path: &[String], rest: &[String]) -> Option<Vec<String>> {
        let meets = |one: &[String], other: &[String]| one.iter().zip(other).all(|(one, other)| one == other);
        let below = self.rules.range(path.to_vec()..).take_while(|(rule, _)| rule.starts_with(path));
        let mut children: BTreeSet<String> = below
            .filter(|(rule, _)| rule.get(path.len() + 1..).is_some_and(|end| meets(end, rest)))
            .filter_map(|(rule, _)| rule.get(path.len()).cloned())
            .collect();
        // A rule on the way has a value of its own.
        let inside = (0..=path.len()).any(|length| path.get(..length).is_some_and(|way| self.rules.contains_key(way)));
        if children.is_empty() || inside || self.replaced.iter().any(|target| meets(target, path)) {
            return None;
        }
        let base = at(data?, path);
        if let Some(base) = base.and_then(|base| base.as_object().ok()) {
            for (name, _) in base.iter() {
                children.insert(name.as_string().ok()?.to_string());
            }
        }
        (children.len() <= MAX_CHILDREN).then(|| children.into_iter().collect())
    }

    /// Whether there is always a value at a path, and never a rule at it, above it or below it, whatever a `with` of the
    /// set replaces; and it means the same in a variable: in a reference to data a number finds what its digits name.
    pub(super) fn is_base(&self, data: Option<&Rego>, path: &[String]) -> bool {
        let meets = |one: &[String]| one.iter().zip(path).all(|(one, other)| one == other);
        let below = self.rules.range(path.to_vec()..).next().is_some_and(|(rule, _)| rule.starts_with(path));
        let above = (0..path.len()).any(|length| path.get(..length).is_some_and(|way| self.rules.contains_key(way)));
        !path.is_empty()
            && !below
            && !above
            && !self.replaced.iter().any(|target| meets(target))
            && data.and_then(|data| at(data, path)).is_some_and(|value| self.has_plain_names(path, value))
    }

    /// Whether no name in a value could be that of a number.
    fn has_plain_names(&self, path: &[String], value: &Rego) -> bool {
        if let Some(known) = self.plain.borrow().get(path) {
            return *known;
        }
        let plain = plain_names(value);
        self.plain.borrow_mut().insert(path.to_vec(), plain);
        plain
    }

    /// Package, and the keywords that names begin with, to default definitions of its objects that may be empty: without
    /// elements regorus finds them undefined, and OPA `{}`. Those are objects of sets and of objects, and what only heads
    /// with dots make.
    pub(super) fn defaults(&self) -> Defaults {
        let mut defaults = Defaults::new();
        for (package, name) in self.containers().into_iter().chain(self.nested()) {
            let keywords = name.iter().take_while(|name| !names::is_plain(name)).count();
            let (keywords, name) = name.split_at(keywords);
            let Some((first, rest)) = name.split_first() else { continue };
            let name = rest.iter().fold(first.clone(), |path, name| path + &names::part(name));
            let text = defaults.entry(package.to_vec()).or_default().entry(keywords.to_vec()).or_default();
            // Writing to a string does not fail.
            let _ = if name.ends_with(']') {
                // Of such a name regorus takes a default for that of one member. This holds for nothing, but is there.
                let open = if self.v1.contains(package) { "if {" } else { "{" };
                writeln!(text, "{name}[{EMPTY}] := 1 {open} {EMPTY} := 1; false }}")
            } else {
                writeln!(text, "default {name} := {{}}")
            };
        }
        defaults
    }

    /// The number of the part of a head that is a constant, where another definition has a variable. The number after the
    /// last part is that of the key of Rego v0.
    pub(super) fn mixed(&self, package: &[String], rule: &Rule) -> Option<usize> {
        let (path, known) = (path(package, rule)?, known(rule).len());
        // A number is a constant, too, but none that is part of a path.
        let constants = known + usize::from(next(rule, known).is_some_and(is_scalar));
        (0..constants).find(|at| path.get(..=package.len() + at).is_some_and(|before| self.variable.contains(before)))
    }

    /// A rule's names below `data` as regorus knows it: up to the first that is a variable, or that becomes one.
    pub(super) fn evaluated(&self, package: &[String], rule: &Rule) -> Option<(Vec<String>, bool)> {
        let (mut path, mixed) = (path(package, rule)?, self.mixed(package, rule));
        if let Some(at) = mixed {
            path.truncate(package.len() + 1 + at);
        }
        Some((path, mixed.is_some()))
    }

    /// The objects of sets and of objects.
    fn nested(&self) -> impl Iterator<Item = (&[String], &[String])> {
        self.rules.iter().filter(|(_, kind)| kind.nested && !kind.other).filter_map(|(path, kind)| {
            let below = self.rules.range(path.clone()..).nth(1);
            let alone = below.is_none_or(|(next, _)| !next.starts_with(path));
            let (package, name) = path.split_at(kind.package);
            (alone && !is_test(name)).then_some((package, name))
        })
    }

    /// The package and the names of each object that only heads with dots make.
    fn containers(&self) -> BTreeSet<(&[String], &[String])> {
        let mut containers = BTreeSet::new();
        for (path, kind) in self.rules.iter().filter(|(_, kind)| kind.values > 0) {
            let (package, name) = path.split_at(kind.package);
            for length in 1..name.len() {
                let way = self.rules.get(path.get(..package.len() + length).unwrap_or_default());
                // A rule on the way has a value of its own.
                if way.is_some_and(|way| way.whole) || is_test(name) {
                    break;
                }
                containers.extend(name.get(..length).map(|name| (package, name)));
            }
        }
        containers
    }

    fn add(&mut self, package: &[String], rule: &Rule) {
        let Some(mut path) = path(package, rule) else { return };
        let mixed = self.mixed(package, rule);
        if mixed.is_some() && rule.default {
            return;
        }
        let known = mixed.unwrap_or(known(rule).len()).min(rule.head.reference.parts.len());
        path.truncate(package.len() + 1 + known);
        let kind = self.rules.entry(path).or_default();
        kind.package = package.len();
        let unknown = rule.head.reference.parts.len() - known;
        let nested = unknown > 1 || (unknown == 1 && rule.head.key.is_some());
        kind.nested |= nested && !rule.default && rule.head.arguments.is_none();
        kind.whole |= mixed.is_some() || !next(rule, known).is_some_and(is_scalar);
        kind.values += usize::from(rule.head.arguments.is_none());
        kind.other |= !nested || rule.default || rule.head.arguments.is_some();
    }
}

/// What is at a path.
fn at<'a>(data: &'a Rego, path: &[String]) -> Option<&'a Rego> {
    path.iter().try_fold(data, |at, name| at.as_object().ok()?.get(&Rego::from(name.as_str())))
}

/// Whether no name in a value begins as a number does.
fn plain_names(value: &Rego) -> bool {
    match value {
        Rego::Array(items) => items.iter().all(plain_names),
        Rego::Object(members) => members.iter().all(|(name, value)| {
            !matches!(name, Rego::String(name) if names::may_be_a_number(name)) && plain_names(value)
        }),
        _ => true,
    }
}

fn is_test(name: &[String]) -> bool {
    name.first().is_some_and(|first| first.starts_with("test_"))
}

/// A rule's names below `data` up to the first that is no constant.
fn path(package: &[String], rule: &Rule) -> Option<Vec<String>> {
    let TermKind::Var(first) = &rule.head.reference.head.kind else { return None };
    let known = known(rule).into_iter().map(str::to_owned);
    Some(package.iter().cloned().chain([first.clone()]).chain(known).collect())
}

/// The key that a rule of Rego v0 has beside its reference.
fn key(rule: &Rule) -> Option<&Term> {
    rule.head.key.as_ref().filter(|_| !rule.head.contains && rule.head.value.is_some())
}

/// The part of a head with that number, where it is none of a name.
fn next(rule: &Rule, number: usize) -> Option<&Term> {
    match rule.head.reference.parts.get(number).map(|part| &part.kind) {
        Some(RefPartKind::Bracket(index)) => Some(index),
        Some(RefPartKind::Dot(_)) => None,
        None => key(rule).filter(|_| number == rule.head.reference.parts.len()),
    }
}

fn is_scalar(term: &Term) -> bool {
    matches!(term.kind, TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String { .. })
}

/// The parts of a head after its first name, up to the first that is no constant.
fn known(rule: &Rule) -> Vec<&str> {
    let reference = &rule.head.reference;
    let mut known: Vec<&str> = reference.parts.iter().map_while(|part| names::constant(&part.kind)).collect();
    if known.len() == reference.parts.len()
        && let Some(Term { kind: TermKind::String { value, .. }, .. }) = key(rule)
    {
        known.push(value);
    }
    known
}

/// The names below `data` of what a `with` replaces.
fn replaced(module: &Module, target: &Ref) -> Option<Vec<String>> {
    let TermKind::Var(head) = &target.head.kind else { return None };
    let known = target.parts.iter().map_while(|part| names::constant(&part.kind)).map(str::to_owned);
    let imported = module.imports.iter().find(|import| import.name() == Some(head));
    let start: Vec<String> = match imported {
        Some(import) if import.path.first().is_some_and(|root| root.text == "data") => {
            import.path.iter().skip(1).map(|name| name.text.clone()).collect()
        }
        Some(_) => return None,
        None if head == "data" => Vec::new(),
        None if head == "input" => return None,
        None => lowering::package(module).into_iter().chain([head.clone()]).collect(),
    };
    Some(start.into_iter().chain(known).collect())
}

/// The names below `data` of what a query, which imports nothing, replaces.
fn replaced_by(query: &Body) -> Vec<Vec<String>> {
    let mut replaced = Vec::new();
    visit::query(query, &mut |node, _| {
        let Node::Target(target) = node else { return };
        let is_data = matches!(&target.head.kind, TermKind::Var(head) if head == "data");
        let names = target.parts.iter().map_while(|part| names::constant(&part.kind)).map(str::to_owned);
        replaced.extend(is_data.then(|| names.collect()));
    });
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rego::parser::parse;

    fn paths(text: &str) -> Paths {
        Paths::new([&parse(text, true).unwrap()].into_iter())
    }

    #[test]
    fn knows_what_is_below_a_path() {
        let paths = paths("package pol.a\nv contains 1\nw := 1\nr if { true with data.q as 1 }");
        let data = Rego::from_json_str("{\"pol\": {\"z\": {\"v\": [1]}}}").unwrap();
        let children = |path: &[&str], rest: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            paths.children(Some(&data), &own(path), &own(rest))
        };
        assert_eq!(children(&["pol"], &["v"]), Some(vec!["a".to_owned(), "z".to_owned()]));
        assert_eq!(children(&["pol"], &["nothing"]), None);
        assert_eq!(children(&["pol", "a", "v"], &["x"]), None);
        assert_eq!(children(&["users"], &["name"]), None);
    }

    #[test]
    fn knows_where_there_are_no_rules() {
        let text = "package pol.a\nv contains 1\nw[x] := x if { some x in [1] }\nr if { true with data.q as 1 }\n\
                    s if { true with data.u.v as 1 }";
        let paths = paths(text);
        let data = "{\"pol\": {\"a\": {\"w\": {\"y\": 1}, \"x\": 1}, \"z\": 1}, \"q\": {\"a\": 1}, \"t\": 1, \"u\": {\"v\": {\"w\": 1}, \"x\": 1}, \
                    \"m\": {\"a\": [{\"1\": 2}], \"b\": {\"-1\": 2}, \"c\": {\"x1\": [2]}}}";
        let data = Rego::from_json_str(data).unwrap();
        let is_base = |path: &str| {
            let path: Vec<String> = path.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            paths.is_base(Some(&data), &path)
        };
        for path in ["t", "pol.z", "pol.a.x", "u.x", "m.c"] {
            assert!(is_base(path), "{path}");
        }
        // There are rules, or a `with` replaces it, or there is nothing.
        for path in ["", "pol", "pol.a", "pol.a.w", "pol.a.w.y", "q", "q.a", "u", "u.v", "u.v.w", "x", "t.x"] {
            assert!(!is_base(path), "{path}");
        }
        assert!(!paths.is_base(None, &["t".to_owned()]));
        // There a number finds a name, and in a variable it would not.
        for path in ["m", "m.a", "m.b"] {
            assert!(!is_base(path), "{path}");
        }
    }

    #[test]
    fn what_only_heads_with_dots_make_may_be_empty() {
        let text = "package p\na.b.c := 1 if input.x\na[\"é\"].c contains 1\nd.f(x) := x\ng[x] := 1 if { some x in [1] }\n\
                    g.b.c := 1\nif.c.d := 1\nh := 1\ntest_a.b := 1";
        let paths = paths(text).defaults();
        let defaults: Vec<_> = paths.into_values().flatten().collect();
        let own =
            "default a := {}\ndefault a.b := {}\na[\"é\"][__verdict_none] := 1 if { __verdict_none := 1; false }\n"
                .to_owned();
        assert_eq!(defaults, [(vec![], own), (vec!["if".to_owned()], "default c := {}\n".to_owned())]);
    }

    #[test]
    fn objects_of_sets_may_be_empty() {
        let text = "package p\ng[t] contains a if { some t, a in input }\nh[t] := 1 if { some t in input }\n\
                    k[t][u] := 1 if { some t, u in input }\nm[t] contains 1 if { some t in input }\nm.x contains 2";
        let defaults = paths(text).defaults();
        let defaults: Vec<_> = defaults.into_values().flat_map(BTreeMap::into_values).collect();
        assert_eq!(defaults, ["default g := {}\ndefault k := {}\ndefault m := {}\n"]);
    }
}
