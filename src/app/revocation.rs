//! What was revoked: the thread that writes it down, and the tasks that fetch security events.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    issuers::Remote,
    revocation::Writer,
    ssf::{OpenError, Receiver},
};

/// Starts the thread that writes, if there is a file, the tasks that poll, and those that keep transmitters' keys. The thread ends when the registry is closed,
/// the tasks with the doors.
pub(super) fn start(
    writer: Writer,
    receiver: &Receiver,
    tasks: &mut JoinSet<&'static str>,
    draining: &CancellationToken,
) -> Result<(), OpenError> {
    let polls = receiver.work()?;
    if writer.has_file() {
        tasks.spawn_blocking(move || {
            writer.run();
            "revocations' writer"
        });
    }
    for (name, url, ca_file) in receiver.remote_keys() {
        let keys = Remote::new(name, url.clone(), ca_file.cloned());
        let asked = keys.clone();
        receiver.refresh_keys(name, Box::new(move || asked.refreshed()));
        let (name, receiver) = (name.to_owned(), receiver.clone());
        let work = keys.run(move |keys| receiver.publish_keys(&name, keys));
        let work = draining.clone().run_until_cancelled_owned(work);
        tasks.spawn(async move {
            let _ = work.await;
            "keeper of a transmitter's keys"
        });
    }
    for poll in polls {
        let poll = draining.clone().run_until_cancelled_owned(poll);
        tasks.spawn(async move {
            let _ = poll.await;
            "poll of security events"
        });
    }
    Ok(())
}
