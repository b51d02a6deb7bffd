//! What is configured of issuers.

use std::{collections::BTreeMap, path::PathBuf};

use crate::identity::Issuer;

/// All issuers.
#[derive(Clone, Debug)]
pub struct Config {
    /// By their names.
    pub issuers: BTreeMap<String, Settings>,
    /// How much may be remembered of tokens that were verified, in bytes.
    pub cache_bytes: usize,
}

/// One issuer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What its tokens must be like.
    pub issuer: Issuer,
    /// Where its keys are.
    pub keys: KeysFrom,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysFrom {
    /// In this file, which is looked at again and again.
    File(PathBuf),
}

impl Default for Config {
    fn default() -> Self {
        Self { issuers: BTreeMap::new(), cache_bytes: 32 << 20 }
    }
}
