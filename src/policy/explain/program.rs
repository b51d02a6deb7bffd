//! The author's rules, as an explanation speaks of them: definitions, bodies, conditions, and where they stand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    record::{BodyId, ConditionId, Layout},
    redact::Redaction,
};
use crate::{
    decision::SourcePosition,
    policy::rego::ast::{Operator, Span},
};

/// A definition of a rule or a function, or one `else` of it.
pub(super) type DefinitionId = usize;

/// All that was instrumented.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) files: Vec<File>,
    pub(super) definitions: Vec<Definition>,
    pub(super) bodies: Vec<BodyInfo>,
    pub(super) conditions: Vec<Condition>,
    /// The definitions of each rule, by its path below `data`, in the order of files and lines.
    pub(super) rules: BTreeMap<Vec<String>, Vec<DefinitionId>>,
    /// The sources of what a function is called with, by its path below `data`.
    pub(super) called_with: BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
    /// Where values come from that the policies put under hidden names: `{"password": data.k}`.
    pub(super) secret: BTreeSet<Vec<String>>,
}

/// The root of a path that stands for what a function is called with.
pub(super) const ARGUMENTS: &str = "arguments";

/// A file as its author wrote it.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: Arc<str>,
    pub(super) text: Arc<str>,
}

/// What a definition makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One value.
    Complete,
    /// Elements or members; each attempt that holds gives one.
    Partial,
    /// The value where no other definition gives one.
    Default,
}

#[derive(Debug)]
pub(super) struct Definition {
    pub(super) rule: Arc<str>,
    /// The same as a path, `data` first.
    pub(super) path: Vec<String>,
    pub(super) file: usize,
    pub(super) span: Span,
    pub(super) title: String,
    pub(super) kind: Kind,
    pub(super) function: bool,
    /// What names its arguments, where a name does.
    pub(super) arguments: Vec<String>,
    /// The path that stands for them.
    pub(super) argument_source: Vec<String>,
    /// `None` where nothing of it was instrumented: a constant, which always holds.
    pub(super) body: Option<BodyId>,
    /// The paths that its value reads.
    pub(super) value_paths: Vec<Vec<String>>,
    /// The paths that its value comes from, also through variables.
    pub(super) value_sources: Vec<Vec<String>>,
    /// The paths whose value is the decision that its value is: `decision := data.a.decision`, `{"allow": allow}`.
    pub(super) answer_paths: Vec<Vec<String>>,
}

#[derive(Debug)]
pub(super) struct BodyInfo {
    pub(super) definition: DefinitionId,
    /// How many conditions the author wrote.
    pub(super) total: u32,
}

/// What a condition does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `left operator right`; its operands are 0 and `right`.
    Compare { operator: Operator, right: usize },
    /// A term that is to be true; operand 0.
    Truth { call: bool },
    /// A term that is to have a value; operand 0.
    Assign,
    /// `some x in collection`; operand 0.
    Each,
    /// `every x in domain { … }`; operand 0.
    Every(BodyId),
    /// The value of a definition; operand 0.
    Value,
    /// What another condition asks, perhaps long before: an operand of it.
    Part { of: ConditionId, operand: usize },
    /// Anything else.
    Other,
}

#[derive(Debug)]
pub(super) struct Condition {
    pub(super) body: BodyId,
    pub(super) file: usize,
    pub(super) span: Span,
    pub(super) shape: Shape,
    pub(super) negated: bool,
    /// Whether it is asked on another input or other data.
    pub(super) with: bool,
    pub(super) operands: Vec<Operand>,
    /// The local variables whose values are reported with it.
    pub(super) locals: Vec<String>,
    /// The sources of those.
    pub(super) local_sources: Vec<Vec<Vec<String>>>,
    /// The paths that it reads and calls.
    pub(super) paths: Vec<Vec<String>>,
}

/// An expression in a condition.
#[derive(Debug, Default)]
pub(super) struct Operand {
    pub(super) span: Span,
    /// Whether it says itself what its value is.
    pub(super) literal: bool,
    /// The paths that its value comes from, also through variables: for what is to be redacted.
    pub(super) sources: Vec<Vec<String>>,
}

