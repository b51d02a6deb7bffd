//! Decompresses in turns: of a small body much may come, or much work.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use super::{Fault, Text};
use crate::api::{caller::Unpacked, deadline::Deadline};

/// What is decompressed, in bytes, before other requests get a turn.
const TURN: usize = 64 << 10;

/// What is read for it, in bytes, before other requests get a turn: of nothing, there may be any number of members.
const READ: usize = 8 << 10;

/// What `bytes` are once they are decompressed; nothing where that is more than `limit`.
pub(super) async fn decompressed(bytes: &[u8], limit: usize, deadline: Deadline) -> Result<Option<Text>, Fault> {
    let (mut text, mut room) = (Vec::new(), Unpacked::here());
    let mut decoder = MultiGzDecoder::new(Portions { rest: bytes, left: READ });
    loop {
        deadline.left()?;
        let before = text.len();
        let ended = match decoder.by_ref().take(TURN as u64).read_to_end(&mut text) {
            Ok(_) => text.len() == before,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(_) => return Err(Fault::invalid("could not decompress the body: it is no gzip, or broke off")),
        };
        if text.len() > limit {
            return Ok(None);
        }
        room.grow(text.capacity())?;
        if ended {
            return Ok(Some(Text { bytes: text, _room: Some(room) }));
        }
        decoder.get_mut().left = READ;
        tokio::task::yield_now().await;
    }
}

/// Bytes of which only so many are there in a turn.
struct Portions<'a> {
    rest: &'a [u8],
    left: usize,
}

impl Read for Portions<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Portions<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let (now, later) = self.rest.split_at(self.left.min(self.rest.len()));
        if now.is_empty() && !later.is_empty() { Err(ErrorKind::WouldBlock.into()) } else { Ok(now) }
    }

    fn consume(&mut self, read: usize) {
        self.rest = self.rest.get(read..).unwrap_or_default();
        self.left = self.left.saturating_sub(read);
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, time::Duration};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    async fn read(bytes: &[u8]) -> Option<Result<Vec<u8>, Fault>> {
        let text = decompressed(bytes, 1 << 20, Deadline::within(Duration::from_secs(60))).await.transpose()?;
        Some(text.map(|text| text.bytes))
    }

    #[tokio::test]
    async fn what_is_read_in_turns_is_read_whole() {
        // It hardly becomes smaller, so that turns end at every place of a member.
        let noise: Vec<u8> = (0..300_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        let mut all = gzip(&noise);
        for length in [0, 1, 7, 50, 8_000, 8_191, 9_000] {
            all.extend(gzip(&noise[..length]));
        }
        let lengths = [300_000, 0, 1, 7, 50, 8_000, 8_191, 9_000];
        let wanted: Vec<u8> = lengths.iter().flat_map(|length| &noise[..*length]).copied().collect();
        assert_eq!(read(&all).await.unwrap().unwrap(), wanted);
        for cut in (1..60).chain([all.len() / 2]) {
            let broken = &all[..all.len() - cut];
            assert!(read(broken).await.unwrap().is_err(), "without its last {cut} bytes");
        }
        assert!(read(&gzip(&vec![0; 2 << 20])).await.is_none(), "it is too large");
    }

    #[tokio::test]
    async fn members_of_nothing_give_others_a_turn() {
        let many = gzip(b"").repeat(50_000);
        let mut turns = 0;
        let others = async {
            loop {
                turns += 1;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            read = read(&many) => assert_eq!(read.unwrap().unwrap(), b""),
            () = others => {}
        }
        assert!(turns >= many.len() / READ, "{turns}");
    }
}
