//! Bundles from object stores: Amazon's S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.

use std::{error::Error as StdError, time::Duration};

use futures::StreamExt as _;
use object_store::{Error, GetOptions, path::Path};
use tokio::time::timeout;

use self::client::Clients;
use super::{
    Fault,
    fault::chain,
    http::Body,
    retry::{Fetch, Fetched, Fetching, Known},
    spec::{Kind, Location, Spec},
};

mod client;

/// One object of a store.
pub(super) struct Object {
    url: Location,
    kind: Kind,
    clients: Clients,
    limit: u64,
    timeout: Duration,
    idle: Duration,
}

impl Object {
    /// The object that the description names; of S3, if its URL is of no store at all.
    pub(super) fn new(spec: &Spec) -> Self {
        let kind = spec.url.kind().unwrap_or(Kind::S3);
        Self {
            url: spec.url.clone(),
            kind,
            clients: Clients::new(spec, kind),
            limit: spec.limits.size.0,
            timeout: spec.limits.timeout.0,
            idle: spec.limits.idle_timeout.0,
        }
    }

    async fn get(&self, known: Known) -> Result<Fetched, Fault> {
        let store = self.clients.client().await?;
        let url = self.url.url().ok_or_else(|| Fault::Client("its URL is not valid".to_owned()))?;
        let path = Path::from_url_path(url.path()).map_err(|error| Fault::Client(chain(&error)))?;
        let options = GetOptions { if_none_match: known.etag.clone(), ..GetOptions::default() };
        let found = timeout(self.idle, store.get_opts(&path, options)).await.map_err(|_| Fault::Idle(self.idle))?;
        let found = match found {
            Err(Error::NotModified { .. }) if known.etag.is_some() => {
                return Ok(Fetched { archive: None, etag: known.etag, holds: false });
            }
            found => found.map_err(fault)?,
        };
        let etag = found.meta.e_tag.clone();
        let mut body = Body::new(self.limit, Some(found.meta.size))?;
        let mut stream = found.into_stream();
        loop {
            match timeout(self.idle, stream.next()).await.map_err(|_| Fault::Idle(self.idle))? {
                Some(chunk) => body.push(&chunk.map_err(fault)?)?,
                None => return Ok(Fetched { archive: Some(body.finish()?), etag, holds: false }),
            }
        }
    }
}

impl Fetch for Object {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn patience(&self, _known: &Known) -> Duration {
        self.timeout
    }

    fn fetch(&self, known: Known) -> Fetching<'_> {
        Box::pin(self.get(known))
    }
}

fn fault(error: Error) -> Fault {
    let code = match error {
        Error::NotFound { .. } => 404,
        Error::PermissionDenied { .. } => 403,
        Error::Unauthenticated { .. } => 401,
        error => match status(&error) {
            Some(code) => code,
            None => return Fault::Unreachable(cause(&error)),
        },
    };
    Fault::Status { code, retry_after: None }
}

/// The status of an answer: the library has it in its text only. What the server wrote beside it is not passed on.
fn status(error: &Error) -> Option<u16> {
    let text = chain(error);
    let (_, rest) = text.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

/// What is behind an error. The library's own words have the time that the attempt took in them, by which every failure
/// would be another one.
fn cause(error: &Error) -> String {
    let mut behind: &dyn StdError = error;
    while behind.to_string().contains("Error performing ") {
        match behind.source() {
            Some(source) => behind = source,
            None => return "the request failed".to_owned(),
        }
    }
    chain(behind)
}
