//! A document held against a schema: every fault, in `gojsonschema`'s order.

mod collections;

use std::cell::Cell;

use bigdecimal::Zero as _;
use serde_json::Value as Json;

use super::{
    super::Failure,
    compile::{Dependency, Id, Node, Schema},
    format,
    number::{exact, plain, shown},
};

/// How deep schemas may be applied within schemas.
const MAX_DEPTH: usize = 300;
/// The most work: a schema counts one, and so does a byte of what is compared or told.
const MAX_WORK: usize = 20_000_000;
/// What the whole document is called.
const ROOT: &str = "(Root)";

/// What is wrong with a part of a document.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) kind: &'static str,
    pub(super) text: String,
    path: String,
}

impl Fault {
    /// Where it is, with dots.
    pub(super) fn field(&self) -> &str {
        bare(&self.path)
    }
}

fn bare(path: &str) -> &str {
    path.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix('.')).unwrap_or(path)
}

type Checked = Result<(), Failure>;

/// What came of a schema; of alternatives that all fail, that with the highest score is told.
#[derive(Default)]
struct Outcome {
    faults: Vec<Fault>,
    score: i64,
}

impl Outcome {
    fn merge(&mut self, other: Self) {
        self.faults.extend(other.faults);
        self.score += other.score;
    }

    fn valid(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A part of the document.
#[derive(Clone, Copy)]
struct Part<'a> {
    value: &'a Json,
    path: &'a str,
    depth: usize,
}

/// The faults of a document.
pub(super) fn faults(schema: &Schema, document: &Json) -> Result<Vec<Fault>, Failure> {
    let checker = Checker { schema, left: Cell::new(MAX_WORK) };
    let mut outcome = Outcome::default();
    checker.check(0, Part { value: document, path: ROOT, depth: 0 }, &mut outcome)?;
    Ok(outcome.faults)
}

struct Checker<'a> {
    schema: &'a Schema,
    left: Cell<usize>,
}

