//! Credentials that are known by their form: the password of an address, and keys that services mark as theirs.

/// What keys begin with, and how many letters and digits come then, at least.
const MARKS: [(&str, usize); 9] = [
    ("AKIA", 16),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("sk_live_", 16),
    ("rk_live_", 16),
];

/// Whether a text with `_` in it is worth to be looked at for a key: by what stands before the first `_` of each mark.
pub(super) fn may_have_a_mark(text: &str) -> bool {
    text.bytes().enumerate().filter(|(_, byte)| *byte == b'_').any(|(at, _)| {
        let before = text.as_bytes().get(..at).unwrap_or_default();
        matches!(before, [.., b'k'] | [.., b'g', b'h', _] | [.., b'h', b'u', b'b'])
    })
}

/// The first key of a service in a text.
pub(super) fn of_a_service(text: &str) -> Option<&str> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    MARKS.iter().find_map(|(mark, least)| {
        text.match_indices(mark).find_map(|(at, _)| {
            let (before, from) = text.split_at_checked(at)?;
            if before.bytes().last().is_some_and(word) {
                return None;
            }
            let key = from.get(..from.bytes().take_while(|byte| word(*byte)).count())?;
            (key.len() >= mark.len() + least).then_some(key)
        })
    })
}

/// The password of an address (RFC 3986 §3.2.1): `postgres://verdict:hunter22@db/log`.
pub(super) fn of_an_address(text: &str) -> Option<&str> {
    text.match_indices("://").find_map(|(at, mark)| {
        let rest = text.get(at + mark.len()..)?;
        let ends = |one: char| one.is_whitespace() || matches!(one, '/' | '?' | '#' | '"' | '\'' | '<' | '>');
        let (who, _) = rest.split(ends).next()?.rsplit_once('@')?;
        who.split_once(':').map(|(_, password)| password).filter(|password| !password.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_passwords_of_addresses_and_keys_of_services() {
        for (text, found) in [
            ("postgres://verdict:hunter22@db:5432/log", Some("hunter22")),
            ("see https://u:p@ss@example.com, please", Some("p@ss")),
            ("https://example.com:8181/@scope", None),
            ("https://alice@example.com/", None),
            ("https://a:@example.com/", None),
            ("mailto:alice@example.com", None),
            ("urn://", None),
        ] {
            assert_eq!(of_an_address(text), found, "{text}");
        }
        let github = format!("ghp_{}", "a1B2".repeat(9));
        for (text, found) in [
            ("id AKIAIOSFODNN7EXAMPLE.", Some("AKIAIOSFODNN7EXAMPLE")),
            (github.as_str(), Some(github.as_str())),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", Some("sk_live_4eC39HqLyjWDarjtT1zdp7dc")),
            ("SLOVAKIAISNOTAKEYATALLREALLY", None),
            ("ghp_short", None),
            ("a_high_way_to_nowhere", None),
        ] {
            assert_eq!(of_a_service(text), found, "{text}");
        }
    }
}
