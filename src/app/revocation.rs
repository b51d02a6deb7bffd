//! What was revoked: the thread that writes it down, and the tasks that fetch security events.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    revocation::Writer,
    ssf::{OpenError, Receiver},
};

/// Starts the thread that writes, if there is a file, and the tasks that poll. The thread ends when the registry is closed,
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
    for poll in polls {
        let poll = draining.clone().run_until_cancelled_owned(poll);
        tasks.spawn(async move {
            let _ = poll.await;
            "poll of security events"
        });
    }
    Ok(())
}
