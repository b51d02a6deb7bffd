//! The paths below `data` that a bundle owns.

use std::{collections::BTreeSet, fmt, ops::Bound};

/// What a bundle owns; all of `data` where nothing is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots(BTreeSet<Vec<String>>);

impl Default for Roots {
    fn default() -> Self {
        Self(BTreeSet::from([Vec::new()]))
    }
}

impl Roots {
    /// Those of a manifest: paths with `/`, at whose ends more of them mean nothing. An empty one is all of `data`.
    #[must_use]
    pub fn new(roots: &[String]) -> Self {
        Self(roots.iter().map(|root| parts(root)).collect())
    }

    /// Whether this path is theirs.
    #[must_use]
    pub fn own(&self, path: &[String]) -> bool {
        (0..=path.len()).any(|length| path.get(..length).is_some_and(|above| self.0.contains(above)))
    }

    /// Whether something below this path is theirs.
    #[must_use]
    pub fn reach_below(&self, path: &[String]) -> bool {
        let from = (Bound::Included(path), Bound::Unbounded);
        self.0.range::<[String], _>(from).next().is_some_and(|root| root.starts_with(path))
    }

    /// The first path that is theirs and the other's: the deeper of the two roots.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> Option<String> {
        let within =
            |inner: &Self, outer: &Self| inner.0.iter().find(|root| outer.own(root)).map(|root| root.join("/"));
        within(self, other).or_else(|| within(other, self))
    }

    /// Two of a manifest's that overlap.
    pub(super) fn overlap_within(roots: &[String]) -> Option<(String, String)> {
        // Sorted, a root comes directly before those below it.
        let mut sorted: Vec<Vec<String>> = roots.iter().map(|root| parts(root)).collect();
        sorted.sort();
        sorted.windows(2).find_map(|pair| match pair {
            [one, other] if other.starts_with(one) => Some((one.join("/"), other.join("/"))),
            _ => None,
        })
    }
}

fn parts(root: &str) -> Vec<String> {
    match root.trim_matches('/') {
        "" => Vec::new(),
        root => root.split('/').map(str::to_owned).collect(),
    }
}

impl fmt::Display for Roots {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |root: &Vec<String>| format!("`{}`", root.join("/"));
        let shown: Vec<String> = self.0.iter().take(8).map(shown).collect();
        out.write_str(&shown.join(", "))?;
        if self.0.len() > 8 { out.write_str(", …") } else { Ok(()) }
    }
}
