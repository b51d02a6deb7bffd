//! What a policy set offers to be asked: its packages and rules, and where they stand.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use regorus::{
    Value as Rego,
    unstable::{Expr, Import, Module, Ref, Rule, RuleHead},
};

use super::{
    contract,
    rego::lower::PACKAGES,
    syntax::{self, Node},
    text::Texts,
};
use crate::decision::{EntryPoint, SourcePosition};

/// A rule that can be asked; functions can't.
#[derive(Debug)]
pub(super) struct RuleInfo {
    /// Its reference, as in [`EntryPoint`].
    pub(super) name: Arc<str>,
    /// Its names below `data`.
    pub(super) parts: Vec<String>,
    /// Where its first definition stands.
    pub(super) position: SourcePosition,
    definitions: usize,
    /// The file, the first and the last line of each definition, defaults included.
    extents: Vec<(Arc<str>, u32, u32)>,
}

/// The rules of a package that make it an entry point, in the words of the decision contract.
#[derive(Clone, Debug, Default)]
pub(super) struct Package {
    /// The package's reference.
    pub(super) name: Arc<str>,
    /// Rule name to rule, of all rules directly in it.
    pub(super) rules: BTreeMap<String, Arc<RuleInfo>>,
    refers_to: BTreeSet<Vec<String>>,
}

/// What an entry point turned out to be.
#[derive(Clone, Copy)]
pub(super) enum Entry<'a> {
    /// One rule; its value is the decision.
    Rule(&'a Arc<RuleInfo>),
    /// A package without a rule `decision`: its rules are the decision's members.
    Package(&'a Package),
}

/// All rules and packages of a policy set.
///
/// Each evaluator has its own, so that handing out names writes to no memory that evaluators share.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    rules: HashMap<String, Arc<RuleInfo>>,
    /// The same rules, by their names below `data`.
    tree: BTreeMap<Vec<String>, Arc<RuleInfo>>,
    packages: BTreeMap<Vec<String>, Package>,
    /// Reason code written as a constant in a set rule's head, to the rules that have it.
    codes: HashMap<String, Vec<(Arc<RuleInfo>, SourcePosition)>>,
}

impl Package {
    /// The rules that a package without `decision` is asked.
    pub(super) fn members(&self) -> impl Iterator<Item = &Arc<RuleInfo>> {
        ["allow", "deny"].iter().chain(&contract::MEMBERS).filter_map(|name| self.rules.get(*name))
    }
}

impl RuleInfo {
    /// Whether one of these lines, by file, is in one of its definitions.
    pub(super) fn is_on(&self, lines: &BTreeMap<String, BTreeSet<u32>>) -> bool {
        self.extents.iter().any(|(file, first, last)| {
            lines.get(file.as_ref()).is_some_and(|lines| lines.range(first..=last).next().is_some())
        })
    }
}

impl Index {
    /// Reads the syntax trees. Those that nest too deep have been refused before.
    pub(super) fn new(modules: &[Ref<Module>], texts: &Texts) -> Self {
        let mut index = Self::default();
        let packages = modules.iter().map(|module| (syntax::package(module), module));
        for (names, module) in packages.filter(|(names, _)| !is_of_lowering(names)) {
            let refers_to = references(module, &names);
            let package = index.packages.entry(names.clone()).or_default();
            package.name = EntryPoint::from_parts(names.clone()).as_str().into();
            package.refers_to.extend(refers_to);
            let last = module.policy.first().and_then(|rule| texts.last_line(rule.span().source.file()));
            let own = |rule: &&Ref<Rule>| {
                !syntax::is_function(rule) && last.is_none_or(|last| rule.span().line as usize <= last)
            };
            for rule in module.policy.iter().filter(own) {
                index.add(&names, rule, texts);
            }
        }
        index
    }

