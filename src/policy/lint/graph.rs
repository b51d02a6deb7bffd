//! What each rule refers to: the graph that evaluation walks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::policy::{
    lowering,
    rego::{
        ast::{Module, Ref, RefPartKind, Rule, Span, TermKind},
        visit::{self, Node, Scopes},
    },
    text::Texts,
};

/// A path below `data`; `None` for a part that is known only when evaluated.
pub(super) type Pattern = Vec<Option<String>>;

/// A rule: all definitions of one path.
#[derive(Debug)]
pub(super) struct Definition {
    /// Its path below `data`, up to the first part that is no constant.
    pub(super) path: Vec<String>,
    /// The file and place of its first definition.
    pub(super) file: String,
    pub(super) span: Span,
    /// What it refers to, and where first.
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
    pub(super) fn new(texts: &Texts) -> Self {
        let modules: Vec<(&str, &Module)> =
            texts.iter().filter_map(|(path, text)| Some((&**path, text.module.as_deref()?))).collect();
        let mut defined: BTreeMap<Vec<String>, BTreeSet<&str>> = BTreeMap::new();
        for (_, module) in &modules {
            let names = module.rules.iter().filter_map(|rule| head_name(rule));
            defined.entry(lowering::package(module)).or_default().extend(names);
        }
        let mut graph = Self::default();
        for (file, module) in modules {
            let package = lowering::package(module);
            let names = Names {
                imports: imports(module),
                defined: defined.get(&package).cloned().unwrap_or_default(),
                package: &package,
            };
            for rule in &module.rules {
                graph.add(file, rule, &names);
            }
        }
        graph
    }

    /// The rules whose values a reference may need, each once.
    pub(super) fn reached(&self, pattern: &[Option<String>]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        self.tree.reached(pattern, &mut found);
        found
    }

    fn add(&mut self, file: &str, rule: &Rule, names: &Names<'_>) {
        let Some(path) = names.head(rule) else { return };
        let number = *self.tree.at(&path).get_or_insert_with(|| {
            let node = Definition { path, file: file.to_owned(), span: rule.head.span, refers: BTreeMap::new() };
            self.rules.push(node);
            self.rules.len() - 1
        });
        let Some(node) = self.rules.get_mut(number) else { return };
        visit::rule(rule, &mut |seen, scopes| {
            if let Some((pattern, span)) = names.meant(seen, scopes) {
                node.refers.entry(pattern).or_insert_with(|| (file.to_owned(), span));
            }
        });
    }
}

impl Tree {
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

/// What names mean in a module.
struct Names<'a> {
    imports: HashMap<&'a str, Pattern>,
    defined: BTreeSet<&'a str>,
    package: &'a [String],
}

impl Names<'_> {
    /// The path that a rule defines, without the parts that are no constants.
    fn head(&self, rule: &Rule) -> Option<Vec<String>> {
        let own = parts(&rule.head.reference);
        let own = std::iter::once(Some(head_name(rule)?.to_owned())).chain(own).map_while(|part| part);
        Some(self.package.iter().cloned().chain(own).collect())
    }

    /// What something refers to below `data`.
    fn meant(&self, node: Node<'_>, scopes: &Scopes<'_>) -> Option<(Pattern, Span)> {
        let (name, rest, span) = match node {
            Node::Name(name, span) => (name, Vec::new(), span),
            Node::Ref(reference) | Node::Call { function: reference, .. } => {
                let TermKind::Var(name) = &reference.head.kind else { return None };
                (name.as_str(), parts(reference), reference.span)
            }
            Node::Target(_) | Node::Expr(_) | Node::Term(_) => return None,
        };
        if scopes.declares(name) {
            return None;
        }
        let start: Pattern = if name == "data" {
            Vec::new()
        } else if let Some(target) = self.imports.get(name) {
            target.clone()
        } else if self.defined.contains(name) {
            self.package.iter().cloned().chain([name.to_owned()]).map(Some).collect()
        } else {
            return None;
        };
        Some((start.into_iter().chain(rest).collect(), span))
    }
}

/// The name that a rule's head begins with.
pub(super) fn head_name(rule: &Rule) -> Option<&str> {
    match &rule.head.reference.head.kind {
        TermKind::Var(name) => Some(name),
        _ => None,
    }
}

/// The parts of a reference after its head.
pub(super) fn parts(reference: &Ref) -> Pattern {
    let constant = |part: &RefPartKind| match part {
        RefPartKind::Dot(name) => Some(name.clone()),
        RefPartKind::Bracket(index) => match &index.kind {
            TermKind::String { value, .. } => Some(value.clone()),
            // No rule has a name that is no string.
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) => Some("\0".to_owned()),
            _ => None,
        },
    };
    reference.parts.iter().map(|part| constant(&part.kind)).collect()
}

/// The module's imports from below `data`.
fn imports(module: &Module) -> HashMap<&str, Pattern> {
    let below_data = module.imports.iter().filter(|import| import.path.first().is_some_and(|root| root.text == "data"));
    below_data
        .filter_map(|import| {
            let path = import.path.iter().skip(1).map(|name| Some(name.text.clone())).collect();
            Some((import.name()?, path))
        })
        .collect()
}
