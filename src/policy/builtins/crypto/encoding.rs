//! Base64 and PEM as Go reads them: line ends are skipped, unused bits are not looked at.

use std::borrow::Cow;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose},
};

const PADDED: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
const RAW: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDED);
const STANDARD_RAW: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, RAW);
const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDED);
const URL_RAW: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, RAW);

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Padded base64 (RFC 4648 §4).
pub(in super::super) fn standard(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(joined(text)).ok()
}

/// Base64url, with the padding or without it (RFC 7515, appendix C).
pub(in super::super) fn url(text: &str) -> Option<Vec<u8>> {
    // OPA counts the line ends, too, when it completes the padding.
    let padding = match text.len() % 4 {
        _ if text.ends_with('=') => "",
        0 => "",
        2 => "==",
        3 => "=",
        _ => return None,
    };
    URL.decode(joined(format!("{text}{padding}").as_bytes())).ok()
}

/// Any of the four forms, as the members of a JWK may have.
pub(in super::super) fn any(text: &str) -> Option<Vec<u8>> {
    let engine = match (text.ends_with('='), text.contains(['+', '/'])) {
        (false, false) => URL_RAW,
        (true, false) => URL,
        (false, true) => STANDARD_RAW,
        (true, true) => STANDARD,
    };
    engine.decode(joined(text.as_bytes())).ok()
}

/// Base64url without padding (RFC 7515 §2).
pub(in super::super) fn to_url(bytes: &[u8]) -> String {
    general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Padded base64, as Go's JSON has byte slices.
pub(in super::super) fn to_standard(bytes: &[u8]) -> String {
    general_purpose::STANDARD.encode(bytes)
}

/// Lower-case hexadecimal digits.
pub(in super::super) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A block of RFC 7468.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Block {
    pub(in super::super) label: String,
    pub(in super::super) bytes: Vec<u8>,
}

/// The first block of `text`, and what is after it; `None` where there is none.
pub(in super::super) fn pem(text: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = text;
    loop {
        // From the end of a block back to its beginning: each byte is looked at a fixed number of times.
        let (before, last) = rest.split_at_checked(line_that_begins(rest, END)?)?;
        let (last, after) = line(last.get(END.len()..)?);
        rest = after;
        if let Some(block) = block(before, last) {
            return Some((block, after));
        }
    }
}

/// The block that ends after `before`, with the line `-----END `, `last`.
fn block(before: &[u8], last: &[u8]) -> Option<Block> {
    let begin = before.windows(BEGIN.len()).rposition(|window| window == BEGIN)?;
    if begin.checked_sub(1).is_some_and(|at| before.get(at) != Some(&b'\n')) {
        return None;
    }
    let (first, mut body) = line(before.get(begin + BEGIN.len()..)?);
    let label = first.strip_suffix(DASHES)?;
    if last.strip_suffix(DASHES) != Some(label) {
        return None;
    }
    // Headers of RFC 1421 (`Proc-Type: …`) are passed over.
    while let (header, after) = line(body)
        && header.contains(&b':')
    {
        body = after;
    }
    let encoded: Vec<u8> = body.iter().copied().filter(|byte| !b" \t".contains(byte)).collect();
    Some(Block { label: std::str::from_utf8(label).ok()?.to_owned(), bytes: standard(&encoded)? })
}

/// Where a line begins that begins so.
fn line_that_begins(text: &[u8], start: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(start) {
            return Some(at);
        }
        at += rest.iter().position(|byte| *byte == b'\n')? + 1;
    }
    None
}

/// The first line, without the white space at its end, and what is after it.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let (line, after) = text.split_at(end);
    (line.trim_ascii_end(), after.get(1..).unwrap_or_default())
}

fn joined(text: &[u8]) -> Cow<'_, [u8]> {
    if text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        Cow::from(text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect::<Vec<_>>())
    } else {
        Cow::from(text)
    }
}
