//! How credentials fared.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{
    decision::credential_code,
    identity::{Caller, Invalid},
};

/// How credentials fared, and how old is what they are verified by.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Credentials that were looked at: `good`, or the code of what was wrong. What did not come in time is not among them.
    pub checked: BTreeMap<&'static str, u64>,
    /// How long ago an issuer's keys were last fetched, by its name; `None` if they never were.
    pub ages: Vec<(String, Option<Duration>)>,
    /// Tokens whose signature was known already, and those whose was not.
    pub remembered: (u64, u64),
}

/// The same, while it is counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    good: AtomicU64,
    bad: [AtomicU64; credential_code::ALL.len()],
}

impl Counts {
    pub(super) fn count(&self, result: &Result<Caller, Invalid>) {
        let one = match result {
            Ok(_) => Some(&self.good),
            Err(invalid) => {
                let place = credential_code::ALL.iter().position(|code| *code == invalid.code());
                place.and_then(|place| self.bad.get(place))
            }
        };
        if let Some(one) = one {
            one.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn all(&self) -> BTreeMap<&'static str, u64> {
        let bad = credential_code::ALL.into_iter().zip(&self.bad);
        bad.chain([("good", &self.good)]).map(|(code, count)| (code, count.load(Relaxed))).collect()
    }
}
