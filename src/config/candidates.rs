//! `[search.candidates."data.…"]`: tables by the entry points that they are for. Read field by field, so that every fault
//! is told at once.

use std::path::Path;

use serde_json::Value;

use super::fault::{Fault, excerpt, in_file};
use crate::{
    api::search::DataPath,
    decision::{EntryPoint, Searched},
};

/// What a table may have.
const SEARCHES: [Searched; 3] = [Searched::Subject, Searched::Resource, Searched::Action];

const REFERENCE: &str = "a reference such as `data.users`";

/// Reads one table; `before` is what others say.
pub(super) fn read(
    file: &Path,
    entry: &str,
    table: Value,
    before: &[DataPath],
    faults: &mut Vec<Fault>,
) -> Vec<DataPath> {
    let place = |field: &str| in_file(file, &format!("search.candidates.{entry}{field}"));
    let Ok(entry_point) = entry.parse::<EntryPoint>() else {
        faults.push(Fault::new(
            place(""),
            "is no reference",
            "the rule or package that is asked, such as `data.authz`",
        ));
        return Vec::new();
    };
    if before.iter().any(|other| other.entry_point == entry_point) {
        faults.push(Fault::new(place(""), "is given more than once, in other spellings", "it once"));
        return Vec::new();
    }
    let Value::Object(members) = table else {
        faults.push(Fault::new(place(""), "is no table", "a table such as `{subjects: data.users}`"));
        return Vec::new();
    };
    let mut paths = Vec::new();
    for (name, value) in members {
        let at = format!(".{name}");
        let Some(searched) = SEARCHES.into_iter().find(|searched| searched.rule() == name) else {
            faults.push(Fault::new(place(&at), "unknown key", "one of `subjects`, `resources`, `actions`"));
            continue;
        };
        let mut add = |kind: Option<String>, value: &Value, at: &str| match reference(value) {
            Ok(path) => paths.push(DataPath { entry_point: entry_point.clone(), searched, kind, path }),
            Err(problem) => faults.push(Fault::new(place(at), problem, REFERENCE)),
        };
        match value {
            // Actions have no types.
            Value::Object(types) if searched != Searched::Action => {
                for (kind, path) in types {
                    add(Some(kind.clone()), &path, &format!("{at}.{kind}"));
                }
            }
            other => add(None, &other, &at),
        }
    }
    paths
}

fn reference(value: &Value) -> Result<EntryPoint, String> {
    match value {
        Value::String(text) => text.parse().map_err(|_| format!("`{}` is no reference", excerpt(text))),
        Value::Null => Err("has no value".to_owned()),
        _ => Err("is of the wrong type".to_owned()),
    }
}
