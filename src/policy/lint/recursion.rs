//! Rules and functions that need their own value: OPA rejects them, and a function that calls itself would end the process.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::{
    finding::Finding,
    graph::Graph,
    names::{Pattern, Source},
};
use crate::policy::{paths::Paths, rego::ast::Rule};

/// The most rules of a cycle that are named.
const MAX_SHOWN: usize = 12;

/// A fault for each group of rules that refer to each other.
pub(super) fn check<'a>(graph: &Graph, sources: &[Source<'a>], found: &mut Vec<Finding<'a>>) {
    let edges = edges(graph);
    found.extend(components(&edges).into_iter().filter_map(|group| fault(graph, &edges, &group, sources)));
}

/// A fault for each group of rules that refer to each other only because definitions with constant and with variable keys
/// are evaluated together here, and one by one in OPA.
pub(super) fn mixed<'a>(sources: &[Source<'a>], found: &mut Vec<Finding<'a>>) {
    let paths = Paths::new(sources.iter().map(|source| source.module));
    let evaluated = |source: &Source<'_>, rule: &Rule| paths.evaluated(&source.package, rule);
    let rules = sources.iter().flat_map(|source| source.module.rules.iter().map(move |rule| (source, rule)));
    let together: BTreeSet<Vec<String>> = rules
        .filter_map(|(source, rule)| evaluated(source, rule).filter(|(_, mixed)| *mixed))
        .map(|(path, _)| path)
        .collect();
    if together.is_empty() {
        return;
    }
    let graph = Graph::by(sources, &|source, rule| evaluated(source, rule).map(|(path, _)| path));
    let edges = edges(&graph);
    for group in components(&edges) {
        let rules = group.iter().filter_map(|rule| graph.rules.get(*rule));
        let Some(rule) = rules.filter(|rule| together.contains(&rule.path)).min_by_key(|rule| (&rule.file, rule.span))
        else {
            continue;
        };
        let reached = |pattern: &Pattern| graph.reached(pattern).iter().any(|next| group.contains(next));
        let place = rule.refers.iter().find(|(pattern, _)| reached(pattern)).map(|(_, place)| place);
        let (file, span) = place.map_or((&rule.file, rule.span), |(file, span)| (file, *span));
        let Some(source) = sources.iter().find(|source| source.file == file) else { continue };
        let name = format!("data.{}", rule.path.join("."));
        let cause = format!(
            "a definition of `{name}` needs another: some have a variable key, so that all are evaluated together"
        );
        let help = "give the definitions with constant keys a name of their own";
        found.push(Finding::fault("rego_unsupported", source, span, cause, help));
    }
}

/// What each rule may need: after the rules there is a node for each reference, which many rules may have, and each
/// of which may mean many rules.
pub(super) fn edges(graph: &Graph) -> Vec<Vec<usize>> {
    let mut numbers: BTreeMap<&Pattern, usize> = BTreeMap::new();
    let mut patterns = Vec::new();
    let mut edges: Vec<Vec<usize>> = Vec::new();
    for rule in &graph.rules {
        let number = |pattern| {
            *numbers.entry(pattern).or_insert_with(|| {
                patterns.push(pattern);
                graph.rules.len() + patterns.len() - 1
            })
        };
        edges.push(rule.refers.keys().map(number).collect());
    }
    edges.extend(patterns.into_iter().map(|pattern| graph.reached(pattern).into_iter().collect()));
    edges
}

