//! What an explanation does not show: values under configured paths and names, wherever they were read.
//!
//! Two ways catch them. What an expression reads is known from its text, also through variables and rules. And what a
//! hidden place holds is looked for in every other value. Where in doubt, a value is hidden.

mod gathered;

use std::{collections::HashSet, fmt, str::FromStr};

use aho_corasick::AhoCorasick;
use regorus::Value as Rego;
use serde_json::{Map, Value as Json};

pub(in crate::policy) use gathered::Gathered;

use crate::decision::{Named, SensitiveNames};

/// What stands in place of a hidden value.
const HIDDEN: &str = "[redacted]";

/// How much of the hidden values is remembered; beyond, every text and number counts as hidden.
const MAX_BYTES: usize = 4 << 20;

/// How many values in reports are looked through; beyond, every text and number counts as hidden.
const MAX_GATHERED: usize = 1_000_000;

/// The shortest hidden text that is looked for inside of others.
const MIN_INSIDE: usize = 3;

/// The shortest part of a hidden text that is known for one.
const MIN_PART: usize = 8;

/// How deep a value is looked through, and how many of its members and elements are shown.
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 1_000;

/// Which values are hidden: `input.…` and `data.…` paths, and names of members anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    paths: Vec<Vec<String>>,
    names: SensitiveNames,
}

/// Why a text is no entry of a [`Redaction`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a path such as `input.token` nor a name such as `password`")]
pub struct InvalidRedaction(String);

/// What the hidden places hold.
#[derive(Debug, Default)]
pub(in crate::policy) struct Secrets {
    exact: HashSet<String>,
    inside: Option<AhoCorasick>,
    joined: String,
    all: bool,
}

impl Default for Redaction {
    fn default() -> Self {
        Self { paths: vec![vec!["input".to_owned(), "token".to_owned()]], names: SensitiveNames::default() }
    }
}

impl FromStr for Redaction {
    type Err = InvalidRedaction;

    /// Entries joined by commas; nothing at all hides nothing.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut redaction = Self { paths: Vec::new(), names: SensitiveNames::new([]) };
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let parts: Vec<String> = entry.split('.').map(str::to_owned).collect();
            let is_name = |part: &String| {
                !part.is_empty() && part.chars().all(|one| one.is_alphanumeric() || one == '_' || one == '-')
            };
            if !parts.iter().all(is_name) {
                return Err(InvalidRedaction(entry.chars().take(80).collect()));
            }
            match parts.as_slice() {
                [root, _, ..] if root == "input" || root == "data" => redaction.paths.push(parts),
                [name] if name != "input" && name != "data" => redaction.names.push(name),
                _ => return Err(InvalidRedaction(entry.chars().take(80).collect())),
            }
        }
        Ok(redaction)
    }
}

impl fmt::Display for Redaction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.paths.iter().map(|path| path.join("."));
        out.write_str(&paths.chain(self.names.iter().map(str::to_owned)).collect::<Vec<_>>().join(","))
    }
}

impl Redaction {
    /// Whether what is read at a path is hidden. The first `rule` names are those of a rule, and hidden only where they
    /// are a hidden name as a whole: a rule `valid_token` is no token.
    pub(super) fn hides_path(&self, path: &[String], rule: usize) -> bool {
        self.paths.iter().any(|hidden| path.starts_with(hidden))
            || path.iter().enumerate().skip(1).any(|(number, part)| match self.hides_name(part) {
                Named::No => false,
                Named::Exactly => true,
                Named::AtItsEnd => number >= rule,
            })
    }

    /// The same, and these paths.
    pub(super) fn with(&self, paths: impl IntoIterator<Item = Vec<String>>) -> Self {
        let mut more = self.clone();
        more.paths.extend(paths);
        more
    }

    /// Whether what has that name is hidden.
    pub(in crate::policy) fn hides(&self, name: &str) -> bool {
        self.hides_name(name) != Named::No
    }

    fn hides_name(&self, name: &str) -> Named {
        self.names.find(name)
    }
}

/// Where the values come from that are remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Not at a hidden place.
    No,
    /// Under a configured path.
    Path,
    /// Under a name.
    Name(Named),
}

impl Secrets {
    /// What `document` holds at the places that are hidden; `root` is its name, `input` or `data`.
    pub(in crate::policy) fn of(redaction: &Redaction, root: &str, document: &Rego) -> Self {
        let mut collected = Collected::default();
        let paths: Vec<&[String]> = redaction
            .paths
            .iter()
            .filter_map(|path| path.split_first().filter(|(first, _)| *first == root).map(|(_, rest)| rest))
            .collect();
        collected.look(redaction, document, &paths, Held::No, 0);
        Self::from(collected)
    }

    /// Takes every text and number for a hidden one.
    pub(super) fn hide_all(&mut self) {
        self.all = true;
    }

    fn from(collected: Collected) -> Self {
        let Collected { exact, all, .. } = collected;
        let long: Vec<&String> = exact.iter().filter(|text| text.chars().count() >= MIN_INSIDE).collect();
        let joined = long.iter().map(|text| text.as_str()).collect::<Vec<_>>().join("\u{0}");
        let inside = (!long.is_empty()).then(|| AhoCorasick::new(&long));
        let (inside, failed) = match inside {
            Some(Ok(inside)) => (Some(inside), false),
            Some(Err(_)) => (None, true),
            None => (None, false),
        };
        Self { exact, inside, joined, all: all || failed }
    }

