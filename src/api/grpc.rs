//! The gRPC door: `verdict.v1`, health and reflection. prost and tonic types stop here.

mod caught;
pub mod codec;
pub(in crate::api) mod deadline;
mod explanation;
mod health;
mod issuance;
mod limits;
mod mcp;
pub mod policy;
mod question;
pub mod received;
mod response;
pub mod revocation;
mod search;
mod service;
pub mod wire;

use std::{collections::HashSet, sync::LazyLock, time::Duration};

use prost_reflect::DescriptorPool;
use tonic::service::Routes;

pub use health::{Health, HealthReporter};
pub use issuance::Issuances;
pub use limits::Limits;
pub use mcp::Mcp;
pub use search::Searches;
pub use service::{DecisionIds, Service};

use self::caught::caught;
use super::Address;

/// All services of the door, within its limits.
pub type LimitedRoutes = Limits<Routes>;

/// The messages and services of `proto/verdict/v1`, generated.
#[allow(
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    unreachable_pub,
    reason = "generated"
)]
pub mod proto {
    tonic::include_proto!("verdict.v1");

    /// The contract's descriptors, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/verdict.v1.bin"));

    impl std::fmt::Debug for Credential {
        fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let Self { token: _, proof } = self;
            out.debug_struct("Credential").field("proof", proof).finish_non_exhaustive()
        }
    }
}

/// Whether there is a method of that path (`package.Service/Method`).
#[must_use]
pub fn is_method(path: &str) -> bool {
    static METHODS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let of = |set: &[u8]| DescriptorPool::decode(set).unwrap_or_default();
        let pools = [of(proto::DESCRIPTORS), of(tonic_health::pb::FILE_DESCRIPTOR_SET)];
        let services = pools.iter().flat_map(DescriptorPool::services);
        let methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
        let methods = methods.map(|method| format!("{}/{}", method.parent_service().full_name(), method.name()));
        // Of these there are no descriptors here.
        let others = [
            "envoy.service.auth.v3.Authorization/Check",
            "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ];
        methods.chain(others.map(str::to_owned)).collect()
    });
    METHODS.contains(path)
}

/// The name that the decision service has in `grpc.health.v1`.
pub const SERVICE_NAME: &str = "verdict.v1.DecisionService";

/// The name that the MCP service has there.
pub const MCP_SERVICE_NAME: &str = "verdict.v1.McpService";

/// The routes of one gRPC door: `service`, `searches`, `issuances`, the MCP service, Envoy's service, the health service that
/// `health` feeds, and reflection if configured, which describes all but Envoy's: `envoy-types` has no descriptors.
pub fn routes<S>(
    service: S,
    searches: Option<Searches>,
    issuances: Option<Issuances>,
    mcp: Option<Mcp>,
    envoy: Option<super::envoy::Service>,
    health: Health,
    config: &Config,
) -> Result<LimitedRoutes, tonic_reflection::server::Error>
where
    S: proto::decision_service_server::DecisionService,
{
    use proto::{
        decision_service_server::DecisionServiceServer, issuance_service_server::IssuanceServiceServer,
        mcp_service_server::McpServiceServer, search_service_server::SearchServiceServer,
    };

    let (most, largest) = (config.max_message_bytes, config.max_response_bytes);
    let service =
        DecisionServiceServer::new(service).max_decoding_message_size(most).max_encoding_message_size(largest);
    let mut routes = Routes::new(service).add_service(health.service());
    if let Some(searches) = searches {
        let searches = SearchServiceServer::new(searches).max_decoding_message_size(most);
        routes = routes.add_service(searches.max_encoding_message_size(largest));
    }
    if let Some(issuances) = issuances {
        let issuances = IssuanceServiceServer::new(issuances).max_decoding_message_size(most);
        routes = routes.add_service(issuances.max_encoding_message_size(largest));
    }
    if let Some(mcp) = mcp {
        let mcp = McpServiceServer::new(mcp).max_decoding_message_size(most);
        routes = routes.add_service(mcp.max_encoding_message_size(largest));
    }
    if let Some(envoy) = envoy {
        routes = routes.add_service(envoy);
    }
    if config.reflection {
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // Many clients still ask in v1alpha.
        let (v1, v1alpha) = (builder().build_v1()?, builder().build_v1alpha()?);
        routes = routes.add_service(v1.max_decoding_message_size(most));
        routes = routes.add_service(v1alpha.max_decoding_message_size(most));
    }
    Ok(Limits::new(routes.prepare(), config.max_message_bytes))
}

/// Settings of the gRPC door.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub address: Address,
    /// The largest message that is read, in bytes.
    pub max_message_bytes: usize,
    /// The largest message that is sent, in bytes.
    pub max_response_bytes: usize,
    /// The most items in a batch.
    pub max_batch_items: usize,
    /// The most undecided questions of one stream; past it, the server stops reading the stream.
    pub max_stream_in_flight: usize,
    /// The most calls at once on one connection.
    pub max_concurrent_streams: u32,
    /// The longest that a call may take, whatever the client's own deadline.
    pub request_timeout: Duration,
    /// Whether the reflection service is offered.
    pub reflection: bool,
    /// What it is encrypted with.
    pub tls: super::listen::tls::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: Address::Tcp(([127, 0, 0, 1], 9191).into()),
            max_message_bytes: 1 << 20,
            max_response_bytes: 4 << 20,
            max_batch_items: 1_000,
            max_stream_in_flight: 64,
            max_concurrent_streams: 100,
            request_timeout: Duration::from_secs(1),
            reflection: true,
            tls: super::listen::tls::Config::default(),
        }
    }
}
