//! What nobody uses: imports, variables, rules.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{
    World,
    finding::Finding,
    names::{Source, is_document},
    recursion,
};
use crate::policy::rego::{
    ast::{ExprKind, Module, Operator, Rule, Span, Term, TermKind},
    visit::{self, Node},
};

/// The rules that a package offers, in the words of the decision contract and of other projects' conventions.
const OFFERED: [&str; 19] = [
    "allow",
    "deny",
    "decision",
    "reasons",
    "obligations",
    "advice",
    "context",
    "ttl",
    "violation",
    "violations",
    "warn",
    "main",
    "result",
    "results",
    "response",
    "reason",
    // The candidates of searches.
    "subjects",
    "resources",
    "actions",
];

/// Imports that nothing names.
pub(super) fn imports<'a>(source: &Source<'a>, found: &mut Vec<Finding<'a>>) {
    let mut used: HashSet<&str> = HashSet::new();
    for rule in &source.module.rules {
        visit::rule(rule, &mut |node, scopes| {
            if let Some(name) = named(node)
                && !scopes.declares(name)
            {
                used.insert(name);
            }
        });
    }
    for import in source.module.imports.iter().filter(|import| is_document(import)) {
        let Some(name) = import.name().filter(|name| !used.contains(name)) else { continue };
        let cause = format!("the import `{name}` is not used");
        found.push(Finding::warning("unused_import", source, import.span, cause, "delete it"));
    }
}

/// Variables that get a value, and are asked for nowhere.
pub(super) fn variables<'a>(source: &Source<'a>, found: &mut Vec<Finding<'a>>) {
    for rule in source.module.rules.iter().filter(|rule| !rule.default) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        // Where each was declared, and how often a declaration alone names it.
        let mut declared: Vec<(&str, Span, usize)> = Vec::new();
        visit::rule(rule, &mut |node, _| {
            if let Some(name) = named(node) {
                *seen.entry(name).or_default() += 1;
            }
            if let Node::Expr(expression) = node {
                match &expression.kind {
                    ExprKind::Some(names) => {
                        declared.extend(names.iter().map(|name| (name.text.as_str(), name.span, 0)));
                    }
                    ExprKind::SomeIn { key, value, .. } => {
                        declared.extend(key.iter().chain([value]).filter_map(variable));
                    }
                    ExprKind::Term(Term { kind: TermKind::Infix { operator: Operator::Assign, left, .. }, .. }) => {
                        declared.extend(variable(left));
                    }
                    _ => {}
                }
            }
        });
        for (name, span, alone) in declared {
            if name.starts_with('_') || seen.get(name).copied().unwrap_or(0) > alone {
                continue;
            }
            let cause = format!("the variable `{name}` is not used");
            let help = "delete it; where it is only asked whether there is a value, write `_` in its place";
            found.push(Finding::warning("unused_variable", source, span, cause, help));
        }
    }
}

fn variable(term: &Term) -> Option<(&str, Span, usize)> {
    match &term.kind {
        TermKind::Var(name) => Some((name, term.span, 1)),
        _ => None,
    }
}

fn named(node: Node<'_>) -> Option<&str> {
    let reference = match node {
        Node::Name(name, _) => return Some(name),
        Node::Ref(reference) | Node::Target(reference) | Node::Call { function: reference, .. } => reference,
        Node::Body(_) | Node::Expr(_) | Node::Term(_) => return None,
    };
    match &reference.head.kind {
        TermKind::Var(name) => Some(name),
        _ => None,
    }
}

