//! The policy service's door: which socket it gets, and what is said where it gets none.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    api::{
        Observer,
        administration::Administration,
        grpc::{
            policy::{Config, Service},
            revocation::Revocations,
        },
        listen::{self, Listener, private},
        place::{self, Place},
    },
    revocation::Registry,
};

/// The policy service, bound but not served yet.
pub(super) struct Door {
    listener: Listener,
    config: Config,
}

/// What operators get at.
pub(super) struct Operators {
    pub(super) administration: Arc<dyn Administration>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) registry: Registry,
    pub(super) max_message_bytes: usize,
}

impl Door {
    /// Binds where the configuration says. A socket that nobody named and that can't be had is no reason not to decide;
    /// but where something can be revoked, whoever will want to has to hear of it now.
    pub(super) fn open(config: Config, revokes: bool) -> Result<Option<Self>, private::Error> {
        let listener = match &config.place {
            Place::Off => None,
            Place::Unix(path) => Some(private::bind(path)?),
            Place::Default => by_default(),
        };
        if revokes && listener.is_none() && config.place == Place::Default {
            tracing::warn!(
                "`revocation.store` is set, and there is no socket for operators: `verdict revoke` can't reach this server; \
                 set `admin.address`, like `unix:/run/verdict/admin.sock`, or to `off` if only security events are to revoke"
            );
        }
        Ok(listener.map(|listener| Self { listener, config }))
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        self.listener.address().map(|address| address.to_string()).unwrap_or_default()
    }

    /// Serves until `draining` is cancelled and what was begun has ended.
    pub(super) async fn serve(self, operators: Operators, options: listen::Options, draining: CancellationToken) {
        let Self { listener, config } = self;
        let Operators { administration, observer, registry, max_message_bytes } = operators;
        let revocations = Revocations::new(registry, Arc::clone(&observer), config.request_timeout);
        let service = Service::new(administration, observer, config, max_message_bytes, draining.clone());
        listen::serve(listener, service.routes(revocations), options, draining).await;
    }
}

/// The first default socket that can be made. One that another server has ends the search: what comes after it is not
/// where clients of this user look.
fn by_default() -> Option<Listener> {
    const INSTEAD: &str = "the policy service is off; choose a socket with `admin.address`, or `off`";
    let mut reasons = Vec::new();
    for path in place::candidates(std::env::var_os("XDG_RUNTIME_DIR").as_deref()) {
        match private::bind(&path) {
            Ok(listener) => return Some(listener),
            Err(error @ private::Error::Taken(_)) => {
                tracing::warn!(%error, "{INSTEAD}");
                return None;
            }
            Err(error) => reasons.push(error.to_string()),
        }
    }
    tracing::info!(reasons = reasons.join("; "), "{INSTEAD}");
    None
}
