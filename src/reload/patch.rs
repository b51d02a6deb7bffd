//! Data that operators patch: a bundle of its own, with just the roots that it needs.

use serde_json::{Map, Value};

use super::{
    ByName,
    build::{Good, Job},
};
use crate::{
    api::administration::{Operation, Refusal},
    bundle::Roots,
    source::{Content, File},
};

/// The bundle of patched data. No bundle of the configuration has this name.
pub const PATCHED: &str = "patched-data";

/// What the operations make of the patched data: the bundle's new content.
pub(super) fn apply(job: &Job, operations: &[Operation]) -> Result<Vec<Content>, Refusal> {
    let mut roots: ByName<Roots> = ByName::new();
    for (name, Good { package, .. }) in job.good.iter().filter(|(name, _)| *name != PATCHED) {
        roots.insert(name.clone(), package.manifest.owned());
    }
    let before = job.good.get(PATCHED);
    let text = before.and_then(|good| good.package.file("data.json")).map(|file| file.bytes.as_slice());
    let mut data =
        text.map_or(Ok(Value::Object(Map::new())), serde_json::from_slice).map_err(|error| internal(&error))?;
    for (at, operation) in operations.iter().enumerate() {
        for path in operation.paths() {
            let parts = parts(path);
            let owner = roots.iter().find(|(_, roots)| roots.own(&parts) || roots.reach_below(&parts));
            if let Some((owner, _)) = owner {
                return Err(Refusal::RootOwned { path: path.to_owned(), owner: owner.clone() });
            }
        }
        one(&mut data, operation).map_err(|message| Refusal::PatchFailed { operation: at, message })?;
    }
    if !data.is_object() {
        let message = "`data` would be no object".to_owned();
        return Err(Refusal::PatchFailed { operation: operations.len().saturating_sub(1), message });
    }
    let number = before.and_then(|good| good.package.manifest.revision.parse::<u64>().ok()).unwrap_or(0) + 1;
    let mut own = Vec::new();
    needed(&data, &mut Vec::new(), &roots, &mut own);
    let manifest = serde_json::json!({"revision": number.to_string(), "roots": own});
    let file = |path: &str, value: &Value| {
        Ok(File { path: path.to_owned(), bytes: serde_json::to_vec(value).map_err(|error| internal(&error))? })
    };
    Ok(vec![Content::Files(vec![file(".manifest", &manifest)?, file("data.json", &data)?])])
}

fn internal(error: &serde_json::Error) -> Refusal {
    Refusal::Internal(error.to_string())
}

/// The highest places of `value` below which no bundle owns anything.
fn needed(value: &Value, at: &mut Vec<String>, roots: &ByName<Roots>, own: &mut Vec<String>) {
    let free = !at.is_empty() && !roots.values().any(|roots| roots.reach_below(at));
    match value {
        Value::Object(members) if !free => {
            for (name, member) in members {
                at.push(name.clone());
                needed(member, at, roots, own);
                at.pop();
            }
        }
        _ => own.push(at.join("/")),
    }
}

/// The parts of a JSON pointer (RFC 6901 §4).
fn parts(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

fn one(data: &mut Value, operation: &Operation) -> Result<(), String> {
    match operation {
        Operation::Add { path, value } => add(data, path, value.clone()),
        Operation::Remove { path } => remove(data, path).map(drop),
        Operation::Replace { path, value } => {
            *data.pointer_mut(path).ok_or_else(|| missing(path))? = value.clone();
            Ok(())
        }
        Operation::Move { from, path } => {
            let value = remove(data, from)?;
            add(data, path, value)
        }
        Operation::Copy { from, path } => {
            let value = data.pointer(from).cloned().ok_or_else(|| missing(from))?;
            add(data, path, value)
        }
        Operation::Test { path, value } => match data.pointer(path) {
            Some(there) if there == value => Ok(()),
            Some(_) => Err(format!("there is another value at `{path}`")),
            None => Err(missing(path)),
        },
    }
}

fn missing(path: &str) -> String {
    format!("there is nothing at `{path}`")
}

/// What holds a place, and the place's own name.
fn holder<'a>(data: &'a mut Value, path: &str) -> Result<(&'a mut Value, String), String> {
    let (holder, name) = path.rsplit_once('/').ok_or_else(|| missing(path))?;
    let name = name.replace("~1", "/").replace("~0", "~");
    Ok((data.pointer_mut(holder).ok_or_else(|| missing(holder))?, name))
}

/// RFC 6901 §4: digits without leading zeros.
fn index(name: &str, most: usize) -> Result<usize, String> {
    let plain = name == "0" || !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit());
    let index = name.parse().ok().filter(|index: &usize| plain && *index <= most);
    index.ok_or_else(|| format!("`{name}` is no place in an array of {most}"))
}

/// RFC 6902 §4.1.
fn add(data: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *data = value;
        return Ok(());
    }
    let (holder, name) = holder(data, path)?;
    match holder {
        Value::Object(members) => {
            members.insert(name, value);
        }
        Value::Array(items) => {
            let at = if name == "-" { items.len() } else { index(&name, items.len())? };
            items.insert(at, value);
        }
        _ => return Err(format!("what is to hold `{path}` is neither an object nor an array")),
    }
    Ok(())
}

/// RFC 6902 §4.2.
fn remove(data: &mut Value, path: &str) -> Result<Value, String> {
    if path.is_empty() {
        return Ok(std::mem::replace(data, Value::Object(Map::new())));
    }
    let (holder, name) = holder(data, path)?;
    match holder {
        Value::Object(members) => members.remove(&name).ok_or_else(|| missing(path)),
        Value::Array(items) => {
            let last = items.len().checked_sub(1).ok_or_else(|| missing(path))?;
            Ok(items.remove(index(&name, last)?))
        }
        _ => Err(missing(path)),
    }
}
