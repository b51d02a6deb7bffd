//! Several bundles to one policy set.

use std::{collections::BTreeMap, sync::Arc};

use super::{Bundle, InvalidBundle, outside, package::Package, roots::Roots};

/// Why bundles are no policy set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSet {
    /// It only changes another's data.
    #[error("bundle `{bundle}` is a delta; it needs the whole bundle that it changes")]
    Delta {
        /// The bundle.
        bundle: String,
    },
    /// Two bundles of one name.
    #[error("there are two bundles `{bundle}`; give each a name of its own")]
    Twice {
        /// The name.
        bundle: String,
    },
    /// Two bundles own the same path.
    #[error("bundles `{one}` and `{other}` both own `{path}`; make the `roots` of their manifests disjoint")]
    Overlap {
        /// The one bundle.
        one: String,
        /// The other.
        other: String,
        /// Below `data`, with `/`; all of `data` is empty.
        path: String,
    },
    /// A bundle has data that it does not own.
    #[error("bundle `{bundle}`: {file} has data at `{path}`, but its roots are {roots}; move it, or add to the roots")]
    Outside {
        /// The bundle.
        bundle: String,
        /// The file.
        file: String,
        /// Below `data`, with `/`.
        path: String,
        /// What it owns.
        roots: String,
    },
    /// Files of two bundles have the same path, with the bundles' names before them.
    #[error("two bundles have a file `{path}` below their names; give the bundles names that do not hold each other")]
    SamePath {
        /// The path.
        path: String,
    },
    /// A document whose place can't be told.
    #[error("bundle `{bundle}`: {file}: {cause}")]
    Data {
        /// The bundle.
        bundle: String,
        /// The file.
        file: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A file is no text.
    #[error("bundle `{bundle}`: {cause}")]
    Text {
        /// The bundle.
        bundle: String,
        /// What is wrong, and where.
        #[source]
        cause: InvalidBundle,
    },
}

/// The policy set of these bundles, by their names.
///
/// With more than one, the paths of their files get the bundle's name before them. Roots are disjoint and data is within
/// them; whether packages are is seen when policies are compiled, which is when they are read.
pub fn assemble(packages: &[(String, Arc<Package>)]) -> Result<Bundle, InvalidSet> {
    let owned: Vec<(&str, Arc<Roots>)> =
        packages.iter().map(|(name, package)| (name.as_str(), Arc::new(package.manifest.owned()))).collect();
    for (at, (one, roots)) in owned.iter().enumerate() {
        for (other, others) in owned.iter().take(at) {
            if one == other {
                return Err(InvalidSet::Twice { bundle: (*one).to_owned() });
            }
            if let Some(path) = roots.overlap(others) {
                return Err(InvalidSet::Overlap { one: (*other).to_owned(), other: (*one).to_owned(), path });
            }
        }
    }
    let mut parts = Vec::new();
    for ((name, package), (_, roots)) in packages.iter().zip(owned) {
        parts.push((name.as_str(), one(name, package, &roots)?));
    }
    let bundles = packages.iter().map(|(name, package)| (name.clone(), package.manifest.revision.clone()));
    let bundles: BTreeMap<String, String> = bundles.collect();
    let mut whole = match parts.pop() {
        Some((_, only)) if parts.is_empty() => only,
        last => {
            let mut whole = Bundle::default();
            for (name, part) in parts.into_iter().chain(last) {
                whole.take(name, part);
            }
            if let Some(path) = whole.same_path() {
                return Err(InvalidSet::SamePath { path });
            }
            whole
        }
    };
    whole.bundles = bundles;
    whole.digest = whole.hash();
    Ok(whole)
}

fn one(name: &str, package: &Package, roots: &Arc<Roots>) -> Result<Bundle, InvalidSet> {
    let bundle = || name.to_owned();
    if package.is_delta() {
        return Err(InvalidSet::Delta { bundle: bundle() });
    }
    let files = package.files.iter().map(|file| (file.path.clone(), file.bytes.clone()));
    let mut part = Bundle::from_files(files).map_err(|cause| InvalidSet::Text { bundle: bundle(), cause })?;
    let version = package.manifest.versions();
    for module in part.modules.iter_mut().chain(&mut part.tests) {
        module.version = version(&module.path);
        module.roots = Some(Arc::clone(roots));
    }
    for document in &part.data {
        let file = || document.path.clone();
        match outside::path(document, roots) {
            Ok(None) => {}
            Ok(Some(path)) => {
                return Err(InvalidSet::Outside { bundle: bundle(), file: file(), path, roots: roots.to_string() });
            }
            Err(cause) => return Err(InvalidSet::Data { bundle: bundle(), file: file(), cause }),
        }
    }
    Ok(part)
}
