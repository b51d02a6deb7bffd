//! `authorization_details` (RFC 9396): what is wrong with an entry, and what is left of one that a policy gives.
//!
//! Whether an entry of any type is narrower than another can't be told, so this knows what it can: an axis of common
//! fields may lose values, and a member of a type's own stays as it was asked for. What was not asked for is left out.

use crate::decision::{Object, Value};

/// The common fields that are lists (RFC 9396 §2.2).
const AXES: [&str; 4] = ["locations", "actions", "datatypes", "privileges"];
pub(super) const LOCATIONS: &str = "locations";
const IDENTIFIER: &str = "identifier";

/// What is left of an entry: of which entry of the request it is a part, and whether it had more.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) of: usize,
    pub(super) entry: Object,
    pub(super) cut: bool,
}

/// What is wrong with an entry.
pub(super) fn fault(entry: &Object) -> Option<String> {
    match entry.get("type") {
        Some(Value::String(kind)) if !kind.is_empty() => {}
        _ => return Some("has no `type` (RFC 9396 §2)".to_owned()),
    }
    for axis in AXES {
        if let Some(value) = entry.get(axis)
            && texts(value).is_none_or(|texts| texts.is_empty())
        {
            return Some(format!("`{axis}` is no list of texts, or is empty"));
        }
    }
    match entry.get(IDENTIFIER) {
        None | Some(Value::String(_)) => None,
        Some(_) => Some("`identifier` is no text".to_owned()),
    }
}

/// The part of `given` that `requested` has, too; `audience` has the targets of the request, which bound the locations
/// where an entry names none.
pub(super) fn keep(given: &Object, requested: &[Object], audience: &[String]) -> Option<Kept> {
    let kept =
        |(of, asked): (usize, &Object)| meet(asked, given, Some(audience)).map(|(entry, cut)| Kept { of, entry, cut });
    let mut found: Option<Kept> = None;
    for kept in requested.iter().enumerate().filter_map(kept) {
        // One that has it whole goes before one that has a part.
        if !kept.cut {
            return Some(kept);
        }
        found.get_or_insert(kept);
    }
    found
}

/// What both parties were given.
pub(super) fn intersection(one: &[Kept], other: &[Kept]) -> Vec<Kept> {
    let mut both: Vec<Kept> = Vec::new();
    for left in one {
        for right in other.iter().filter(|right| right.of == left.of) {
            if let Some((entry, cut)) = meet(&left.entry, &right.entry, None)
                && !both.iter().any(|kept| kept.of == left.of && kept.entry == entry)
            {
                both.push(Kept { of: left.of, entry, cut });
            }
        }
    }
    both
}

/// Whether `entry` has everything that a question about one cell asks for.
#[must_use]
pub fn covers(entry: &Object, cell: &Object) -> bool {
    let has = |name: &str| match (entry.get(name), cell.get(name)) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(have), Some(want)) if AXES.contains(&name) => {
            let (have, want) = (texts(have).unwrap_or_default(), texts(want).unwrap_or_default());
            want.iter().all(|text| have.contains(text))
        }
        (Some(have), Some(want)) => have == want,
    };
    cell.iter().all(|(name, _)| has(name))
}

/// The narrower of both on each member, and whether `given` had more than `asked`; `None` where nothing is left.
fn meet(asked: &Object, given: &Object, audience: Option<&[String]>) -> Option<(Object, bool)> {
    let mut entry = Object::new();
    let mut cut = false;
    for (name, value) in asked.iter() {
        let narrowed = match given.get(name) {
            // Without the member, it would stand for more.
            None if name == "type" => return None,
            None => {
                cut = true;
                value.clone()
            }
            Some(other) if AXES.contains(&name) => {
                let (have, want) = (texts(value)?, texts(other)?);
                cut |= want.iter().any(|text| !have.contains(text));
                common(&have, &want)?
            }
            Some(other) if other == value => value.clone(),
            Some(_) => return None,
        };
        entry.insert(name.to_owned(), narrowed);
    }
    for (name, value) in given.iter().filter(|(name, _)| asked.get(name).is_none()) {
        let narrowed = match audience {
            Some(audience) if name == LOCATIONS => {
                let want = texts(value)?;
                let have: Vec<&str> = audience.iter().map(String::as_str).collect();
                cut |= want.iter().any(|text| !have.contains(text));
                common(&have, &want)?
            }
            _ if AXES.contains(&name) || name == IDENTIFIER => value.clone(),
            // A member of the type's own that was not asked for: nobody can say whether it narrows.
            _ => return None,
        };
        entry.insert(name.to_owned(), narrowed);
    }
    Some((entry, cut))
}

/// The texts of `have` that are in `want`; `None` for none.
fn common(have: &[&str], want: &[&str]) -> Option<Value> {
    let both: Vec<Value> = have.iter().filter(|text| want.contains(text)).map(|text| Value::from(*text)).collect();
    (!both.is_empty()).then_some(Value::Array(both))
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    let Value::Array(items) = value else { return None };
    items.iter().map(|item| if let Value::String(text) = item { Some(text.as_str()) } else { None }).collect()
}
