//! Where a collector of OpenTelemetry is, and how requests get there: OTLP over gRPC (OTLP specification 1.9,
//! "OTLP/gRPC").
//!
//! Owns the channel, the headers and the deadline of a request; knows nothing of what is in it. The headers may be secrets:
//! they are shown by nothing here.

mod endpoint;
mod headers;

use std::{fs, path::PathBuf, time::Duration};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
};
use tonic::{
    Code, Request, Status,
    codec::CompressionEncoding,
    metadata::MetadataMap,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint as Transport, Identity},
};

pub use self::{
    endpoint::{Endpoint, InvalidEndpoint},
    headers::{Headers, InvalidHeaders},
};

/// How a collector is reached.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What every request has beside its message.
    pub headers: Headers,
    /// How long a request may take.
    pub timeout: Duration,
    /// Whether requests are compressed by gzip.
    pub gzip: bool,
    /// The authorities to trust instead of the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The certificate and the key to show the collector, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A collector that can be asked.
#[derive(Clone)]
pub struct Collector {
    transport: Transport,
    metadata: MetadataMap,
    timeout: Duration,
    gzip: bool,
}

/// What becomes of a request that the collector did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may be taken later.
    Again,
    /// It is larger than the collector takes.
    TooLarge,
    /// It will never be taken.
    Never,
}

/// Why a collector can't be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

impl Destination {
    /// The same, with what it needs of files read. Nothing is connected.
    pub fn open(&self) -> Result<Collector, OpenError> {
        let Self { endpoint, headers, timeout, gzip, ca_file, identity } = self;
        let fault = |text: String| OpenError(text);
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|error| fault(format!("`{}` cannot be read: {error}", path.display())))
        };
        let transport = Transport::from_shared(endpoint.to_string())
            .and_then(|transport| transport.user_agent(concat!("verdict/", env!("CARGO_PKG_VERSION"))))
            .map_err(|_| fault(format!("`{endpoint}` is no address of a server")))?;
        let mut transport = transport
            .connect_timeout((*timeout).min(Duration::from_secs(10)))
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10));
        if endpoint.is_tls() {
            let mut tls = ClientTlsConfig::new();
            tls = match ca_file {
                Some(path) => tls.ca_certificate(Certificate::from_pem(read(path)?)),
                None => tls.with_native_roots(),
            };
            if let Some((certificate, key)) = identity {
                tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
            }
            let shown = ca_file.as_ref().map_or_else(String::new, |path| format!(" with `{}`", path.display()));
            transport = transport.tls_config(tls).map_err(|_| fault(format!("TLS can't be set up{shown}")))?;
        }
        Ok(Collector { transport, metadata: headers.metadata(), timeout: *timeout, gzip: *gzip })
    }
}

impl Collector {
    /// A channel that connects when it is first used, and again when it has to. Must be called inside a tokio runtime.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.transport.connect_lazy()
    }

    /// A message with the headers and the deadline of every request.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::from_parts(self.metadata.clone(), tonic::Extensions::new(), message);
        request.set_timeout(self.timeout);
        request
    }

    /// How requests are compressed.
    #[must_use]
    pub fn compression(&self) -> Option<CompressionEncoding> {
        self.gzip.then_some(CompressionEncoding::Gzip)
    }

    /// How long a request may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl Failure {
    /// What a status means ("OTLP/gRPC Response", "Failures").
    #[must_use]
    pub fn of(status: &Status) -> Self {
        match status.code() {
            Code::OutOfRange if status.message().contains("too large") => Self::TooLarge,
            Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
            // Who is limited, or not admitted yet, may be later.
            | Code::ResourceExhausted
            | Code::Unauthenticated
            | Code::PermissionDenied
            | Code::Unimplemented
            | Code::Unknown => Self::Again,
            _ => Self::Never,
        }
    }
}

/// A failed request in words: its code, and nothing that the collector said.
#[must_use]
pub fn cause(status: &Status) -> String {
    format!("the collector answers `{:?}`", status.code())
}

/// An attribute.
#[must_use]
pub fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// An attribute that is a text.
#[must_use]
pub fn text(name: &str, value: impl Into<String>) -> KeyValue {
    attribute(name, Value::StringValue(value.into()))
}

/// Who tells: the process, as the attributes of a resource.
#[must_use]
pub fn resource(attributes: &[(String, String)]) -> Resource {
    let attributes = attributes.iter().map(|(name, value)| text(name, value.as_str())).collect();
    Resource { attributes, ..Resource::default() }
}
