//! What was said of subjects, published as `data.signals` where that is configured: a revision for what has changed, at most
//! one in so long.

use std::time::Duration;

use serde_json::Value;

use crate::{
    api::administration::{Administration as _, Expected, Operation, Patch, Refusal},
    reload,
    revocation::Registry,
};

/// The most subjects that are published: those of whom something was said last.
const MOST: usize = 10_000;

/// Publishes until it is dropped; never, if the interval is zero.
pub(super) async fn publish(registry: Registry, handle: reload::Handle, interval: Duration) {
    if interval.is_zero() {
        return std::future::pending().await;
    }
    let (mut published, mut complained) = (0, None);
    loop {
        tokio::time::sleep(interval).await;
        let told = registry.told();
        if told == published {
            continue;
        }
        let from = registry.clone();
        let said = tokio::task::spawn_blocking(move || from.everything_said(MOST)).await;
        let outcome = match said {
            Ok(Ok(value)) => put(&handle, value).await.map_err(|refusal| match refusal {
                // Nobody is asked yet, or anything else.
                Refusal::NotReady | Refusal::Stopping => None,
                refusal => Some(refusal.to_string()),
            }),
            Ok(Err(refused)) => Err(Some(refused.to_string())),
            Err(_) => Err(None),
        };
        match outcome {
            Ok(()) => (published, complained) = (told, None),
            Err(why) if why.is_some() && why != complained => {
                let why_text = why.as_deref().unwrap_or_default();
                tracing::error!("`data.signals` is not what was signalled: {why_text}");
                complained = why;
            }
            Err(_) => {}
        }
    }
}

async fn put(handle: &reload::Handle, value: Value) -> Result<(), Refusal> {
    let operations = vec![Operation::Add { path: "/signals".to_owned(), value }];
    handle.patch(Patch { operations, expected: Expected::default() }).await.map(drop)
}