    /// What `entry` names; `None` where it names nothing that can decide.
    pub(super) fn entry(&self, entry: &EntryPoint) -> Option<Entry<'_>> {
        if let Some(rule) = self.rules.get(entry.as_str()) {
            return Some(Entry::Rule(rule));
        }
        let package = self.packages.get(entry.parts())?;
        match package.rules.get("decision") {
            Some(decision) => Some(Entry::Rule(decision)),
            None if package.rules.contains_key("allow") => Some(Entry::Package(package)),
            None => None,
        }
    }

    /// The rule of that name in the entry point's package, which is the nearest above it.
    pub(super) fn beside(&self, entry: &EntryPoint, name: &str) -> Option<&Arc<RuleInfo>> {
        let parts = entry.parts();
        let package = (1..=parts.len()).rev().find_map(|length| self.packages.get(parts.get(..length)?))?;
        package.rules.get(name)
    }

    /// Every reference that [`Index::entry`] takes for a package, in order.
    pub(super) fn entry_points(&self) -> Vec<String> {
        let decides = |package: &&Package| ["decision", "allow"].iter().any(|name| package.rules.contains_key(*name));
        self.packages.values().filter(decides).map(|package| package.name.to_string()).collect()
    }

    /// The rules whose values are the document at `path`, or have it in them, or are in it.
    pub(super) fn around(&self, path: &[String]) -> impl Iterator<Item = &Arc<RuleInfo>> {
        let above = (0..path.len()).filter_map(|length| self.tree.get(path.get(..length)?));
        above.chain(below(&self.tree, path).map(|(_, rule)| rule))
    }

    /// What of the policies a path names: the rule that it is in, or the package that it is. Whoever asks chooses the
    /// path, so what the policies don't name has no name in figures and records.
    pub(super) fn known(&self, path: &EntryPoint) -> Option<Arc<str>> {
        let parts = path.parts();
        let rule = (0..=parts.len()).find_map(|length| self.tree.get(parts.get(..length)?));
        let package = || self.packages.get(parts).map(|package| &package.name);
        rule.map(|rule| &rule.name).or_else(package).cloned()
    }

    /// The packages at `path` and below it, by their names.
    pub(super) fn packages_below(&self, path: &[String]) -> impl Iterator<Item = &Vec<String>> {
        below(&self.packages, path).map(|(names, _)| names)
    }

    /// Every rule that can be asked.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Arc<RuleInfo>> {
        self.rules.values()
    }

    /// The rule, and the place in it, that gave a reason with that code: the one rule that has the code as a constant
    /// in its head. Where none or several do, `asked`, and its place if it is defined in one place only.
    pub(super) fn origin(&self, code: &str, asked: &Arc<RuleInfo>) -> (Arc<str>, Option<SourcePosition>) {
        if let Some([(rule, position)]) = self.codes.get(code).map(Vec::as_slice) {
            return (Arc::clone(&rule.name), Some(position.clone()));
        }
        (Arc::clone(&asked.name), (asked.definitions == 1).then(|| asked.position.clone()))
    }

    /// The rules of the entry point's package, and of the packages that it refers to, directly or through others.
    pub(super) fn involved(&self, entry: &EntryPoint) -> Vec<&Arc<RuleInfo>> {
        let is_package = self.packages.contains_key(entry.parts());
        let own = if is_package { entry.parts() } else { entry.parts().split_last().map_or(&[][..], |(_, own)| own) };
        let mut seen = BTreeSet::new();
        let mut open = vec![own.to_vec()];
        while let Some(names) = open.pop() {
            if let Some(package) = self.packages.get(&names)
                && seen.insert(names)
            {
                open.extend(package.refers_to.iter().flat_map(|path| self.packages_of(path)));
            }
        }
        let mut rules: Vec<_> =
            seen.iter().filter_map(|names| self.packages.get(names)).flat_map(|p| p.rules.values()).collect();
        rules.sort_by(|one, other| one.name.cmp(&other.name));
        rules
    }

    /// The packages that a reference below `data` may read: those it goes through, and those below it.
    fn packages_of(&self, path: &[String]) -> Vec<Vec<String>> {
        self.packages.keys().filter(|names| names.starts_with(path) || path.starts_with(names)).cloned().collect()
    }

    fn add(&mut self, package: &[String], rule: &Rule, texts: &Texts) {
        let reference = syntax::head_reference(rule);
        let Some(path) = syntax::path(reference) else { return };
        let Some(first) = path.parts.first().cloned() else { return };
        let parts: Vec<String> = package.iter().chain(&path.parts).cloned().collect();
        let name = EntryPoint::from_parts(parts.clone()).as_str().to_owned();
        let position = texts.position(syntax::position(reference));
        let defines = usize::from(!matches!(rule, Rule::Default { .. }));
        let mut info = RuleInfo {
            name: name.as_str().into(),
            parts,
            position: position.clone(),
            definitions: defines,
            extents: vec![syntax::extent(rule)],
        };
        if let Some(known) = self.rules.get(&name) {
            info.definitions += known.definitions;
            info.extents.extend(known.extents.iter().cloned());
            // A default says nothing about why; a definition does.
            if known.definitions > 0 {
                info.position = known.position.clone();
            }
        }
        let info = Arc::new(info);
        if path.parts.len() == 1
            && let Some(package) = self.packages.get_mut(package)
        {
            package.rules.insert(first, Arc::clone(&info));
        }
        if let Some(code) = constant_code(rule) {
            self.codes.entry(code).or_default().push((Arc::clone(&info), position));
        }
        self.tree.insert(info.parts.clone(), Arc::clone(&info));
        self.rules.insert(name, info);
    }
}

