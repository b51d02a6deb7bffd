//! Extended headers (POSIX.1-2017, pax interchange format): `length key=value\n`, again and again.

/// What an extended header says that matters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}

/// Reads the records of the next entry's header, or of all that follow. Gives what is wrong.
pub(super) fn read(mut text: &[u8], global: bool) -> Result<Said, String> {
    let mut said = Said::default();
    while !text.is_empty() {
        let (key, value, rest) = record(text).ok_or_else(|| "is malformed".to_owned())?;
        text = rest;
        let shown = || key.escape_debug();
        match key {
            "path" if !global && said.path.is_none() && !value.is_empty() => said.path = Some(value.to_vec()),
            "size" if !global && said.size.is_none() => {
                let size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok());
                said.size = Some(size.ok_or("has a `size` that is no number")?);
            }
            "path" | "size" | "linkpath" => return Err(format!("sets `{}` where it must not", shown())),
            "charset" | "hdrcharset" if value != b"ISO-IR 10646 2000 UTF-8" && value != b"ISO-IR 10646 1989" => {
                return Err(format!("sets `{}` to something else than UTF-8", shown()));
            }
            key if key.starts_with("GNU.sparse.") => return Err("makes the next file sparse".to_owned()),
            _ => {}
        }
    }
    Ok(said)
}

fn record(text: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = text.iter().take(8).position(|byte| *byte == b' ')?;
    let digits = text.get(..space)?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, rest) = text.split_at_checked(length)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    let key = std::str::from_utf8(body.get(..equals)?).ok().filter(|key| !key.is_empty())?;
    let value = body.get(equals + 1..)?;
    (!value.contains(&0)).then_some((key, value, rest))
}
