//! Opening the file that is written to: whose it is, and where its last whole line ends.

use std::{
    fs,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::head::beside;
use crate::audit::sink::files::is_there;

pub(super) struct Opened {
    pub(super) file: fs::File,
    /// Where it is, whatever links lead there.
    pub(super) path: PathBuf,
    pub(super) length: u64,
}

/// Opens a file, as its only writer. If `durable`, the disk knows the folders that had to be made.
pub(super) fn open(path: &Path, durable: bool) -> Result<Opened, String> {
    let failed = |what: &str, error: io::Error| format!("`{}` {what}: {error}", path.display());
    make_folder(path, durable).map_err(|error| failed("has no folder, and it can't be created", error))?;
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true).read(true).mode(0o600);
    let file = options.open(path).map_err(|error| failed("can't be opened", error))?;
    if !file.metadata().map_err(|error| failed("can't be looked at", error))?.is_file() {
        return Err(format!(
            "`{}` can't be the file of a sink: it is no regular file, and would be cut and renamed (`type: stdout` is \
             for standard output)",
            path.display()
        ));
    }
    let found = fs::canonicalize(path).map_err(|error| failed("can't be looked for", error))?;
    lock(&file, &found, durable)?;
    cut(file, &found)
}

/// Cuts a file to its last whole line.
pub(super) fn cut(mut file: fs::File, path: &Path) -> Result<Opened, String> {
    let failed = |what: &str, error: io::Error| format!("`{}` {what}: {error}", path.display());
    let whole = file.metadata().map_err(|error| failed("can't be looked at", error))?.len();
    let length = whole_lines(&mut file, whole).map_err(|error| failed("can't be read", error))?;
    // Where only appending is allowed, nothing else is done.
    if length < whole {
        file.set_len(length).map_err(|error| failed("can't be cut to its last whole line", error))?;
    }
    Ok(Opened { file, path: path.to_owned(), length })
}

/// Takes what is behind the last line of a chain out of the file, and keeps it beside: a machine that fails in the middle
/// of writing may leave anything there.
pub(super) fn set_aside(opened: &mut Opened, end: u64) {
    if end >= opened.length {
        return;
    }
    let (bytes, aside) = (opened.length - end, beside(&opened.path, ".torn"));
    let (file, aside_name) = (opened.path.display(), aside.display());
    let mut copied = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut to = options.create(true).append(true).mode(0o600).open(&aside)?;
        opened.file.seek(SeekFrom::Start(end))?;
        io::copy(&mut (&opened.file).take(bytes), &mut to)?;
        to.sync_all()?;
        opened.file.set_len(end)
    };
    match copied() {
        Ok(()) => {
            tracing::error!(%file, bytes, "the decision log ended in what is no record: it is in `{aside_name}` now");
            opened.length = end;
        }
        Err(error) => {
            tracing::error!(%file, bytes, "the decision log ends in what is no record, and it can't be put aside: {error}");
        }
    }
}

/// Keeps other writers out as long as the file is open; who reads asks for no lock.
fn lock(file: &fs::File, path: &Path, durable: bool) -> Result<(), String> {
    let failed = |error: io::Error| format!("`{}` can't be locked, so it can't be durable: {error}", path.display());
    let locked = match file.try_lock() {
        // Who had it may have put it aside meanwhile.
        Ok(()) => is_there(file, path).map_err(failed)?,
        Err(fs::TryLockError::WouldBlock) => false,
        Err(fs::TryLockError::Error(error)) if durable => return Err(failed(error)),
        Err(fs::TryLockError::Error(error)) => {
            tracing::warn!(file = %path.display(), "can't be locked: that nobody else writes to it is not known: {error}");
            true
        }
    };
    if locked {
        return Ok(());
    }
    Err(format!(
        "another process, or another sink, writes to `{}`: stop it first, or give each a path of its own",
        path.display()
    ))
}

/// Makes the folders of a file.
fn make_folder(path: &Path, durable: bool) -> io::Result<()> {
    let Some(folder) = folder_of(path) else { return Ok(()) };
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    if durable {
        missing.into_iter().filter(|folder| !folder.as_os_str().is_empty()).try_for_each(sync_name)?;
    }
    Ok(())
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

/// Has the disk know the file by its name: one that is new may else be gone, with all that was synced, if the machine fails.
pub(super) fn sync_name(path: &Path) -> io::Result<()> {
    fs::File::open(folder_of(path).unwrap_or(Path::new(".")))?.sync_all()
}

/// Where the last whole line ends.
fn whole_lines(file: &mut fs::File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(1 << 16);
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = vec![0; usize::try_from(end - begin).unwrap_or_default()];
        file.read_exact(&mut bytes)?;
        if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}
