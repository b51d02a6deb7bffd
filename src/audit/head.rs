//! The head of a chain: how far it was sealed, beside its file. A log that ends before was cut.
//!
//! One line: the checkpoint's number, its hash, the key's name, and the key's signature over the first two. One without
//! key and signature is of an earlier version.

use super::chain::{Signer, Verifier, hex};

/// What a signature of a head is over, before the number and the hash: it is none of anything else.
const SIGNED: &str = "verdict.head.v1";

/// Beyond, no chain comes, and a reader of JSON may miscount.
const MOST: u64 = 1 << 53;

/// A head as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The number of the checkpoint up to which the chain is sealed; 0 of a chain that is begun.
    pub(super) seq: u64,
    pub(super) hash: [u8; 32],
    /// The key's name, and its signature.
    signed: Option<(String, String)>,
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vouched {
    /// One of the keys.
    Yes,
    /// Nobody: as of an earlier version.
    Unsigned,
    /// A key that is not known.
    Stranger,
    /// The signature is not that of its key.
    Forged,
}

/// What a head says: that a chain is sealed up to this line, of this hash.
pub(super) fn text(seq: u64, hash: &[u8; 32], signer: &Signer) -> String {
    let said = format!("{seq} {}", hex(hash));
    let signature = signer.sign(format!("{SIGNED} {said}").as_bytes());
    format!("{said} {} {signature}\n", signer.id())
}

impl Head {
    /// Reads what is written there; `None` if it is no head.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (seq, hash) = (words.next()?.parse().ok().filter(|seq| *seq < MOST)?, unhex(words.next()?)?);
        let signed = match (words.next(), words.next(), words.next()) {
            (None, ..) => None,
            (Some(key), Some(signature), None) => Some((key.to_owned(), signature.to_owned())),
            _ => return None,
        };
        Some(Self { seq, hash, signed })
    }

    pub(super) fn vouched(&self, keys: &[Verifier]) -> Vouched {
        let Some((id, signature)) = &self.signed else { return Vouched::Unsigned };
        let Some(key) = keys.iter().find(|key| key.id() == id) else { return Vouched::Stranger };
        let said = format!("{SIGNED} {} {}", self.seq, hex(&self.hash));
        if key.verifies(said.as_bytes(), signature) { Vouched::Yes } else { Vouched::Forged }
    }
}

fn unhex(digits: &str) -> Option<[u8; 32]> {
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_its_key_signed_and_nothing_else() {
        let (ours, theirs) = (Signer::of_test(), Signer::of_test());
        let written = text(7, &[5; 32], &ours);
        let head = Head::read(&written).unwrap();
        assert_eq!((head.seq, head.hash), (7, [5; 32]));
        assert_eq!(head.vouched(&[theirs.verifier(), ours.verifier()]), Vouched::Yes);
        assert_eq!(head.vouched(&[theirs.verifier()]), Vouched::Stranger);
        let forged = Head::read(&written.replacen('7', "6", 1)).unwrap();
        assert_eq!(forged.vouched(&[ours.verifier()]), Vouched::Forged);
        let before = Head::read(&format!("7 {}\n", hex(&[5; 32]))).unwrap();
        assert_eq!(before.vouched(&[ours.verifier()]), Vouched::Unsigned);
        for text in ["", "7", "x y", "7 05", "-1 00", "7 05 a b c", &format!("{} {}", u64::MAX, hex(&[5; 32]))] {
            assert_eq!(Head::read(text), None, "{text}");
        }
    }
}
