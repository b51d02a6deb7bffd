//! Inputs made of others: the same ones for the same seeds and name.

/// Bytes that decoders mind.
const ODD: [&[u8]; 16] = [
    b"\0", b"\xff", b"\x80", b"\"", b"\\", b"\\u0000", b"{", b"[", b"}", b"]", b"/", b"..", b"%", b"-1", b"1e999",
    b"\n",
];

/// A source of mutations without end.
pub(crate) struct Mutations<'a> {
    seeds: &'a [Vec<u8>],
    state: u64,
}

impl<'a> Mutations<'a> {
    /// Of these seeds, of which there must be some.
    pub(crate) fn new(seeds: &'a [Vec<u8>], name: &str) -> Self {
        let hash = |state: u64, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self { seeds, state: name.bytes().fold(0xcbf2_9ce4_8422_2325, hash) | 1 }
    }

    /// The next one: a seed after one to eight changes.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut bytes = self.seed().to_vec();
        for _ in 0..=self.below(8) {
            self.change(&mut bytes);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = (at + self.below(16)).min(bytes.len());
        match self.below(8) {
            0 => bytes.insert(at, self.byte()),
            1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            2 if at < bytes.len() => bytes[at] = self.byte(),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            5 => {
                let odd = ODD[self.below(ODD.len())];
                drop(bytes.splice(at..end, odd.iter().copied()));
            }
            6 => {
                let other = self.seed().to_vec();
                let from = self.below(other.len() + 1);
                let to = (from + self.below(64)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            _ if self.below(8) == 0 => bytes.truncate(at),
            _ => {}
        }
    }

    fn seed(&mut self) -> &'a [u8] {
        let seeds = self.seeds;
        &seeds[self.below(seeds.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next_number().to_le_bytes()[0]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next_number() % end.max(1) as u64).unwrap_or_default()
    }

    /// xorshift64*, which is enough to choose by.
    fn next_number(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}
