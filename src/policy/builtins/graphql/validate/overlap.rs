//! Fields with one name in the answer must be one field (§5.3.2 Field Selection Merging), as gqlparser finds it.
//!
//! Its algorithm is graphql-js': the fields of a selection set are compared with each other, with those of the
//! fragments in it, and the fragments with each other, then the same for what these select. What it compares is
//! bounded by the count of steps.

use std::collections::{HashMap, HashSet};

use super::{
    super::ast::{Argument, Type, Value},
    Definition, Fault, Field, Schema, Selection, Spread, Validator, invalid,
};

/// What collecting fields costs before the first of them.
const COLLECTING: usize = 10;

/// The pairs of fragments that were compared, and whether only as excluding each other.
#[derive(Default)]
pub(super) struct Compared<'a> {
    pairs: HashMap<(&'a str, &'a str), bool>,
    /// The fragments that the fields of this selection set were compared with.
    fragments: HashSet<&'a str>,
}

/// The fields of a selection set by their names in the answer, and the fragments that it spreads.
struct Collected<'a> {
    fields: Vec<(&'a str, Vec<&'a Field>)>,
    index: HashMap<&'a str, usize>,
    spreads: Vec<&'a Spread>,
}

impl<'a> Collected<'a> {
    fn named(&self, name: &str) -> &[&'a Field] {
        let fields = self.index.get(name).and_then(|at| self.fields.get(*at));
        fields.map(|(_, fields)| fields.as_slice()).unwrap_or_default()
    }

    /// Whether these are the same fields, not only equal ones.
    fn is(&self, other: &Self) -> bool {
        let all = |collected: &Self| -> Vec<*const Field> {
            collected
                .fields
                .iter()
                .flat_map(|(_, fields)| fields.iter().map(|field| std::ptr::from_ref(*field)))
                .collect()
        };
        all(self) == all(other)
    }
}

