//! What a bundle's new content would change.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Good;
use crate::{
    api::administration::{Change, Changes, Kind},
    bundle::{Bundle, Package},
    policy::outline,
};

/// The most rules, and the most places of data, that are listed.
const MOST: usize = 200;

/// What differs; nothing where one of the two can't be read.
pub(super) fn between(before: Option<&Good>, after: Option<&Good>) -> Changes {
    let nothing = Package::default();
    let package = |good: Option<&Good>| good.map(|good| std::sync::Arc::clone(&good.package));
    let (before, after) = (package(before), package(after));
    let (before, after) = (before.as_deref().unwrap_or(&nothing), after.as_deref().unwrap_or(&nothing));
    let mut changes = Changes::default();
    if let (Some(old), Some(new)) = (rules(before), rules(after)) {
        for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let kind = match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) if old == new => continue,
                (Some(_), Some(_)) => Kind::Changed,
                (Some(_), None) => Kind::Removed,
                (None, _) => Kind::Added,
            };
            changes.rules.push(Change { kind, path: name.clone() });
        }
    }
    changes.truncated = changes.rules.len() > MOST;
    changes.rules.truncate(MOST);
    if let Ok(difference) = before.diff(after, MOST) {
        let crate::bundle::Changes { added, removed, changed, more } = difference.data;
        for (kind, paths) in [(Kind::Added, added), (Kind::Removed, removed), (Kind::Changed, changed)] {
            changes.data.extend(paths.into_iter().map(|path| Change { kind, path }));
        }
        changes.data.sort_by(|one, other| one.path.cmp(&other.path));
        changes.truncated |= more > 0;
    }
    changes
}

/// What each rule means, by its reference.
fn rules(package: &Package) -> Option<BTreeMap<String, Vec<String>>> {
    let files = package.files.iter().map(|file| (file.path.clone(), file.bytes.clone()));
    let bundle = Bundle::from_files(files).ok()?;
    let modules: Vec<_> = bundle.modules.iter().collect();
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for outline in outline::outlines(&modules, package.manifest.rego_version == Some(0)).ok()? {
        for (name, meanings) in outline.definitions {
            all.entry(name).or_default().extend(meanings);
        }
    }
    for meanings in all.values_mut() {
        meanings.sort();
    }
    Some(all)
}
