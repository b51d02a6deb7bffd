//! The last good bundles on disk: what a server starts on while its sources are still asked.
//!
//! Archives are named by what they hash to and never changed; `current.json` names those of one set, and takes the place
//! of the one before it by a rename. So whenever the process ends, the old or the new set is there whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{ByName, build::Good};
use crate::{
    bundle::{Compression, Limits, Package},
    decision::Digest,
};

/// The version of `current.json`.
const FORMAT: u32 = 1;

/// The folder of the last good bundles.
pub(super) struct Store {
    folder: PathBuf,
    // Held, so that no other process uses the folder.
    _lock: File,
    // What was written before, by the package's digest, so that it is not packed again.
    known: BTreeMap<Digest, String>,
}

/// A set as it is on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Current {
    format: u32,
    /// The number that it was published under.
    sequence: u64,
    /// Whether it was activated by hand, so that sources don't replace it.
    pinned: bool,
    bundles: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The archive's SHA-256, which is its name.
    archive: String,
    /// What the author calls the content, for people who look into the file.
    revision: String,
    /// By which keys it was verified.
    #[serde(default)]
    trusted: Option<String>,
}

/// What is known of a bundle's content without having it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) digest: Digest,
    /// What the author calls it.
    pub(super) revision: String,
    pub(super) trusted: Option<String>,
    /// What it owns.
    pub(super) roots: Vec<String>,
}

/// A set that was read.
pub(super) struct Saved {
    pub(super) sequence: u64,
    pub(super) pinned: bool,
    pub(super) good: BTreeMap<String, Good>,
}

impl Store {
    /// Opens the folder, and makes it if need be. What is on a disk that can only be read can still be served.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder.join("bundles"))?;
        let lock = lock_file(&folder.join("lock"))?;
        lock.try_lock().map_err(|error| io::Error::other(format!("another server uses the folder: {error}")))?;
        Ok(Self { folder: folder.to_owned(), _lock: lock, known: BTreeMap::new() })
    }

    /// The last set; `None` where there never was one. What is not whole is an error.
    pub(super) fn load(&mut self) -> io::Result<Option<Saved>> {
        let text = match fs::read(self.folder.join("current.json")) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let broken = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let current: Current =
            serde_json::from_slice(&text).map_err(|error| broken(format!("current.json: {error}")))?;
        if current.format != FORMAT {
            return Err(broken(format!("current.json has format {}, and this program reads {FORMAT}", current.format)));
        }
        let mut good = BTreeMap::new();
        for (name, Entry { archive, revision: _, trusted }) in current.bundles {
            if archive.len() != 64 || !archive.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(broken(format!("bundle `{name}`: `archive` is no SHA-256")));
            }
            let path = self.archive(&archive);
            let bytes = fs::read(&path).map_err(|error| broken(format!("{}: {error}", path.display())))?;
            if hash(&bytes) != archive {
                return Err(broken(format!("{}: the content is not what its name says", path.display())));
            }
            let package = Package::read(&bytes, &Limits::default())
                .map_err(|error| broken(format!("{}: {error}", path.display())))?;
            let one = Good::of(package, trusted);
            self.known.insert(one.digest, archive);
            good.insert(name, one);
        }
        Ok(Some(Saved { sequence: current.sequence, pinned: current.pinned, good }))
    }

    /// Writes a set. Until this returns, the one before it is what [`Self::load`] finds; what `others` still need stays.
    /// Of `content`, what is not on disk yet is needed.
    pub(super) fn save(
        &mut self,
        (sequence, pinned): (u64, bool),
        set: &ByName<Kept>,
        content: &ByName<Good>,
        others: &BTreeSet<Digest>,
    ) -> io::Result<()> {
        let mut bundles = BTreeMap::new();
        for (name, Kept { digest, revision, trusted, roots: _ }) in set {
            let archive = self.put(*digest, content.get(name))?;
            let entry = Entry { archive, revision: revision.clone(), trusted: trusted.clone() };
            bundles.insert(name.clone(), entry);
        }
        sync(&self.folder.join("bundles"))?;
        let current = Current { format: FORMAT, sequence, pinned, bundles };
        let mut text = serde_json::to_vec_pretty(&current)?;
        text.push(b'\n');
        Self::replace(&self.folder.join("current.json"), &text)?;
        sync(&self.folder)?;
        let needed = |digest: &Digest| others.contains(digest) || set.values().any(|kept| kept.digest == *digest);
        self.known.retain(|digest, _| needed(digest));
        self.sweep();
        Ok(())
    }

    fn put(&mut self, digest: Digest, content: Option<&Good>) -> io::Result<String> {
        if let Some(known) = self.known.get(&digest).filter(|known| self.archive(known).exists()) {
            return Ok(known.clone());
        }
        let good = content.filter(|good| good.digest == digest);
        let good = good.ok_or_else(|| io::Error::other("its content is no longer there"))?;
        let bytes = good.package.write(Compression::Zstd);
        let name = hash(&bytes);
        Self::replace(&self.archive(&name), &bytes)?;
        self.known.insert(digest, name.clone());
        Ok(name)
    }

    /// Removes the archives that no set needs. One that can't be removed is only room that is lost.
    fn sweep(&self) {
        let Ok(files) = fs::read_dir(self.folder.join("bundles")) else { return };
        for file in files.flatten() {
            let name = file.file_name();
            let kept = name.to_str().and_then(|name| name.strip_suffix(".tar.zst"));
            if !kept.is_some_and(|kept| self.known.values().any(|known| known == kept)) {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn archive(&self, name: &str) -> PathBuf {
        self.folder.join("bundles").join(format!("{name}.tar.zst"))
    }

    /// Writes beside, then renames over.
    fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&beside, path)
    }
}