impl<'a> Validator<'a, '_> {
    /// Checks the fields of a selection set.
    pub(super) fn overlaps(&mut self, selections: &'a [Selection]) -> Result<(), Fault> {
        if selections.is_empty() {
            return Ok(());
        }
        let collected = self.collected(selections)?;
        for (_, fields) in &collected.fields {
            for (number, one) in fields.iter().enumerate() {
                for other in fields.iter().skip(number + 1) {
                    self.compare(false, one, other)?;
                }
            }
        }
        self.overlap.fragments.clear();
        for (number, one) in collected.spreads.iter().enumerate() {
            self.with_fragment(false, &collected, one)?;
            for other in collected.spreads.iter().skip(number + 1) {
                self.fragments_with_each_other(false, one, other)?;
            }
        }
        Ok(())
    }

    fn collected(&mut self, selections: &'a [Selection]) -> Result<Collected<'a>, Fault> {
        self.steps.take(COLLECTING)?;
        let mut collected = Collected { fields: Vec::new(), index: HashMap::new(), spreads: Vec::new() };
        // The next of each set that is not yet at its end, as inline fragments are read in their place.
        let mut sets = vec![selections.iter()];
        while let Some(set) = sets.last_mut() {
            self.steps.take(1)?;
            match set.next() {
                None => drop(sets.pop()),
                Some(Selection::Inline(inline)) => sets.push(inline.selection_set.iter()),
                Some(Selection::Spread(spread)) => collected.spreads.push(spread),
                Some(Selection::Field(field)) => {
                    let name = response_name(field);
                    let at = *collected.index.entry(name).or_insert(collected.fields.len());
                    match collected.fields.get_mut(at) {
                        Some((_, fields)) => fields.push(field),
                        None => collected.fields.push((name, vec![field])),
                    }
                }
            }
        }
        Ok(collected)
    }

    fn of_fragment(&mut self, spread: &'a Spread) -> Result<Option<Collected<'a>>, Fault> {
        match self.fragments.get(spread.name.as_str()).copied() {
            Some(fragment) => self.collected(&fragment.selection_set).map(Some),
            None => Ok(None),
        }
    }

    fn with_fragment(&mut self, exclusive: bool, fields: &Collected<'a>, spread: &'a Spread) -> Result<(), Fault> {
        if !self.overlap.fragments.insert(&spread.name) {
            return Ok(());
        }
        let Some(other) = self.of_fragment(spread)? else { return Ok(()) };
        if fields.is(&other) {
            return Ok(());
        }
        self.steps.descend()?;
        self.with_each_other(exclusive, fields, &other)?;
        for inner in other.spreads {
            if inner.name != spread.name {
                self.with_fragment(exclusive, fields, inner)?;
            }
        }
        self.steps.ascend();
        Ok(())
    }

    fn fragments_with_each_other(&mut self, exclusive: bool, one: &'a Spread, other: &'a Spread) -> Result<(), Fault> {
        self.steps.take(1)?;
        if one.name == other.name {
            return Ok(());
        }
        let pair = (one.name.as_str(), other.name.as_str());
        // What was compared as not excluding each other was compared more strictly.
        if self.overlap.pairs.get(&pair).is_some_and(|known| exclusive || !known) {
            return Ok(());
        }
        self.overlap.pairs.insert(pair, exclusive);
        self.overlap.pairs.insert((pair.1, pair.0), exclusive);
        let (Some(of_one), Some(of_other)) = (self.of_fragment(one)?, self.of_fragment(other)?) else { return Ok(()) };
        self.steps.descend()?;
        self.with_each_other(exclusive, &of_one, &of_other)?;
        for spread in of_other.spreads {
            self.fragments_with_each_other(exclusive, one, spread)?;
        }
        for spread in of_one.spreads {
            self.fragments_with_each_other(exclusive, spread, other)?;
        }
        self.steps.ascend();
        Ok(())
    }

    fn with_each_other(&mut self, exclusive: bool, one: &Collected<'a>, other: &Collected<'a>) -> Result<(), Fault> {
        for (name, fields) in &one.fields {
            self.steps.take(1)?;
            for field in fields {
                for other in other.named(name) {
                    self.compare(exclusive, field, other)?;
                }
            }
        }
        Ok(())
    }

    fn compare(&mut self, exclusive: bool, one: &'a Field, other: &'a Field) -> Result<(), Fault> {
        self.steps.take(1)?;
        let resolved = |field: &Field| self.resolved.get(&std::ptr::from_ref(field)).copied().unwrap_or_default();
        let ((parent, definition), (other_parent, other_definition)) = (resolved(one), resolved(other));
        let (Some(parent), Some(other_parent)) = (parent, other_parent) else { return Ok(()) };
        let is_object = |definition: &Definition| definition.kind == "OBJECT";
        let both_known = definition.is_some() && other_definition.is_some();
        let different = parent.name != other_parent.name && is_object(parent) && is_object(other_parent);
        let exclusive = exclusive || (different && both_known);
        let conflict = || invalid(format!("the fields `{}` are in conflict; give one an alias", response_name(one)));
        self.steps.take(one.arguments.len() * other.arguments.len())?;
        if !exclusive && (one.name != other.name || !same_arguments(&one.arguments, &other.arguments)) {
            return conflict();
        }
        let types = (definition.and_then(|one| one.of.as_ref()), other_definition.and_then(|other| other.of.as_ref()));
        if let (Some(one), Some(other)) = types
            && types_conflict(self.schema, one, other)
        {
            return conflict();
        }
        self.compare_selected(exclusive, &one.selection_set, &other.selection_set)
    }

    fn compare_selected(&mut self, exclusive: bool, one: &'a [Selection], other: &'a [Selection]) -> Result<(), Fault> {
        self.steps.descend()?;
        let (one, other) = (self.collected(one)?, self.collected(other)?);
        self.with_each_other(exclusive, &one, &other)?;
        for spread in &other.spreads {
            self.overlap.fragments.clear();
            self.with_fragment(exclusive, &one, spread)?;
        }
        for spread in &one.spreads {
            self.overlap.fragments.clear();
            self.with_fragment(exclusive, &other, spread)?;
        }
        for spread in &one.spreads {
            for another in &other.spreads {
                self.fragments_with_each_other(exclusive, spread, another)?;
            }
        }
        self.steps.ascend();
        Ok(())
    }
}

fn response_name(field: &Field) -> &str {
    if field.alias.is_empty() { &field.name } else { &field.alias }
}

/// gqlparser compares lists and objects by their kind alone.
fn same_arguments(one: &[Argument], other: &[Argument]) -> bool {
    let key = |value: &Option<Value>| value.as_ref().map(|value| (value.kind, value.raw.clone()));
    let same =
        |one: &Argument| other.iter().any(|other| one.name == other.name && key(&one.value) == key(&other.value));
    one.len() == other.len() && one.iter().all(same)
}

fn types_conflict(schema: &Schema, one: &Type, other: &Type) -> bool {
    match (&one.elem, &other.elem) {
        (Some(one), Some(other)) => return types_conflict(schema, one, other),
        (None, None) => {}
        _ => return true,
    }
    let leaf = |of: &Type| schema.definition(&of.named_type).is_some_and(Definition::is_leaf);
    one.non_null != other.non_null || (leaf(one) && leaf(other) && one.named_type != other.named_type)
}
