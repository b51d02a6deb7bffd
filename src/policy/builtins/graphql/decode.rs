//! A syntax tree that a policy passes as an object, read as Go's `encoding/json` reads it into gqlparser's types.

use regorus::Value as Rego;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value as Json;

use super::{
    Fault,
    ast::{Field, Inline, Selection, Spread},
    parser::MAX_DEPTH,
};

/// How deep an object nests at most: a level of a text makes up to three of its tree.
const MAX_OBJECT_DEPTH: usize = 4 * MAX_DEPTH;
/// How many values a tree has at most.
const MAX_VALUES: usize = 1_000_000;

/// The members that gqlparser knows, which its decoder finds whatever their case is.
const NAMES: [&str; 44] = [
    "AfterDescriptionComment",
    "Alias",
    "Arguments",
    "BeforeDescriptionComment",
    "BuiltIn",
    "Children",
    "Comment",
    "DefaultValue",
    "Definitions",
    "Description",
    "Directives",
    "Elem",
    "EndOfDefinitionComment",
    "EnumValues",
    "ExpectedTypeHasDefault",
    "Extensions",
    "Fields",
    "Fragments",
    "Interfaces",
    "IsRepeatable",
    "Kind",
    "List",
    "Location",
    "Locations",
    "Name",
    "NamedType",
    "NonNull",
    "Operation",
    "OperationTypes",
    "Operations",
    "Raw",
    "Schema",
    "SchemaExtension",
    "SelectionSet",
    "Type",
    "TypeCondition",
    "Types",
    "Used",
    "Value",
    "Variable",
    "VariableDefinition",
    "VariableDefinitions",
    "Definition",
    "ObjectDefinition",
];

/// Reads a document.
pub(super) fn document<T: DeserializeOwned>(object: &Rego) -> Result<T, Fault> {
    let mut values = MAX_VALUES;
    if !is_bounded(object, MAX_OBJECT_DEPTH, &mut values) {
        return Err(Fault::Bound("the GraphQL document is too deep or too large".to_owned()));
    }
    let invalid = |error: serde_json::Error| Fault::Invalid(format!("no GraphQL document: {error}"));
    let mut json = serde_json::to_value(object).map_err(invalid)?;
    settle(&mut json, false);
    serde_json::from_value(json).map_err(invalid)
}

fn is_bounded(value: &Rego, depth: usize, values: &mut usize) -> bool {
    let (Some(depth), Some(left)) = (depth.checked_sub(1), values.checked_sub(1)) else { return false };
    *values = left;
    match value {
        Rego::Array(items) => items.iter().all(|item| is_bounded(item, depth, values)),
        Rego::Set(items) => items.iter().all(|item| is_bounded(item, depth, values)),
        Rego::Object(members) => {
            members.iter().all(|(name, item)| is_bounded(name, depth, values) && is_bounded(item, depth, values))
        }
        _ => true,
    }
}

/// Takes nulls for absent, and gives members the names that they have in gqlparser. The nodes of some sequences
/// (`exact`) have decoders of their own there, which want the exact names.
fn settle(value: &mut Json, exact: bool) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(|item| settle(item, exact)),
        Json::Object(members) => {
            let old = std::mem::take(members);
            for (name, mut item) in old {
                let known = NAMES.iter().find(|known| !exact && known.eq_ignore_ascii_case(&name));
                let name = known.map_or(name, |known| (*known).to_owned());
                if item.is_null() {
                    continue;
                }
                settle(&mut item, ["Operations", "Fragments", "SelectionSet"].contains(&name.as_str()));
                members.insert(name, item);
            }
        }
        _ => {}
    }
}

/// A selection set: each item is the first of field, spread and inline fragment that it can be read as, which makes
/// a field of almost all.
pub(super) fn selections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Selection>, D::Error> {
    Vec::<Json>::deserialize(deserializer).map(|items| items.into_iter().filter_map(selection).collect())
}

fn selection(mut item: Json) -> Option<Selection> {
    // Read once, not once for each try: the tries would double with each level.
    let inner = item.as_object_mut()?.remove("SelectionSet");
    let selection_set = match inner {
        None => Some(Vec::new()),
        Some(Json::Array(items)) => Some(items.into_iter().filter_map(selection).collect()),
        Some(_) => None,
    };
    if selection_set.is_some()
        && let Ok(field) = serde_json::from_value::<Field>(item.clone())
    {
        return Some(Selection::Field(Field { selection_set: selection_set?, ..field }));
    }
    if let Ok(spread) = serde_json::from_value::<Spread>(item.clone()) {
        return Some(Selection::Spread(spread));
    }
    let inline = serde_json::from_value::<Inline>(item).ok()?;
    Some(Selection::Inline(Inline { selection_set: selection_set?, ..inline }))
}