fn fault<'a>(graph: &Graph, edges: &[Vec<usize>], group: &[usize], sources: &[Source<'a>]) -> Option<Finding<'a>> {
    let rules = group.iter().filter_map(|rule| Some((graph.rules.get(*rule)?, *rule)));
    let (_, first) = rules.min_by_key(|(rule, _)| (&rule.file, rule.span))?;
    let cycle: Vec<usize> = cycle(edges, first, group)?.into_iter().filter(|node| *node < graph.rules.len()).collect();
    let name =
        |rule: &usize| graph.rules.get(*rule).map(|rule| format!("data.{}", rule.path.join("."))).unwrap_or_default();
    let mut shown: Vec<String> = cycle.iter().take(MAX_SHOWN).map(name).collect();
    if cycle.len() > MAX_SHOWN {
        shown.push(format!("… ({} more) -> {}", cycle.len() - MAX_SHOWN - 1, name(&first)));
    }
    let rule = graph.rules.get(first)?;
    let next = cycle.get(1)?;
    // The place where it refers to the next of the cycle says more than its head.
    let place = rule.refers.iter().find(|(pattern, _)| graph.reached(pattern).contains(next));
    let (file, span) = place.map_or((&rule.file, rule.span), |(_, (file, span))| (file, *span));
    let source = sources.iter().find(|source| source.file == file)?;
    let cause = format!("rule `{}` is recursive: {}", name(&first), shown.join(" -> "));
    let help = "a rule can't need its own value; for hierarchies of any depth use `graph.reachable` or `walk`";
    Some(Finding::fault("rego_recursion_error", source, span, cause, help))
}

/// The shortest way from a rule back to itself, both ends included. All of it is in the `group` of the rule.
fn cycle(edges: &[Vec<usize>], from: usize, group: &[usize]) -> Option<Vec<usize>> {
    let group: HashSet<usize> = group.iter().copied().collect();
    let mut before: HashMap<usize, usize> = HashMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        for &next in edges.get(at)? {
            if next == from {
                let mut way = vec![from, at];
                let mut step = at;
                while step != from {
                    step = *before.get(&step)?;
                    way.push(step);
                }
                way.reverse();
                return Some(way);
            }
            if group.contains(&next) && !before.contains_key(&next) {
                before.insert(next, at);
                open.push_back(next);
            }
        }
    }
    None
}

/// The groups of rules that reach each other, and the rules that reach themselves (Tarjan 1972, without recursion).
fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy, Default)]
    struct State {
        number: Option<usize>,
        low: usize,
        open: bool,
    }
    let mut states = vec![State::default(); edges.len()];
    let (mut count, mut open, mut found) = (0, Vec::new(), Vec::new());
    for root in 0..edges.len() {
        let mut work = vec![(root, 0)];
        while let Some((at, edge)) = work.pop() {
            let Some(state) = states.get_mut(at) else { continue };
            if edge == 0 {
                if state.number.is_some() {
                    continue;
                }
                *state = State { number: Some(count), low: count, open: true };
                count += 1;
                open.push(at);
            }
            if let Some(next) = edges.get(at).and_then(|edges| edges.get(edge)).copied() {
                work.push((at, edge + 1));
                match states.get(next).copied() {
                    Some(State { number: None, .. }) => work.push((next, 0)),
                    Some(State { number: Some(number), open: true, .. }) => {
                        if let Some(state) = states.get_mut(at) {
                            state.low = state.low.min(number);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            let State { number, low, .. } = *state;
            if let Some((parent, _)) = work.last()
                && let Some(parent) = states.get_mut(*parent)
            {
                parent.low = parent.low.min(low);
            }
            if number == Some(low) {
                let from = open.iter().rposition(|member| *member == at).unwrap_or(open.len());
                let group = open.split_off(from);
                for member in &group {
                    if let Some(state) = states.get_mut(*member) {
                        state.open = false;
                    }
                }
                let itself = edges.get(at).is_some_and(|edges| edges.contains(&at));
                if group.len() > 1 || itself {
                    found.push(group);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_group_that_reaches_itself() {
        let edges = vec![vec![1], vec![2], vec![0, 3], vec![4], vec![4], vec![3, 6], vec![]];
        let mut found: Vec<Vec<usize>> = components(&edges)
            .into_iter()
            .map(|mut group| {
                group.sort_unstable();
                group
            })
            .collect();
        found.sort();
        assert_eq!(found, [vec![0, 1, 2], vec![4]]);
        assert_eq!(cycle(&edges, 0, &[0, 1, 2]), Some(vec![0, 1, 2, 0]));
        assert_eq!(cycle(&edges, 4, &[4]), Some(vec![4, 4]));
        assert_eq!(cycle(&edges, 5, &[5]), None);
    }

    #[test]
    fn a_long_chain_takes_no_stack() {
        let edges: Vec<Vec<usize>> = (0..200_000).map(|at| vec![(at + 1) % 200_000]).collect();
        assert_eq!(components(&edges).len(), 1);
    }
}
