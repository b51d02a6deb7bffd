//! Which variables get a value: statement after statement, until none gives one more.

use std::collections::{BTreeMap, HashSet};

use super::statements::{Closure, Kind, Shape, Statement, Variable};

/// How often the sides of one equation are gone over; what would take more counts as safe, and regorus looks at it.
const MAX_PASSES: usize = 50;

/// What looks at the bodies of a rule.
pub(super) struct Solver {
    safe: HashSet<Variable>,
    /// Those that nothing gives a value, and whether only what is negated names them.
    not_safe: BTreeMap<Variable, bool>,
}

impl Solver {
    /// `arguments` have values.
    pub(super) fn new(arguments: &[Variable]) -> Self {
        Self { safe: arguments.iter().copied().collect(), not_safe: BTreeMap::new() }
    }

    pub(super) fn into_unsafe(self) -> BTreeMap<Variable, bool> {
        self.not_safe
    }

    /// Looks at a body, and what is inside of it.
    pub(super) fn body(&mut self, statements: &[Statement]) {
        let mut added = Vec::new();
        // What is inside of a condition is looked at when all is known that the body gives a value: OPA's order for these
        // is not followed, which lets through a few circles.
        let mut open: Vec<(&Statement, Vec<Variable>)> =
            statements.iter().map(|statement| (statement, needed(statement))).collect();
        loop {
            let before = open.len();
            open.retain(|(statement, needs)| {
                let given = given(statement, &self.safe);
                let is_open = needs.iter().any(|need| !self.safe.contains(need) && !given.contains(need));
                if !is_open {
                    added.extend(given.into_iter().filter(|variable| self.safe.insert(*variable)));
                }
                is_open
            });
            if open.len() == before {
                break;
            }
        }
        for (statement, needs) in open {
            let given = given(statement, &self.safe);
            for need in needs.into_iter().filter(|need| !self.safe.contains(need) && !given.contains(need)) {
                let negated = self.not_safe.entry(need).or_insert(true);
                *negated &= statement.negated;
            }
        }
        for closure in statements.iter().flat_map(|statement| &statement.closures) {
            self.closure(closure);
        }
        for variable in &added {
            self.safe.remove(variable);
        }
    }

    fn closure(&mut self, closure: &Closure) {
        let given: Vec<Variable> =
            closure.given.iter().copied().filter(|variable| self.safe.insert(*variable)).collect();
        self.body(&closure.statements);
        for variable in &given {
            self.safe.remove(variable);
        }
    }
}

/// What variables to take of a term.
#[derive(Clone, Copy)]
enum Take {
    /// All.
    All,
    /// Those that a value can be matched with: not what references go into, and not keys of objects.
    Matched,
    /// What a reference goes over: not what those in its brackets go into.
    Iterated,
    /// As matched, and not the members of sets.
    Input,
}

fn variables(shape: &Shape, take: Take, into: &mut Vec<Variable>) {
    match shape {
        Shape::Ground | Shape::Comprehension => {}
        Shape::Variable(variable) => into.push(*variable),
        Shape::Reference(head, parts) => {
            into.extend(head.iter().filter(|_| matches!(take, Take::All)));
            for part in parts {
                variables(part, take, into);
            }
        }
        Shape::Set(_) if matches!(take, Take::Input) => {}
        Shape::Array(items) | Shape::Set(items) => items.iter().for_each(|item| variables(item, take, into)),
        Shape::Object(members) => members.iter().for_each(|(key, value)| {
            if matches!(take, Take::All | Take::Iterated) {
                variables(key, take, into);
            }
            variables(value, take, into);
        }),
    }
}

/// The shapes of a statement but those of its `with`.
fn shapes(kind: &Kind) -> Vec<&Shape> {
    match kind {
        Kind::Equal { left, right, .. } => vec![left, right],
        Kind::Call { inputs, outputs } => inputs.iter().chain(outputs).collect(),
        Kind::Term(shape) => vec![shape],
    }
}

/// All variables of a statement.
fn needed(statement: &Statement) -> Vec<Variable> {
    let mut all = Vec::new();
    for shape in shapes(&statement.kind).into_iter().chain(&statement.with) {
        variables(shape, Take::All, &mut all);
    }
    all
}

