//! Tasks of the server: what they are called, and when they end.

use tokio_util::sync::CancellationToken;

/// Work that ends with the doors.
pub(super) async fn until(work: impl Future<Output = ()>, draining: CancellationToken) {
    let _ = draining.run_until_cancelled_owned(work).await;
}

/// A task that says its name at its end.
pub(super) async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}
