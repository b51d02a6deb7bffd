//! What can still be read of a spool whose database is damaged: its chunks, wherever in the file they stand. Each says
//! by itself whether it is whole, and where it belongs.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use super::chunk::{self, FRONT, Head, MAGIC};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Salvaged {
    /// The spool's id; `None` where nothing of it was found.
    pub(super) id: Option<u64>,
    /// Where the chunks that had to be delivered stand in the file, and how long they are, by their first record.
    pub(super) chunks: BTreeMap<u64, (Head, u64, usize)>,
    /// Records between them that are nowhere. What came after the last of them is not known.
    pub(super) lost: u64,
    /// The number after the last record that is known of.
    pub(super) end: u64,
}

/// How much of the file is looked through at a time.
const WINDOW: usize = 4 << 20;

/// Numbers that are left out after a salvage, so that none that a sink knows already is given again.
pub(super) const GAP: u64 = 1 << 32;

/// Looks through a file.
pub(super) fn salvage(path: &Path) -> io::Result<Salvaged> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut found: Vec<(Head, u64, usize)> = Vec::new();
    let (mut begin, mut window) = (0, Vec::new());
    while begin < size {
        file.seek(SeekFrom::Start(begin))?;
        window.clear();
        file.by_ref().take((WINDOW + FRONT) as u64).read_to_end(&mut window)?;
        for at in places(&window) {
            let front = window.get(at..).unwrap_or_default();
            let place = begin + at as u64;
            let Some(length) = chunk::length(front).filter(|length| *length as u64 <= size - place) else { continue };
            if let Some(head) = chunk::head(&read(&mut file, place, length)?) {
                found.push((head, place, length));
            }
        }
        begin += WINDOW as u64;
    }
    Ok(sorted(&found))
}

/// Where in a window a chunk may begin.
fn places(window: &[u8]) -> impl Iterator<Item = usize> {
    let last = window.len().min(WINDOW);
    let begins = window.windows(MAGIC.len()).enumerate().take(last);
    begins.filter(|(_, bytes)| *bytes == MAGIC).map(|(at, _)| at)
}

/// The bytes of a chunk.
pub(super) fn read(file: &mut File, place: u64, length: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(place))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What had to be delivered. The file has pages that are no longer used, with chunks that were delivered long ago.
fn sorted(found: &[(Head, u64, usize)]) -> Salvaged {
    let Some((newest, ..)) = found.iter().max_by_key(|(head, ..)| head.first) else { return Salvaged::default() };
    let of_spool = || found.iter().filter(|(head, ..)| head.id == newest.id);
    let oldest = of_spool().map(|(head, ..)| head.oldest).max().unwrap_or_default();
    let wanted = of_spool().filter(|(head, ..)| head.first.saturating_add(head.count) > oldest);
    let chunks: BTreeMap<u64, (Head, u64, usize)> = wanted.map(|chunk| (chunk.0.first, *chunk)).collect();
    let (mut next, mut lost) = (oldest, 0);
    for (head, ..) in chunks.values() {
        let missing = head.first.saturating_sub(next);
        // Numbers that an earlier salvage left out.
        lost += if missing >= GAP / 2 { 0 } else { missing };
        next = next.max(head.first.saturating_add(head.count));
    }
    Salvaged { id: Some(newest.id), chunks, lost, end: next }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn head(first: u64, count: u64, oldest: u64) -> Head {
        Head { id: 7, first, count, oldest, tick: first }
    }

    fn records(first: u64, count: u64) -> Vec<Vec<u8>> {
        (first..first + count).map(|number| format!("{{\"n\":{number}}}").into_bytes()).collect()
    }

    #[test]
    fn chunks_are_found_wherever_they_stand_and_what_is_missing_is_counted() {
        let mut bytes = vec![0xee; WINDOW - 20];
        let mut put = |chunk: Vec<u8>, rest: usize| {
            bytes.extend(chunk);
            bytes.extend(vec![0xee; rest]);
        };
        // Over the end of a window; delivered before; twice; damaged; the last.
        put(chunk::encode(head(10, 5, 10), &records(10, 5)), 3);
        put(chunk::encode(head(5, 5, 5), &records(5, 5)), 0);
        put(chunk::encode(head(10, 5, 10), &records(10, 5)), 900);
        let mut damaged = chunk::encode(head(15, 4, 10), &records(15, 4));
        *damaged.last_mut().unwrap() ^= 1;
        put(damaged, 0);
        put(chunk::encode(head(19, 1, 10), &records(19, 1)), 5);
        put(MAGIC.to_vec(), 2);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        File::create(&path).unwrap().write_all(&bytes).unwrap();
        let found = salvage(&path).unwrap();
        assert_eq!(found.chunks.keys().copied().collect::<Vec<_>>(), [10, 19]);
        assert_eq!((found.id, found.lost, found.end), (Some(7), 4, 20));
        let (_, place, length) = found.chunks[&10];
        let whole = read(&mut File::open(&path).unwrap(), place, length).unwrap();
        let lines: Vec<Vec<u8>> = chunk::decode(7, 10, &whole).unwrap().into_iter().map(|record| record.line).collect();
        assert_eq!(lines, records(10, 5));
        assert_eq!(chunk::decode(7, 11, &whole), None, "a chunk under another number is none");
    }

    #[test]
    fn a_chunk_with_any_bit_changed_is_none() {
        let whole = chunk::encode(head(1, 3, 1), &records(1, 3));
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(chunk::head(&changed), None, "byte {at}, bit {bit}");
            }
        }
    }
}
