//! A chunk's bytes: a hash of the rest, the spool's time, and each record with its length.

use aws_lc_rs::digest;

/// A record with its number in the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Numbered {
    pub(in crate::audit) number: u64,
    pub(in crate::audit) line: Vec<u8>,
}

const HASH: usize = 16;

pub(super) fn encode(tick: u64, records: &[Vec<u8>]) -> Vec<u8> {
    let size: usize = records.iter().map(|record| record.len() + 4).sum();
    let mut bytes = Vec::with_capacity(HASH + 8 + size);
    bytes.resize(HASH, 0);
    bytes.extend(tick.to_le_bytes());
    for record in records {
        bytes.extend(u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(record);
    }
    let hash = digest::digest(&digest::SHA256, bytes.get(HASH..).unwrap_or_default());
    for (byte, hash) in bytes.iter_mut().zip(hash.as_ref().iter().take(HASH)) {
        *byte = *hash;
    }
    bytes
}

/// The spool's time at which it was written, if the chunk is whole.
pub(super) fn tick(bytes: &[u8]) -> Option<u64> {
    let (hash, rest) = bytes.split_at_checked(HASH)?;
    let actual = digest::digest(&digest::SHA256, rest);
    (actual.as_ref().get(..HASH)? == hash).then_some(())?;
    Some(u64::from_le_bytes(rest.get(..8)?.try_into().ok()?))
}

/// The records, if the chunk is whole.
pub(super) fn decode(first: u64, bytes: &[u8]) -> Option<Vec<Numbered>> {
    tick(bytes)?;
    let mut rest = bytes.get(HASH + 8..)?;
    let mut records = Vec::new();
    let mut number = first;
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let (line, after) = after.split_at_checked(length)?;
        records.push(Numbered { number, line: line.to_owned() });
        number += 1;
        rest = after;
    }
    Some(records)
}
