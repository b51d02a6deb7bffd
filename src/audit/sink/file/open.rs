//! Opening the file that is written to: where its last whole line ends, and how far its chain is.

use std::{
    fs,
    io::{BufRead as _, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde::Deserialize;

use super::hold::is_there;
use crate::audit::{
    chain::{CHECKPOINT, State, hash},
    sink::files,
};

pub(super) struct Opened {
    pub(super) file: fs::File,
    pub(super) length: u64,
    pub(super) state: State,
    pub(super) last: Option<(u64, u64)>,
}

#[derive(Deserialize)]
struct Line {
    schema: Option<String>,
    chain: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    seq: u64,
    from: Option<String>,
}

/// How much of a file's end is read first.
const TAIL: u64 = 4 << 20;

/// Opens a file, `alone` if nobody else may write to it.
pub(super) fn open(path: &Path, chained: bool, alone: bool) -> Result<Opened, String> {
    let failed = |what: &str, error: std::io::Error| format!("`{}` {what}: {error}", path.display());
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| failed("has no folder, and it can't be created", error))?;
    }
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true).read(true).mode(0o600);
    let file = options.open(path).map_err(|error| failed("can't be opened", error))?;
    if alone {
        lock(&file, path)?;
    }
    let mut opened = cut(file, path)?;
    if chained {
        let found = files::find(path).map_err(|error| failed("can't be looked for", error))?;
        // The file that is written to may be empty, just after a rotation.
        for file in found.iter().rev() {
            if resume(&file.path, &mut opened).map_err(|error| failed("can't be read", error))? {
                break;
            }
        }
    }
    Ok(opened)
}

/// Cuts a file to its last whole line.
pub(super) fn cut(mut file: fs::File, path: &Path) -> Result<Opened, String> {
    let failed = |what: &str, error: std::io::Error| format!("`{}` {what}: {error}", path.display());
    let length = whole_lines(&mut file).map_err(|error| failed("can't be read", error))?;
    file.set_len(length).map_err(|error| failed("can't be cut to its last whole line", error))?;
    Ok(Opened { file, length, state: State::start(), last: None })
}

/// Keeps other writers out as long as the file is open; who reads asks for no lock.
fn lock(file: &fs::File, path: &Path) -> Result<(), String> {
    let failed =
        |error: std::io::Error| format!("`{}` can't be locked, so it can't be durable: {error}", path.display());
    let locked = match file.try_lock() {
        // Who had it may have put it aside meanwhile.
        Ok(()) => is_there(file, path).map_err(failed)?,
        Err(fs::TryLockError::WouldBlock) => false,
        Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
    };
    if locked {
        return Ok(());
    }
    Err(format!(
        "another process, or another sink, writes to `{}`: stop it first, or give each a path of its own",
        path.display()
    ))
}

/// Has the disk know the file by its name: one that is new may else be gone, with all that was synced, if the machine fails.
pub(super) fn sync_name(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

/// Where the last whole line ends.
fn whole_lines(file: &mut fs::File) -> std::io::Result<u64> {
    let length = file.metadata()?.len();
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

/// Reads how far the chain of a file is; whether it has a line.
fn resume(path: &Path, opened: &mut Opened) -> std::io::Result<bool> {
    let mut reader = files::lines(path)?;
    if path.extension().is_none_or(|extension| extension != "gz" && extension != "zst") {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        if length > TAIL {
            file.seek(SeekFrom::Start(length - TAIL))?;
            let mut rest = std::io::BufReader::new(file);
            let mut partial = Vec::new();
            rest.read_until(b'\n', &mut partial)?;
            reader = Box::new(rest);
        }
    }
    let mut last: Option<Vec<u8>> = None;
    let mut unsealed = 0;
    let mut from = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        if let Ok(read) = serde_json::from_slice::<Line>(text) {
            unsealed = if read.schema.as_deref() == Some(CHECKPOINT) { 0 } else { unsealed + 1 };
            from = read.chain.and_then(|link| link.from).or(from);
            last = Some(text.to_owned());
        }
    }
    let Some(last) = last else { return Ok(false) };
    let seq = serde_json::from_slice::<Line>(&last).ok().and_then(|line| line.chain).map(|link| link.seq);
    opened.state = State { seq: seq.map_or(1, |seq| seq + 1), prev: hash(&last), unsealed };
    opened.last = from.and_then(|from| {
        let (spool, number) = from.split_once('/')?;
        Some((u64::from_str_radix(spool, 16).ok()?, number.parse().ok()?))
    });
    Ok(true)
}