/// Rules that no question can reach.
///
/// Without `entries`, what packages offer by the names of their rules is asked, and so is what tests ask; a package of
/// which nothing is used is asked by another name. A set without any package that decides has no unused rules.
pub(super) fn rules<'a>(world: &World<'_, 'a>, found: &mut Vec<Finding<'a>>) {
    let all = Rules::new(world);
    let edges = recursion::edges(world.graph);
    let mut starts: BTreeSet<usize> = BTreeSet::new();
    for entry in world.entries {
        let pattern: Vec<Option<String>> = entry.iter().cloned().map(Some).collect();
        starts.extend(world.graph.reached(&pattern));
    }
    if world.entries.is_empty() {
        if !all.decides {
            return;
        }
        starts.extend(all.offered.iter().chain(&all.tests));
        let reached = closure(&edges, starts.clone());
        for package in all.packages.values() {
            if !package.iter().any(|rule| reached.contains(rule)) {
                starts.extend(package);
            }
        }
    }
    let reached = closure(&edges, starts);
    let of_tests = closure(&edges, all.tests.clone());
    let rules = edges.iter().take(world.graph.rules.len()).enumerate();
    let referred: HashSet<usize> = rules
        .filter(|(number, _)| !all.tests.contains(number))
        .flat_map(|(_, patterns)| patterns)
        .flat_map(|pattern| edges.get(*pattern).into_iter().flatten().copied())
        .collect();
    for (number, (source, rule)) in all.places {
        let Some(path) = world.graph.rules.get(number).map(|rule| rule.path.join(".")) else { continue };
        if reached.contains(&number) {
            continue;
        }
        let span = rule.head.span;
        let help =
            "delete it, or name it as an entry point: `verdict lint --entry data.…`, or METADATA `entrypoint: true`";
        found.push(if referred.contains(&number) {
            let cause = format!("no entry point reaches the rule `data.{path}`; only what none reaches refers to it");
            Finding::warning("unreachable_rule", source, span, cause, help)
        } else if of_tests.contains(&number) {
            Finding::warning("unused_rule", source, span, format!("only tests use the rule `data.{path}`"), help)
        } else {
            Finding::warning("unused_rule", source, span, format!("nothing uses the rule `data.{path}`"), help)
        });
    }
}

/// The rules of a set by their numbers in the graph.
#[derive(Default)]
struct Rules<'w, 'a> {
    /// Those that are not of tests, where they are defined first.
    places: HashMap<usize, (&'w Source<'a>, &'a Rule)>,
    packages: BTreeMap<&'w [String], BTreeSet<usize>>,
    tests: BTreeSet<usize>,
    offered: BTreeSet<usize>,
    /// Whether a package decides.
    decides: bool,
}

impl<'w, 'a> Rules<'w, 'a> {
    fn new(world: &World<'w, 'a>) -> Self {
        let mut all = Self::default();
        for source in world.sources {
            let annotated = annotated(source.module);
            for rule in &source.module.rules {
                let Some(path) = source.head(rule) else { continue };
                let Some(number) = world.graph.find(&path) else { continue };
                if source.is_test() {
                    all.tests.insert(number);
                    continue;
                }
                all.places.entry(number).or_insert((source, rule));
                all.packages.entry(&source.package).or_default().insert(number);
                let name = path.get(source.package.len()).map(String::as_str).unwrap_or_default();
                all.decides |= matches!(name, "allow" | "decision");
                let is_offered = OFFERED.contains(&name)
                    || ["deny_", "violation_", "test_"].iter().any(|start| name.starts_with(start));
                if is_offered || annotated.contains(&rule.span) {
                    all.offered.insert(number);
                }
            }
        }
        all
    }
}

/// The rules with METADATA `entrypoint: true`.
fn annotated(module: &Module) -> HashSet<Span> {
    use crate::policy::rego::metadata::Target;
    let entries = module.annotations.iter().filter(|annotation| annotation.entrypoint);
    let spans = entries.flat_map(|annotation| match annotation.target {
        Target::Rule(span) => vec![span],
        Target::Package => module.rules.iter().map(|rule| rule.span).collect(),
    });
    spans.collect()
}

fn closure(edges: &[Vec<usize>], starts: BTreeSet<usize>) -> HashSet<usize> {
    let mut open: Vec<usize> = starts.into_iter().collect();
    let mut reached: HashSet<usize> = open.iter().copied().collect();
    while let Some(at) = open.pop() {
        for next in edges.get(at).into_iter().flatten() {
            if reached.insert(*next) {
                open.push(*next);
            }
        }
    }
    reached
}
