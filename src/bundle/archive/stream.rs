//! The bytes of a tar out of what it is compressed with, counted.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;

use super::{InvalidArchive, Limits, tape};

/// What any archive may unpack to, however small it is.
const FLOOR: usize = 16 << 20;

/// The window that a zstd frame may ask for: 16 MiB, twice of what `zstd -19` uses.
const WINDOW_LOG: u32 = 24;

/// An unpacked stream of bytes that ends at the limits.
pub(super) struct Stream<'a> {
    bytes: Bytes<'a>,
    left: usize,
    exceeded: InvalidArchive,
}

enum Bytes<'a> {
    Plain(&'a [u8]),
    Gzip(MultiGzDecoder<&'a [u8]>),
    Zstd(zstd::Decoder<'a, &'a [u8]>),
}

impl<'a> Stream<'a> {
    pub(super) fn new(archive: &'a [u8], limits: &Limits) -> Result<Self, InvalidArchive> {
        let bytes = match archive {
            [0x1f, 0x8b, ..] => Bytes::Gzip(MultiGzDecoder::new(archive)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Bytes::Zstd(decoder(archive).map_err(|error| corrupt(&error))?),
            _ if archive.first_chunk().is_some_and(tape::is_tar) => Bytes::Plain(archive),
            _ => return Err(InvalidArchive::Format { found: looks_like(archive) }),
        };
        let by_ratio = limits.ratio.saturating_mul(archive.len()).max(FLOOR);
        let (left, exceeded) = if by_ratio < limits.unpacked_bytes {
            (by_ratio, InvalidArchive::Ratio { ratio: limits.ratio })
        } else {
            (limits.unpacked_bytes, InvalidArchive::Unpacked { limit: limits.unpacked_bytes })
        };
        Ok(Self { bytes, left, exceeded })
    }

    /// Fills as much of `buffer` as there is, and says how much that was: all of it, unless the stream has ended.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, InvalidArchive> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let read = match &mut self.bytes {
                Bytes::Plain(bytes) => bytes.read(rest),
                Bytes::Gzip(bytes) => bytes.read(rest),
                Bytes::Zstd(bytes) => bytes.read(rest),
            };
            match read {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(corrupt(&error)),
            }
        }
        self.left = self.left.checked_sub(filled).ok_or_else(|| self.exceeded.clone())?;
        Ok(filled)
    }

    /// Whether so many bytes more would be too many.
    pub(super) fn allow(&self, bytes: u64) -> Result<usize, InvalidArchive> {
        usize::try_from(bytes).ok().filter(|bytes| *bytes <= self.left).ok_or_else(|| self.exceeded.clone())
    }
}

fn decoder(archive: &[u8]) -> io::Result<zstd::Decoder<'_, &[u8]>> {
    let mut decoder = zstd::Decoder::with_buffer(archive)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(decoder)
}

/// The tape knows after which entry, and fills that in.
fn corrupt(error: &io::Error) -> InvalidArchive {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => InvalidArchive::Truncated { after: String::new() },
        _ => InvalidArchive::Corrupt { after: String::new(), cause: error.to_string() },
    }
}

fn looks_like(archive: &[u8]) -> &'static str {
    match archive {
        [] => "nothing at all",
        [b'P', b'K', ..] => "a zip archive",
        [0xfd, b'7', b'z', ..] => "an xz archive",
        [b'B', b'Z', b'h', ..] => "a bzip2 archive",
        [b'<', ..] => "a web page, perhaps of a proxy or a login",
        [b'{' | b'[', ..] => "JSON, perhaps a server's error",
        _ => "neither gzip, zstd nor tar",
    }
}
