//! A bundle to an archive: the same bundle is always the same bytes.

use std::io::{self, Write as _};

use flate2::GzBuilder;
use tar::{EntryType, Header};

use super::package::Package;

/// What an archive is compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip, which OPA reads.
    Gzip,
    /// zstd, which is smaller and faster, and which OPA does not read.
    Zstd,
    /// A plain tar.
    None,
}

const BLOCK: usize = 512;
const LONG_NAME: usize = 100;

impl Package {
    /// The archive: sorted, without times and owners, `/` before each name as `opa build` has it.
    #[must_use]
    pub fn write(&self, compression: Compression) -> Vec<u8> {
        let mut tar = Vec::new();
        for (path, bytes) in self.all() {
            entry(&mut tar, path, bytes);
        }
        tar.resize(tar.len() + 2 * BLOCK, 0);
        let compressed = match compression {
            Compression::Gzip => gzip(&tar),
            Compression::Zstd => zstd(&tar),
            Compression::None => return tar,
        };
        // Only memory can be lacking; a plain tar needs no more of it, and is read just as well.
        compressed.unwrap_or(tar)
    }
}

fn gzip(tar: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(tar)?;
    encoder.finish()
}

fn zstd(tar: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 9)?;
    encoder.include_checksum(true)?;
    encoder.write_all(tar)?;
    encoder.finish()
}

fn entry(tar: &mut Vec<u8>, path: &str, bytes: &[u8]) {
    // A name that OPA does not read stays below the root: an absolute one would be refused.
    let name = if super::archive::is_known(path) { format!("/{path}") } else { path.to_owned() };
    if name.len() > LONG_NAME {
        let mut long = name.clone().into_bytes();
        long.push(0);
        record(tar, b"././@LongLink", EntryType::GNULongName, &long);
    }
    let end = name.len().min(LONG_NAME);
    record(tar, name.as_bytes().get(..end).unwrap_or_default(), EntryType::Regular, bytes);
}

fn record(tar: &mut Vec<u8>, name: &[u8], kind: EntryType, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    for (to, from) in header.as_old_mut().name.iter_mut().zip(name) {
        *to = *from;
    }
    header.set_entry_type(kind);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    tar.extend_from_slice(header.as_bytes());
    tar.extend_from_slice(bytes);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
}
