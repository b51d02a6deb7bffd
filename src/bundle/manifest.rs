//! What a bundle says of itself: `.manifest`, as OPA's documentation on bundles describes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `.manifest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// What its author calls this content.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// The paths below `data` that it owns, with `/`; absent, or an empty one, means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<Vec<String>>,
    /// 0 or 1: the version of Rego of files for which nothing else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rego_version: Option<u8>,
    /// The versions of Rego of files, by glob patterns of their paths.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub file_rego_versions: BTreeMap<String, u8>,
    /// Anything else.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Entry points compiled to WebAssembly, which are not supported.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wasm: Vec<serde_json::Value>,
}
