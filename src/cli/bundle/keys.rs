//! The keys that the command line names.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context as _;
use verdict::{
    bundle::{
        Package,
        signing::{self, Algorithm, Options, SigningKey, Verification, VerificationKey},
    },
    clock,
};

/// How a bundle is signed.
#[derive(Debug, clap::Args)]
pub(super) struct Signer {
    /// The private key in PEM, or a file with the secret of an HS algorithm, every byte of which counts
    #[arg(long, value_name = "FILE")]
    pub(super) signing_key: Option<PathBuf>,
    /// HS256, RS256, PS256, ES256, or one of these with 384 or 512
    #[arg(long, value_name = "ALG", default_value = "RS256", requires = "signing_key")]
    signing_alg: Algorithm,
    /// Name the key in the signature, so that whoever has several knows which to take
    #[arg(long, value_name = "ID", requires = "signing_key")]
    signing_key_id: Option<String>,
    /// What the signature is for: verification must ask for the same
    #[arg(long, value_name = "SCOPE", requires = "signing_key")]
    scope: Option<String>,
    /// A JSON object with further claims, such as `exp` (when the signature expires, in seconds since 1970)
    #[arg(long, value_name = "FILE", requires = "signing_key")]
    claims_file: Option<PathBuf>,
}

/// How a bundle is verified.
#[derive(Debug, clap::Args)]
pub(super) struct Verifying {
    /// The public key or certificate in PEM, or a file with the secret of an HS algorithm
    #[arg(long, value_name = "FILE", required = true)]
    verification_key: PathBuf,
    /// The name of that key, if the signature's is to count: one by another name is refused [default: any]
    #[arg(long, value_name = "ID")]
    verification_key_id: Option<String>,
    /// The only algorithm that is taken: HS256, RS256, PS256, ES256, or one of these with 384 or 512
    #[arg(long, visible_alias = "alg", value_name = "ALG", default_value = "RS256")]
    signing_alg: Algorithm,
    /// What the signature must be for
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// Files that need no signature (`*` stops at `/`); may be given more than once
    #[arg(long, value_name = "GLOB")]
    exclude_files_verify: Vec<String>,
}

impl Signer {
    /// The `.signatures.json` of a bundle; `None` without a key.
    pub(super) fn sign(&self, package: &Package) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(path) = &self.signing_key else { return Ok(None) };
        let key = SigningKey::new(self.signing_alg, &read(path)?).with_context(|| unusable(path))?;
        let mut claims = match &self.claims_file {
            Some(path) => serde_json::from_slice(&read(path)?)
                .with_context(|| format!("`{}` is no JSON object with claims", path.display()))?,
            None => serde_json::Map::new(),
        };
        if let Some(scope) = &self.scope {
            claims.insert("scope".to_owned(), scope.as_str().into());
        }
        let options = Options { key_id: self.signing_key_id.clone(), claims };
        Ok(Some(signing::sign(package, &key, &options)?))
    }
}

impl Verifying {
    /// What is to hold of bundles.
    pub(super) fn verification(&self) -> anyhow::Result<Verification> {
        let path = &self.verification_key;
        let key = VerificationKey::new(self.signing_alg, &read(path)?, "").with_context(|| unusable(path))?;
        // Without a name for the only key, it is the one to use, whatever the signature says; as in OPA.
        let id = self.verification_key_id.clone().unwrap_or_else(|| "default".to_owned());
        let chosen = self.verification_key_id.is_none().then(|| id.clone());
        let keys = BTreeMap::from([(id, key)]);
        Ok(Verification::new(keys, chosen, self.scope.clone(), &self.exclude_files_verify)?)
    }
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    clock::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read `{}`; keys and secrets are in files", path.display()))
}

fn unusable(path: &Path) -> String {
    format!("`{}` is no key for this", path.display())
}
