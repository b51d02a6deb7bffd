//! Bytes as Go's strings: any slice of a text, whose first and last character may have been cut apart.

/// What Go reads where there is no character.
const INVALID: (u32, usize) = (char::REPLACEMENT_CHARACTER as u32, 1);

/// The first character and how many bytes it has; `INVALID` also of no bytes, which then has none.
pub(super) fn first(bytes: &[u8]) -> (u32, usize) {
    let width = match bytes.first() {
        None => return (INVALID.0, 0),
        Some(byte @ 0..0x80) => return (u32::from(*byte), 1),
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        Some(_) => return INVALID,
    };
    let character = bytes.get(..width).and_then(|bytes| std::str::from_utf8(bytes).ok()?.chars().next());
    character.map_or(INVALID, |character| (u32::from(character), width))
}

/// Each character and where it begins.
pub(super) fn runes(bytes: &[u8]) -> impl Iterator<Item = (usize, u32)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let (rune, width) = first(rest);
        at += width;
        Some((at - width, rune))
    })
}

/// How many bytes Go writes for what it read: three where there was no character.
pub(super) fn width(rune: u32) -> usize {
    char::from_u32(rune).map_or(1, char::len_utf8)
}

/// Where `needle` begins first.
pub(super) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [byte] => bytes.iter().position(|other| other == byte),
        [] => Some(0),
        _ => bytes.windows(needle.len()).position(|window| window == needle),
    }
}

/// Where `needle` begins last.
pub(super) fn find_last(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [] => Some(bytes.len()),
        _ => bytes.windows(needle.len()).rposition(|window| window == needle),
    }
}

fn find_character(bytes: &[u8], character: char) -> Option<usize> {
    if character == char::REPLACEMENT_CHARACTER {
        return runes(bytes).find(|(_, rune)| *rune == u32::from(character)).map(|(at, _)| at);
    }
    find(bytes, character.encode_utf8(&mut [0; 4]).as_bytes())
}

/// Where the first of `characters` that is there at all begins: not which of them comes first.
pub(super) fn find_any(bytes: &[u8], characters: &[char]) -> Option<usize> {
    characters.iter().find_map(|character| find_character(bytes, *character))
}

/// The same, where it begins last; of a character of several bytes, where it begins first, if all bytes are so many times
/// those up to there and one more. Otherwise `Err`: this ends OPA's process.
pub(super) fn find_any_last(bytes: &[u8], characters: &[char]) -> Result<Option<usize>, ()> {
    for character in characters {
        let found = if character.is_ascii() {
            find_last(bytes, character.encode_utf8(&mut [0; 4]).as_bytes())
        } else {
            find_character(bytes, *character)
        };
        match found {
            Some(at) if !character.is_ascii() && !bytes.len().is_multiple_of(at + 1) => return Err(()),
            Some(at) => return Ok(Some(at)),
            None => {}
        }
    }
    Ok(None)
}

/// Whether `characters` has this one.
pub(super) fn has(characters: &[char], rune: u32) -> bool {
    characters.iter().any(|character| u32::from(*character) == rune)
}
