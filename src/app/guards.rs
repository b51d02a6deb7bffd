//! Who stands before the doors.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    authz::Callers,
    tasks::{named, until},
};
use crate::api::{
    Observer, authzen,
    caller::{Authenticator, Failures, Grpc, Guard, Http, Keeper, Load, LoadConfig, PREFIX, Reading},
    credentials::Credentials,
    grpc,
};

/// How long a message of gRPC may take to come, beyond what its call may take by itself.
const READING: Duration = Duration::from_secs(1);

/// The gRPC door's routes behind their guard.
pub(super) fn guarded<S>(routes: S, keeper: &Arc<Keeper>, grpc: &grpc::Config) -> Guard<S, Grpc> {
    let reading = Reading { longest: READING, most: (grpc.max_message_bytes + PREFIX) as u64 };
    Guard::new(routes, Arc::clone(keeper), Grpc, reading).within(grpc.request_timeout + READING)
}

/// The HTTP port's routes behind theirs. What changes data takes as long as it takes.
pub(super) fn guarded_http<S>(routes: S, keeper: Arc<Keeper>, reading: Reading) -> Guard<S, Http> {
    Guard::new(routes, keeper, Http, reading).within(reading.longest + READING)
}

/// What is read of a message at the HTTP port before its call has a place.
pub(super) fn reading(http: &authzen::Config) -> Reading {
    Reading { longest: http.request_timeout, most: http.max_body_bytes as u64 }
}

/// How much is answered at once. There is room for some of the largest messages, whatever is set: they take up to twice their
/// size while they come.
pub(super) fn load(set: &LoadConfig, grpc: &grpc::Config, http: &authzen::Config) -> LoadConfig {
    let largest = grpc.max_message_bytes.max(http.max_body_bytes);
    let max_unsent_bytes = set.max_unsent_bytes.max(4 * grpc.max_response_bytes);
    LoadConfig { max_unfinished_bytes: set.max_unfinished_bytes.max(4 * largest), max_unsent_bytes, ..set.clone() }
}

/// What the guards of both doors go by.
pub(super) fn keeper(
    (config, load): (crate::api::caller::Config, LoadConfig),
    known: Option<Arc<Callers>>,
    (credentials, observer): (&Arc<dyn Credentials>, Arc<dyn Observer>),
    grpc: &grpc::Config,
    (tasks, draining): (&mut JoinSet<&'static str>, &CancellationToken),
) -> Arc<Keeper> {
    let authenticator = Authenticator {
        required: config.required,
        keys: known.as_deref().map(Callers::keys).unwrap_or_default(),
        token_audience: config.token_audience,
        credentials: Arc::clone(credentials),
        patience: grpc.request_timeout,
        failures: Failures::default(),
    };
    let authorizer = known.as_deref().map(Callers::authorizer);
    if let Some(known) = known {
        tasks.spawn(named("callers", until(known.follow(), draining.clone())));
    }
    let (load, patience) = (Arc::new(Load::new(load)), grpc.request_timeout);
    Arc::new(Keeper { authenticator, authorizer, load, patience, observer })
}
