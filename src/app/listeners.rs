//! Where the doors listen, and with which certificates.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    Error,
    door::{self, Door},
    error::system,
    tasks::{named, until},
};
use crate::{
    api::{
        Address, grpc,
        listen::{
            self, Listener,
            inherited::Inherited,
            tls::{Tls, Workload},
        },
        ops,
    },
    workload::{self, Source},
};

/// Where the doors listen: what the supervisor has opened for them, and else what is opened now.
pub(super) fn open(addresses: [&Address; 2]) -> Result<[(Listener, Address); 2], Error> {
    let mut inherited = Inherited::take()?;
    let [grpc, http] = addresses.map(|address| inherited.bind(address));
    let listeners = [addressed(grpc?)?, addressed(http?)?];
    inherited.finish()?;
    Ok(listeners)
}

fn addressed(listener: Listener) -> Result<(Listener, Address), Error> {
    let address = listener.address().map_err(system)?;
    Ok((listener, address))
}

/// Serves the policy service, if it has a socket.
pub(super) fn administer(
    door: Option<Door>,
    operators: door::Operators,
    (options, draining): (&listen::Options, &CancellationToken),
    tasks: &mut JoinSet<&'static str>,
) {
    if let Some(door) = door {
        let serving = door.serve(operators, options.clone(), draining.clone());
        tasks.spawn(named("policy service's door", serving));
    }
}

/// The TLS of the doors that have one, and where it comes from.
pub(super) struct TlsOfDoors {
    pub(super) doors: Vec<Arc<Tls>>,
    pub(super) workload: Option<Arc<Source>>,
}

/// Opens the TLS of both doors, and has tasks follow their certificates. A door whose certificate comes from the SPIFFE
/// Workload API waits for it.
pub(super) async fn certificates(
    (grpc, http): (&grpc::Config, &ops::Config),
    spiffe: &workload::Config,
    (tasks, draining): (&mut JoinSet<&'static str>, &CancellationToken),
) -> Result<TlsOfDoors, Error> {
    let endpoint = spiffe.endpoint.clone().filter(|_| grpc.tls.spiffe || http.tls.spiffe);
    let workload = endpoint.map(|endpoint| Arc::new(Source::new(endpoint)));
    if let Some(source) = &workload {
        tasks.spawn(named("SPIFFE Workload API", until(Arc::clone(source).run(), draining.clone())));
        source.first(spiffe.start_timeout).await?;
    }
    let given = || workload.as_ref().map(|source| Workload { told: source.follow(), hint: spiffe.hint.clone() });
    let doors =
        [Tls::open("grpc", &grpc.tls, &["h2"], given())?, Tls::open("http", &http.tls, &["h2", "http/1.1"], given())?];
    let doors: Vec<_> = doors.into_iter().flatten().collect();
    for tls in &doors {
        tasks.spawn(named("certificates", until(Arc::clone(tls).follow(), draining.clone())));
    }
    Ok(TlsOfDoors { doors, workload })
}
