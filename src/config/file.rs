//! The file's part: YAML or TOML, by its extension, to a list of settings and faults.

use std::{collections::BTreeSet, fs::File, io::Read as _, path::Path};

use super::{
    Setting,
    fault::{Fault, Origin, in_file},
    key::{self, KEYS},
    near::nearest,
    shape::Raw,
};

mod toml;
mod yaml;

/// The largest file that is read, in bytes: a configuration has a few hundred.
const MAX_BYTES: u64 = 1 << 20;

/// What a file holds, keys in their order, the same key more than once if the file has it so.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Table(Vec<(String, Node)>),
    Value(Raw),
}

/// A syntax error.
struct Invalid {
    /// Line and column, from 1.
    at: Option<(usize, usize)>,
    problem: String,
}

/// Walks a file's tables.
struct Walk<'a> {
    path: &'a Path,
    settings: Vec<Setting>,
    bundles: Vec<(String, serde_json::Value)>,
    sinks: Vec<(String, serde_json::Value)>,
    transmitters: Vec<(String, serde_json::Value)>,
    issuers: Vec<(String, serde_json::Value)>,
    candidates: Vec<(String, serde_json::Value)>,
    faults: Vec<Fault>,
}

/// The section of which each table has a name of the operator's.
const BUNDLES: &str = "bundles";

/// The table of which each table has a name of the operator's.
const SINKS: &str = "decision_log.sinks";

/// The same, of transmitters of security events.
const TRANSMITTERS: &str = "ssf.transmitters";
/// The same.
const ISSUERS: &str = "identity.issuers";

/// The table of which each table is called as an entry point.
const CANDIDATES: &str = "search.candidates";

/// What a file has.
pub(super) struct Found {
    pub(super) settings: Vec<Setting>,
    /// Tables with names of the operator's.
    pub(super) bundles: Vec<(String, serde_json::Value)>,
    /// The same.
    pub(super) sinks: Vec<(String, serde_json::Value)>,
    /// The same.
    pub(super) transmitters: Vec<(String, serde_json::Value)>,
    /// The same.
    pub(super) issuers: Vec<(String, serde_json::Value)>,
    /// Tables by entry points.
    pub(super) candidates: Vec<(String, serde_json::Value)>,
    /// What is wrong with it as a file.
    pub(super) faults: Vec<Fault>,
}

/// Reads the file: its settings, its bundles, and what is wrong with it as a file. The values are checked by who applies them.
pub(super) fn read(path: &Path) -> Found {
    let parse = match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => yaml::parse,
        Some("toml") => toml::parse,
        _ => {
            let expected = "a name that ends in `.yaml`, `.yml` or `.toml`";
            return Found::fault(Fault::new(place(path), "the format is not known", expected));
        }
    };
    let text = match contents(path) {
        Ok(text) => text,
        Err(fault) => return Found::fault(fault),
    };
    let mut walk = Walk {
        path,
        settings: Vec::new(),
        bundles: Vec::new(),
        sinks: Vec::new(),
        transmitters: Vec::new(),
        issuers: Vec::new(),
        candidates: Vec::new(),
        faults: Vec::new(),
    };
    match parse(&text) {
        Ok(Node::Table(entries)) => walk.table("", entries),
        Ok(Node::Value(Raw::Empty)) => {}
        Ok(Node::Value(raw)) => walk.fault(place(path), format!("holds {raw}"), "tables of settings"),
        Err(errors) => {
            for Invalid { at, problem } in errors {
                let place =
                    at.map_or_else(|| place(path), |(line, column)| format!("{}:{line}:{column}", path.display()));
                walk.fault(place, problem, "a file that can be read whole");
            }
        }
    }
    let Walk { path: _, settings, bundles, sinks, transmitters, issuers, candidates, faults } = walk;
    Found { settings, bundles, sinks, transmitters, issuers, candidates, faults }
}

impl Found {
    fn fault(fault: Fault) -> Self {
        Self {
            settings: Vec::new(),
            bundles: Vec::new(),
            sinks: Vec::new(),
            transmitters: Vec::new(),
            issuers: Vec::new(),
            candidates: Vec::new(),
            faults: vec![fault],
        }
    }
}

fn place(path: &Path) -> String {
    path.display().to_string()
}

fn contents(path: &Path) -> Result<String, Fault> {
    let fault = |problem: String| Fault::new(place(path), problem, "a readable file of UTF-8 text, at most 1MiB");
    let file = File::open(path).map_err(|error| fault(format!("cannot be opened: {error}")))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fault(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(fault("is too large".to_owned()));
    }
    String::from_utf8(bytes)
        .map_err(|error| fault(format!("is not UTF-8 after byte {}", error.utf8_error().valid_up_to())))
}

