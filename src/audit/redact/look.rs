//! A first look at a text, a byte at a time: most texts can have no secret in them and need no escape in JSON, and that is
//! told by which bytes they have.

use super::{MIN_CREDENTIAL, SCHEMES, forms};

/// Which kinds of bytes a text has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Look(u8);

/// What JSON escapes.
const ESCAPE: u8 = 1;
/// What stands between a name and its value.
const EQUALS: u8 = 1 << 1;
/// What an object or a list of JSON begins with.
const JSON: u8 = 1 << 2;
/// Of `eyJ`, with which tokens begin.
const TOKEN: u8 = 1 << 3;
/// Of `PRIVATE KEY` and `AKIA`.
const KEY: u8 = 1 << 4;
/// What follows the scheme of a credential.
const SPACE: u8 = 1 << 5;
/// What stands behind the password of an address.
const AT: u8 = 1 << 6;
/// Of the marks of services' keys.
const UNDERSCORE: u8 = 1 << 7;

const fn kind(byte: u8) -> u8 {
    match byte {
        0..0x20 | b'"' | b'\\' => ESCAPE,
        b'=' => EQUALS,
        b'{' | b'[' => JSON,
        b'J' => TOKEN,
        b'K' => KEY,
        b' ' => SPACE,
        b'@' => AT,
        b'_' => UNDERSCORE,
        _ => 0,
    }
}

/// The kinds of all bytes.
static KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let (mut left, mut byte) = (kinds.as_mut_slice(), 0_u8);
    while let Some((first, others)) = left.split_first_mut() {
        *first = kind(byte);
        byte = byte.wrapping_add(1);
        left = others;
    }
    kinds
}

/// Looks at every byte of a text.
pub(in crate::audit) fn look(text: &str) -> Look {
    // There is one of every byte.
    let kinds = text.bytes().map(|byte| KINDS.get(usize::from(byte)).copied().unwrap_or(u8::MAX));
    Look(kinds.fold(0, |all, kind| all | kind))
}

impl Look {
    /// Whether JSON escapes something of it.
    pub(in crate::audit) fn escapes(self) -> bool {
        self.has(ESCAPE)
    }

    /// Whether it is to be looked at again, by `Secrets::has_credential`, which finds nothing in any other.
    pub(in crate::audit) fn suspects(self, text: &str) -> bool {
        if self.has(EQUALS | JSON) || self.has(AT) && text.contains("://") {
            return true;
        }
        text.len() >= MIN_CREDENTIAL
            && (self.has(TOKEN | KEY)
                || self.has(SPACE) && follows_a_scheme(text)
                || self.has(UNDERSCORE) && forms::may_have_a_mark(text))
    }

    fn has(self, kinds: u8) -> bool {
        self.0 & kinds != 0
    }
}

/// Whether a space may follow the name of a scheme, by its last letter.
fn follows_a_scheme(text: &str) -> bool {
    let ends = |byte: u8| SCHEMES.iter().any(|scheme| scheme.as_bytes().last() == Some(&byte.to_ascii_lowercase()));
    let bytes = text.as_bytes();
    bytes.iter().zip(bytes.iter().skip(1)).any(|(byte, next)| *next == b' ' && ends(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{audit::redact::Secrets, decision::SensitiveNames};

    fn holds(text: &str) {
        let names = SensitiveNames::all();
        let found = Secrets::new(&names).has_credential(text);
        assert!(!found || look(text).suspects(text), "{text:?} has a credential, and looks as if it had none");
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(look(text).escapes(), json.len() != text.len() + 2, "{text:?}");
    }

    #[test]
    fn what_is_a_credential_is_suspected() {
        for text in [
            "eyJhbGciOiJub25lIn0.e30.",
            "Bearer s3cr3t-value-1",
            "x DPoP ABCDEFGHIJKLMNOP",
            "basic dXNlcjpwYXNz",
            "-----BEGIN PRIVATE KEY-----",
            "a?access_token=hunter22",
            "a://b:c@d",
            "AKIAIOSFODNN7EXAMPLE",
            "github_pat_11AAAAAAA0aaaaaaaaaaaaaaaaaaaaaaaaa",
            "rk_live_4eC39HqLyjWDarjt",
            " \u{a0}{\"password\": \"hunter22\"}",
            "[{\"secret\": \"hunter22\"}]",
        ] {
            assert!(look(text).suspects(text), "{text}");
            holds(text);
        }
        for text in ["alice", "document:42", "the role of bob grants read", "eyJ", ""] {
            assert!(!look(text).suspects(text), "{text}");
            holds(text);
        }
    }

    proptest! {
        #[test]
        fn nothing_else_has_one(text in "(bearer|BASIC|dpop|eyJ|PRIVATE KEY-----|token=|://a:|@|AKIA|ghp_|sk_live_|[A-Z]{9}|[ a-zA-Z0-9.=\\[{\"\n]){0,12}", any in any::<String>()) {
            holds(&text);
            holds(&any);
        }
    }
}