/// What a statement gives a value, where `safe` have one.
fn given(statement: &Statement, safe: &HashSet<Variable>) -> HashSet<Variable> {
    let mut given = HashSet::new();
    let mut with = Vec::new();
    statement.with.iter().for_each(|value| variables(value, Take::All, &mut with));
    if statement.negated || with.iter().any(|variable| !safe.contains(variable)) {
        return given;
    }
    for shape in shapes(&statement.kind) {
        iterated(shape, safe, &mut given);
    }
    match &statement.kind {
        Kind::Term(_) => {}
        Kind::Equal { assigned, left, right } => {
            let mut targets = Vec::new();
            if *assigned {
                variables(left, Take::All, &mut targets);
            }
            let targets = targets.into_iter().collect();
            Unifier { safe, targets, given: &mut given }.solve(left, right);
        }
        Kind::Call { inputs, outputs } => {
            let mut wanted = Vec::new();
            for input in inputs {
                variables(input, Take::Input, &mut wanted);
            }
            if wanted.iter().all(|variable| safe.contains(variable) || given.contains(variable)) {
                let mut found = Vec::new();
                for output in outputs {
                    variables(output, Take::Input, &mut found);
                }
                given.extend(found);
            }
        }
    }
    given
}

/// What is in the brackets of references that can be asked.
fn iterated(shape: &Shape, safe: &HashSet<Variable>, given: &mut HashSet<Variable>) {
    match shape {
        Shape::Ground | Shape::Comprehension | Shape::Variable(_) => {}
        Shape::Reference(head, parts) => {
            if head.is_none_or(|head| safe.contains(&head)) {
                let mut found = Vec::new();
                for part in parts {
                    variables(part, Take::Iterated, &mut found);
                    iterated(part, safe, given);
                }
                given.extend(found);
            }
        }
        Shape::Array(items) | Shape::Set(items) => items.iter().for_each(|item| iterated(item, safe, given)),
        Shape::Object(members) => members.iter().for_each(|(key, value)| {
            iterated(key, safe, given);
            iterated(value, safe, given);
        }),
    }
}

/// The two sides of an equation.
struct Unifier<'s> {
    safe: &'s HashSet<Variable>,
    /// What an assignment gives a value, and so does not have one before.
    targets: HashSet<Variable>,
    given: &'s mut HashSet<Variable>,
}

impl Unifier<'_> {
    fn solve(mut self, left: &Shape, right: &Shape) {
        let mut unified = HashSet::new();
        let mut pairs = Vec::new();
        paired(left, right, &mut pairs);
        for pass in 0..=MAX_PASSES {
            let before = unified.len();
            for (one, other) in &pairs {
                if pass == MAX_PASSES {
                    let mut rest = Vec::new();
                    for side in [one, other] {
                        variables(side, Take::Matched, &mut rest);
                    }
                    unified.extend(rest);
                }
                self.pair(one, other, &mut unified);
                self.pair(other, one, &mut unified);
            }
            if unified.len() == before {
                break;
            }
        }
        self.given.extend(unified);
    }

    fn is_safe(&self, variable: Variable, unified: &HashSet<Variable>) -> bool {
        unified.contains(&variable)
            || (!self.targets.contains(&variable) && (self.safe.contains(&variable) || self.given.contains(&variable)))
    }

    /// What `one` gives to `other`.
    fn pair(&mut self, one: &Shape, other: &Shape, unified: &mut HashSet<Variable>) {
        let has_value = match one {
            Shape::Ground | Shape::Comprehension | Shape::Set(_) => true,
            Shape::Variable(variable) => self.is_safe(*variable, unified),
            Shape::Reference(head, _) => head.is_none_or(|head| self.is_safe(head, unified)),
            Shape::Array(_) | Shape::Object(_) => {
                let mut parts = Vec::new();
                variables(one, Take::Matched, &mut parts);
                matches!(other, Shape::Variable(_)) && parts.iter().all(|part| self.is_safe(*part, unified))
            }
        };
        let into = matches!(other, Shape::Variable(_) | Shape::Array(_) | Shape::Object(_));
        let is_value = matches!((one, other), (Shape::Set(_) | Shape::Ground, Shape::Array(_) | Shape::Object(_)));
        if has_value && into && !is_value {
            let mut found = Vec::new();
            variables(other, Take::Matched, &mut found);
            unified.extend(found);
        }
    }
}

/// The parts of two sides that are equal where these are.
fn paired<'a>(left: &'a Shape, right: &'a Shape, pairs: &mut Vec<(&'a Shape, &'a Shape)>) {
    match (left, right) {
        (Shape::Array(one), Shape::Array(other)) => {
            if one.len() == other.len() {
                one.iter().zip(other).for_each(|(one, other)| paired(one, other, pairs));
            }
        }
        (Shape::Object(one), Shape::Object(other)) => {
            // Which keys are the same is not told here: what either could give the other, it gives. regorus looks again.
            if one.len() == other.len() {
                one.iter().chain(other).for_each(|(_, value)| pairs.push((&Shape::Comprehension, value)));
            }
        }
        pair => pairs.push(pair),
    }
}