impl Walk<'_> {
    fn fault(&mut self, place: String, problem: impl Into<String>, expected: impl Into<String>) {
        self.faults.push(Fault::new(place, problem, expected));
    }

    fn table(&mut self, parent: &str, entries: Vec<(String, Node)>) {
        let mut seen = BTreeSet::new();
        for (name, node) in entries {
            let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
            if seen.insert(name.clone()) {
                self.entry(&name, &path, node);
            } else {
                self.fault(in_file(self.path, &path), "is given more than once", "it once");
            }
        }
    }

    fn entry(&mut self, name: &str, path: &str, node: Node) {
        // A dot in one name is no nesting: `"grpc.address"` must not pass for `address` in `grpc`.
        let is_plain = !name.contains('.');
        if let Some(key) = key::find(path).filter(|_| is_plain) {
            let raw = match node {
                Node::Table(_) => Raw::Other("a table"),
                Node::Value(raw) => raw,
            };
            self.settings.push(Setting { key, origin: Origin::File(self.path.to_owned()), raw });
        } else if is_plain && path.split_once('.').is_some_and(|(section, _)| section == BUNDLES) && node.is_table() {
            let table = self.named(path, node);
            self.bundles.push((name.to_owned(), table));
        } else if path.strip_suffix(name).is_some_and(|parent| parent.strip_suffix('.') == Some(SINKS)) {
            let table = self.named(path, node);
            self.sinks.push((name.to_owned(), table));
        } else if path.strip_suffix(name).is_some_and(|parent| parent.strip_suffix('.') == Some(TRANSMITTERS)) {
            let table = self.named(path, node);
            self.transmitters.push((name.to_owned(), table));
        } else if path.strip_suffix(name).is_some_and(|parent| parent.strip_suffix('.') == Some(ISSUERS)) {
            let table = self.named(path, node);
            self.issuers.push((name.to_owned(), table));
        } else if path.strip_suffix(name).is_some_and(|parent| parent.strip_suffix('.') == Some(CANDIDATES)) {
            let table = self.named(path, node);
            self.candidates.push((name.to_owned(), table));
        } else if [SINKS, ISSUERS, CANDIDATES, TRANSMITTERS].contains(&path) && is_plain {
            let what = match path {
                SINKS => "a table of sinks",
                ISSUERS => "a table of issuers",
                CANDIDATES => "a table of entry points",
                _ => "a table of transmitters",
            };
            match node {
                Node::Table(entries) => self.table(path, entries),
                Node::Value(Raw::Empty) => {}
                Node::Value(raw) => self.fault(in_file(self.path, path), format!("is {raw}"), what),
            }
        } else if key::sections().contains(&path) {
            match node {
                Node::Table(entries) => self.table(path, entries),
                Node::Value(Raw::Empty) => {}
                Node::Value(raw) => self.fault(in_file(self.path, path), format!("is {raw}"), "a table of settings"),
            }
        } else {
            self.fault(in_file(self.path, path), "unknown key", expected(path));
        }
    }
}

impl Walk<'_> {
    /// A table with a name of the operator's, as it is.
    fn named(&mut self, path: &str, node: Node) -> serde_json::Value {
        let mut twice = Vec::new();
        let table = node.json(path, &mut twice);
        for path in twice {
            self.fault(in_file(self.path, &path), "is given more than once", "it once");
        }
        table
    }
}

impl Node {
    fn is_table(&self) -> bool {
        matches!(self, Self::Table(_))
    }

    /// The same as JSON, with the keys that are there twice. What JSON lacks becomes a text that says what it was.
    fn json(self, at: &str, twice: &mut Vec<String>) -> serde_json::Value {
        match self {
            Self::Table(entries) => {
                let mut members = serde_json::Map::new();
                for (name, node) in entries {
                    let path = format!("{at}.{name}");
                    let value = node.json(&path, twice);
                    if members.insert(name, value).is_some() {
                        twice.push(path);
                    }
                }
                members.into()
            }
            Self::Value(Raw::Text(text) | Raw::Untyped(text)) => text.into(),
            Self::Value(Raw::Integer(number)) => u64::try_from(number)
                .map(Into::into)
                .or_else(|_| i64::try_from(number).map(Into::into))
                .unwrap_or_default(),
            Self::Value(Raw::Switch(value)) => value.into(),
            Self::Value(Raw::List(items)) => items.into(),
            Self::Value(Raw::Empty) => serde_json::Value::Null,
            Self::Value(Raw::Other(what)) => what.into(),
        }
    }
}

/// What may stand in an unknown key's place.
fn expected(path: &str) -> String {
    if let Some((section, leaf)) = key::find(path).and_then(|key| key.name.split_once('.')) {
        return format!("tables that are nested: `{leaf}` in `{section}`");
    }
    let sections = key::sections();
    let candidates = KEYS.iter().map(|key| key.name).chain(sections.iter().copied()).map(str::to_owned);
    if let Some(near) = nearest(path, candidates) {
        return format!("a known key; did you mean `{near}`?");
    }
    let section = path.split_once('.').map(|(section, _)| section);
    let known: Vec<_> = match section.filter(|section| sections.contains(section)) {
        Some(section) => KEYS.iter().filter(|key| key.section() == section).map(|key| key.name).collect(),
        None => sections,
    };
    format!("one of `{}`", known.join("`, `"))
}
