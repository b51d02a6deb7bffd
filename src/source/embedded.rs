//! The policies that are in the binary itself: the crate's `policies` folder, as it was when the crate was built.

use std::future;

use rust_embed::RustEmbed;

use super::{Content, Error, File, Next, Source, is_hidden, is_policy};

/// The policies in the binary: given once, and never another time.
#[derive(Debug, Default)]
pub struct Embedded {
    given: bool,
}

#[derive(RustEmbed)]
#[folder = "policies/"]
struct Policies;

impl Source for Embedded {
    fn name(&self) -> String {
        "embedded policies".to_owned()
    }

    fn next(&mut self) -> Next<'_> {
        Box::pin(async {
            if self.given {
                return future::pending().await;
            }
            self.given = true;
            Ok::<_, Error>(Content::Files(files()))
        })
    }
}

impl Embedded {
    /// Every file, sorted by path.
    #[must_use]
    pub fn files() -> Vec<File> {
        files()
    }
}

/// By the same rule as a folder on disk, so that moving `policies` there changes no decision.
fn files() -> Vec<File> {
    let mut files: Vec<File> = Policies::iter()
        .filter(|path| path.split('/').next_back().is_some_and(is_policy) && !path.split('/').any(is_hidden))
        .filter_map(|path| {
            let file = Policies::get(&path)?;
            Some(File { path: path.into_owned(), bytes: file.data.into_owned() })
        })
        .collect();
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    files
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use tokio::time::timeout;

    use super::*;
    use crate::source::read_folder;

    #[tokio::test]
    async fn gives_what_the_crate_has_once() {
        let mut source = Embedded::default();
        let Content::Files(files) = source.next().await.unwrap() else { panic!("files") };
        assert!(!files.is_empty());
        assert_eq!(files, read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")).unwrap());
        assert!(timeout(Duration::from_millis(20), source.next()).await.is_err());
    }
}
