//! Why an answer is what it is: what rules answered, which of them held, and what kept the others from holding.

use std::sync::Arc;

use super::verdict::SourcePosition;

/// What is told to a question that asks for `explain`. Values are JSON, shortened where they are long.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// What each rule that the answer reached has for a value, in the order of their names.
    pub rules: Vec<RuleOutcome>,
    /// The definitions that held and that the answer rests on, the entry point's own first.
    pub fired: Vec<RuleTrace>,
    /// For a deny, the definitions that would have helped to an allow, the nearest miss first.
    pub missed: Vec<RuleTrace>,
    /// What the explanation lacks, and why; empty where it is whole.
    pub note: String,
}

/// What one rule answered.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleOutcome {
    /// The rule.
    pub rule: Arc<str>,
    /// Where its first definition stands.
    pub position: Option<SourcePosition>,
    /// Its value as JSON, `None` where it is undefined; or the error that stopped it.
    pub value: Result<Option<String>, String>,
}

/// How far one definition of a rule came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleTrace {
    /// The rule, or the function.
    pub rule: Arc<str>,
    /// The `title` of its METADATA; empty without.
    pub title: String,
    /// Where this definition stands.
    pub position: Option<SourcePosition>,
    /// What it was called with, where it is a function.
    pub arguments: Vec<Seen>,
    /// Its value, where it held.
    pub value: Option<Seen>,
    /// Its conditions, in the order in which they were met; of a miss, the last is the first that did not hold.
    pub conditions: Vec<ConditionTrace>,
    /// How many conditions held, of its best attempt.
    pub held: u32,
    /// How many conditions it has.
    pub total: u32,
    /// How many attempts came as far, where it looks through a collection.
    pub attempts: u32,
    /// How near the entry point came to holding by this definition, from 0 to 1.
    pub nearness: f64,
    /// The conditions that asked for it, from the one that names it to the entry point's.
    pub needed_by: Vec<Need>,
}

/// A condition, and what it was met with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConditionTrace {
    /// As its author wrote it.
    pub text: String,
    /// Where it stands.
    pub position: Option<SourcePosition>,
    /// The whole line of the source that it starts on.
    pub line: String,
    /// How many characters of that line it takes.
    pub width: u32,
    /// Whether it held.
    pub held: bool,
    /// Why it did not hold, in words; empty where it held.
    pub message: String,
    /// The values that it was met with.
    pub values: Vec<Seen>,
}

/// An expression of a policy, and its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// As its author wrote it.
    pub expression: String,
    /// Its value as JSON; `None` where it is undefined.
    pub value: Option<String>,
}

/// A condition that names a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// The rule that has the condition.
    pub rule: Arc<str>,
    /// The condition, as its author wrote it.
    pub text: String,
    /// Where the condition stands.
    pub position: Option<SourcePosition>,
}
