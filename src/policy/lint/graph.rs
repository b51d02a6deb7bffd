//! What each rule refers to: the graph that evaluation walks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::names::{Pattern, Source};
use crate::policy::rego::{
    ast::{Rule, Span},
    visit::{self, Node},
};

/// A rule: all definitions of one path.
#[derive(Debug)]
pub(super) struct Definition {
    /// Its path below `data`, up to the first part that is no constant.
    pub(super) path: Vec<String>,
    /// The file and place of its first definition.
    pub(super) file: String,
    pub(super) span: Span,
    /// What it refers to or replaces, and where first.
    pub(super) refers: BTreeMap<Pattern, (String, Span)>,
}

/// All rules of a policy set.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) rules: Vec<Definition>,
    tree: Tree,
}

/// Rules by their paths.
#[derive(Debug, Default)]
struct Tree {
    rule: Option<usize>,
    children: HashMap<String, Tree>,
}

impl Graph {
    pub(super) fn new(sources: &[Source<'_>]) -> Self {
        Self::by(sources, &|source, rule| source.head(rule))
    }

    /// The rules by other paths than their own.
    pub(super) fn by(sources: &[Source<'_>], path: &dyn Fn(&Source<'_>, &Rule) -> Option<Vec<String>>) -> Self {
        let mut graph = Self::default();
        for source in sources {
            for rule in &source.module.rules {
                graph.add(source, rule, path(source, rule));
            }
        }
        graph
    }

    /// The rule with that path.
    pub(super) fn find(&self, path: &[String]) -> Option<usize> {
        self.tree.find(path)
    }

    /// The rules whose values a reference may need, each once.
    pub(super) fn reached(&self, pattern: &[Option<String>]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        self.tree.reached(pattern, &mut found);
        found
    }

    fn add(&mut self, source: &Source<'_>, rule: &Rule, path: Option<Vec<String>>) {
        let Some(path) = path else { return };
        let file = source.file;
        let number = *self.tree.at(&path).get_or_insert_with(|| {
            let node = Definition { path, file: file.to_owned(), span: rule.head.span, refers: BTreeMap::new() };
            self.rules.push(node);
            self.rules.len() - 1
        });
        let Some(node) = self.rules.get_mut(number) else { return };
        visit::rule(rule, &mut |seen, scopes| {
            // OPA counts what a `with` replaces as needed.
            let meant = match seen {
                Node::Target(target) => source.replaced(target, scopes).map(|pattern| (pattern, target.span)),
                _ => source.meant(seen, scopes),
            };
            if let Some((pattern, span)) = meant {
                node.refers.entry(pattern).or_insert_with(|| (file.to_owned(), span));
            }
        });
    }
}

impl Tree {
    fn find(&self, path: &[String]) -> Option<usize> {
        match path.split_first() {
            Some((first, rest)) => self.children.get(first)?.find(rest),
            None => self.rule,
        }
    }

    fn at(&mut self, path: &[String]) -> &mut Option<usize> {
        match path.split_first() {
            Some((first, rest)) => self.children.entry(first.clone()).or_default().at(rest),
            None => &mut self.rule,
        }
    }

    fn reached(&self, pattern: &[Option<String>], found: &mut BTreeSet<usize>) {
        // A rule on the way gives the rest as its value.
        found.extend(self.rule);
        match pattern.split_first() {
            Some((Some(name), rest)) => {
                if let Some(child) = self.children.get(name) {
                    child.reached(rest, found);
                }
            }
            Some((None, rest)) => self.children.values().for_each(|child| child.reached(rest, found)),
            None => self.children.values().for_each(|child| child.reached(&[], found)),
        }
    }
}
