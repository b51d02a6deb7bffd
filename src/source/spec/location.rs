//! An URL that may be shown: user information and the query, which may hold secrets, are hidden.

use std::{fmt, path::PathBuf};

use serde::Deserialize;
use url::{Host, Url};

/// An URL as it was written.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Location(String);

/// What gives the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder of policies.
    Folder,
    /// An archive on disk.
    File,
    /// A web server.
    Http,
    /// Amazon's S3, or what speaks like it.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A registry of the Open Container Initiative.
    Oci,
    /// The policies in the binary.
    Embedded,
}

impl Location {
    /// An URL; nothing is checked.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// What the scheme says; `None` if it is not known.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let (scheme, _) = self.0.split_once(':')?;
        match scheme.to_ascii_lowercase().as_str() {
            "folder" => Some(Kind::Folder),
            "file" => Some(Kind::File),
            "http" | "https" => Some(Kind::Http),
            "s3" | "s3a" => Some(Kind::S3),
            "gs" => Some(Kind::Gcs),
            "az" | "adl" | "azure" | "abfs" | "abfss" => Some(Kind::Azure),
            "oci" => Some(Kind::Oci),
            _ => None,
        }
    }

    /// The URL, if it is one.
    pub(in crate::source) fn url(&self) -> Option<Url> {
        Url::parse(&self.0).ok()
    }

    /// The path of `file:` and `folder:`, as it is: nothing is decoded in it.
    pub(in crate::source) fn path(&self) -> PathBuf {
        let rest = self.0.split_once(':').map_or(self.0.as_str(), |(_, rest)| rest);
        PathBuf::from(rest.strip_prefix("//").unwrap_or(rest))
    }

    /// What follows `oci://`.
    pub(in crate::source) fn reference(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, reference)| reference)
    }

    pub(super) fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl Kind {
    /// Its name, for the status and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::File => "file",
            Self::Http => "http",
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::Azure => "azure",
            Self::Oci => "oci",
            Self::Embedded => "embedded",
        }
    }

    /// Whether it is fetched over a network.
    #[must_use]
    pub fn is_remote(self) -> bool {
        matches!(self, Self::Http | Self::S3 | Self::Gcs | Self::Azure | Self::Oci)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", shown(&self.0))
    }
}

/// The URL without what may be secret. Works on text that is no valid URL, too. An Azure container before an `@` is
/// hidden with what could be a password.
pub(in crate::source) fn shown(url: &str) -> String {
    let (rest, query) = match url.find(['?', '#']) {
        Some(at) => (url.split_at(at).0, "?…"),
        None => (url, ""),
    };
    let Some((scheme, rest)) = rest.split_once("://") else { return format!("{rest}{query}") };
    if scheme != "oci" && Url::parse(url).is_err() {
        return format!("{scheme}://…"); // where a password ends cannot be told
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}{path}{query}"),
        None => format!("{scheme}://{authority}{path}{query}"),
    }
}

/// Whether this host is the machine itself, so that nobody listens in between.
pub(in crate::source) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
