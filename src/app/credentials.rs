//! The issuers of credentials, put together: their keys are kept by tasks of the server.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    api::credentials::Credentials,
    identity::Nothing,
    issuers::{Config, Issuers},
};

/// Opens the issuers, and starts what keeps their keys until `draining` is cancelled.
pub(super) fn open(
    config: Config,
    tasks: &mut JoinSet<&'static str>,
    draining: &CancellationToken,
) -> Arc<dyn Credentials> {
    let issuers = Issuers::new(config, Arc::new(Nothing));
    for work in issuers.work() {
        let work = draining.clone().run_until_cancelled_owned(work);
        tasks.spawn(async move {
            let _ = work.await;
            "keeper of an issuer's keys"
        });
    }
    Arc::new(issuers)
}
