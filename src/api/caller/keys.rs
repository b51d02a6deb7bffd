//! Static keys of callers, kept as hashes.

use std::{fmt::Write as _, str::FromStr};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use sha2::{Digest as _, Sha256};

/// What every key begins with, so that scanners of secrets know one, and no token is taken for one.
pub const PREFIX: &str = "verdict_";

/// The keys of a file: a line each, `NAME sha256:HEX`; what is after `#` is a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<(String, [u8; 32])>);

/// What is wrong with a file of keys. Nothing of the line is shown: it may have a key in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}; write it like `NAME sha256:` and 64 hexadecimal digits, as `verdict key` does")]
pub struct InvalidKeys {
    line: usize,
    problem: &'static str,
}

impl Keys {
    /// Whose key it is. Takes the same time for each key that there is, and whatever of it is right.
    #[must_use]
    pub fn whose(&self, key: &str) -> Option<&str> {
        let hash: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let mut found = None;
        for (name, known) in &self.0 {
            if verify_slices_are_equal(known, &hash).is_ok() {
                found = Some(name.as_str());
            }
        }
        found
    }

    /// The line of a key.
    #[must_use]
    pub fn line(name: &str, key: &str) -> String {
        let mut line = format!("{name} sha256:");
        for byte in Sha256::digest(key.as_bytes()) {
            // Writing to a text cannot fail.
            let _ = write!(line, "{byte:02x}");
        }
        line
    }

    /// Whether a text may name a key.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    }
}

impl FromStr for Keys {
    type Err = InvalidKeys;

    fn from_str(text: &str) -> Result<Self, InvalidKeys> {
        let mut keys: Vec<(String, [u8; 32])> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let fault = |problem| InvalidKeys { line: at + 1, problem };
            let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
            if line.is_empty() {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            let (Some(name), Some(hash), None) = (words.next(), words.next(), words.next()) else {
                return Err(fault("it is not two words"));
            };
            if !Self::is_name(name) {
                return Err(fault("the name is not 1 to 64 letters, digits, `_`, `-` and `.`"));
            }
            let hash = hash.strip_prefix("sha256:").and_then(digest).ok_or_else(|| fault("the hash is none"))?;
            if keys.iter().any(|(_, other)| *other == hash) {
                return Err(fault("the key is there twice"));
            }
            keys.push((name.to_owned(), hash));
        }
        Ok(Self(keys))
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2).filter(|_| is_hex)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_keys_of_the_file_and_no_other() {
        let keys: Keys = format!(
            "# people\n{}\n\n{} # of the gateway\n",
            Keys::line("a", "verdict_1"),
            Keys::line("b", "verdict_2")
        )
        .parse()
        .unwrap();
        assert_eq!((keys.whose("verdict_1"), keys.whose("verdict_2")), (Some("a"), Some("b")));
        for wrong in ["", "verdict_", "verdict_3", "verdict_1 ", "VERDICT_1", &Keys::line("a", "verdict_1")] {
            assert_eq!(keys.whose(wrong), None, "{wrong}");
        }
        assert_eq!("".parse::<Keys>().unwrap().whose(""), None);
    }

    #[test]
    fn a_line_that_is_not_understood_makes_none_of_them_good() {
        let hash = "ab".repeat(32);
        for line in [
            "a".to_owned(),
            format!("a {hash}"),
            format!("a sha256:{}", &hash[1..]),
            format!("a sha256:{}g", &hash[1..]),
            format!("a b sha256:{hash}"),
            format!("ä sha256:{hash}"),
            format!("a sha256:{hash}\nb sha256:{hash}"),
            "a sha256:+f".to_owned() + &hash[2..],
        ] {
            assert!(line.parse::<Keys>().is_err(), "{line}");
        }
        assert!(!"a canary".parse::<Keys>().unwrap_err().to_string().contains("canary"));
    }
}
