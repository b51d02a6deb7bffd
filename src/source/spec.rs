//! A source as the configuration describes it: an URL and its options, `[bundles.NAME]` in the file.
//!
//! Secrets are named by the file that holds them and never stand here, so a description may be shown and logged; what
//! an URL or a header could smuggle in all the same is hidden.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde::Deserialize;

pub use self::{
    check::Fault,
    location::{Kind, Location},
    quantity::{Size, Span},
};
use super::{
    Config, Error, Folder, Source, file::File, http::Http, object::Object as ObjectStore, oci::Registry, retry::Remote,
    status::Observed,
};

pub(super) use self::location::{is_loopback, shown};

mod check;
mod location;
pub mod quantity;
#[cfg(test)]
mod tests;

/// Where a bundle comes from, and how it is fetched. [`Spec::check`] tells what is wrong with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// `https://…`, `http://…`, `s3://bucket/key`, `gs://…`, `az://container/key`, `oci://host/repository:tag`,
    /// `file:///bundle.tar.gz` or `folder:///policies`.
    pub url: Location,
    /// How often it is looked at. What is on disk is watched, and looked at every 5 s at least.
    #[serde(default)]
    pub polling: Polling,
    /// How long the server may hold a question until there is something new; HTTP only.
    pub long_poll: Option<Span>,
    /// A file with a bearer token, read again for each request; HTTP and OCI.
    pub token_file: Option<PathBuf>,
    /// A user and the file with the password; HTTP and OCI.
    pub basic: Option<Basic>,
    /// Client credentials of OAuth2; HTTP only.
    pub oauth2: Option<OAuth2>,
    /// Certificates of TLS.
    #[serde(default)]
    pub tls: Tls,
    /// More headers; HTTP only. None that could be a secret: those go into `header_files`.
    #[serde(default)]
    pub headers: Headers,
    /// More headers whose values are in files, read again for each request; HTTP only.
    #[serde(default)]
    pub header_files: BTreeMap<String, PathBuf>,
    /// Bounds of one attempt.
    #[serde(default)]
    pub limits: Limits,
    /// How long it waits after failures.
    #[serde(default)]
    pub back_off: BackOff,
    /// Whether `http` may be spoken with a host other than this one.
    #[serde(default)]
    pub plain_http: bool,
    /// Options of object stores.
    #[serde(default)]
    pub object: Object,
}

/// How often a source is looked at: after a delay between the two, so that many servers do not ask at once.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Polling {
    /// The shortest delay.
    pub min: Span,
    /// The longest delay.
    pub max: Span,
}

/// Full jitter: the n-th delay is anywhere between `min` and `min` doubled n times, at most `max`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackOff {
    /// The shortest delay.
    pub min: Span,
    /// The longest delay.
    pub max: Span,
}

/// Bounds of one attempt.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest archive.
    pub size: Size,
    /// How long an attempt may take in all; what a long poll waits comes on top.
    pub timeout: Span,
    /// How long the other side may send nothing.
    pub idle_timeout: Span,
    /// How long connecting may take.
    pub connect_timeout: Span,
}

/// HTTP's basic authentication (RFC 7617).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user.
    pub user: String,
    /// The file with the password, read again for each request.
    pub password_file: PathBuf,
}

/// Client credentials of OAuth2 (RFC 6749 §4.4).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// The token endpoint.
    pub token_url: Location,
    /// Who asks.
    pub client_id: String,
    /// The file with the client's secret, read again for each token.
    pub client_secret_file: PathBuf,
    /// What the token is for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// More parameters of the request, as `audience`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// Certificates, as PEM files that are read again for each attempt.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, and those that it was issued by; with `key_file`. HTTP and OCI.
    pub cert_file: Option<PathBuf>,
    /// The key of the client's certificate.
    pub key_file: Option<PathBuf>,
}

/// Options of object stores. Without credentials here, and unless `anonymous`, the environment counts (`AWS_…`,
/// `GOOGLE_…`, `AZURE_…`).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Object {
    /// The region; S3 only.
    pub region: Option<String>,
    /// The store's address, if it is not the cloud's own.
    pub endpoint: Option<Location>,
    /// Whether requests carry no credentials at all.
    pub anonymous: bool,
    /// The file with the id of the access key; S3 only.
    pub access_key_id_file: Option<PathBuf>,
    /// The file with the secret access key; S3 only.
    pub secret_access_key_file: Option<PathBuf>,
    /// The file with the session's token, if the key is of a session; S3 only.
    pub session_token_file: Option<PathBuf>,
    /// The file of the service account; GCS only.
    pub service_account_file: Option<PathBuf>,
    /// The storage account; Azure only.
    pub account: Option<String>,
    /// The file with the account's key; Azure only.
    pub account_key_file: Option<PathBuf>,
}

/// Headers, of whose values only the presence is shown.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Headers(pub BTreeMap<String, String>);

impl Spec {
    /// A source with this URL and the defaults of everything else.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: Location::new(url),
            polling: Polling::default(),
            long_poll: None,
            token_file: None,
            basic: None,
            oauth2: None,
            tls: Tls::default(),
            headers: Headers::default(),
            header_files: BTreeMap::new(),
            limits: Limits::default(),
            back_off: BackOff::default(),
            plain_http: false,
            object: Object::default(),
        }
    }

    /// Everything that is wrong with it, each with the field; nothing if [`Spec::open`] will give a source.
    #[must_use]
    pub fn check(&self) -> Vec<(String, Fault)> {
        check::faults(self)
    }

    /// The source. Reads no file and asks no server yet: what is amiss there is told by [`Source::next`].
    ///
    /// # Errors
    /// [`Error::Settings`] with the first of what [`Spec::check`] tells.
    pub fn open(&self) -> Result<Box<dyn Source>, Error> {
        if let Some((field, fault)) = self.check().into_iter().next() {
            return Err(Error::Settings { field, problem: fault.to_string() });
        }
        Ok(match self.url.kind() {
            Some(Kind::Http) => Box::new(Remote::new(Http::new(self), self)),
            Some(Kind::S3 | Kind::Gcs | Kind::Azure) => Box::new(Remote::new(ObjectStore::new(self), self)),
            Some(Kind::Oci) => Box::new(Remote::new(Registry::new(self), self)),
            Some(kind @ (Kind::File | Kind::Folder)) => {
                let Config { settle, poll_interval, .. } = Config::default();
                let (path, poll) = (self.url.path(), poll_interval.min(self.polling.max.0));
                match kind {
                    Kind::File => Box::new(Observed::new(File::new(path, settle, poll, self.limits.size.0), kind)),
                    _ => Box::new(Observed::new(Folder::new(path, settle, poll), kind)),
                }
            }
            Some(Kind::Embedded) | None => {
                return Err(Error::Settings { field: "url".to_owned(), problem: "is of no known kind".to_owned() });
            }
        })
    }
}

/// As OPA's bundle plugin has it: one to two minutes.
impl Default for Polling {
    fn default() -> Self {
        Self { min: Span(Duration::from_secs(60)), max: Span(Duration::from_secs(120)) }
    }
}

impl Default for BackOff {
    fn default() -> Self {
        Self { min: Span(Duration::from_millis(500)), max: Span(Duration::from_secs(120)) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: Size(256 << 20),
            timeout: Span(Duration::from_secs(120)),
            idle_timeout: Span(Duration::from_secs(15)),
            connect_timeout: Span(Duration::from_secs(10)),
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.0.keys().map(|name| (name, "…"))).finish()
    }
}
