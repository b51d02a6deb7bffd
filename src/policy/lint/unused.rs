//! What nobody uses: imports, variables, rules.

use std::collections::{BTreeSet, HashMap, HashSet};

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
const OFFERED: [&str; 16] = [
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
                        declared.extend(names.iter().map(|name| (name.text.as_str(), name.span, 0)))
                    }
                    ExprKind::SomeIn { key, value, .. } => {
                        declared.extend(key.iter().chain([value]).filter_map(variable));
                    }
                    ExprKind::Term(Term { kind: TermKind::Infix { operator: Operator::Assign, left, .. }, .. }) => {
                        declared.extend(variable(left))
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

fn named<'a>(node: Node<'a>) -> Option<&'a str> {
    let reference = match node {
        Node::Name(name, _) => return Some(name),
        Node::Ref(reference) | Node::Target(reference) | Node::Call { function: reference, .. } => reference,
        Node::Expr(_) | Node::Term(_) => return None,
    };
    match &reference.head.kind {
        TermKind::Var(name) => Some(name),
        _ => None,
    }
}

/// Rules that no question can reach. Without `entries`, and without a package that decides, any rule may be asked.
pub(super) fn rules<'a>(world: &World<'_, 'a>, found: &mut Vec<Finding<'a>>) {
    let graph = world.graph;
    let mut places: HashMap<usize, (&Source<'a>, &'a Rule)> = HashMap::new();
    let mut starts: BTreeSet<usize> = BTreeSet::new();
    let mut tests: BTreeSet<usize> = BTreeSet::new();
    let mut decides = !world.entries.is_empty();
    for entry in world.entries {
        let pattern: Vec<Option<String>> = entry.iter().cloned().map(Some).collect();
        starts.extend(graph.reached(&pattern));
    }
    for source in world.sources {
        let annotated = annotated(source.module);
        for rule in &source.module.rules {
            let Some(path) = source.head(rule) else { continue };
            let Some(number) = graph.find(&path) else { continue };
            let name = path.get(source.package.len()).map(String::as_str).unwrap_or_default();
            if source.is_test() {
                tests.insert(number);
                continue;
            }
            places.entry(number).or_insert((source, rule));
            decides |= matches!(name, "allow" | "decision");
            let offered = OFFERED.contains(&name) || name.starts_with("deny_") || name.starts_with("violation_");
            if world.entries.is_empty() && (offered || annotated.contains(&rule.span)) {
                starts.insert(number);
            }
        }
    }
    // A package with an annotation `entrypoint`, or none that decides: a library, or a set that is asked by other names.
    if !decides {
        return;
    }
    let edges = recursion::edges(graph);
    let reached = closure(&edges, starts);
    let of_tests = closure(&edges, tests.clone());
    let referred: HashSet<usize> = graph
        .rules
        .iter()
        .enumerate()
        .filter(|(number, _)| !tests.contains(number))
        .flat_map(|(number, _)| edges.get(number).into_iter().flatten())
        .flat_map(|pattern| edges.get(*pattern).into_iter().flatten().copied())
        .collect();
    for (number, (source, rule)) in places {
        if reached.contains(&number) {
            continue;
        }
        let Some(path) = graph.rules.get(number).map(|rule| rule.path.join(".")) else { continue };
        let span = rule.head.span;
        let help =
            "delete it, or name it as an entry point: `verdict lint --entry data.…`, or METADATA `entrypoint: true`";
        found.push(if referred.contains(&number) {
            let cause =
                format!("no entry point reaches the rule `data.{path}`; only rules that none reaches refer to it");
            Finding::warning("unreachable_rule", source, span, cause, help)
        } else if of_tests.contains(&number) {
            Finding::warning("unused_rule", source, span, format!("only tests use the rule `data.{path}`"), help)
        } else {
            Finding::warning("unused_rule", source, span, format!("nothing uses the rule `data.{path}`"), help)
        });
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
