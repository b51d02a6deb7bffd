//! `mask` of a sink: what is hidden in its records.

use std::{collections::BTreeMap, path::PathBuf};

use aws_lc_rs::hmac;
use serde::Deserialize;

use crate::audit::{FieldMask, Mask, Pointer};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMask {
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    replace: BTreeMap<String, String>,
    #[serde(default)]
    hash: Vec<String>,
    key_file: Option<PathBuf>,
    policies: Option<bool>,
    #[serde(default)]
    names: Vec<String>,
}

/// The shortest key: as long as the hash's half.
const SHORTEST_KEY: usize = 16;

impl RawMask {
    /// What it says; `fault` is told field, problem and what is expected.
    pub(super) fn read(self, fault: &mut dyn FnMut(&str, String, &str)) -> Option<Mask> {
        let Self { remove, replace, hash, key_file, policies, names } = self;
        let mut fields = Vec::new();
        let mut whole = true;
        let mut pointer = |field: &str, text: &str| {
            let read = text.parse::<Pointer>();
            if let Err(invalid) = &read {
                fault(field, invalid.to_string(), "places in a record, with `*` for every member");
                whole = false;
            }
            read.ok()
        };
        for text in &remove {
            fields.extend(pointer(".remove", text).map(FieldMask::Remove));
        }
        for (text, with) in replace {
            fields.extend(pointer(".replace", &text).map(|pointer| FieldMask::Replace(pointer, with)));
        }
        for text in &hash {
            fields.extend(pointer(".hash", text).map(FieldMask::Hash));
        }
        let key = match (key_file, hash.is_empty()) {
            (Some(path), _) => match std::fs::read(&path) {
                Ok(bytes) if bytes.len() >= SHORTEST_KEY => Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes)),
                Ok(_) => {
                    fault(".key_file", format!("`{}` is too short", path.display()), "a file of at least 16 bytes");
                    return None;
                }
                Err(error) => {
                    let problem = format!("`{}` cannot be read: {error}", path.display());
                    fault(".key_file", problem, "a file of at least 16 bytes");
                    return None;
                }
            },
            (None, false) => {
                fault(".key_file", "is missing".to_owned(), "the file of the key that hashes are made with");
                return None;
            }
            (None, true) => None,
        };
        whole.then(|| Mask { fields, key, policies: policies.unwrap_or(true), names })
    }
}