impl File {
    /// The text of a span.
    pub(super) fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The place of a span.
    pub(super) fn position(&self, span: Span) -> SourcePosition {
        let start = usize::try_from(span.start).unwrap_or(0);
        let before = self.text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        SourcePosition { file: Arc::clone(&self.path), line: number(line), column: number(column) }
    }

    /// The whole line that a span starts on, and how many of its characters the span takes.
    pub(super) fn line(&self, span: Span) -> (&str, u32) {
        let start = usize::try_from(span.start).unwrap_or(0);
        let from = self.text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line = self.text.get(from..).unwrap_or_default().lines().next().unwrap_or_default();
        let end = usize::try_from(span.end).unwrap_or(0).min(from + line.len());
        let width = self.text.get(start..end).unwrap_or_default().chars().count();
        (line, u32::try_from(width).unwrap_or(u32::MAX))
    }
}

impl Program {
    /// Follows what is put under hidden names to where it comes from, through rules and the arguments of functions.
    pub(super) fn spread_secrets(&mut self) {
        let mut open: Vec<Vec<String>> = self.secret.iter().cloned().collect();
        while let Some(path) = open.pop() {
            let mut sources: Vec<Vec<String>> = Vec::new();
            if path.first().is_some_and(|root| root == ARGUMENTS) {
                sources.extend(self.called_with.get(path.get(1..).unwrap_or_default()).into_iter().flatten().cloned());
            } else if let Some((_, definitions)) = self.rule(&path) {
                let definitions = definitions.iter().filter_map(|number| self.definitions.get(*number));
                sources.extend(definitions.flat_map(|info| &info.value_sources).cloned());
            }
            open.extend(sources.into_iter().filter(|source| self.secret.insert(source.clone())));
        }
        // Who asks what of whom is no secret, whatever is made of it.
        let asked = ["subject.id", "subject.type", "action.name", "resource.id", "resource.type"];
        self.secret.retain(|path| match path.as_slice() {
            [root, rest @ ..] if root == "input" => !asked.contains(&rest.join(".").as_str()),
            [root, ..] => root == "data",
            [] => false,
        });
    }

    /// The definitions of the rule that a path goes to or through; `data` is its first name.
    pub(super) fn rule(&self, path: &[String]) -> Option<(&[String], &[DefinitionId])> {
        let (root, below) = path.split_first()?;
        if root != "data" {
            return None;
        }
        (1..=below.len()).rev().find_map(|length| {
            let (name, definitions) = self.rules.get_key_value(below.get(..length)?)?;
            Some((name.as_slice(), definitions.as_slice()))
        })
    }

    /// What the recorder must know.
    pub(super) fn layout(&self, redaction: &Redaction) -> Layout {
        let hidden = |names: &[String]| {
            names.iter().enumerate().filter(|(_, name)| redaction.hides(name)).map(|(number, _)| number).collect()
        };
        let definition = |body: &BodyInfo| self.definitions.get(body.definition);
        let every: BTreeSet<BodyId> = self
            .conditions
            .iter()
            .filter_map(|condition| if let Shape::Every(body) = condition.shape { Some(body) } else { None })
            .collect();
        Layout {
            body_of: self.conditions.iter().map(|condition| condition.body).collect(),
            part_of: self
                .conditions
                .iter()
                .map(|condition| if let Shape::Part { of, .. } = condition.shape { Some(of) } else { None })
                .collect(),
            hidden_locals: self.conditions.iter().map(|condition| hidden(&condition.locals)).collect(),
            hidden_arguments: self
                .bodies
                .iter()
                .map(|body| definition(body).map(|info| hidden(&info.arguments)).unwrap_or_default())
                .collect(),
            hidden_values: self
                .bodies
                .iter()
                .map(|body| definition(body).is_some_and(|info| redaction.hides_path(&info.path, info.path.len())))
                .collect(),
            nested: (0..self.bodies.len()).map(|body| every.contains(&body)).collect(),
        }
    }

    /// The condition of that number.
    pub(super) fn condition(&self, number: ConditionId) -> Option<&Condition> {
        self.conditions.get(number)
    }
}
