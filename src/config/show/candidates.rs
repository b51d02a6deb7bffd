//! Where candidates of searches are.

use std::collections::BTreeMap;

use super::quoted;
use crate::{api::search::DataPath, config::Config};

/// The tables of `search.candidates`, if there are any.
pub(super) fn yaml(config: &Config, yaml: &mut String) {
    let mut tables: BTreeMap<&str, BTreeMap<&str, BTreeMap<Option<&str>, &str>>> = BTreeMap::new();
    for DataPath { entry_point, searched, kind, path } in config.search.candidates.iter() {
        let searches = tables.entry(entry_point.as_str()).or_default();
        searches.entry(searched.rule()).or_default().insert(kind.as_deref(), path.as_str());
    }
    if !tables.is_empty() {
        yaml.push_str("  candidates:\n");
    }
    for (entry, searches) in tables {
        yaml.extend(["    ", &quoted(entry), ":\n"]);
        for (search, paths) in searches {
            let of_type = |(kind, path): (Option<&str>, &str)| match kind {
                Some(kind) => format!("{}: {}", quoted(kind), quoted(path)),
                None => quoted(path),
            };
            let every_type = paths.contains_key(&None);
            let paths = paths.into_iter().map(of_type).collect::<Vec<_>>().join(", ");
            let value = if every_type { paths } else { format!("{{{paths}}}") };
            yaml.extend(["      ", search, ": ", &value, "\n"]);
        }
    }
}
