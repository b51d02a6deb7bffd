//! The chunks that were written last, as they are in memory: what is delivered soon is not read back from the disk.

use std::collections::VecDeque;

use crate::audit::lines::Lines;

/// Chunks in their order.
#[derive(Default)]
pub(super) struct Recent {
    chunks: VecDeque<Lines>,
    bytes: usize,
}

/// The most bytes that are kept.
const MOST: usize = 16 << 20;

impl Recent {
    /// Remembers a chunk that is on disk, if there is room.
    pub(super) fn put(&mut self, records: Lines) {
        if self.bytes + records.size() <= MOST {
            self.bytes += records.size();
            self.chunks.push_back(records);
        }
    }

    /// The chunk with this first number, if it is remembered. Those before it are forgotten: they are never asked for.
    pub(super) fn take(&mut self, first: u64) -> Option<Lines> {
        while let Some(chunk) = self.chunks.pop_front() {
            let number = chunk.iter().next().map_or(0, |record| record.number);
            if number > first {
                self.chunks.push_front(chunk);
                return None;
            }
            self.bytes -= chunk.size();
            if number == first {
                return Some(chunk);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_what_it_has_in_order_and_forgets_what_was_passed_over() {
        let chunk = |first: u64, line: &[u8]| {
            let mut lines = Lines::default();
            lines.push(first, line);
            lines
        };
        let mut recent = Recent::default();
        for first in [3, 7, 9] {
            recent.put(chunk(first, b"x"));
        }
        assert_eq!(recent.take(1), None);
        assert_eq!(recent.take(3), Some(chunk(3, b"x")));
        assert_eq!(recent.take(9), Some(chunk(9, b"x")));
        assert_eq!((recent.take(7), recent.bytes), (None, 0));
        recent.put(chunk(10, &vec![b'x'; MOST]));
        assert_eq!(recent.take(10), None, "it is too large");
    }
}
