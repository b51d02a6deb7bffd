//! A task for each source, so that none waits for another.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::source::{Content, Error, Source};

/// What a source gave.
pub(super) struct Event {
    pub(super) bundle: String,
    pub(super) given: Result<Content, Error>,
}

/// Passes on what a source gives, and lets it forget what it gave, and look again, when asked to.
pub(super) async fn run(
    bundle: String,
    mut source: Box<dyn Source>,
    events: mpsc::Sender<Event>,
    mut forget: mpsc::Receiver<()>,
    mut again: watch::Receiver<()>,
) {
    loop {
        let given = tokio::select! {
            given = source.next() => given,
            Some(()) = forget.recv() => {
                source.forget();
                continue;
            }
            Ok(()) = again.changed() => {
                source.look_again();
                continue;
            }
        };
        let failed = given.is_err();
        if events.send(Event { bundle: bundle.clone(), given }).await.is_err() {
            return;
        }
        if failed {
            // A source gives a failure once; this guards against one that does not.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
