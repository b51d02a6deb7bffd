//! The keys of somebody who is no issuer of credentials: kept as an issuer's are, and told to whoever needs them.

use std::{future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use url::Url;

use super::{
    config::{KeysFrom, Times, Transport},
    keeper::Keeper,
    origin::Origin,
};
use crate::identity::KeySet;

/// A JWK set at a URL. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Remote(Arc<Keeper>);

impl Remote {
    /// That of whoever is called `name`; `ca_file` has the authorities of its server. Fetched as often as an issuer's by
    /// default, and without TLS from this machine only.
    #[must_use]
    pub fn new(name: &str, url: Url, ca_file: Option<PathBuf>) -> Self {
        let times =
            Times { refresh: Duration::from_mins(10), stale: Duration::from_hours(1), apart: Duration::from_secs(30) };
        let transport = Transport { ca_file, plain_http: url.scheme() == "http", ..Transport::default() };
        let origin = Origin::new(KeysFrom::Url(url), "", transport);
        Self(Arc::new(Keeper::of(name.to_owned(), false, origin, times)))
    }

    /// Tells `publish` of its keys, or that there are none any more, without end.
    pub fn run(self, publish: impl Fn(Option<KeySet>) + Send + 'static) -> impl Future<Output = ()> + Send + 'static {
        self.0.run(publish)
    }

    /// What is ready once they were fetched anew; `None` where that was done a short time ago.
    #[must_use]
    pub fn refreshed(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        Some(Box::pin(self.0.refreshed()?))
    }
}
