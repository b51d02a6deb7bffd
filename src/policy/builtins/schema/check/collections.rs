//! The keywords of arrays and objects.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::{
    super::compile::{Items, Node, Rest},
    Checked, Checker, Outcome, Part,
};

impl Checker<'_> {
    pub(super) fn array(&self, node: &Node, items: &[Json], part: Part<'_>, outcome: &mut Outcome) -> Checked {
        let from = match &node.items {
            Some(Items::Each(schema)) => {
                for (number, item) in items.iter().enumerate() {
                    outcome.merge(self.below(*schema, part, &number.to_string(), item)?);
                }
                None
            }
            Some(Items::Listed(schemas)) if !schemas.is_empty() => {
                for (number, (schema, item)) in schemas.iter().zip(items).enumerate() {
                    outcome.merge(self.below(*schema, part, &number.to_string(), item)?);
                }
                Some(schemas.len())
            }
            _ => None,
        };
        match (&node.additional_items, from.filter(|from| *from < items.len())) {
            (Some(Rest::Allowed(false)), Some(_)) => {
                self.tell(outcome, part, "array_no_additional_items", "No additional items allowed on array")?;
            }
            (Some(Rest::Schema(schema)), Some(from)) => {
                for (number, item) in items.iter().enumerate().skip(from) {
                    outcome.merge(self.below(*schema, part, &number.to_string(), item)?);
                }
            }
            _ => {}
        }
        match node.item_count {
            [Some(least), _] if items.len() < least => {
                let text = format!("Array must have at least {least} items");
                self.tell(outcome, part, "array_min_items", text)?;
            }
            _ => {}
        }
        match node.item_count {
            [_, Some(most)] if items.len() > most => {
                let text = format!("Array must have at most {most} items");
                self.tell(outcome, part, "array_max_items", text)?;
            }
            _ => {}
        }
        if node.unique {
            let mut seen = HashMap::new();
            for (number, item) in items.iter().enumerate() {
                if let Some(before) = seen.insert(self.plain(item)?, number) {
                    let text = format!("array items[{before},{number}] must be unique");
                    self.tell(outcome, part, "unique", text)?;
                }
            }
        }
        self.contains(node, items, part, outcome)?;
        outcome.score += 1;
        Ok(())
    }

    fn contains(&self, node: &Node, items: &[Json], part: Part<'_>, outcome: &mut Outcome) -> Checked {
        let Some(schema) = node.contains else { return Ok(()) };
        let mut best = None::<Outcome>;
        for (number, item) in items.iter().enumerate() {
            let one = self.below(schema, part, &number.to_string(), item)?;
            if one.valid() {
                return Ok(());
            }
            if best.as_ref().is_none_or(|best| one.score > best.score) {
                best = Some(one);
            }
        }
        self.tell(outcome, part, "contains", "At least one of the items must match")?;
        outcome.merge(best.unwrap_or_default());
        Ok(())
    }

    pub(super) fn object(
        &self,
        node: &Node,
        members: &Map<String, Json>,
        part: Part<'_>,
        outcome: &mut Outcome,
    ) -> Checked {
        let [least, most] = node.member_count;
        if let Some(least) = least.filter(|least| members.len() < *least) {
            self.tell(outcome, part, "array_min_properties", format!("Must have at least {least} properties"))?;
        }
        if let Some(most) = most.filter(|most| members.len() > *most) {
            self.tell(outcome, part, "array_max_properties", format!("Must have at most {most} properties"))?;
        }
        for name in &node.required {
            if members.contains_key(name) {
                outcome.score += 1;
            } else {
                self.tell(outcome, part, "required", format!("{name} is required"))?;
            }
        }
        for (name, value) in members {
            let mut known = false;
            for (pattern, schema) in &node.patterns {
                self.spend(name.len())?;
                pattern.admits(name)?;
                if pattern.regex.is_match(name) {
                    known = true;
                    outcome.merge(self.below(*schema, part, name, value)?);
                }
            }
            outcome.score += i64::from(known);
            // They are sorted, as all objects here.
            known |= node.properties.binary_search_by(|(property, _)| property.cmp(name)).is_ok();
            match &node.additional {
                Some(Rest::Allowed(false)) if !known => {
                    let text = format!("Additional property {name} is not allowed");
                    self.tell(outcome, part, "additional_property_not_allowed", text)?;
                }
                Some(Rest::Schema(schema)) if !known => outcome.merge(self.below(*schema, part, name, value)?),
                _ => {}
            }
        }
        if let Some(names) = node.names {
            for name in members.keys() {
                let one = self.outcome(names, Part { value: &Json::from(name.as_str()), ..part })?;
                if !one.valid() {
                    let text = format!("Property name of \"{name}\" does not match");
                    self.tell(outcome, part, "invalid_property_name", text)?;
                    outcome.merge(one);
                }
            }
        }
        outcome.score += 1;
        Ok(())
    }
}
