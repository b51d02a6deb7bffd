//! A chunk's bytes: what it is known by in a file that is damaged, a hash of the rest, where it belongs, and each record
//! with its length.
//!
//! It says everything that is needed to find it again without the database around it: which spool's it is, the number
//! of its first record, and which was the oldest record that waited when it was written.

use aws_lc_rs::digest;

use crate::audit::lines::Lines;

/// What a chunk says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The spool's.
    pub(super) id: u64,
    /// The number of the first record.
    pub(super) first: u64,
    /// How many records there are.
    pub(super) count: u64,
    /// The number of the oldest record that waited.
    pub(super) oldest: u64,
    /// The spool's time.
    pub(super) tick: u64,
}

/// How each chunk begins.
pub(super) const MAGIC: [u8; 8] = *b"vrdct\x01ch";

/// Up to the length, which says how long the rest is.
pub(super) const FRONT: usize = MAGIC.len() + HASH + 4;

/// How much of the hash is kept.
pub(super) const HASH: usize = 16;
const HEAD: usize = 5 * 8;

pub(super) fn encode(head: Head, records: &Lines) -> Vec<u8> {
    let size: usize = records.iter().map(|record| record.line.len() + 4).sum();
    let mut bytes = Vec::with_capacity(FRONT + HEAD + size);
    bytes.extend(MAGIC);
    bytes.resize(MAGIC.len() + HASH, 0);
    bytes.extend(u32::try_from(HEAD + size).unwrap_or(u32::MAX).to_le_bytes());
    let Head { id, first, count, oldest, tick } = head;
    for number in [id, first, count, oldest, tick] {
        bytes.extend(number.to_le_bytes());
    }
    for record in records.iter() {
        bytes.extend(u32::try_from(record.line.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(record.line);
    }
    seal(bytes)
}

/// The same chunk, whose first record has another number.
pub(super) fn numbered(mut bytes: Vec<u8>, first: u64) -> Vec<u8> {
    for (byte, digit) in bytes.iter_mut().skip(FRONT + 8).zip(first.to_le_bytes()) {
        *byte = digit;
    }
    seal(bytes)
}

/// Writes the hash of all that follows it.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, bytes.get(MAGIC.len() + HASH..).unwrap_or_default());
    for (byte, hash) in bytes.iter_mut().skip(MAGIC.len()).zip(hash.as_ref().iter().take(HASH)) {
        *byte = *hash;
    }
    bytes
}

/// How long a chunk is in all, by how it begins; `None` for what begins otherwise.
pub(super) fn length(front: &[u8]) -> Option<usize> {
    let length = front.strip_prefix(&MAGIC)?.get(HASH..HASH + 4)?;
    FRONT.checked_add(u32::from_le_bytes(length.try_into().ok()?) as usize)
}

/// What the chunk says of itself, and its hash, if it is whole.
pub(super) fn known(bytes: &[u8]) -> Option<(Head, [u8; HASH])> {
    let sum = bytes.get(MAGIC.len()..MAGIC.len() + HASH)?.try_into().ok()?;
    Some((head(bytes)?, sum))
}

/// What the chunk says of itself, if it is whole.
pub(super) fn head(bytes: &[u8]) -> Option<Head> {
    (length(bytes)? == bytes.len()).then_some(())?;
    let (hash, rest) = bytes.get(MAGIC.len()..)?.split_at_checked(HASH)?;
    let actual = digest::digest(&digest::SHA256, rest);
    (actual.as_ref().get(..HASH)? == hash).then_some(())?;
    let number = |at: usize| Some(u64::from_le_bytes(rest.get(4 + 8 * at..12 + 8 * at)?.try_into().ok()?));
    Some(Head { id: number(0)?, first: number(1)?, count: number(2)?, oldest: number(3)?, tick: number(4)? })
}

/// The records, if the chunk is whole, and the one that it should be.
pub(super) fn decode(id: u64, first: u64, bytes: &[u8]) -> Option<Lines> {
    let head = head(bytes)?;
    (head.id == id && head.first == first).then_some(())?;
    let mut rest = bytes.get(FRONT + HEAD..)?;
    let mut records = Lines::default();
    let mut number = first;
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let (line, after) = after.split_at_checked(length)?;
        records.push(number, line);
        number += 1;
        rest = after;
    }
    (records.len() as u64 == head.count).then_some(records)
}