impl Checker<'_> {
    fn spend(&self, work: usize) -> Checked {
        match self.left.get().checked_sub(work) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Failure::Spent("the schema takes too long to check".to_owned())),
        }
    }

    fn tell(&self, outcome: &mut Outcome, part: Part<'_>, kind: &'static str, text: impl Into<String>) -> Checked {
        let text = text.into();
        self.spend(text.len() + part.path.len() + 1)?;
        outcome.faults.push(Fault { kind, text, path: part.path.to_owned() });
        outcome.score -= 2;
        Ok(())
    }

    fn plain(&self, value: &Json) -> Result<String, Failure> {
        let text = plain(value)?;
        self.spend(text.len())?;
        Ok(text)
    }

    /// What comes of a schema for a part.
    fn outcome(&self, at: Id, part: Part<'_>) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        self.check(at, part, &mut outcome)?;
        Ok(outcome)
    }

    /// What comes of it for a part of this part.
    fn below(&self, at: Id, part: Part<'_>, name: &str, value: &Json) -> Result<Outcome, Failure> {
        let path = format!("{}.{name}", part.path);
        self.spend(path.len())?;
        self.outcome(at, Part { value, path: &path, depth: part.depth })
    }

    fn check(&self, at: Id, part: Part<'_>, outcome: &mut Outcome) -> Checked {
        self.spend(1)?;
        if part.depth >= MAX_DEPTH {
            return Err(Failure::Spent("schemas nest too deep".to_owned()));
        }
        let part = Part { depth: part.depth + 1, ..part };
        let Some(node) = self.schema.node(at) else { return Ok(()) };
        match (node.pass, node.target) {
            (Some(true), _) => return Ok(()),
            (Some(false), _) => return self.tell(outcome, part, "false", "False always fails validation"),
            (None, Some(target)) => return self.check(target, part, outcome),
            (None, None) => {}
        }
        let given = type_of(part.value);
        let has = |name: &str| node.types.iter().any(|one| one == name);
        let fits = node.types.is_empty() || has(given) || given == "integer" && has("number");
        if !fits {
            let expected = match node.types.as_slice() {
                [one] => one.clone(),
                several => format!("[{}]", several.join(",")),
            };
            let text = format!("Invalid type. Expected: {expected}, given: {given}");
            return self.tell(outcome, part, "invalid_type", text);
        }
        self.alternatives(node, part, outcome)?;
        match part.value {
            Json::Array(items) => {
                self.array(node, items, part, outcome)?;
                self.common(node, part, outcome)?;
            }
            Json::Object(members) => {
                self.object(node, members, part, outcome)?;
                self.common(node, part, outcome)?;
                for (name, schema) in &node.properties {
                    if let Some(value) = members.get(name) {
                        outcome.merge(self.below(*schema, part, name, value)?);
                    }
                }
            }
            Json::Number(_) => {
                self.number(node, part, outcome)?;
                self.common(node, part, outcome)?;
            }
            Json::String(text) => {
                self.common(node, part, outcome)?;
                self.string(node, text, part, outcome)?;
            }
            Json::Null | Json::Bool(_) => self.common(node, part, outcome)?,
        }
        outcome.score += 1;
        Ok(())
    }

    /// The keywords that combine schemas.
    fn alternatives(&self, node: &Node, part: Part<'_>, outcome: &mut Outcome) -> Checked {
        if !node.any_of.is_empty() {
            let (valid, best) = self.nearest(&node.any_of, part, true)?;
            if valid == 0 {
                self.tell(outcome, part, "number_any_of", "Must validate at least one schema (anyOf)")?;
                outcome.merge(best);
            }
        }
        if !node.one_of.is_empty() {
            let (valid, best) = self.nearest(&node.one_of, part, false)?;
            if valid != 1 {
                self.tell(outcome, part, "number_one_of", "Must validate one and only one schema (oneOf)")?;
            }
            if valid == 0 {
                outcome.merge(best);
            }
        }
        let mut all = true;
        for schema in &node.all_of {
            let one = self.outcome(*schema, part)?;
            all &= one.valid();
            outcome.merge(one);
        }
        if !all {
            self.tell(outcome, part, "number_all_of", "Must validate all the schemas (allOf)")?;
        }
        if let Some(not) = node.not
            && self.outcome(not, part)?.valid()
        {
            self.tell(outcome, part, "number_not", "Must not validate the schema (not)")?;
        }
        self.dependencies(node, part, outcome)?;
        let [Some(condition), then, otherwise] = node.condition else {
            outcome.score += 1;
            return Ok(());
        };
        let (schema, kind, text) = if self.outcome(condition, part)?.valid() {
            (then, "condition_then", "Must validate \"then\" as \"if\" was valid")
        } else {
            (otherwise, "condition_else", "Must validate \"else\" as \"if\" was not valid")
        };
        if let Some(schema) = schema {
            let one = self.outcome(schema, part)?;
            if !one.valid() {
                self.tell(outcome, part, kind, text)?;
                outcome.merge(one);
            }
        }
        outcome.score += 1;
        Ok(())
    }

    /// How many of the schemas hold, and what came of the one that is the nearest to it, the first of several.
    fn nearest(&self, schemas: &[Id], part: Part<'_>, any: bool) -> Result<(usize, Outcome), Failure> {
        let (mut valid, mut best) = (0, None::<Outcome>);
        for schema in schemas {
            let one = self.outcome(*schema, part)?;
            if one.valid() {
                valid += 1;
                if any {
                    break;
                }
            } else if best.as_ref().is_none_or(|best| one.score > best.score) {
                best = Some(one);
            }
        }
        Ok((valid, best.unwrap_or_default()))
    }

    fn dependencies(&self, node: &Node, part: Part<'_>, outcome: &mut Outcome) -> Checked {
        let Json::Object(members) = part.value else { return Ok(()) };
        if node.dependencies.is_empty() {
            return Ok(());
        }
        for name in members.keys() {
            match node.dependencies.get(name) {
                None => {}
                Some(Dependency::Names(names)) => {
                    for name in names.iter().filter(|name| !members.contains_key(*name)) {
                        let text = format!("Has a dependency on {name}");
                        self.tell(outcome, part, "missing_dependency", text)?;
                    }
                }
                Some(Dependency::Schema(schema)) => self.check(*schema, part, outcome)?,
            }
        }
        Ok(())
    }

    /// What any value is held against.
    fn common(&self, node: &Node, part: Part<'_>, outcome: &mut Outcome) -> Checked {
        if let Some(constant) = &node.constant
            && self.plain(part.value)? != *constant
        {
            let text = format!("{} does not match: {constant}", bare(part.path));
            self.tell(outcome, part, "const", text)?;
        }
        if let Some(choices) = &node.choices {
            self.spend(choices.len())?;
            let value = self.plain(part.value)?;
            if !choices.contains(&value) {
                // Before it is made, as it can be long.
                self.spend(choices.iter().map(String::len).sum())?;
                let text = format!("{} must be one of the following: {}", bare(part.path), choices.join(", "));
                self.tell(outcome, part, "enum", text)?;
            }
        }
        if let (Some(format), Json::String(text)) = (&node.format, part.value) {
            self.spend(text.len())?;
            if !format::is(format, text)? {
                self.tell(outcome, part, "format", format!("Does not match format '{format}'"))?;
            }
        }
        outcome.score += 1;
        Ok(())
    }

    fn string(&self, node: &Node, value: &str, part: Part<'_>, outcome: &mut Outcome) -> Checked {
        let length = || value.chars().count();
        let [least, most] = node.length;
        if let Some(least) = least.filter(|least| length() < *least) {
            let text = format!("String length must be greater than or equal to {least}");
            self.tell(outcome, part, "string_gte", text)?;
        }
        if let Some(most) = most.filter(|most| length() > *most) {
            let text = format!("String length must be less than or equal to {most}");
            self.tell(outcome, part, "string_lte", text)?;
        }
        if let Some((pattern, compiled)) = &node.pattern {
            self.spend(value.len())?;
            compiled.admits(value)?;
            if !compiled.regex.is_match(value) {
                self.tell(outcome, part, "pattern", format!("Does not match pattern '{pattern}'"))?;
            }
        }
        outcome.score += 1;
        Ok(())
    }

    fn number(&self, node: &Node, part: Part<'_>, outcome: &mut Outcome) -> Checked {
        let limits = &node.limits;
        let Some(number) = exact(part.value) else { return Ok(()) };
        if let Some(step) = limits.multiple_of.as_ref().filter(|step| !(&number % *step).is_zero()) {
            self.tell(outcome, part, "multiple_of", format!("Must be a multiple of {}", shown(step)))?;
        }
        if let Some(most) = limits.maximum.as_ref().filter(|most| number > **most) {
            self.tell(outcome, part, "number_lte", format!("Must be less than or equal to {}", shown(most)))?;
        }
        if let Some(below) = limits.below.as_ref().filter(|below| number >= **below) {
            self.tell(outcome, part, "number_lt", format!("Must be less than {}", shown(below)))?;
        }
        if let Some(least) = limits.minimum.as_ref().filter(|least| number < **least) {
            self.tell(outcome, part, "number_gte", format!("Must be greater than or equal to {}", shown(least)))?;
        }
        if let Some(above) = limits.above.as_ref().filter(|above| number <= **above) {
            self.tell(outcome, part, "number_gt", format!("Must be greater than {}", shown(above)))?;
        }
        outcome.score += 1;
        Ok(())
    }
}

fn type_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) if exact(value).is_some_and(|number| number.is_integer()) => "integer",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}
