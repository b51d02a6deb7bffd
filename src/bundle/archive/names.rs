//! Names of entries: the plain ones, and what is refused.

use std::collections::BTreeSet;

use super::{InvalidArchive, Limits, package};

/// The path below the bundle's root that an entry's name means; empty for the root itself.
pub(in crate::bundle) fn plain(raw: &[u8], folder: bool, limits: &Limits) -> Result<String, InvalidArchive> {
    let shown = || String::from_utf8_lossy(raw.get(..raw.len().min(200)).unwrap_or(raw)).escape_debug().to_string();
    let refuse = |cause| Err(InvalidArchive::Name { path: shown(), cause });
    if raw.len() > limits.name_bytes {
        return refuse("the name is too long");
    }
    let Ok(name) = std::str::from_utf8(raw) else { return refuse("the name is not UTF-8") };
    if name.contains('\\') {
        return refuse("the name has a backslash");
    }
    if name.chars().any(char::is_control) {
        return refuse("the name has a control character");
    }
    let name = match name.strip_prefix('/') {
        // `opa build` writes the root as a `/`, but only before what a bundle is made of.
        Some(rest) if !folder && is_known(rest) => rest,
        Some(_) => return refuse("the path is absolute"),
        None => name.strip_prefix("./").unwrap_or(name),
    };
    let name = if folder { name.strip_suffix('/').unwrap_or(name) } else { name };
    if folder && (name.is_empty() || name == ".") {
        return Ok(String::new());
    }
    let mut depth = 0;
    for part in name.split('/') {
        depth += 1;
        match part {
            ".." => return refuse("the path leads upwards"),
            "" | "." => return refuse("the path has an empty part"),
            _ if depth == 1 && is_drive(part) => return refuse("the path is absolute"),
            _ => {}
        }
    }
    if depth > limits.depth {
        return refuse("the path is too deep");
    }
    Ok(name.to_owned())
}

/// The first of these sorted paths that is a folder of another.
pub(in crate::bundle) fn twice<'a>(sorted: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut files = BTreeSet::new();
    for path in sorted {
        let mut folder = path;
        while let Some((above, _)) = folder.rsplit_once('/') {
            if files.contains(above) {
                return Some(above.to_owned());
            }
            folder = above;
        }
        files.insert(path);
    }
    None
}

/// Whether OPA reads a file of this name.
pub(in crate::bundle) fn is_known(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    package::is_policy(path)
        || matches!(name, "data.json" | "data.yaml" | "data.yml" | "patch.json" | ".signatures.json")
        || matches!(name, ".manifest" | ".manifest.pb" | "policy.wasm" | "plan.json" | "plan.pb")
}

fn is_drive(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}
