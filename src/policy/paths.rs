//! The paths that a policy set defines: what is below a path, and which partial objects may be empty.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use regorus::Value as Rego;

use super::{
    lowering,
    rego::{
        ast::{Module, Ref, Rule, TermKind},
        lower::names,
        visit::{self, Node},
    },
};

/// The most names that a dynamic reference is written out for.
const MAX_CHILDREN: usize = 500;

/// A policy set's paths below `data`.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Package, and the names of each rule that are constants, to what its definitions are.
    rules: BTreeMap<Vec<String>, Kind>,
    /// What a `with` replaces.
    replaced: BTreeSet<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    /// How many names of it belong to the package.
    package: usize,
    /// Whether it is an object of sets or of objects, all of whose names are known only when evaluated.
    nested: bool,
    /// Whether a definition is of another form.
    other: bool,
}

impl Paths {
    pub(super) fn new<'a>(modules: impl Iterator<Item = &'a Module>) -> Self {
        let mut paths = Self::default();
        for module in modules {
            let package = lowering::package(module);
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
        let base = path.iter().try_fold(data?, |at, name| at.as_object().ok()?.get(&Rego::from(name.as_str())));
        if let Some(base) = base.and_then(|base| base.as_object().ok()) {
            for (name, _) in base.iter() {
                children.insert(name.as_string().ok()?.to_string());
            }
        }
        (children.len() <= MAX_CHILDREN).then(|| children.into_iter().collect())
    }

    /// Package to default definitions of its objects of sets and of objects: without elements regorus finds them
    /// undefined, and OPA `{}`.
    pub(super) fn defaults(&self) -> BTreeMap<Vec<String>, String> {
        let mut defaults: BTreeMap<Vec<String>, String> = BTreeMap::new();
        for (path, kind) in self.rules.iter().filter(|(_, kind)| kind.nested && !kind.other) {
            let (package, name) = path.split_at(kind.package);
            let below = self.rules.range(path.clone()..).nth(1);
            let alone = below.is_none_or(|(next, _)| !next.starts_with(path));
            let plain = name.iter().all(|name| names::is_plain(name) && !name.starts_with("test_"));
            if alone && plain && !name.is_empty() {
                let text = defaults.entry(package.to_vec()).or_default();
                // Writing to a string does not fail.
                let _ = writeln!(text, "default {} := {{}}", name.join("."));
            }
        }
        defaults
    }

    fn add(&mut self, package: &[String], rule: &Rule) {
        let reference = &rule.head.reference;
        let TermKind::Var(first) = &reference.head.kind else { return };
        let known: Vec<&str> = reference.parts.iter().map_while(|part| names::constant(&part.kind)).collect();
        let path = package.iter().map(String::as_str).chain([first.as_str()]).chain(known.iter().copied());
        let kind = self.rules.entry(path.map(str::to_owned).collect()).or_default();
        kind.package = package.len();
        let unknown = reference.parts.len() - known.len();
        let nested = unknown > 1 || (unknown == 1 && rule.head.key.is_some());
        kind.nested |= nested && !rule.default && rule.head.arguments.is_none();
        kind.other |= !nested || rule.default || rule.head.arguments.is_some();
    }
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
    fn objects_of_sets_may_be_empty() {
        let text = "package p\ng[t] contains a if { some t, a in input }\nh[t] := 1 if { some t in input }\n\
                    k[t][u] := 1 if { some t, u in input }\nm[t] contains 1 if { some t in input }\nm.x contains 2";
        let defaults = paths(text).defaults();
        assert_eq!(defaults.into_values().collect::<Vec<_>>(), ["default g := {}\ndefault k := {}\n"]);
    }
}