/// Makes names in a folder as lasting as the files.
/// The file that is locked, opened to be read only, so that it keeps nobody from making the disk read-only.
fn lock_file(path: &Path) -> io::Result<File> {
    if !path.exists() {
        File::create(path)?;
    }
    File::open(path)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn hash(bytes: &[u8]) -> String {
    let digest = Digest(Sha256::digest(bytes).into());
    digest.to_string().trim_start_matches("sha256:").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle;

    fn good(text: &str) -> Good {
        let files = [("a.rego", text), (".manifest", r#"{"revision": "r", "metadata": {"sequence": 4}}"#)];
        let files = files.map(|(path, text)| bundle::File { path: path.to_owned(), bytes: text.into() });
        Good::of(Package::from_files(files).unwrap(), Some("key".to_owned()))
    }

    fn save(store: &mut Store, number: (u64, bool), text: &str, others: &BTreeSet<Digest>) {
        let set = BTreeMap::from([("one".to_owned(), good(text)), ("two".to_owned(), good("package two"))]);
        let kept = set.iter().map(|(name, good)| (name.clone(), good.kept())).collect();
        store.save(number, &kept, &set, others).unwrap();
    }

    #[test]
    fn reads_what_it_wrote_and_keeps_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        assert!(store.load().unwrap().is_none());
        save(&mut store, (1, false), "package a", &BTreeSet::new());
        let others = BTreeSet::from([good("package a").digest]);
        save(&mut store, (7, true), "package b", &others);
        let count = || fs::read_dir(folder.path().join("bundles")).unwrap().count();
        assert_eq!(count(), 3);
        save(&mut store, (8, true), "package b", &BTreeSet::new());
        assert_eq!(count(), 2);
        assert!(Store::open(folder.path()).is_err(), "one server a folder");
        drop(store);
        let saved = Store::open(folder.path()).unwrap().load().unwrap().unwrap();
        assert_eq!((saved.sequence, saved.pinned), (8, true));
        let one = &saved.good["one"];
        assert_eq!((one.digest, one.sequence), (good("package b").digest, Some(4)));
        assert_eq!(one.trusted.as_deref(), Some("key"));
    }

    #[test]
    fn what_is_not_whole_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        save(&mut store, (1, false), "package a", &BTreeSet::new());
        let current = folder.path().join("current.json");
        let text = fs::read_to_string(&current).unwrap();
        for broken in [
            "",
            "{",
            "[]",
            &text.replace("\"format\": 1", "\"format\": 2"),
            &text.replace("\"archive\": \"", "\"archive\": \"../"),
        ] {
            fs::write(&current, broken).unwrap();
            assert!(store.load().is_err(), "{broken}");
        }
        fs::write(&current, &text).unwrap();
        assert!(store.load().unwrap().is_some());
        let archive = fs::read_dir(folder.path().join("bundles")).unwrap().next().unwrap().unwrap().path();
        let bytes = fs::read(&archive).unwrap();
        for broken in [&bytes[..bytes.len() - 1], &[0; 100], &[]] {
            fs::write(&archive, broken).unwrap();
            assert!(store.load().is_err());
        }
        fs::remove_file(&archive).unwrap();
        assert!(store.load().is_err());
    }
}
