//! What requests to a collector have beside their messages: names and values, which may be secrets.

use std::fmt;

use percent_encoding::percent_decode_str;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};

/// Headers. Their values are not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

/// What is wrong with headers, without anything of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeaders {
    /// An entry has no `=`, or nothing before it.
    #[error("has an entry that is not `name=value`")]
    NoPair,
    /// A name or a value has characters that no header has.
    #[error("has a name or a value that no header can have")]
    NoHeader,
    /// A name is one that gRPC has for itself.
    #[error("has a name that gRPC has for itself")]
    Reserved,
}

impl Headers {
    /// Reads `name=value,name=value`, the values percent-encoded (OpenTelemetry's specification of exporters, "Specifying
    /// headers via environment variables").
    pub fn parse(text: &str) -> Result<Self, InvalidHeaders> {
        let mut headers = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, value) = entry.split_once('=').ok_or(InvalidHeaders::NoPair)?;
            let name = name.trim().to_ascii_lowercase();
            let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| InvalidHeaders::NoHeader)?;
            if name.is_empty() {
                return Err(InvalidHeaders::NoPair);
            }
            let reserved = ["te", "content-type", "user-agent"].contains(&name.as_str());
            if reserved || name.starts_with("grpc-") || name.starts_with(':') {
                return Err(InvalidHeaders::Reserved);
            }
            pair(&name, &value).ok_or(InvalidHeaders::NoHeader)?;
            headers.push((name, value.into_owned()));
        }
        Ok(Self(headers))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn metadata(&self) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        for (name, value) in self.0.iter().filter_map(|(name, value)| pair(name, value)) {
            metadata.append(name, value);
        }
        metadata
    }
}

fn pair(name: &str, value: &str) -> Option<(AsciiMetadataKey, AsciiMetadataValue)> {
    let name = AsciiMetadataKey::from_bytes(name.as_bytes()).ok()?;
    let mut value: AsciiMetadataValue = value.parse().ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

impl fmt::Debug for Headers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} headers, not shown", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pairs_and_shows_none_of_them() {
        let headers = Headers::parse("api-key=s3cret, Authorization=Bearer%20s3cret,").unwrap();
        assert_eq!(headers.len(), 2);
        let metadata = headers.metadata();
        assert_eq!(metadata.get("authorization").unwrap(), "Bearer s3cret");
        assert!(!format!("{headers:?} {metadata:?}").contains("s3cret"));
        for (text, fault) in [
            ("s3cret", InvalidHeaders::NoPair),
            ("=s3cret", InvalidHeaders::NoPair),
            ("a b=s3cret", InvalidHeaders::NoHeader),
            ("a=s3%0acret", InvalidHeaders::NoHeader),
            ("grpc-timeout=1S", InvalidHeaders::Reserved),
        ] {
            assert_eq!(Headers::parse(text), Err(fault), "{text}");
            assert!(!fault.to_string().contains("s3cret"));
        }
    }
}
