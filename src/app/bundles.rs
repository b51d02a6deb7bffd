//! The bundles of the configuration, opened: their sources, and the keys that they are verified by.

use std::{collections::BTreeMap, sync::Arc};

use sha2::{Digest as _, Sha256};

use crate::{
    bundle::{Package, signing},
    clock,
    decision::Digest,
    reload::{Bundle, Feed, Trust, Verification},
};

/// What a reloader takes. Keys are read now, so that a server whose bundles could never be verified does not start.
pub(super) fn feeds(bundles: BTreeMap<String, Bundle>) -> Result<Vec<Feed>, String> {
    let feed = |(name, bundle): (String, Bundle)| {
        let Bundle { source, verification, stale_after, min_sequence } = bundle;
        let source = source.map(|spec| spec.open()).transpose().map_err(|error| format!("{name}: {error}"))?;
        let trust = verification.map(trust).transpose();
        let trust = trust.map_err(|cause| format!("{name}.verification: {cause}"))?;
        Ok(Feed { name, source, trust, stale_after, min_sequence })
    };
    bundles.into_iter().map(feed).collect()
}

fn trust(settings: Verification) -> Result<Trust, String> {
    let Verification { key_file, algorithm, key_id, scope, exclude } = settings;
    let place = key_file.display();
    let material = std::fs::read(&key_file).map_err(|error| format!("{place}: {error}"))?;
    let mut hasher = Sha256::new();
    let options = [algorithm.name(), key_id.as_deref().unwrap_or_default(), &scope].map(str::as_bytes);
    let parts = options.into_iter().chain([material.as_slice()]).chain(exclude.iter().map(String::as_bytes));
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let key =
        signing::VerificationKey::new(algorithm, &material, &scope).map_err(|error| format!("{place}: {error}"))?;
    let id = key_id.unwrap_or_else(|| "key".to_owned());
    let keys = BTreeMap::from([(id.clone(), key)]);
    let verification = signing::Verification::new(keys, Some(id), None, &exclude).map_err(|error| error.to_string())?;
    let verify = move |package: &Package| {
        let now = clock::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        verification.verify(package, now).map_err(|error| error.to_string())
    };
    Ok(Trust { fingerprint: Digest(hasher.finalize().into()).to_string(), verify: Arc::new(verify) })
}