    fn hides(&self, text: &str) -> bool {
        self.all
            || self.exact.contains(text)
            || self.inside.as_ref().is_some_and(|inside| inside.is_match(text))
            || text.chars().count() >= MIN_PART && self.joined.contains(text)
    }
}

#[derive(Debug, Default)]
struct Collected {
    exact: HashSet<String>,
    nodes: usize,
    bytes: usize,
    all: bool,
}

impl Collected {
    fn look(&mut self, redaction: &Redaction, value: &Rego, paths: &[&[String]], held: Held, depth: usize) {
        if self.all {
            return;
        }
        self.nodes += 1;
        if depth > 4 * MAX_DEPTH {
            self.all = true;
            return;
        }
        match value {
            Rego::String(text) if held != Held::No && !text.is_empty() => self.add(text.to_string()),
            Rego::Number(_) => {
                let digits = value.to_string();
                let counts = match held {
                    Held::No | Held::Name(Named::No | Named::AtItsEnd) => false,
                    Held::Path => true,
                    // Short numbers under such names are levels and counts, and would hide half of all numbers.
                    Held::Name(Named::Exactly) => digits.len() >= 4,
                };
                if counts {
                    self.add(digits);
                }
            }
            Rego::Array(items) => {
                for item in items.iter() {
                    self.look(redaction, item, &[], held, depth + 1);
                }
            }
            Rego::Set(items) => {
                for item in items.iter_sorted() {
                    self.look(redaction, item, &[], held, depth + 1);
                }
            }
            Rego::Object(members) => {
                for (key, item) in members.iter_sorted() {
                    let Rego::String(name) = key else {
                        self.look(redaction, item, &[], held, depth + 1);
                        continue;
                    };
                    let below: Vec<&[String]> = paths
                        .iter()
                        .filter_map(|path| path.split_first().filter(|(first, _)| first.as_str() == name.as_ref()))
                        .map(|(_, rest)| rest)
                        .collect();
                    let named = redaction.hides_name(name);
                    let here = match held {
                        Held::Path => Held::Path,
                        _ if below.iter().any(|rest| rest.is_empty()) => Held::Path,
                        Held::Name(Named::Exactly) => held,
                        _ if named != Named::No => Held::Name(named),
                        other => other,
                    };
                    self.look(redaction, item, &below, here, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, text: String) {
        self.bytes += text.len();
        self.all |= self.bytes > MAX_BYTES;
        self.exact.insert(text);
    }
}

/// Shows values, and hides some.
pub(in crate::policy) struct Shower<'a> {
    pub(in crate::policy) redaction: &'a Redaction,
    pub(in crate::policy) secrets: [&'a Secrets; 3],
}

impl Shower<'_> {
    /// The value as JSON of at most about that many bytes; sets are arrays.
    pub(super) fn json(&self, value: &Rego, most: usize) -> String {
        let mut nodes = 0;
        shortened(self.shown(value, 0, &mut nodes).to_string(), most)
    }

    /// What stands for a hidden value.
    pub(super) fn hidden() -> String {
        Json::from(HIDDEN).to_string()
    }

    /// A text that is no value, or what stands for it if a hidden value is in it.
    pub(super) fn text(&self, text: String) -> String {
        let secret = self.secrets.iter().any(|secrets| {
            secrets.all && !secrets.exact.is_empty()
                || secrets.inside.as_ref().is_some_and(|inside| inside.is_match(&text))
        });
        if secret { HIDDEN.to_owned() } else { text }
    }

    fn hides(&self, text: &str) -> bool {
        self.secrets.iter().any(|secrets| secrets.hides(text))
    }

    fn shown(&self, value: &Rego, depth: usize, nodes: &mut usize) -> Json {
        *nodes += 1;
        if depth > MAX_DEPTH || *nodes > MAX_NODES {
            return Json::from("…");
        }
        match value {
            Rego::Null | Rego::Undefined => Json::Null,
            Rego::Bool(truth) => Json::from(*truth),
            Rego::Number(_) => {
                let digits = value.to_string();
                if self.hides(&digits) { Json::from(HIDDEN) } else { serde_json::from_str(&digits).unwrap_or_default() }
            }
            Rego::String(text) => Json::from(if self.hides(text) { HIDDEN } else { text.as_ref() }),
            Rego::Array(items) => self.items(items.iter(), depth, nodes),
            Rego::Set(items) => self.items(items.iter_sorted(), depth, nodes),
            Rego::Object(members) => {
                let mut shown = Map::new();
                for (key, item) in members.iter_sorted() {
                    if *nodes > MAX_NODES {
                        break;
                    }
                    let name = match key {
                        Rego::String(name) if self.hides(name) => HIDDEN.to_owned(),
                        Rego::String(name) => name.to_string(),
                        other => self.shown(other, depth + 1, nodes).to_string(),
                    };
                    let item = if self.redaction.hides_name(&name) == Named::No {
                        self.shown(item, depth + 1, nodes)
                    } else {
                        Json::from(HIDDEN)
                    };
                    shown.insert(name, item);
                }
                Json::Object(shown)
            }
        }
    }

    fn items<'r>(&self, items: impl Iterator<Item = &'r Rego>, depth: usize, nodes: &mut usize) -> Json {
        let mut shown = Vec::new();
        for item in items {
            if *nodes > MAX_NODES {
                shown.push(Json::from("…"));
                break;
            }
            shown.push(self.shown(item, depth + 1, nodes));
        }
        Json::Array(shown)
    }
}

/// A text of at most that many bytes, and a mark where it was cut.
pub(super) fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
