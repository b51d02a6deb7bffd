//! What a reference above a `with` reads (`policy/rego/lower/above.rs`).

use std::collections::BTreeMap;

use regorus::{Rc, Value as Rego};

use super::super::Failure;
use crate::policy::rego::lower::PACKAGES;

/// What is at a path of `data`, of which a `with` may have replaced parts, with what these hide of base data there: the value,
/// the path, how many more names the reference has, and targets at or above what it reads, each with whether it is in force.
/// `None` where there are more members than are `left`.
pub(in super::super) fn merged_with_base(
    data: &Rego,
    operands: &[Rego],
    left: &mut usize,
) -> Option<Result<Rego, Failure>> {
    let [value, Rego::Array(path), Rego::Number(deeper), Rego::Array(targets)] = operands else {
        return Some(Err(Failure::Halt("takes a value, a path, a number and targets".to_owned())));
    };
    let deeper = deeper.as_u64().and_then(|deeper| usize::try_from(deeper).ok()).unwrap_or(0);
    let mut below: Vec<&[Rego]> = Vec::new();
    for target in targets.iter() {
        let Rego::Array(pair) = target else { continue };
        let [Rego::Array(target), Rego::Bool(true)] = pair.as_slice() else { continue };
        // One at or above the path has the whole.
        let Some(rest) = target.as_slice().strip_prefix(path.as_slice()).filter(|rest| !rest.is_empty()) else {
            return Some(Ok(value.clone()));
        };
        below.push(rest);
    }
    let base = path.iter().fold(data, |at, name| &at[name]);
    let seen = seen(value, base, deeper, &below, left)?;
    Some(Ok(if path.is_empty() { without_packages(seen) } else { seen }))
}

/// All of `data` without the packages that only lowering knows.
fn without_packages(mut data: Rego) -> Rego {
    if let Rego::Object(members) = &mut data
        && PACKAGES.iter().any(|name| members.contains_key(&Rego::from(*name)))
    {
        Rc::make_mut(members).retain(|name, _| !PACKAGES.iter().any(|package| *name == Rego::from(*package)));
    }
    data
}

/// Without data there is nothing to merge with.
pub(super) fn without_data(operands: &[Rego]) -> Result<Rego, Failure> {
    merged_with_base(&Rego::Undefined, operands, &mut 0).unwrap_or(Ok(Rego::Undefined))
}

/// What a reference with so many more names may take of a value: what ends at or below one of these targets as it is.
fn seen(value: &Rego, base: &Rego, deeper: usize, targets: &[&[Rego]], left: &mut usize) -> Option<Rego> {
    let (Rego::Object(members), Rego::Object(others)) = (value, base) else { return Some(value.clone()) };
    if Rc::ptr_eq(members, others) {
        return Some(value.clone());
    }
    let Some(deeper) = deeper.checked_sub(1) else { return merged(value, base, left) };
    *left = left.checked_sub(members.len())?;
    let mut all = BTreeMap::new();
    for (key, member) in members.iter() {
        let ways = targets.iter().filter_map(|target| target.split_first()).filter(|(first, _)| *first == key);
        let rest: Vec<&[Rego]> = ways.map(|(_, rest)| rest).collect();
        let is_put = rest.iter().any(|rest| rest.is_empty());
        let member = if is_put { member.clone() } else { seen(member, &base[key], deeper, &rest, left)? };
        all.insert(key.clone(), member);
    }
    Some(Rego::from(all))
}

/// A value with the members that only the other has, wherever both are objects.
fn merged(value: &Rego, base: &Rego, left: &mut usize) -> Option<Rego> {
    let (Rego::Object(members), Rego::Object(others)) = (value, base) else { return Some(value.clone()) };
    if Rc::ptr_eq(members, others) {
        return Some(value.clone());
    }
    *left = left.checked_sub(members.len())?.checked_sub(others.len())?;
    let mut all = BTreeMap::new();
    for (key, member) in members.iter() {
        all.insert(key.clone(), merged(member, &base[key], left)?);
    }
    for (key, hidden) in others.iter() {
        all.entry(key.clone()).or_insert_with(|| hidden.clone());
    }
    Some(Rego::from(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"{"n": {"z": {"old": 1, "q": {"a": 1}}, "y": {"k": 3}, "s": 7}}"#;

    fn json(text: &str) -> Rego {
        Rego::from_json_str(text).unwrap()
    }

    /// What reads `deeper` names below `data.n` sees, where that is `now` and these targets are in force.
    fn read(now: &str, deeper: u64, targets: &str) -> String {
        let operands = [json(now), json(r#"["n"]"#), Rego::from(deeper), json(targets)];
        let mut left = 1_000;
        let value = merged_with_base(&json(BASE), &operands, &mut left).unwrap().unwrap();
        // On one line.
        serde_json::to_string(&value).unwrap()
    }

    #[test]
    fn objects_are_merged_with_those_that_they_hide() {
        let now = r#"{"z":{"new":2,"q":{"b":2}},"y":{"k":3},"s":{"t":1}}"#;
        let all = r#"{"s":{"t":1},"y":{"k":3},"z":{"new":2,"old":1,"q":{"a":1,"b":2}}}"#;
        assert_eq!(read(now, 0, "[]"), all);
        assert_eq!(read(r#"{"z":5,"y":{}}"#, 0, "[]"), r#"{"s":7,"y":{"k":3},"z":5}"#);
        assert_eq!(read("7", 0, "[]"), "7");
        assert_eq!(read(now, 0, r#"[[["n"], false]]"#), all);
    }

    #[test]
    fn what_a_target_is_at_or_above_is_what_was_put() {
        let now = r#"{"s":7,"y":{"k":4},"z":{"q":{"b":2}}}"#;
        for targets in [r#"[[["n"], true]]"#, "[[[], true]]", r#"[[["n", "z"], false], [["n"], true]]"#] {
            assert_eq!(read(now, 1, targets), now, "{targets}");
        }
        // `data.n[k]`: each member is read for itself, the one that was put as it is.
        let z = r#"[[["n", "z"], true]]"#;
        assert_eq!(read(now, 1, z), now);
        assert_eq!(read(now, 1, "[]"), r#"{"s":7,"y":{"k":4},"z":{"old":1,"q":{"a":1,"b":2}}}"#);
        // `data.n[k][j]`, where `data.n.z.q` was put, too.
        assert_eq!(read(now, 2, r#"[[["n", "z", "q"], true]]"#), now);
        assert_eq!(read(now, 2, r#"[[["n", "y", "q"], true]]"#), r#"{"s":7,"y":{"k":4},"z":{"q":{"a":1,"b":2}}}"#);
    }

    #[test]
    fn packages_of_ours_are_no_data() {
        let now = json(r#"{"n": 1, "__verdict_withs__": {}, "__verdict_built_ins__": {}}"#);
        let operands = [now, json("[]"), Rego::from(0_u64), json("[]")];
        let value = merged_with_base(&json(r#"{"n": 1}"#), &operands, &mut 1_000).unwrap().unwrap();
        assert_eq!(value, json(r#"{"n": 1}"#));
    }

    #[test]
    fn what_it_makes_is_counted() {
        let operands = [json(r#"{"z": {}}"#), json(r#"["n"]"#), Rego::from(0_u64), json("[]")];
        for (left, is_done) in [(5, false), (10, true)] {
            let mut left = left;
            assert_eq!(merged_with_base(&json(BASE), &operands, &mut left).is_some(), is_done);
        }
    }
}
