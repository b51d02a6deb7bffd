//! How deep the evaluation of one rule can go through others: what it takes of the stack is bounded here, because a
//! stack that ends ends the process.

use std::collections::{BTreeMap, HashMap};

use regorus::unstable::{Expr, Module, Ref};

use crate::{
    decision::SourcePosition,
    policy::{
        fault::Fault,
        index,
        syntax::{self, Node},
    },
};

/// The most levels of expressions that may be open at once, through all rules. An evaluating thread has 64 MiB.
const MAX_LEVELS: usize = 4_000;

struct Rule {
    /// How deep its own expressions nest.
    levels: usize,
    refers_to: Vec<String>,
    position: SourcePosition,
}

/// Rules from which a chain of references goes too deep.
pub(super) fn faults(modules: &[Ref<Module>]) -> Vec<(Fault, SourcePosition)> {
    let rules = rules(modules);
    let mut total: HashMap<&str, usize> = HashMap::new();
    for start in rules.keys() {
        // Depth-first without recursion; a reference back into the chain is recursion, which regorus finds itself.
        let mut chain: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut next = Some(start.as_str());
        loop {
            if let Some(name) = next.take()
                && !total.contains_key(name)
                && let Some(rule) = rules.get(name)
            {
                // Stands for "on the chain" until its sum is known.
                total.insert(name, 0);
                chain.push((name, rule.refers_to.iter().map(String::as_str).collect()));
            }
            let Some((name, open)) = chain.last_mut() else { break };
            let name = *name;
            if let Some(reference) = open.pop() {
                next = Some(reference);
                continue;
            }
            chain.pop();
            let Some(rule) = rules.get(name) else { continue };
            let deepest = rule.refers_to.iter().filter_map(|reference| total.get(reference.as_str())).max();
            let levels = rule.levels.saturating_add(deepest.copied().unwrap_or(0));
            total.insert(name, levels);
            if levels > MAX_LEVELS {
                let cause = format!(
                    "the rules that `{name}` refers to nest {levels} levels deep; at most {MAX_LEVELS} are safe"
                );
                let fault =
                    Fault::new("rego_nesting_error", cause).help("shorten the chain of rules, or iterate over data");
                return vec![(fault, rule.position.clone())];
            }
        }
    }
    Vec::new()
}

/// All rules and functions with what they may refer to: more than they do, never less, but for references by names
/// that are only known when evaluated.
fn rules(modules: &[Ref<Module>]) -> BTreeMap<String, Rule> {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    for module in modules {
        let package = syntax::package(module);
        let imports: HashMap<String, Vec<String>> = module.imports.iter().filter_map(index::import).collect();
        for rule in &module.policy {
            let head = syntax::head_reference(rule);
            let Some(path) = syntax::path(head) else { continue };
            let absolute = |parts: &[String]| -> Vec<String> {
                match parts.split_first() {
                    Some((first, rest)) if first == "data" => rest.to_vec(),
                    Some((first, rest)) => match imports.get(first) {
                        Some(target) => target.iter().chain(rest).cloned().collect(),
                        None => package.iter().chain(parts).cloned().collect(),
                    },
                    None => Vec::new(),
                }
            };
            let mut refers_to = Vec::new();
            let levels = syntax::walk(rule, &mut |node| {
                let Node::Expr(expr) = node else { return };
                let reference = if let Expr::Call { fcn, .. } = expr { fcn } else { expr };
                if let Some(path) = syntax::path(reference) {
                    let parts = absolute(&path.parts);
                    // The rule may be any prefix of what is written: `data.a.rule.member`.
                    refers_to
                        .extend((1..=parts.len()).filter_map(|length| parts.get(..length)).map(|part| part.join("/")));
                }
            });
            let name = package.iter().chain(&path.parts).cloned().collect::<Vec<_>>().join("/");
            let levels = levels.map_or(0, |()| syntax::levels(rule));
            let entry = rules.entry(name).or_insert_with(|| Rule {
                levels: 0,
                refers_to: Vec::new(),
                position: syntax::position(head),
            });
            entry.levels = entry.levels.max(levels);
            entry.refers_to.extend(refers_to);
        }
    }
    let names: std::collections::BTreeSet<String> = rules.keys().cloned().collect();
    for (name, rule) in &mut rules {
        rule.refers_to.sort_unstable();
        rule.refers_to.dedup();
        rule.refers_to.retain(|reference| reference != name && names.contains(reference));
    }
    rules
}
