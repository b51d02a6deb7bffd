//! The paths below `data` that a bundle owns.

use std::fmt;

/// What a bundle owns; all of `data` where nothing is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots(Vec<Vec<String>>);

impl Default for Roots {
    fn default() -> Self {
        Self(vec![Vec::new()])
    }
}

impl Roots {
    /// Those of a manifest: paths with `/`, at whose ends more of them mean nothing. An empty one is all of `data`.
    #[must_use]
    pub fn new(roots: &[String]) -> Self {
        let parts = |root: &String| match root.trim_matches('/') {
            "" => Vec::new(),
            root => root.split('/').map(str::to_owned).collect(),
        };
        Self(roots.iter().map(parts).collect())
    }

    /// Whether this path is theirs.
    #[must_use]
    pub fn own(&self, path: &[String]) -> bool {
        self.0.iter().any(|root| path.starts_with(root))
    }

    /// Whether something below this path is theirs.
    #[must_use]
    pub fn reach_below(&self, path: &[String]) -> bool {
        self.0.iter().any(|root| root.starts_with(path))
    }

    /// The first path that is theirs and the other's: the deeper of the two roots.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> Option<String> {
        let deeper = |one: &Vec<String>| {
            let both = |two: &&Vec<String>| one.starts_with(two) || two.starts_with(one);
            other.0.iter().find(both).map(|two| if one.len() > two.len() { one } else { two }.join("/"))
        };
        self.0.iter().find_map(deeper)
    }

    /// Whether they are the same, in whatever order.
    pub(super) fn same(&self, other: &Self) -> bool {
        let sorted = |roots: &Self| {
            let mut sorted = roots.0.clone();
            sorted.sort();
            sorted
        };
        sorted(self) == sorted(other)
    }

    /// Two of them that overlap.
    pub(super) fn overlap_within(&self) -> Option<(String, String)> {
        // Sorted, a root comes directly before those below it.
        let mut sorted: Vec<&Vec<String>> = self.0.iter().collect();
        sorted.sort();
        sorted.windows(2).find_map(|pair| match pair {
            [one, other] if other.starts_with(one) => Some((one.join("/"), other.join("/"))),
            _ => None,
        })
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
