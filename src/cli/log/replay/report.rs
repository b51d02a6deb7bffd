//! What a replay found, for people and for programs.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
};

use serde_json::{Map, Value as Json, json};
use verdict::{
    audit::replay::{Difference, Unrepeatable},
    decision::{Digest, Effect},
    policy::printable,
};

use crate::cli::colour;

/// What a record came to: what is different and what the effect is now, or why it could not be put again.
pub(super) type What = Result<(Difference, Effect), Unrepeatable>;

/// One record that was wanted.
pub(super) struct Found {
    pub(super) id: String,
    pub(super) time: String,
    /// Subject, action, resource.
    pub(super) asked: [String; 3],
    pub(super) entry_point: String,
    pub(super) what: What,
}

/// What a line of the log came to.
pub(super) enum Outcome {
    /// It is no record, or not one that is wanted.
    NotWanted,
    /// It can't be read.
    Unreadable,
    /// This.
    Found(Box<Found>),
}

/// All of it.
pub(super) struct Report {
    digest: Digest,
    seen: HashSet<String>,
    repeated: u64,
    unreadable: u64,
    unchanged: u64,
    changed: Vec<(Found, Difference, Effect)>,
    not_replayed: Vec<(Found, Unrepeatable)>,
}

impl Report {
    pub(super) fn new(digest: Digest) -> Self {
        Self {
            digest,
            seen: HashSet::new(),
            repeated: 0,
            unreadable: 0,
            unchanged: 0,
            changed: Vec::new(),
            not_replayed: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, outcome: Outcome) {
        let mut found = match outcome {
            Outcome::NotWanted => return,
            Outcome::Unreadable => {
                self.unreadable += 1;
                return;
            }
            Outcome::Found(found) => *found,
        };
        // A record is delivered at least once.
        if !self.seen.insert(found.id.clone()) {
            self.repeated += 1;
            return;
        }
        let nothing = Err(Unrepeatable::NoQuestion);
        match std::mem::replace(&mut found.what, nothing) {
            Err(why) => self.not_replayed.push((found, why)),
            Ok((difference, _)) if difference.is_none() => self.unchanged += 1,
            Ok((difference, effect)) => self.changed.push((found, difference, effect)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.unreadable == 0
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Whether every record was put again.
    pub(super) fn is_whole(&self) -> bool {
        self.not_replayed.is_empty() && self.unreadable == 0
    }

    /// Counts by what changed: the effects in either direction, reasons alone, other members alone.
    fn counts(&self) -> [(&'static str, &'static str, usize); 4] {
        let count = |wanted: fn(&Difference) -> bool| self.changed.iter().filter(|(_, found, _)| wanted(found)).count();
        [
            ("allow -> deny", "allow_to_deny", count(|found| found.effect == Some((Effect::Allow, Effect::Deny)))),
            ("deny -> allow", "deny_to_allow", count(|found| found.effect == Some((Effect::Deny, Effect::Allow)))),
            ("reasons only", "reasons", count(|found| found.effect.is_none() && found.reasons.is_some())),
            ("other members", "members", count(|found| found.effect.is_none() && found.reasons.is_none())),
        ]
    }

    pub(super) fn text(&self, summary: bool) -> String {
        let mut out = String::new();
        if !summary {
            for (found, difference, effect) in &self.changed {
                let _ = writeln!(out, "{}", changed(found, difference, *effect));
            }
            for (found, why) in &self.not_replayed {
                let _ = writeln!(out, "{}", line(found, &format!("not replayable: {why}")));
            }
            if !out.is_empty() {
                out.push('\n');
            }
        }
        let (changed, not) = (self.changed.len(), self.not_replayed.len());
        let all = self.seen.len();
        let _ = write!(out, "{all} records: {} unchanged, {changed} changed, {not} not replayable", self.unchanged);
        for (name, _, count) in self.counts() {
            if count > 0 {
                let _ = write!(out, "\n  {count:>8}  {name}");
            }
        }
        let mut causes: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, why) in &self.not_replayed {
            *causes.entry(why.name()).or_default() += 1;
        }
        for (cause, count) in causes {
            let _ = write!(out, "\n  {count:>8}  not replayable: {}", cause.replace('_', " "));
        }
        if self.repeated > 0 {
            let _ = write!(out, "\n  {:>8}  delivered again, and not counted", self.repeated);
        }
        if self.unreadable > 0 {
            let _ = write!(out, "\n  {:>8}  lines that are no records", self.unreadable);
        }
        let _ = write!(out, "\ndecided on {}", self.digest);
        out
    }

    pub(super) fn json(&self, summary: bool) -> Json {
        let counts: Map<String, Json> =
            self.counts().into_iter().map(|(_, key, count)| (key.to_owned(), count.into())).collect();
        let mut object = json!({
            "records": self.seen.len(), "unchanged": self.unchanged, "repeated": self.repeated,
            "unreadable": self.unreadable, "digest": self.digest.to_string(),
            "counts": { "changed": self.changed.len(), "by": counts, "not_replayed": self.not_replayed.len() },
        });
        if !summary && let Some(members) = object.as_object_mut() {
            let changed = self.changed.iter().map(|(found, difference, effect)| {
                let Difference { effect: was, reasons, members } = difference;
                let mut one = head(found);
                let mut put = |name: &str, value: Json| one.insert(name.to_owned(), value);
                let (before, after) = was.unwrap_or((*effect, *effect));
                put("effect", json!({ "was": before.to_string(), "is": after.to_string() }));
                if let Some((was, is)) = reasons {
                    put("reasons", json!({ "was": was, "is": is }));
                }
                if !members.is_empty() {
                    put("members", json!(members));
                }
                Json::Object(one)
            });
            members.insert("changed".to_owned(), changed.collect());
            let not = self.not_replayed.iter().map(|(found, why)| {
                let mut one = head(found);
                one.insert("cause".to_owned(), why.name().into());
                one.insert("message".to_owned(), why.to_string().into());
                Json::Object(one)
            });
            members.insert("not_replayed".to_owned(), not.collect());
        }
        object
    }
}

fn head(found: &Found) -> Map<String, Json> {
    let [subject, action, resource] = &found.asked;
    let texts = [
        ("decision_id", &found.id),
        ("time", &found.time),
        ("entry_point", &found.entry_point),
        ("subject", subject),
        ("action", action),
        ("resource", resource),
    ];
    texts.into_iter().map(|(name, text)| (name.to_owned(), text.as_str().into())).collect()
}

fn changed(found: &Found, difference: &Difference, effect: Effect) -> String {
    let mut what = match difference.effect {
        Some((was, is)) => arrow(was, is),
        None => format!("{effect}"),
    };
    if let Some((was, is)) = &difference.reasons {
        let _ = write!(what, "  reasons {} -> {}", listed(was), listed(is));
    }
    if !difference.members.is_empty() {
        let _ = write!(what, "  other {}", difference.members.join(","));
    }
    line(found, &what)
}

fn arrow(was: Effect, is: Effect) -> String {
    if !colour() {
        return format!("{was} -> {is}");
    }
    let code = if is == Effect::Allow { 32 } else { 31 };
    format!("{was} -> \u{1b}[{code}m{is}\u{1b}[0m")
}

fn listed(reasons: &[String]) -> String {
    if reasons.is_empty() { "-".to_owned() } else { printable(&reasons.join(",")).into_owned() }
}

fn line(found: &Found, what: &str) -> String {
    let [subject, action, resource] = &found.asked;
    let head = format!("{}  {} {} {}  ", found.time, subject, action, resource);
    let tail = format!("  {} {}", found.entry_point, found.id);
    format!("{}{what}{}", printable(&head), printable(&tail)).replace('\n', " ")
}
