//! The names of a file and of the full ones beside it, and their lines.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// One file of a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audit) struct Found {
    /// Rises with time; the file that is written to has the greatest.
    pub(in crate::audit) number: u64,
    pub(in crate::audit) path: PathBuf,
}

/// Greater is no number of a full file: eight digits are a date.
const MOST: u64 = 10_000_000;

/// What a full file is called: `decisions.log.000001`.
pub(super) fn full_name(path: &Path, number: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number:06}"));
    PathBuf::from(name)
}

/// The files of a log in their order: the full ones, then the one that is written to. Of one that is there both as it
/// was and compressed, the compression was not finished.
pub(in crate::audit) fn find(path: &Path) -> io::Result<Vec<Found>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file = entry.file_name();
        let Some(rest) = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.')) else { continue };
        let digits = rest.strip_suffix(".gz").or_else(|| rest.strip_suffix(".zst")).unwrap_or(rest);
        // `decisions.log.20261129` is somebody else's.
        if let Ok(number) = digits.parse()
            && (1..MOST).contains(&number)
            && format!("{number:06}") == digits
        {
            found.push(Found { number, path: entry.path() });
        }
    }
    found.sort();
    // `x` sorts before `x.gz`.
    found.dedup_by(|later, earlier| later.number == earlier.number);
    if path.exists() {
        found.push(Found { number: u64::MAX, path: path.to_owned() });
    }
    Ok(found)
}

/// The lines of a file, unpacked by its name.
pub(in crate::audit) fn lines(path: &Path) -> io::Result<Box<dyn BufRead>> {
    unpack(fs::File::open(path)?, path)
}

/// The lines of a file that is open.
pub(in crate::audit) fn unpack(file: fs::File, path: &Path) -> io::Result<Box<dyn BufRead>> {
    let unpacked: Box<dyn Read> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::new(file)?),
        _ => Box::new(file),
    };
    Ok(Box::new(BufReader::with_capacity(1 << 16, unpacked)))
}

/// Whether a file is the one that has this name.
pub(in crate::audit) fn is_there(file: &fs::File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
