//! What a bundle says of itself: `.manifest`, as OPA's documentation on bundles describes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    archive::InvalidArchive,
    package::MAX_MANIFEST,
    roots::Roots,
    version::{Pattern, RegoVersion},
};

/// `.manifest`. As in OPA, `null` says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// What its author calls this content.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub revision: String,
    /// The paths below `data` that it owns, with `/`; absent, or an empty one, means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<Vec<String>>,
    /// 0 or 1: the version of Rego of files for which nothing else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rego_version: Option<u8>,
    /// The versions of Rego of files, by glob patterns of their paths.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub file_rego_versions: BTreeMap<String, u8>,
    /// Anything else.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty", deserialize_with = "or_default")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Entry points compiled to WebAssembly, which are not supported.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub wasm: Vec<serde_json::Value>,
}

/// Each may take 64 KiB of memory. `opa build` names files, of which there may be any number.
const MAX_PATTERNS: usize = 256;

const MEMBERS: [&str; 6] = ["revision", "roots", "rego_version", "file_rego_versions", "metadata", "wasm"];

impl Manifest {
    /// Reads `.manifest`. Members that are not OPA's are passed over, as OPA does.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, InvalidArchive> {
        let invalid = |cause: String| InvalidArchive::Manifest { cause };
        if bytes.len() > MAX_MANIFEST {
            return Err(invalid(format!("it has more than {MAX_MANIFEST} bytes")));
        }
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| invalid(format!("{error}; it is an object with the members {}", MEMBERS.join(", "))))?;
        // OPA does not tell upper case from lower, so what is passed over here would have a meaning there.
        let members: BTreeMap<String, &serde_json::value::RawValue> = serde_json::from_slice(bytes).unwrap_or_default();
        let near = |name: &&String| MEMBERS.iter().any(|member| name != member && name.eq_ignore_ascii_case(member));
        if let Some(name) = members.keys().find(near) {
            return Err(invalid(format!("the member `{name}` must be written `{}`", name.to_ascii_lowercase())));
        }
        let versions = manifest.rego_version.iter().chain(manifest.file_rego_versions.values());
        if let Some(version) = versions.into_iter().find(|version| **version > 1) {
            return Err(invalid(format!("there is no Rego version {version}; give 0 or 1")));
        }
        let patterns = manifest.file_rego_versions.keys().filter(|pattern| !Pattern::is_literal(pattern));
        if patterns.count() > MAX_PATTERNS {
            return Err(invalid(format!(
                "`file_rego_versions` has more than {MAX_PATTERNS} glob patterns; name files, or use wider ones"
            )));
        }
        if let Some(pattern) = manifest
            .file_rego_versions
            .keys()
            .filter(|text| !Pattern::is_literal(text))
            .find(|text| Pattern::new(text).is_none())
        {
            return Err(invalid(format!("`{}` is no glob pattern", pattern.escape_debug())));
        }
        if manifest.roots.as_ref().is_some_and(Vec::is_empty) {
            return Err(invalid(
                "`roots` is empty, so the bundle owns nothing; name its paths, or leave `roots` out".into(),
            ));
        }
        if let Some((one, other)) = manifest.roots.as_deref().and_then(Roots::overlap_within) {
            return Err(invalid(format!("the roots `{one}` and `{other}` overlap; keep the wider one")));
        }
        Ok(manifest)
    }

    /// The paths that the bundle owns.
    #[must_use]
    pub fn owned(&self) -> Roots {
        self.roots.as_ref().map(|roots| Roots::new(roots)).unwrap_or_default()
    }

    /// Says which version of Rego each of many files is written in, if the manifest says it. Where several patterns are of a
    /// file, the first in the order of their texts counts, as in OPA.
    pub(super) fn versions(&self) -> impl Fn(&str) -> Option<RegoVersion> + use<> {
        let version = |number: u8| if number == 0 { RegoVersion::V0 } else { RegoVersion::V1 };
        let (mut files, mut patterns) = (BTreeMap::new(), Vec::new());
        for (at, (text, number)) in self.file_rego_versions.iter().enumerate() {
            if Pattern::is_literal(text) {
                let path = text.strip_prefix('/').unwrap_or(text).to_owned();
                files.entry(path).or_insert((at, version(*number)));
            } else if let Some(pattern) = Pattern::new(text) {
                patterns.push((pattern, (at, version(*number))));
            }
        }
        let all = self.rego_version.map(version);
        move |path| {
            let pattern = patterns.iter().find(|(pattern, _)| pattern.is_of(path)).map(|(_, found)| *found);
            let found = [files.get(path).copied(), pattern].into_iter().flatten().min_by_key(|(at, _)| *at);
            found.map(|(_, version)| version).or(all)
        }
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}
