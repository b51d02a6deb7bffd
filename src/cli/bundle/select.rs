//! Which files of a folder go into a bundle.

use std::path::Path;

use verdict::bundle::signing::Patterns;

#[derive(Default)]
pub(super) struct Selection {
    exclude: Vec<(bool, Patterns)>,
    without_tests: bool,
}

impl Selection {
    pub(super) fn new(exclude: &[String], without_tests: bool) -> Result<Self, String> {
        let compile = |glob: &String| {
            let plain = glob.trim_end_matches('/').trim_start_matches("./");
            let patterns = Patterns::new(&[plain.to_owned()])
                .map_err(|_| format!("`{glob}` is no pattern; `*`, `?` and `[a-z]` have a meaning"))?;
            Ok((plain.contains('/'), patterns))
        };
        Ok(Self { exclude: exclude.iter().map(compile).collect::<Result<_, String>>()?, without_tests })
    }

    /// A path that is excluded takes with it what is below it.
    pub(super) fn takes(&self, path: &str) -> bool {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_known = matches!(name, "data.json" | "data.yaml" | "data.yml")
            || path == ".manifest"
            || Path::new(name).extension().is_some_and(|extension| extension == "rego") && !name.starts_with('.');
        let is_hidden = folders.split('/').any(|folder| folder.starts_with('.'));
        let is_unwanted = self.without_tests && name.ends_with("_test.rego");
        is_known && !is_hidden && !is_unwanted && !self.excludes(path)
    }

    fn excludes(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let above: Vec<&str> = ends.filter_map(|end| path.get(..end)).collect();
        self.exclude.iter().any(|(whole, patterns)| match whole {
            true => above.iter().any(|path| patterns.holds(path)),
            false => path.split('/').any(|name| patterns.holds(name)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_a_bundle_is_made_of() {
        let all = Selection::new(&[], false).unwrap();
        for path in [".manifest", "a.rego", "a/b_test.rego", "a/data.yml", "data.json"] {
            assert!(all.takes(path), "{path}");
        }
        for path in ["a.md", ".git/a.rego", "a/.x/data.json", "a/.manifest", ".signatures.json", "x.json", ".a.rego"] {
            assert!(!all.takes(path), "{path}");
        }
    }

    #[test]
    fn leaves_out_what_is_excluded() {
        let exclude = ["drafts".to_owned(), "*_old.rego".to_owned(), "a/b*".to_owned()];
        let some = Selection::new(&exclude, true).unwrap();
        for path in ["drafts/a.rego", "x/drafts/y/data.json", "x/y_old.rego", "a/bc/d.rego", "a/b.rego", "a_test.rego"]
        {
            assert!(!some.takes(path), "{path}");
        }
        for path in ["draft/a.rego", "a/c.rego", "x/a/b.rego"] {
            assert!(some.takes(path), "{path}");
        }
        assert!(Selection::new(&["[".to_owned()], false).is_err());
    }
}
