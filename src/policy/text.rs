//! The texts of a policy set: as their authors wrote them, and as regorus reads them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    fault::{Fault, printable},
    rego::{ast::Module as Tree, edit::Edited},
};
use crate::{
    bundle::{Bundle, Module, RegoVersion},
    decision::SourcePosition,
};

/// Between a file's path and the package in the name of a part of it; no path has it.
pub(super) const PART: char = '\0';

/// The same in a fault's place, which is printable.
const PART_SHOWN: char = '\u{2400}';

/// One file.
#[derive(Debug)]
pub(super) struct Text {
    /// As its author wrote it.
    pub(super) written: Arc<str>,
    /// Its syntax tree; `None` where it has faults.
    pub(super) module: Option<Arc<Tree>>,
    /// Whether it is read as Rego v0, unless it imports `rego.v1`.
    pub(super) rego_v0: bool,
    /// For regorus.
    pub(super) lowered: Edited,
    /// The rules that regorus reads as other packages: what it knows that text by, and the text.
    pub(super) parts: Vec<(String, Edited)>,
}

/// Path to text of every file.
#[derive(Debug, Default)]
pub(super) struct Texts(BTreeMap<Arc<str>, Text>);

impl Text {
    /// A text that regorus reads as it is.
    pub(super) fn plain(text: &str, rego_v0: bool) -> Self {
        Self { written: text.into(), module: None, rego_v0, lowered: Edited::unchanged(text), parts: Vec::new() }
    }

    /// The version that it is read as.
    pub(super) fn version(&self) -> RegoVersion {
        if self.rego_v0 { RegoVersion::V0 } else { RegoVersion::V1 }
    }
}

impl Texts {
    /// Adds a file.
    pub(super) fn insert(&mut self, path: &str, text: Text) {
        self.0.insert(path.into(), text);
    }

    /// A file.
    pub(super) fn get(&self, path: &str) -> Option<&Text> {
        self.0.get(path)
    }

    /// The bundle with the texts that regorus reads.
    pub(super) fn of(&self, bundle: &Bundle) -> Bundle {
        let mut lowered = bundle.clone();
        for module in lowered.modules.iter_mut().chain(&mut lowered.tests) {
            self.lowered(&module.path).clone_into(&mut module.text);
        }
        let parts = self.0.values().flat_map(|text| text.parts.iter().map(|part| (text.version(), part)));
        let module = |(version, (name, edited)): (RegoVersion, &(String, Edited))| Module {
            path: name.replace(PART, "#"),
            text: edited.text.clone(),
            version: Some(version),
            roots: None,
        };
        lowered.tests.extend(parts.map(module));
        lowered
    }

    /// All files, by their paths.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Text)> {
        self.0.iter()
    }

    /// What regorus reads by that name, a file or a part of one; nothing for an unknown one.
    pub(super) fn lowered(&self, name: &str) -> &str {
        self.find(name).map(|(_, _, edited)| edited.text.as_str()).unwrap_or_default()
    }

    /// What regorus reads of a file: the names and the texts.
    pub(super) fn sources(&self, path: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.get_key_value(path).into_iter().flat_map(|(path, text)| {
            let parts = text.parts.iter().map(|(name, edited)| (name.as_str(), edited.text.as_str()));
            std::iter::once((&**path, text.lowered.text.as_str())).chain(parts)
        })
    }

    /// Gives an engine that text of a file or of a part of it, to be read as its version of Rego.
    pub(super) fn add(&self, engine: &mut regorus::Engine, name: &str, text: &str) -> Result<(), anyhow::Error> {
        if let Some((_, whole, _)) = self.find(name) {
            engine.set_rego_v0(whole.rego_v0);
        }
        engine.add_policy(name.to_owned(), text.to_owned()).map(drop)
    }

    fn find(&self, name: &str) -> Option<(&Arc<str>, &Text, &Edited)> {
        if let Some((path, text)) = self.0.get_key_value(name) {
            return Some((path, text, &text.lowered));
        }
        // A fault has it as it is printed.
        let (path, _) = name.split_once([PART, PART_SHOWN])?;
        let (path, text) = self.0.get_key_value(path)?;
        let part = text.parts.iter().find(|(known, _)| known == name || printable(known) == name);
        part.map(|(_, edited)| (path, text, edited))
    }

    /// The author's last line; what a lowered text has after it was added.
    pub(super) fn last_line(&self, name: &str) -> Option<usize> {
        self.find(name).map(|(_, text, _)| text.written.lines().count())
    }

    /// A place of a lowered text as a place of the author's.
    pub(super) fn position(&self, place: SourcePosition) -> SourcePosition {
        let Some((path, text, edited)) = self.find(&place.file).filter(|(_, _, edited)| edited.is_changed()) else {
            return place;
        };
        let file = Arc::clone(path);
        let Some(at) = offset(&edited.text, place.line, place.column) else { return SourcePosition { file, ..place } };
        let (line, column) = line_and_column(&text.written, edited.original(at));
        SourcePosition { file, line, column }
    }

    /// A fault placed in a lowered text, placed in the author's.
    pub(super) fn relocated(&self, fault: Fault) -> Fault {
        let Some(place) = fault.position.clone() else { return fault };
        let Some((_, text, _)) = self.find(&place.file).filter(|(_, _, edited)| edited.is_changed()) else {
            return fault;
        };
        let SourcePosition { file, line, column } = self.position(place);
        fault.at(&file, &text.written, line, column, 1)
    }
}

/// The byte at a line and column, from 1 and in characters; the line's end for a column past it.
pub(super) fn offset(text: &str, line: u32, column: u32) -> Option<usize> {
    let before = usize::try_from(line.checked_sub(1)?).ok()?;
    let start = match before {
        0 => 0,
        _ => text.match_indices('\n').nth(before - 1)?.0 + 1,
    };
    let row = text.get(start..)?.split('\n').next()?;
    let skip = usize::try_from(column.saturating_sub(1)).ok()?;
    Some(start + row.char_indices().nth(skip).map_or(row.len(), |(at, _)| at))
}

/// The line and column of a byte, from 1 and in characters.
pub(super) fn line_and_column(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let row = before.rsplit('\n').next().unwrap_or_default();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
    (count(before.matches('\n').count()), count(row.chars().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_those_of_characters() {
        let text = "a\nçb\n";
        assert_eq!(offset(text, 2, 2), Some(4));
        assert_eq!(line_and_column(text, 4), (2, 2));
        assert_eq!(offset(text, 2, 99), Some(5));
        assert_eq!(offset(text, 9, 1), None);
        assert_eq!(line_and_column(text, 999), (3, 1));
    }
}
