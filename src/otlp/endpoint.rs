//! Where a collector is.

use std::{fmt, str::FromStr};

use url::Url;

/// A collector's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
}

/// Why a text is no address of a collector. It may hold a password, and is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// It is no URL that gRPC can be spoken to.
    #[error("is no URL of a collector")]
    NoUrl,
    /// It has a user or a password in it.
    #[error("has a user or a password in it; those go into `OTEL_EXPORTER_OTLP_HEADERS`")]
    Credentials,
    /// It has a path, which gRPC has no use for.
    #[error("has a path or a query, which OTLP over gRPC has no use for")]
    Path,
}

impl Endpoint {
    /// Reads an address; one without a scheme has TLS unless `insecure`.
    pub fn parse(text: &str, insecure: bool) -> Result<Self, InvalidEndpoint> {
        let scheme = if insecure { "http" } else { "https" };
        let whole = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
        let url = Url::parse(&whole).map_err(|_| InvalidEndpoint::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(InvalidEndpoint::NoUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidEndpoint::Credentials);
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidEndpoint::Path);
        }
        Ok(Self { url })
    }

    /// Whether it is spoken to by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains("://") { Self::parse(text, true) } else { Err(InvalidEndpoint::NoUrl) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_an_address_and_nothing_else() {
        for (text, shown) in [
            ("http://localhost:4317", "http://localhost:4317"),
            ("https://otel.example.com/", "https://otel.example.com"),
            ("collector:4317", "https://collector:4317"),
        ] {
            assert_eq!(Endpoint::parse(text, false).unwrap().to_string(), shown);
        }
        assert_eq!(Endpoint::parse("collector:4317", true).unwrap().to_string(), "http://collector:4317");
        for (text, fault) in [
            ("", InvalidEndpoint::NoUrl),
            ("ftp://x", InvalidEndpoint::NoUrl),
            ("http://", InvalidEndpoint::NoUrl),
            ("http://me:pass@x", InvalidEndpoint::Credentials),
            ("http://x/v1/traces", InvalidEndpoint::Path),
            ("http://x?token=1", InvalidEndpoint::Path),
        ] {
            assert_eq!(Endpoint::parse(text, false), Err(fault), "{text}");
        }
        assert!("collector:4317".parse::<Endpoint>().is_err(), "in the file, the scheme is written");
    }
}
