//! The rules on fragments, and those that look through them.

use std::collections::{HashMap, HashSet};

use super::{Definition, Fault, Field, Fragment, Operation, QueryDocument, Selection, Validator, invalid};

/// The fields of the introspection whose lists multiply.
const LISTS: [&str; 4] = ["fields", "interfaces", "possibleTypes", "inputFields"];
/// How deep these nest at most: less than this.
const MAX_LISTS: usize = 3;

impl<'a> Validator<'a, '_> {
    /// No fragment spreads itself, not through others either.
    pub(super) fn no_cycles(&mut self, document: &'a QueryDocument) -> Result<(), Fault> {
        let mut spreads: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut incoming: HashMap<&str, usize> = HashMap::new();
        for fragment in &document.fragments {
            let mut names = Vec::new();
            let mut sets = vec![fragment.selection_set.as_slice()];
            while let Some(set) = sets.pop() {
                self.steps.take(1 + set.len())?;
                for selection in set {
                    match selection {
                        Selection::Field(field) => sets.push(&field.selection_set),
                        Selection::Inline(inline) => sets.push(&inline.selection_set),
                        Selection::Spread(spread) => names.push(spread.name.as_str()),
                    }
                }
            }
            names.retain(|name| self.fragments.contains_key(name));
            for name in &names {
                *incoming.entry(name).or_default() += 1;
            }
            spreads.insert(&fragment.name, names);
        }
        // What nothing spreads goes, until nothing is left, or only cycles and what they spread.
        let mut free: Vec<&str> = spreads.keys().filter(|name| !incoming.contains_key(*name)).copied().collect();
        while let Some(name) = free.pop() {
            for spread in spreads.remove(name).unwrap_or_default() {
                if let Some(count) = incoming.get_mut(spread) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(spread);
                    }
                }
            }
        }
        match spreads.keys().min() {
            Some(name) => invalid(format!("the fragment `{name}` is part of a cycle, or spread by one")),
            None => Ok(()),
        }
    }

    /// What a fragment's definition must fulfil by itself.
    pub(super) fn fragment(&mut self, fragment: &'a Fragment) -> Result<(), Fault> {
        self.condition(&fragment.type_condition)?;
        self.overlaps(&fragment.selection_set)
    }

    /// The type of a fragment must have fields, or be one of several that have.
    pub(super) fn condition(&self, name: &str) -> Result<(), Fault> {
        match self.schema.definition(name) {
            Some(of) if of.is_composite() => Ok(()),
            _ => invalid(format!("`{name}` can't be the type of a fragment")),
        }
    }

    /// Something can be of both types.
    pub(super) fn can_spread(&mut self, parent: Option<&'a Definition>, condition: &str) -> Result<(), Fault> {
        let (Some(parent), Some(of)) = (parent, self.schema.definition(condition)) else { return Ok(()) };
        if !parent.is_composite() || !of.is_composite() {
            return Ok(());
        }
        let mine = std::slice::from_ref(&parent.name);
        let parents = if parent.kind == "OBJECT" { mine } else { self.schema.possible(&parent.name) };
        let parents: HashSet<&String> = parents.iter().collect();
        let possible = self.schema.possible(condition);
        self.steps.take(1 + parents.len() + possible.len())?;
        if possible.iter().any(|name| parents.contains(name)) {
            return Ok(());
        }
        invalid(format!("`{}` is never `{condition}`", parent.name))
    }

    /// A subscription has one field, and not one of the introspection.
    pub(super) fn single_field(&mut self, operation: &'a Operation) -> Result<(), Fault> {
        let (mut names, mut seen) = (HashSet::new(), HashSet::new());
        let mut sets = vec![operation.selection_set.as_slice()];
        while let Some(set) = sets.pop() {
            self.steps.take(1 + set.len())?;
            for selection in set {
                match selection {
                    Selection::Field(field) => drop(names.insert(field.name.as_str())),
                    Selection::Inline(inline) => sets.push(&inline.selection_set),
                    Selection::Spread(spread) => {
                        if let Some(fragment) = self.fragments.get(spread.name.as_str())
                            && seen.insert(&spread.name)
                        {
                            sets.push(&fragment.selection_set);
                        }
                    }
                }
            }
        }
        if names.len() > 1 || names.iter().any(|name| name.starts_with("__")) {
            return invalid(format!("the subscription `{}` must select one field of its own", operation.name));
        }
        Ok(())
    }

    /// A query for the schema must not multiply its lists.
    pub(super) fn introspection(&mut self, field: &'a Field) -> Result<(), Fault> {
        let depth = usize::from(LISTS.contains(&field.name.as_str()));
        self.lists(&field.selection_set, depth)
    }

    fn lists(&mut self, selections: &'a [Selection], depth: usize) -> Result<(), Fault> {
        self.steps.descend()?;
        for selection in selections {
            self.steps.take(1)?;
            match selection {
                Selection::Field(field) => {
                    let depth = depth + usize::from(LISTS.contains(&field.name.as_str()));
                    if depth >= MAX_LISTS {
                        return invalid("the introspection nests too deep".to_owned());
                    }
                    self.lists(&field.selection_set, depth)?;
                }
                Selection::Inline(inline) => self.lists(&inline.selection_set, depth)?,
                Selection::Spread(spread) => {
                    if let Some(fragment) = self.fragments.get(spread.name.as_str()).copied() {
                        self.lists(&fragment.selection_set, depth)?;
                    }
                }
            }
        }
        self.steps.ascend();
        Ok(())
    }
}
