//! What can still be read of a spool whose database is damaged: its chunks, wherever in the file they stand. Each says
//! by itself whether it is whole, and where it belongs.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use super::chunk::{self, FRONT, HASH, Head, MAGIC};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Salvaged {
    /// The spool's id; `None` where nothing of it was found.
    pub(super) id: Option<u64>,
    /// The chunks that had to be delivered, by the number that their first record has from now on.
    pub(super) chunks: BTreeMap<u64, Found>,
    /// Records between them that are nowhere. What came after the last of them is not known.
    pub(super) lost: u64,
    /// The number after the last record that is known of.
    pub(super) end: u64,
}

/// A chunk in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) head: Head,
    /// By which it differs from another one of the same numbers.
    sum: [u8; HASH],
    place: u64,
    pub(super) length: usize,
}

/// How much of the file is looked through at a time.
const WINDOW: usize = 4 << 20;

/// Numbers that are left out after a salvage, so that none that a sink knows already is given again.
pub(super) const GAP: u64 = 1 << 32;

/// Looks through a file.
pub(super) fn salvage(path: &Path) -> io::Result<Salvaged> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut found = Vec::new();
    let (mut begin, mut window) = (0, Vec::new());
    while begin < size {
        file.seek(SeekFrom::Start(begin))?;
        window.clear();
        file.by_ref().take((WINDOW + FRONT) as u64).read_to_end(&mut window)?;
        for at in places(&window) {
            let front = window.get(at..).unwrap_or_default();
            let place = begin + at as u64;
            let Some(length) = chunk::length(front).filter(|length| *length as u64 <= size - place) else { continue };
            if let Some((head, sum)) = chunk::known(&read(&mut file, place, length)?) {
                found.push(Found { head, sum, place, length });
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

impl Found {
    /// Its bytes, as of a chunk whose first record has that number.
    pub(super) fn read(&self, file: &mut File, first: u64) -> io::Result<Vec<u8>> {
        let bytes = read(file, self.place, self.length)?;
        Ok(if first == self.head.first { bytes } else { chunk::numbered(bytes, first) })
    }

    fn end(&self) -> u64 {
        self.head.first.saturating_add(self.head.count)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.head.first < other.end() && other.head.first < self.end()
    }
}

fn read(file: &mut File, place: u64, length: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(place))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What had to be delivered. The file has pages that are no longer used, with chunks that were delivered long ago, and
/// with some whose commit failed: the next commit gave their numbers to other records, and which of the two was
/// acknowledged can't be seen. So both are kept, the older one under numbers that nobody has.
fn sorted(found: &[Found]) -> Salvaged {
    let Some(newest) = found.iter().max_by_key(|found| found.head.first) else { return Salvaged::default() };
    let id = newest.head.id;
    let of_spool = || found.iter().filter(|found| found.head.id == id);
    let oldest = of_spool().map(|found| found.head.oldest).max().unwrap_or_default();
    let mut wanted: Vec<Found> = of_spool().filter(|found| found.end() > oldest).copied().collect();
    wanted.sort_by_key(|found| (found.head.first, found.head.tick, found.place));
    let mut seen = BTreeSet::new();
    // The database copies what it moves.
    wanted.retain(|found| seen.insert((found.head.first, found.sum)));
    let (mut chunks, doubled) = apart(wanted);
    let (mut end, mut lost) = (oldest, 0);
    for found in chunks.values() {
        let missing = found.head.first.saturating_sub(end);
        // Numbers that an earlier salvage left out.
        lost += if missing >= GAP / 2 { 0 } else { missing };
        end = end.max(found.end());
    }
    for found in doubled {
        let first = end.saturating_add(GAP);
        end = first.saturating_add(found.head.count);
        chunks.insert(first, found);
    }
    Salvaged { id: Some(id), chunks, lost, end }
}

/// Chunks without a number in common, and the others: of those that have one, the one that was written last keeps it.
fn apart(sorted: Vec<Found>) -> (BTreeMap<u64, Found>, Vec<Found>) {
    let (mut chunks, mut doubled) = (BTreeMap::<u64, Found>::new(), Vec::new());
    let mut newest_first = sorted;
    newest_first.sort_by_key(|found| Reverse((found.head.tick, found.head.first)));
    for found in newest_first {
        let before = chunks.range(..found.end()).next_back();
        if before.is_some_and(|(_, before)| before.overlaps(&found)) {
            doubled.push(found);
        } else {
            chunks.insert(found.head.first, found);
        }
    }
    doubled.reverse();
    (chunks, doubled)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::audit::lines::Lines;

    fn head(first: u64, count: u64, oldest: u64) -> Head {
        Head { id: 7, first, count, oldest, tick: first }
    }

    fn lines(texts: impl IntoIterator<Item = String>) -> Lines {
        let mut lines = Lines::default();
        lines.extend(texts.into_iter().map(String::into_bytes));
        lines
    }

    fn records(first: u64, count: u64) -> Lines {
        let mut records = lines((first..first + count).map(|number| format!("{{\"n\":{number}}}")));
        records.number(first);
        records
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
        let whole = found.chunks[&10].read(&mut File::open(&path).unwrap(), 10).unwrap();
        assert_eq!(chunk::decode(7, 10, &whole).unwrap(), records(10, 5));
        assert_eq!(chunk::decode(7, 11, &whole), None, "a chunk under another number is none");
    }

    /// What a salvage of these chunks, in this order, finds: the number and the line of each record.
    fn salvaged(chunks: &[Vec<u8>]) -> (Salvaged, Vec<(u64, String)>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        File::create(&path).unwrap().write_all(&chunks.concat()).unwrap();
        let found = salvage(&path).unwrap();
        let mut file = File::open(&path).unwrap();
        let mut lines = Vec::new();
        for (first, chunk) in &found.chunks {
            let bytes = chunk.read(&mut file, *first).unwrap();
            let records = chunk::decode(7, *first, &bytes).unwrap();
            let text = |line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
            lines.extend(records.iter().map(|record| (record.number, text(record.line))));
        }
        (found, lines)
    }

    #[test]
    fn a_chunk_whose_commit_failed_does_not_take_the_place_of_the_one_that_was_kept() {
        let chunk = |first, tick, texts: &[&str]| {
            let head = Head { id: 7, first, count: texts.len() as u64, oldest: 10, tick };
            chunk::encode(head, &lines(texts.iter().map(|text| (*text).to_owned())))
        };
        let aborted = chunk(10, 1, &["lost 1", "lost 2", "lost 3"]);
        let kept = chunk(10, 2, &["kept 1", "kept 2"]);
        let after = chunk(12, 3, &["kept 3"]);
        // Wherever they stand, and however often.
        for order in
            [[&aborted, &kept, &after, &aborted], [&kept, &after, &aborted, &kept], [&after, &aborted, &kept, &after]]
        {
            let (found, lines) = salvaged(&order.map(Clone::clone));
            let again = 13 + GAP;
            let expected = [(10, "kept 1"), (11, "kept 2"), (12, "kept 3")].into_iter().chain([
                (again, "lost 1"),
                (again + 1, "lost 2"),
                (again + 2, "lost 3"),
            ]);
            assert_eq!(lines, expected.map(|(number, line)| (number, line.to_owned())).collect::<Vec<_>>());
            assert_eq!((found.lost, found.end), (0, again + 3));
        }
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
