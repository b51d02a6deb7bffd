//! Records' lines one after the other in one buffer: thousands go from hand to hand, and none is copied or freed alone.

/// Lines in their order, each with its number in a spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// Each line and a newline.
    bytes: Vec<u8>,
    ends: Vec<End>,
    /// Those before are gone.
    gone: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    number: u64,
    /// Behind the newline.
    at: usize,
}

impl Extend<Vec<u8>> for Lines {
    fn extend<I: IntoIterator<Item = Vec<u8>>>(&mut self, lines: I) {
        lines.into_iter().for_each(|line| self.push(0, &line));
    }
}

/// A record's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbered<'l> {
    /// Its number in the spool; 0 without one.
    pub(super) number: u64,
    /// Without its end.
    pub(super) line: &'l [u8],
}

impl Lines {
    /// Adds a line.
    pub(super) fn push(&mut self, number: u64, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.ends.push(End { number, at: self.bytes.len() });
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len() - self.gone
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes they have, their ends included.
    pub(super) fn size(&self) -> usize {
        self.bytes.len() - self.begin(self.gone)
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Numbered<'_>> {
        self.from(0)
    }

    /// The lines from one on, the first being 0.
    pub(super) fn from(&self, first: usize) -> impl ExactSizeIterator<Item = Numbered<'_>> {
        (self.gone + first..self.ends.len()).map(|at| self.at(at))
    }

    /// So many lines from one on, as they stand in a file.
    pub(super) fn text(&self, first: usize, count: usize) -> &[u8] {
        let first = self.gone + first;
        self.bytes.get(self.begin(first)..self.begin(first + count)).unwrap_or_default()
    }

    /// Numbers the lines anew, one after the other.
    pub(super) fn number(&mut self, first: u64) {
        for (number, end) in (first..).zip(self.ends.iter_mut().skip(self.gone)) {
            end.number = number;
        }
    }

    /// Puts the lines of another behind.
    pub(super) fn append(&mut self, mut other: Self) {
        if self.is_empty() {
            std::mem::swap(self, &mut other);
            return;
        }
        let (from, before) = (other.begin(other.gone), self.bytes.len());
        self.bytes.extend_from_slice(other.bytes.get(from..).unwrap_or_default());
        let ends = other.ends.iter().skip(other.gone);
        self.ends.extend(ends.map(|end| End { at: before + end.at - from, ..*end }));
    }

    /// Takes the first out.
    pub(super) fn remove(&mut self, count: usize) {
        self.gone = (self.gone + count).min(self.ends.len());
        if self.is_empty() {
            self.clear();
        }
    }

    /// How many bytes it has room for.
    pub(super) fn room(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.gone = 0;
    }

    fn at(&self, at: usize) -> Numbered<'_> {
        let (begin, number) = (self.begin(at), self.ends.get(at).map_or(0, |end| end.number));
        let end = self.begin(at + 1).saturating_sub(1);
        Numbered { number, line: self.bytes.get(begin..end).unwrap_or_default() }
    }

    /// Where a line begins.
    fn begin(&self, at: usize) -> usize {
        at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| end.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_as_they_went_in() {
        let mut lines = Lines::default();
        for (number, line) in [(5, "a"), (6, ""), (9, "ccc")] {
            lines.push(number, line.as_bytes());
        }
        let all = |lines: &Lines| lines.iter().map(|line| (line.number, line.line.to_vec())).collect::<Vec<_>>();
        assert_eq!(all(&lines), [(5, b"a".to_vec()), (6, b"".to_vec()), (9, b"ccc".to_vec())]);
        assert_eq!((lines.text(0, 2), lines.text(0, 3), lines.size()), (&b"a\n\n"[..], &b"a\n\nccc\n"[..], 7));
        lines.remove(1);
        assert_eq!((lines.len(), lines.text(0, 1), lines.text(1, 1), lines.size()), (2, &b"\n"[..], &b"ccc\n"[..], 5));
        let mut more = Lines::default();
        more.push(1, b"d");
        more.append(lines.clone());
        more.remove(1);
        assert_eq!(more, more.clone());
        assert_eq!(all(&more), all(&lines));
        more.number(20);
        assert_eq!(all(&more), [(20, b"".to_vec()), (21, b"ccc".to_vec())]);
        lines.remove(2);
        assert!(lines.is_empty() && lines.size() == 0);
    }
}
