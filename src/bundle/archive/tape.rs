//! The entries of a tar (POSIX.1-2017 ustar and pax, GNU's long names), and nothing that a bundle has no use for.

use tar::{EntryType, Header};

use super::{InvalidArchive, Limits, names, pax, stream::Stream};

const BLOCK: usize = 512;
/// The largest extended header.
const MAX_EXTENSION: u64 = 64 << 10;

/// A file or a folder.
pub(super) struct Entry {
    /// Below the bundle's root; empty for the root.
    pub(super) path: String,
    pub(super) size: usize,
    pub(super) folder: bool,
}

/// A tar, read entry by entry: after each, its content must be taken or skipped.
pub(super) struct Tape<'a> {
    stream: Stream<'a>,
    limits: &'a Limits,
    entries: usize,
    /// The last entry that was whole.
    last: String,
}

/// What headers before an entry say of it.
#[derive(Default)]
struct Before {
    path: Option<Vec<u8>>,
    size: Option<u64>,
    any: bool,
}

/// Whether a tar begins so.
pub(super) fn is_tar(block: &[u8; BLOCK]) -> bool {
    block.iter().all(|byte| *byte == 0) || is_summed(block)
}

impl<'a> Tape<'a> {
    pub(super) fn new(stream: Stream<'a>, limits: &'a Limits) -> Self {
        Self { stream, limits, entries: 0, last: String::new() }
    }

    /// The next entry; `None` at the mark of the end.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, InvalidArchive> {
        let mut before = Before::default();
        loop {
            let block = self.block()?;
            if block.iter().all(|byte| *byte == 0) {
                return if before.any { Err(self.extension("belongs to no entry")) } else { Ok(None) };
            }
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(InvalidArchive::TooMany { limit: self.limits.entries });
            }
            if !is_summed(&block) {
                return Err(self.corrupt("a header's checksum is wrong"));
            }
            let header = Header::from_byte_slice(&block);
            let size = header.entry_size().map_err(|_| self.corrupt("a header's size is no number"))?;
            match header.entry_type() {
                EntryType::Regular => return self.entry(header, size, false, &before).map(Some),
                EntryType::Directory => return self.entry(header, size, true, &before).map(Some),
                kind @ (EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName) => {
                    if before.any {
                        return Err(self.extension("follows another"));
                    }
                    before = self.before(kind, size)?;
                }
                kind => {
                    let path = before.path.unwrap_or_else(|| header.path_bytes().into_owned());
                    let path = String::from_utf8_lossy(&path).escape_debug().to_string();
                    return Err(InvalidArchive::Kind { path, kind: kind_name(kind) });
                }
            }
        }
    }

    /// The bytes of the entry that was given last.
    pub(super) fn content(&mut self, entry: &Entry) -> Result<Vec<u8>, InvalidArchive> {
        let bytes = self.bytes(entry.size)?;
        self.last.clone_from(&entry.path);
        Ok(bytes)
    }

    /// Passes over the bytes of the entry that was given last.
    pub(super) fn skip(&mut self, entry: &Entry) -> Result<(), InvalidArchive> {
        let (mut left, mut buffer) = (padded(entry.size), [0; 32 * BLOCK]);
        while left > 0 {
            let length = left.min(buffer.len());
            self.exact(buffer.get_mut(..length).unwrap_or_default())?;
            left -= length;
        }
        self.last.clone_from(&entry.path);
        Ok(())
    }

    /// Makes sure that nothing but zeros follows the mark of the end, and that the stream is whole.
    pub(super) fn end(&mut self) -> Result<(), InvalidArchive> {
        let mut buffer = [0; 32 * BLOCK];
        loop {
            let read = self.stream.fill(&mut buffer).map_err(|error| placed(error, &self.last))?;
            if buffer.iter().take(read).any(|byte| *byte != 0) {
                return Err(InvalidArchive::Trailing);
            }
            if read < buffer.len() {
                return Ok(());
            }
        }
    }

    fn entry(&self, header: &Header, size: u64, folder: bool, before: &Before) -> Result<Entry, InvalidArchive> {
        if before.size.is_some_and(|said| said != size) {
            return Err(self.extension("gives another size than the header"));
        }
        let in_header = header.path_bytes();
        let path = names::plain(before.path.as_deref().unwrap_or(&in_header), folder, self.limits)?;
        if before.path.is_none() && goes_on_after_its_end(header) {
            return Err(InvalidArchive::Name { path, cause: "the name has a NUL" });
        }
        if folder && size > 0 {
            return Err(InvalidArchive::Kind { path, kind: "a folder with content" });
        }
        Ok(Entry { path, size: self.stream.allow(size)?, folder })
    }

    fn before(&mut self, kind: EntryType, size: u64) -> Result<Before, InvalidArchive> {
        if size > MAX_EXTENSION {
            return Err(self.extension("is too large"));
        }
        let size = self.stream.allow(size)?;
        let mut bytes = self.bytes(size)?;
        if kind == EntryType::GNULongName {
            // GNU tar ends the name with a NUL.
            if bytes.last() == Some(&0) {
                bytes.pop();
            }
            return Ok(Before { path: Some(bytes), size: None, any: true });
        }
        let global = kind == EntryType::XGlobalHeader;
        let pax::Said { path, size } = pax::read(&bytes, global).map_err(|cause| self.extension(cause))?;
        Ok(Before { path, size, any: !global })
    }

    fn block(&mut self) -> Result<[u8; BLOCK], InvalidArchive> {
        let mut block = [0; BLOCK];
        self.exact(&mut block)?;
        Ok(block)
    }

    /// So many bytes, and passes over what pads them.
    fn bytes(&mut self, size: usize) -> Result<Vec<u8>, InvalidArchive> {
        let mut bytes = vec![0; size];
        self.exact(&mut bytes)?;
        let mut padding = [0; BLOCK];
        self.exact(padding.get_mut(..padded(size) - size).unwrap_or_default())?;
        Ok(bytes)
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), InvalidArchive> {
        let length = buffer.len();
        let read = self.stream.fill(buffer).map_err(|error| placed(error, &self.last))?;
        if read == length { Ok(()) } else { Err(InvalidArchive::Truncated { after: self.last.clone() }) }
    }

    fn corrupt(&self, cause: &str) -> InvalidArchive {
        InvalidArchive::Corrupt { after: self.last.clone(), cause: cause.to_owned() }
    }

    fn extension(&self, cause: impl Into<String>) -> InvalidArchive {
        InvalidArchive::Extension { after: self.last.clone(), cause: cause.into() }
    }
}

