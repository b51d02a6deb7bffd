//! What is wrong with a configuration, in words: where it came from, what is wrong, what is expected.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The longest excerpt of someone's input that a message holds, in characters.
const EXCERPT: usize = 80;

/// One fault. Its text is one line, `place: what is wrong; expected …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    place: String,
    problem: String,
    expected: String,
}

/// Every fault of a configuration, at least one; its text has one line a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

/// Where a value came from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The configuration file with this path.
    File(PathBuf),
    /// The environment variable with this name.
    Variable(String),
    /// The flag with this name, dashes included.
    Flag(&'static str),
}

impl Fault {
    pub(super) fn new(place: impl Into<String>, problem: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into(), expected: expected.into() }
    }

    /// Where the value came from: `verdict.yaml: grpc.address`, `VERDICT_GRPC_ADDRESS` or `--grpc-address`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl Faults {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self(faults)
    }

    /// The faults: those of the file, of the variables, of the flags, then those of settings that do not fit together.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }
}

impl Origin {
    /// Where the value of this key is to be found.
    pub(super) fn place(&self, key: &str) -> String {
        match self {
            Self::File(path) => in_file(path, key),
            Self::Variable(name) => name.clone(),
            Self::Flag(flag) => (*flag).to_owned(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, problem, expected } = self;
        write!(out, "{}: {}; expected {expected}", one_line(place), one_line(problem))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            fault.fmt(out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The place of a key in a file.
pub(super) fn in_file(path: &Path, key: &str) -> String {
    format!("{}: {}", path.display(), excerpt(key))
}

/// The start of a text, marked as cut where it is.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    }
}

/// Input cannot forge a line of its own, nor speak to the terminal.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}
