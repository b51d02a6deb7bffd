//! The messages of the Workload API's X.509 profile, as the standard's `workload.proto` numbers them
//! (SPIFFE Workload API §5).

use std::collections::BTreeMap;

/// `X509SVIDRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct Request {}

/// `X509SVIDResponse`: all that there is.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct Response {
    #[prost(message, repeated, tag = "1")]
    pub(super) svids: Vec<Svid>,
    /// DER, one list each.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) crl: Vec<Vec<u8>>,
    /// DER of certificates, one behind the other, by the SPIFFE ID of their trust domain.
    #[prost(btree_map = "string, bytes", tag = "3")]
    pub(super) federated_bundles: BTreeMap<String, Vec<u8>>,
}

/// `X509SVID`.
#[allow(clippy::struct_field_names, reason = "the standard's own")]
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct Svid {
    #[prost(string, tag = "1")]
    pub(super) spiffe_id: String,
    /// DER of certificates, one behind the other, its own first.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) x509_svid: Vec<u8>,
    /// DER of PKCS #8.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) x509_svid_key: Vec<u8>,
    /// DER of certificates, one behind the other.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) bundle: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(super) hint: String,
}

/// Without keys.
impl std::fmt::Debug for Response {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Response").field("svids", &self.svids).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Svid {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Svid").field("spiffe_id", &self.spiffe_id).finish_non_exhaustive()
    }
}
