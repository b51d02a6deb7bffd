//! Where an issuer's keys are, and fetching them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use tokio::{fs::File, io::AsyncReadExt as _};
use url::Url;

use super::{
    config::{KeysFrom, Transport},
    fault::Fault,
    http::{Answer, Http},
};

/// The largest set of keys, or text of metadata, that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// Fetches from one place.
#[derive(Debug)]
pub(super) enum Origin {
    File(PathBuf),
    Url(Url, Http),
    Discovery { issuer: String, metadata: Url, http: Http },
}

/// What is read of an issuer's metadata (RFC 8414 §2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Origin {
    pub(super) fn new(keys: KeysFrom, issuer: &str, transport: Transport) -> Self {
        match keys {
            KeysFrom::File(path) => Self::File(path),
            KeysFrom::Url(url) => Self::Url(url, Http::new(transport)),
            KeysFrom::Discovery(metadata) => {
                Self::Discovery { issuer: issuer.to_owned(), metadata, http: Http::new(transport) }
            }
        }
    }

    /// The text of the set, and for how long it is good.
    pub(super) async fn fetch(&self) -> Result<(Vec<u8>, Option<Duration>), Fault> {
        let Answer { body, max_age } = match self {
            Self::File(path) => return read(path).await.map(|text| (text, None)),
            Self::Url(url, http) => get(http, url).await?,
            Self::Discovery { issuer, metadata, http } => {
                let keys = discovered(http, issuer, metadata).await?;
                get(http, &keys).await?
            }
        };
        Ok((body, max_age))
    }
}

async fn get(http: &Http, url: &Url) -> Result<Answer, Fault> {
    http.ask(url, LARGEST, |client| client.get(url.clone())).await
}

/// Where the issuer says that its keys are: by `OpenID` Connect's place for metadata, or else by that of RFC 8414.
async fn discovered(http: &Http, issuer: &str, base: &Url) -> Result<Url, Fault> {
    let path = base.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = base.clone();
        url.set_path(&path);
        url
    };
    let openid = at(format!("{path}/.well-known/openid-configuration"));
    let answer = match get(http, &openid).await {
        Err(Fault::Status(404)) => get(http, &at(format!("/.well-known/oauth-authorization-server{path}"))).await?,
        answer => answer?,
    };
    let metadata: Metadata =
        serde_json::from_slice(&answer.body).map_err(|_| Fault::Metadata("have no `issuer` and `jwks_uri`"))?;
    // RFC 8414 §3.3: or they are not to be used.
    if metadata.issuer != issuer {
        return Err(Fault::Metadata("are another issuer's"));
    }
    Url::parse(&metadata.jwks_uri).map_err(|_| Fault::Metadata("have a `jwks_uri` that is no URL"))
}

async fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let fault = |problem: String| Fault::File { path: path.display().to_string(), problem };
    let failed = |error: std::io::Error| fault(format!("cannot be read: {error}"));
    let metadata = tokio::fs::metadata(path).await.map_err(failed)?;
    if !metadata.is_file() {
        // A pipe would be waited for without end.
        return Err(fault("is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).await.map_err(failed)?;
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() > LARGEST { Err(Fault::TooLarge(LARGEST)) } else { Ok(bytes) }
}
