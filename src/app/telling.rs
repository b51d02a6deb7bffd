//! What others are told of the server: clients that ask for its health, its supervisor, a collector.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{
    Error,
    error::system,
    state::{self, State},
    supervisor,
};
use crate::{
    api::grpc,
    telemetry::export::{Exports, Sending},
};

/// Says how this process is: to clients that ask for its health, and to its supervisor.
pub(super) fn tell(health: &grpc::Health, state: &Arc<State>, tasks: &mut JoinSet<&'static str>) {
    tasks.spawn(report_health(health.reporter(), Arc::clone(state)));
    tasks.spawn(supervisor::tell(Arc::clone(state)));
}

/// Starts to push telemetry.
pub(super) fn push(exports: &Exports, state: &Arc<State>) -> Result<Option<Sending>, Error> {
    let measured = Arc::clone(state);
    exports.send(Arc::new(move || measured.families())).map_err(system)
}

/// Keeps `grpc.health.v1` at what the state says, until it drains.
async fn report_health(reporter: grpc::HealthReporter, state: Arc<State>) -> &'static str {
    let mut serving = state.serving();
    loop {
        let now = *serving.borrow_and_update();
        if now == state::Serving::Draining {
            reporter.end().await;
            return "health reporter";
        }
        reporter.set_serving(now == state::Serving::Ready).await;
        if serving.changed().await.is_err() {
            return "health reporter";
        }
    }
}