fn below<'a, T>(tree: &'a BTreeMap<Vec<String>, T>, path: &[String]) -> impl Iterator<Item = (&'a Vec<String>, &'a T)> {
    tree.range(path.to_vec()..).take_while(move |(names, _)| names.starts_with(path))
}

/// The reason code that a set rule's head has as a constant: `deny contains "code"` or `deny contains {"code": "…"}`.
fn constant_code(rule: &Rule) -> Option<String> {
    let Rule::Spec { head: RuleHead::Set { key: Some(key), .. }, .. } = rule else { return None };
    let string = |expr: &Expr| match expr {
        Expr::String { value: Rego::String(text), .. } => Some(text.to_string()),
        _ => None,
    };
    match key.as_ref() {
        Expr::Object { fields, .. } => fields
            .iter()
            .find(|(_, name, _)| string(name).as_deref() == Some("code"))
            .and_then(|(_, _, code)| string(code)),
        other => string(other),
    }
}

/// The references below `data` that a module makes, also through its imports.
fn references(module: &Module, package: &[String]) -> BTreeSet<Vec<String>> {
    let imports: HashMap<String, Vec<String>> = module.imports.iter().filter_map(import).collect();
    let mut found = BTreeSet::new();
    for rule in &module.policy {
        let result = syntax::walk(rule, &mut |node| {
            let Node::Expr(expr) = node else { return };
            let reference = if let Expr::Call { fcn, .. } = expr { fcn } else { expr };
            if let Some(path) = syntax::path(reference)
                && let Some((first, rest)) = path.parts.split_first()
            {
                let absolute = match imports.get(first) {
                    Some(target) => target.iter().chain(rest).cloned().collect(),
                    None if first == "data" => rest.to_vec(),
                    None => return,
                };
                found.insert(absolute);
            }
        });
        // What nests too deep has been refused before an index is made.
        debug_assert!(result.is_ok(), "{result:?}");
    }
    found.retain(|path| path.as_slice() != package && !path.is_empty());
    found
}

/// Whether it is a package that nobody wrote.
fn is_of_lowering(package: &[String]) -> bool {
    matches!(package, [name] if PACKAGES.contains(&name.as_str()))
}

/// An import's alias, and what it stands for below `data`.
pub(super) fn import(import: &Import) -> Option<(String, Vec<String>)> {
    let path = syntax::path(&import.refr)?;
    let (root, rest) = path.parts.split_first()?;
    if root != "data" {
        return None;
    }
    let alias = import.r#as.as_ref().map_or_else(|| rest.last().cloned(), |span| Some(span.text().to_owned()))?;
    Some((alias, rest.to_vec()))
}
