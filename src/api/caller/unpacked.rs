//! What came compressed, and is larger than its message: it counts as what it becomes.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use super::{
    ASKING, Asking,
    ahead::{Held, SMALL},
};
use crate::api::status::CallError;

/// The room that a question takes which is decompressed, until its door has read it.
pub(in crate::api) struct Unpacked(Option<(Arc<Asking>, Held)>);

impl Unpacked {
    /// Of the call that this task answers. A call that needs no place takes no room either.
    pub(in crate::api) fn here() -> Self {
        let asking = ASKING.try_with(Arc::clone).ok();
        Self(asking.and_then(|asking| {
            let room = Held::none(asking.stand.as_ref()?.load().room());
            Some((asking, room))
        }))
    }

    /// There are `bytes` of it by now.
    ///
    /// # Errors
    /// Where there is no room for so many.
    pub(in crate::api) fn grow(&mut self, bytes: usize) -> Result<(), CallError> {
        let Some((asking, held)) = &mut self.0 else { return Ok(()) };
        asking.size.fetch_max(bytes, Relaxed);
        if bytes <= SMALL || held.grow(bytes) {
            return Ok(());
        }
        Err(asking.stand.as_ref().map_or(CallError::DeadlineExceeded, |stand| stand.load().no_room().into()))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::OnceLock,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::api::{
        caller::{
            Action, Load, LoadConfig,
            outside::{Stand, outside},
            route::Route,
        },
        settle::DoorName,
    };

    async fn asking(load: &Arc<Load>) -> Arc<Asking> {
        let answering = load.come(Duration::from_secs(1)).unwrap().begin().await.unwrap();
        let stand = Stand::new(load, Instant::now() + Duration::from_secs(60), Some(answering));
        Arc::new(Asking {
            caller: None,
            route: Route { door: DoorName::OPA, action: Action::Ask },
            placed: true.into(),
            stand: Some(stand),
            size: 1_000.into(),
            lost: OnceLock::new(),
            decided: false.into(),
            refused: false.into(),
            arrived: Instant::now(),
        })
    }

    #[tokio::test]
    async fn what_is_decompressed_counts_as_what_it_becomes() {
        let load = Arc::new(Load::new(LoadConfig { max_unfinished_bytes: 2 << 20, ..LoadConfig::default() }));
        let (first, second) = (asking(&load).await, asking(&load).await);
        ASKING
            .scope(Arc::clone(&first), async {
                let mut one = Unpacked::here();
                one.grow(SMALL).unwrap();
                assert_eq!(load.figures().unfinished, 0, "a small one needs no room");
                one.grow(1 << 20).unwrap();
                assert_eq!(load.figures().unfinished, 1 << 20);
                ASKING
                    .scope(second, async {
                        let mut other = Unpacked::here();
                        let full = other.grow((1 << 20) + 1).unwrap_err();
                        assert!(matches!(full, CallError::Overloaded(_)), "{full:?}");
                        drop(one);
                        other.grow(2 << 20).unwrap();
                    })
                    .await;
                assert_eq!(load.figures().unfinished, 0);
                assert_eq!(first.size.load(Relaxed), 1 << 20);
                let mut waits = pin!(outside(std::future::pending::<()>()));
                assert!(futures::poll!(waits.as_mut()).is_pending());
                assert!(load.outside(1).is_err(), "while it waits, it takes what it may be in memory");
            })
            .await;
    }
}
