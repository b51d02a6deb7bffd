//! DER (X.690) a step at a time: every reader gives `None` for what is not its encoding.

use der::{Decode as _, Reader as _, SliceReader, asn1::ObjectIdentifier};
use num_bigint::{BigInt, BigUint};
use regorus::Value as Rego;

use super::super::Failure;

/// The most bytes of an integer that is written as a number; the largest keys have 2,048.
const MAX_INTEGER: usize = 4096;

/// Universal and context-specific tags, as the octet that an element begins with.
pub(in super::super) mod tag {
    pub(in super::super::super) const BOOLEAN: u8 = 0x01;
    pub(in super::super::super) const INTEGER: u8 = 0x02;
    pub(in super::super::super) const BIT_STRING: u8 = 0x03;
    pub(in super::super::super) const OCTET_STRING: u8 = 0x04;
    pub(in super::super::super) const NULL: [u8; 2] = [0x05, 0x00];
    pub(in super::super::super) const OID: u8 = 0x06;
    pub(in super::super::super) const UTC_TIME: u8 = 0x17;
    pub(in super::super::super) const GENERALIZED_TIME: u8 = 0x18;
    pub(in super::super::super) const SEQUENCE: u8 = 0x30;
    pub(in super::super::super) const SET: u8 = 0x31;

    /// `[number]` of a primitive type.
    pub(in super::super::super) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]` of a constructed type.
    pub(in super::super::super) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// What is left to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Input<'a>(pub(in super::super) &'a [u8]);

/// An element: its tag, its value, and all of it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Element<'a> {
    pub(in super::super) tag: u8,
    pub(in super::super) value: Input<'a>,
    pub(in super::super) raw: &'a [u8],
}

impl<'a> Input<'a> {
    pub(in super::super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element, whatever it is.
    pub(in super::super) fn any(&mut self) -> Option<Element<'a>> {
        let raw = SliceReader::new(self.0).ok()?.tlv_bytes().ok()?;
        let tag = *raw.first().filter(|tag| **tag & 0x1f != 0x1f)?;
        let value = der::asn1::AnyRef::from_der(raw).ok()?.value();
        self.0 = self.0.get(raw.len()..)?;
        Some(Element { tag, value: Input(value), raw })
    }

    /// Whether the next element has this tag.
    pub(in super::super) fn next_is(self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The next element, which has this tag.
    pub(in super::super) fn element(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut rest = *self;
        let element = rest.any().filter(|element| element.tag == tag)?;
        *self = rest;
        Some(element)
    }

    /// The value of the next element, which has this tag.
    pub(in super::super) fn expect(&mut self, tag: u8) -> Option<Self> {
        self.element(tag).map(|element| element.value)
    }

    /// The value of the next element if it has this tag; the outer `None` is an error.
    #[expect(clippy::option_option, reason = "the outer is an error, the inner what is not there")]
    pub(in super::super) fn optional(&mut self, tag: u8) -> Option<Option<Self>> {
        if self.next_is(tag) { self.expect(tag).map(Some) } else { Some(None) }
    }

    pub(in super::super) fn oid(&mut self) -> Option<ObjectIdentifier> {
        ObjectIdentifier::from_bytes(self.expect(tag::OID)?.0).ok()
    }

    /// The bytes of an integer, two's complement, as few as can be.
    pub(in super::super) fn integer(&mut self) -> Option<&'a [u8]> {
        let bytes = self.expect(tag::INTEGER)?.0;
        minimal(bytes).then_some(bytes)
    }

    /// The bytes of an integer above zero, without a leading zero.
    pub(in super::super) fn positive(&mut self) -> Option<&'a [u8]> {
        let bytes = self.integer()?;
        let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
        Some(without_zeros(bytes)).filter(|bytes| !negative && !bytes.is_empty())
    }

    /// An integer of at most 64 bits.
    pub(in super::super) fn small(&mut self) -> Option<i64> {
        small(self.integer()?)
    }

    /// A boolean, in DER's two forms.
    pub(in super::super) fn boolean(&mut self) -> Option<bool> {
        match self.expect(tag::BOOLEAN)?.0 {
            [0x00] => Some(false),
            [0xff] => Some(true),
            _ => None,
        }
    }

    /// The bytes of a bit string, and how many bits of the last are not used.
    pub(in super::super) fn bits(&mut self) -> Option<(&'a [u8], u8)> {
        let (unused, bytes) = self.expect(tag::BIT_STRING)?.0.split_first()?;
        let last = bytes.last().copied();
        let fits = *unused < 8 && last.map_or(*unused == 0, |last| last & ((1_u8 << *unused) - 1) == 0);
        fits.then_some((bytes, *unused))
    }

    /// The bytes of a bit string as a number's: shifted so that no bit at the end is unused.
    pub(in super::super) fn aligned_bits(&mut self) -> Option<Vec<u8>> {
        let (bytes, unused) = self.bits()?;
        if unused == 0 {
            return Some(bytes.to_vec());
        }
        let mut carry = 0;
        let shift = |byte: &u8| {
            let shifted = (byte >> unused) | carry;
            carry = byte << (8 - unused);
            shifted
        };
        Some(bytes.iter().map(shift).collect())
    }
}

/// Whether an integer is encoded in as few bytes as can be.
pub(in super::super) fn minimal(bytes: &[u8]) -> bool {
    match bytes {
        [] => false,
        [0x00, second, ..] => *second >= 0x80,
        [0xff, second, ..] => *second < 0x80,
        _ => true,
    }
}

pub(in super::super) fn small(bytes: &[u8]) -> Option<i64> {
    if bytes.len() > 8 {
        return None;
    }
    let start = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
    Some(bytes.iter().fold(start, |sum, byte| (sum << 8) | i64::from(*byte)))
}

pub(in super::super) fn without_zeros(mut bytes: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// An element out of its value.
pub(in super::super) fn wrap(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let length = without_zeros(&length);
    let mut element = vec![tag];
    match length {
        [] => element.push(0),
        [short] if *short < 0x80 => element.push(*short),
        // A length has at most eight bytes.
        long => {
            element.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            element.extend_from_slice(long);
        }
    }
    element.extend_from_slice(value);
    element
}

/// The integer that has this unsigned value, encoded.
pub(in super::super) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let bytes = without_zeros(bytes);
    let sign: &[u8] = if bytes.first().is_none_or(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    wrap(tag::INTEGER, &[sign, bytes].concat())
}

/// An unsigned integer as a number of Rego.
pub(in super::super) fn number(bytes: &[u8]) -> Result<Rego, Failure> {
    bounded(bytes)?;
    decimal(&BigUint::from_bytes_be(bytes).to_string())
}

/// A signed integer as a number of Rego.
pub(in super::super) fn signed_number(bytes: &[u8]) -> Result<Rego, Failure> {
    bounded(bytes)?;
    decimal(&BigInt::from_signed_bytes_be(bytes).to_string())
}

/// Writing a number in decimal takes time in the square of its length.
fn bounded(bytes: &[u8]) -> Result<(), Failure> {
    if bytes.len() > MAX_INTEGER {
        return Err(Failure::Spent(format!("an integer has more than {MAX_INTEGER} bytes")));
    }
    Ok(())
}

fn decimal(digits: &str) -> Result<Rego, Failure> {
    Rego::from_numeric_string(digits).map_err(|_| Failure::Operand("an integer can't be written".to_owned()))
}
