//! What policies say of records: `data.system.log.drop` and `data.system.log.mask`, by OPA's conventions (OPA's
//! documentation on decision logs, "Masking sensitive data" and "Drop decision logs").

use super::{
    pointer::{self, Change, Pointer},
    record::Record,
};
use crate::decision::{EntryPoint, Value};

/// A rule that is asked about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Whether the record is dropped.
    Drop,
    /// What of it is masked.
    Mask,
}

/// What a rule said.
#[derive(Clone, Debug, PartialEq)]
pub enum Ruling {
    /// Nothing: there is no such rule, or it has no value.
    Undefined,
    /// This.
    Value(Value),
    /// It could not be asked, or failed: why, without anything of the record.
    Failed(String),
}

/// The port by which policies are asked.
pub trait Rules: Send + Sync {
    /// Whether anything needs to be asked of the snapshot of that sequence: a record is not even shown otherwise.
    fn any(&self, sequence: u64, rule: Rule) -> bool;

    /// Whether it is known already that neither rule has anything to say of that sequence. Asked on the doors' threads: it
    /// must not take long, and may say no where it is not known yet.
    fn is_silent(&self, sequence: u64) -> bool;

    /// Asks the snapshot of that sequence, which the decision was made on, about a record as OPA shows it.
    fn ask(&self, sequence: u64, rule: Rule, event: Value) -> Ruling;
}

impl Rule {
    /// The rule's place.
    #[must_use]
    pub fn entry_point(self) -> EntryPoint {
        let name = match self {
            Self::Drop => "drop",
            Self::Mask => "mask",
        };
        EntryPoint::from_parts(["system", "log", name].map(str::to_owned))
    }
}

/// One thing to do, as a mask rule says it.
enum Step {
    Remove(Vec<String>),
    Upsert(Vec<String>, Value),
    /// Below what Verdict's records never have.
    Nothing,
}

/// Does what a mask rule's value says. On a fault, nothing of the record may be kept.
pub(super) fn mask(record: &mut Record, said: &Value) -> Result<(), String> {
    let Value::Array(items) = said else { return Err("its value is no set of places".to_owned()) };
    for step in items.iter().map(step).collect::<Result<Vec<_>, _>>()? {
        match step {
            Step::Nothing => {}
            Step::Remove(path) => record.remove(&path, false),
            Step::Upsert(path, value) => record.upsert(&path, value),
        }
    }
    Ok(())
}

fn step(item: &Value) -> Result<Step, String> {
    let (op, path, value) = match item {
        Value::String(path) => ("remove", path, None),
        Value::Object(object) => match (object.get("op"), object.get("path")) {
            (Some(Value::String(op)), Some(Value::String(path))) => (op.as_str(), path, object.get("value")),
            _ => return Err("an object of it has no `op` and `path`".to_owned()),
        },
        _ => return Err("something in it is neither a place nor an object".to_owned()),
    };
    let parts = path.strip_prefix('/').ok_or("a place of it does not begin with `/`")?;
    let parts: Vec<String> = parts.split('/').map(unescaped).collect();
    match parts.first().map(String::as_str) {
        Some("input" | "token" | "result") => {}
        Some("nd_builtin_cache") => return Ok(Step::Nothing),
        _ => return Err("a place of it is not below `/input`, `/token` or `/result`".to_owned()),
    }
    match op {
        "remove" => Ok(Step::Remove(parts)),
        "upsert" => Ok(Step::Upsert(parts, value.cloned().unwrap_or_default())),
        _ => Err("an `op` of it is neither `remove` nor `upsert`".to_owned()),
    }
}

/// OPA has no way to name a member with a slash in it; JSON pointers have `~1`.
fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

impl Record {
    /// Removes what is at a place; `wild` lets `*` stand for all.
    pub(super) fn remove(&mut self, path: &[String], wild: bool) {
        self.change(path, wild, &mut Change::Remove);
    }

    /// Puts something else at the places that are there.
    pub(super) fn replace(&mut self, pointer: &Pointer, with: &mut dyn FnMut(&Value) -> Value) {
        self.change(pointer.parts(), true, &mut Change::Replace(with));
    }

    fn part(&mut self, root: &str) -> &mut Option<Value> {
        match root {
            "input" => &mut self.input,
            "token" => &mut self.token,
            _ => &mut self.result,
        }
    }

    fn change(&mut self, path: &[String], wild: bool, what: &mut Change<'_>) {
        let Some((root, rest)) = path.split_first() else { return };
        let removes = matches!(what, Change::Remove);
        let mut changed = Vec::new();
        {
            let part = self.part(root);
            if rest.is_empty() {
                let before = part.take();
                if let (Some(before), Change::Replace(with)) = (&before, what) {
                    *part = Some(with(before));
                }
                changed.extend(before.map(|before| (format!("/{root}"), before)));
            } else if let Some(value) = part {
                pointer::change(value, &format!("/{root}"), rest, wild, what, &mut |place, before| {
                    changed.push((place, before));
                });
            }
        }
        for (place, before) in changed {
            if removes { &mut self.erased } else { &mut self.masked }.push(place);
            self.hidden.push(before);
        }
    }

    fn upsert(&mut self, path: &[String], value: Value) {
        let Some((root, rest)) = path.split_first() else { return };
        let part = self.part(root);
        let part = part.get_or_insert_with(|| Value::Object(crate::decision::Object::new()));
        let Some(before) = pointer::upsert(part, rest, value) else { return };
        self.hidden.push(before);
        let place = path.iter().fold(String::new(), |place, part| place + "/" + &pointer::escaped(part));
        self.masked.push(place);
    }
}
