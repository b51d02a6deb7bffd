//! Reasons that METADATA gives to rules (`custom.reason`), for denies to which the policy gives none.
//!
//! ```rego
//! # METADATA
//! # custom:
//! #   reason: {code: not_owner, message: "only owners write", user_message: "Ask the owner."}
//! owner if input.subject.id == input.resource.properties.owner
//! ```
//!
//! A rule that a decision asks for and that does not hold gives its reason; one that it asks for by `not`, where it holds.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use regorus::Value as Rego;
use serde_json::Value as Json;

use super::{
    contract,
    explain::paths,
    index::RuleInfo,
    rego::{
        ast::Module,
        metadata::{Annotation, Target},
    },
    text::{Text, Texts, line_and_column},
};
use crate::decision::{EntryPoint, Reason, SourcePosition, code};

/// The most rules that are asked for their reasons.
const MAX_ASKED: usize = 64;

/// The reasons of a policy set; without any, nothing else is kept.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    rules: BTreeMap<Vec<String>, Node>,
}

/// A rule, and what it asks for.
#[derive(Debug, Default)]
struct Node {
    name: Arc<str>,
    function: bool,
    definitions: usize,
    reasons: Vec<Reason>,
    asks: BTreeSet<Vec<String>>,
    asks_not: BTreeSet<Vec<String>>,
}

impl Reasons {
    /// Reads the annotations of all files.
    pub(super) fn new(texts: &Texts) -> Self {
        let modules = || texts.iter().filter_map(|(path, text)| Some((path, text, text.module.as_deref()?)));
        let is_reason = |annotation: &Annotation| annotation.custom.contains_key("reason");
        if !modules().any(|(_, _, module)| module.annotations.iter().any(is_reason)) {
            return Self::default();
        }
        let trees: Vec<&Module> = modules().map(|(_, _, module)| module).collect();
        let mut rules: BTreeMap<Vec<String>, Node> = BTreeMap::new();
        for (path, text, module) in modules() {
            for rule in paths::rules(&trees, module) {
                let node = rules.entry(rule.path.clone()).or_default();
                node.name = EntryPoint::from_parts(rule.path.clone()).as_str().into();
                node.function |= rule.function;
                node.definitions += usize::from(!rule.default);
                node.asks.extend(rule.asks);
                node.asks_not.extend(rule.asks_not);
                let of_rule = |one: &&Annotation| one.target == Target::Rule(rule.span);
                for annotation in module.annotations.iter().filter(of_rule) {
                    let reason = annotation.custom.get("reason").and_then(reason);
                    let position = position(path, text, rule.span.start as usize);
                    let placed = reason.map(|reason| Reason {
                        rule: Some(Arc::clone(&node.name)),
                        position: Some(position),
                        ..reason
                    });
                    node.reasons.extend(placed);
                }
            }
        }
        Self { rules }
    }

    /// The reasons for which the rule at `parts` is no allow, asked by `value`: of the rules that it asks for, or its own.
    pub(super) fn of_deny(&self, parts: &[String], value: &mut dyn FnMut(&str) -> Option<Rego>) -> Vec<Reason> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut asked = 0;
        for (path, wanted) in self.asked(parts) {
            let Some(node) = self.rules.get(&path).filter(|node| !node.function && !node.reasons.is_empty()) else {
                continue;
            };
            asked += 1;
            if path == parts || asked > MAX_ASKED {
                continue;
            }
            if value(&node.name).is_some_and(|value| holds(&value) != wanted) {
                found.extend(node.reasons.iter().cloned());
            }
        }
        if found.is_empty() {
            found = self.rules.get(parts).map(|node| node.reasons.clone()).unwrap_or_default();
        }
        found
    }

    /// Gives the reasons of a rule `deny` what they lack, where one definition alone can have given them.
    pub(super) fn complete(&self, reasons: &mut Vec<Reason>, deny: &RuleInfo) {
        let Some(node) = self.rules.get(&deny.parts).filter(|node| node.definitions == 1) else { return };
        let [annotated] = node.reasons.as_slice() else { return };
        if reasons.is_empty() {
            reasons.push(annotated.clone());
        }
        for reason in reasons.iter_mut().filter(|reason| reason.code == code::POLICY_DENIED) {
            reason.code.clone_from(&annotated.code);
            if reason.message.is_empty() {
                reason.message.clone_from(&annotated.message);
            }
            if reason.user_message.is_empty() {
                reason.user_message.clone_from(&annotated.user_message);
            }
        }
    }

    /// The rules that a rule asks for, directly or through others, and whether it wants them to hold. What is wanted on
    /// any way is wanted: a deny asks for its conditions by `not`, too.
    fn asked(&self, parts: &[String]) -> Vec<(Vec<String>, bool)> {
        let mut order: Vec<(Vec<String>, bool)> = Vec::new();
        let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
        let mut unwanted: VecDeque<Vec<String>> = VecDeque::new();
        let mut open: VecDeque<(Vec<String>, bool)> = VecDeque::from([(parts.to_vec(), true)]);
        loop {
            while let Some((path, wanted)) = open.pop_front() {
                let Some((path, node)) = self.rule(&path) else { continue };
                let is_reasons =
                    path.last().is_some_and(|name| name == "deny" || contract::MEMBERS.contains(&name.as_str()));
                if is_reasons && path != parts || !seen.insert(path.to_vec()) {
                    continue;
                }
                order.push((path.to_vec(), wanted));
                open.extend(node.asks.iter().map(|asked| (asked.clone(), wanted)));
                unwanted.extend(node.asks_not.iter().filter(|_| wanted).cloned());
            }
            let Some(next) = unwanted.pop_front() else { return order };
            open.push_back((next, false));
        }
    }

    /// The rule that a path goes to or through.
    fn rule(&self, path: &[String]) -> Option<(&[String], &Node)> {
        (1..=path.len()).rev().find_map(|length| {
            self.rules.get_key_value(path.get(..length)?).map(|(path, node)| (path.as_slice(), node))
        })
    }
}

/// `"code"`, or `{"code": …, "message": …, "user_message": …}`.
fn reason(value: &Json) -> Option<Reason> {
    let text = |name: &str| value.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    match value {
        Json::String(code) if !code.is_empty() => Some(Reason::new(code, "")),
        Json::Object(_) => {
            let code = Some(text("code")).filter(|code| !code.is_empty())?;
            Some(Reason { code, message: text("message"), user_message: text("user_message"), ..Reason::default() })
        }
        _ => None,
    }
}

fn holds(value: &Rego) -> bool {
    match value {
        Rego::Undefined | Rego::Bool(false) => false,
        Rego::Set(items) => items.iter_sorted().next().is_some(),
        _ => true,
    }
}

fn position(path: &Arc<str>, text: &Text, start: usize) -> SourcePosition {
    let (line, column) = line_and_column(&text.written, start);
    SourcePosition { file: Arc::clone(path), line, column }
}

#[cfg(test)]
mod tests;
