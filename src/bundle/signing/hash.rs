//! Hashes of files.

use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

use crate::bundle::structured::{self, Unreadable};

/// The hash of a file in lower-case hexadecimal digits; `None` for an algorithm that is not taken.
///
/// Of those that OPA has, MD5 and SHA-1 are not: files with the same hash can be made for them.
pub(super) fn of(algorithm: &str, path: &str, bytes: &[u8]) -> Option<Result<String, Unreadable>> {
    let hash: fn(&[u8]) -> Vec<u8> = match algorithm {
        "SHA-224" => |bytes| Sha224::digest(bytes).to_vec(),
        "SHA-256" => |bytes| Sha256::digest(bytes).to_vec(),
        "SHA-384" => |bytes| Sha384::digest(bytes).to_vec(),
        "SHA-512" => |bytes| Sha512::digest(bytes).to_vec(),
        "SHA-512-224" => |bytes| Sha512_224::digest(bytes).to_vec(),
        "SHA-512-256" => |bytes| Sha512_256::digest(bytes).to_vec(),
        _ => return None,
    };
    if structured::is_structured(path) {
        return Some(structured::canonical(path, bytes).map(|canonical| hex(&hash(&canonical))));
    }
    Some(Ok(hex(&hash(bytes))))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
