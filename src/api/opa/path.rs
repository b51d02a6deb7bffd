//! A path of a URL to the names that it has, each decoded by itself: an encoded `/` stays in its name.

use crate::api::opa::fault::Fault;

/// The longest path that is read, in bytes.
const MAX_PATH: usize = 4_096;

/// The names in `path` after `prefix`. One `/` at the end says nothing, as in OPA.
pub(super) fn parts(path: &str, prefix: &str) -> Result<Vec<String>, Fault> {
    let rest = path.strip_prefix(prefix).unwrap_or_default();
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.len() > MAX_PATH {
        return Err(Fault::invalid(format!("the path is longer than {MAX_PATH} bytes")));
    }
    if rest.is_empty() {
        // `//` is not the same as `/`.
        return if path.ends_with("//") { Err(odd()) } else { Ok(Vec::new()) };
    }
    rest.split('/').map(part).collect()
}

fn part(text: &str) -> Result<String, Fault> {
    // Others would take these for something else than a name; a name like this is written `%2e`.
    if ["", ".", ".."].contains(&text) {
        return Err(odd());
    }
    decoded(text, false).ok_or_else(|| Fault::invalid("the path has an escape that is none, or that is not UTF-8"))
}

fn odd() -> Fault {
    Fault::invalid("the path has an empty part, `.` or `..`; write a name like this with `%2e`")
}

/// The text with its escapes decoded (RFC 3986 §2.1); `None` for what is no escape, and for what is not UTF-8.
pub(super) fn decoded(text: &str, plus: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |rest: &mut std::str::Bytes<'_>| char::from(rest.next()?).to_digit(16);
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => u8::try_from(digit(&mut rest)? * 16 + digit(&mut rest)?).ok()?,
            b'+' if plus => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_decoded_by_itself() {
        let read = |path: &str| parts(path, "/v1/data").ok();
        let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        for (path, wanted) in [
            ("/v1/data", names(&[])),
            ("/v1/data/", names(&[])),
            ("/v1/data/a/b", names(&["a", "b"])),
            ("/v1/data/a/b/", names(&["a", "b"])),
            ("/v1/data/a%2Fb/%61", names(&["a/b", "a"])),
            ("/v1/data/a+b/%2e%2e/%252e", names(&["a+b", "..", "%2e"])),
            ("/v1/data/%C3%A9/%00", names(&["é", "\0"])),
            ("/v1/data/a%22%5D.x", names(&["a\"].x"])),
            ("/v1/data//", None),
            ("/v1/data//a", None),
            ("/v1/data/a//b", None),
            ("/v1/data/a//", None),
            ("/v1/data/../a", None),
            ("/v1/data/./a", None),
            ("/v1/data/%", None),
            ("/v1/data/%zz", None),
            ("/v1/data/%+1", None),
            ("/v1/data/%ff", None),
        ] {
            assert_eq!(read(path), wanted, "{path}");
        }
        assert!(read(&format!("/v1/data/{}", "a".repeat(5_000))).is_none());
    }
}