fn placed(error: InvalidArchive, last: &str) -> InvalidArchive {
    match error {
        InvalidArchive::Truncated { .. } => InvalidArchive::Truncated { after: last.to_owned() },
        InvalidArchive::Corrupt { cause, .. } => InvalidArchive::Corrupt { after: last.to_owned(), cause },
        error => error,
    }
}

/// A size rounded up to whole blocks. Sizes are within the limits, far from overflow.
fn padded(size: usize) -> usize {
    size.next_multiple_of(BLOCK)
}

/// Whether the header's checksum is that of its bytes, its own taken as spaces.
fn is_summed(block: &[u8; BLOCK]) -> bool {
    let own = 148..156;
    let sum = |(at, byte): (usize, &u8)| u32::from(if own.contains(&at) { b' ' } else { *byte });
    let sum: u32 = block.iter().enumerate().map(sum).sum();
    Header::from_byte_slice(block).cksum().is_ok_and(|said| said == sum)
}

/// Whether bytes follow the NUL that ends the name: readers disagree on what such a name is.
fn goes_on_after_its_end(header: &Header) -> bool {
    let goes_on = |field: &[u8]| field.iter().skip_while(|byte| **byte != 0).any(|byte| *byte != 0);
    let prefix = header.as_ustar().is_some_and(|ustar| goes_on(&ustar.prefix));
    prefix || goes_on(&header.as_old().name)
}

fn kind_name(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "a hard link",
        EntryType::Symlink | EntryType::GNULongLink => "a symbolic link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of an unknown type",
    }
}
