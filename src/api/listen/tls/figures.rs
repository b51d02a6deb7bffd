//! How a door's certificates fare.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use rustls_pki_types::CertificateDer;

use super::leaf::Leaf;

/// How a door's certificates fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// When the one in use ends, in seconds since 1970; 0 where that can't be read.
    pub ends: u64,
    /// How often new ones were taken, since the start.
    pub taken: u64,
    /// How often new ones were of no use.
    pub refused: u64,
    /// Whether those that came last are in use.
    pub last_taken: bool,
}

pub(super) struct Figures {
    ends: AtomicU64,
    taken: AtomicU64,
    refused: AtomicU64,
    last_taken: AtomicBool,
}

impl Figures {
    pub(super) fn new(leaf: Option<&CertificateDer<'_>>) -> Self {
        Self { ends: end(leaf).into(), taken: 0.into(), refused: 0.into(), last_taken: true.into() }
    }

    pub(super) fn read(&self) -> Certificates {
        let Self { ends, taken, refused, last_taken } = self;
        Certificates {
            ends: ends.load(Relaxed),
            taken: taken.load(Relaxed),
            refused: refused.load(Relaxed),
            last_taken: last_taken.load(Relaxed),
        }
    }

    pub(super) fn taken(&self, leaf: Option<&CertificateDer<'_>>) {
        self.ends.store(end(leaf), Relaxed);
        self.taken.fetch_add(1, Relaxed);
        self.last_taken.store(true, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
        self.last_taken.store(false, Relaxed);
    }

    /// The files are again what is in use.
    pub(super) fn recovered(&self) {
        self.last_taken.store(true, Relaxed);
    }
}

fn end(leaf: Option<&CertificateDer<'_>>) -> u64 {
    leaf.and_then(|leaf| Leaf::read(leaf)).map_or(0, |leaf| leaf.not_after)
}
