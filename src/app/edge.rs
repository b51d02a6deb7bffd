//! The doors' edge as a whole: who stands before them, with which certificates, and how that fares.

use std::sync::Arc;

use super::{authz::Callers, listeners::TlsOfDoors};
use crate::{
    api::{
        caller::Keeper,
        grpc,
        listen::{self, tls::Tls},
    },
    config::Server,
    telemetry::metrics::{CertificateFigures, DoorFigures, EdgeFigures, LoadFigures},
    workload::Source,
};

/// The doors, by the names of their settings.
const DOORS: [&str; 3] = ["grpc", "http", "admin"];

/// What stands before the doors.
pub(super) struct Edge {
    doors: [(&'static str, Arc<listen::Figures>); 3],
    tls: Vec<Arc<Tls>>,
    workload: Option<Arc<Source>>,
    keeper: Arc<Keeper>,
    callers: Option<Arc<Callers>>,
}

impl Edge {
    pub(super) fn new(certificates: TlsOfDoors, keeper: Arc<Keeper>, callers: Option<Arc<Callers>>) -> Self {
        let TlsOfDoors { doors: tls, workload } = certificates;
        Self { doors: DOORS.map(|door| (door, Arc::default())), tls, workload, keeper, callers }
    }

    /// What a door allows its connections.
    pub(super) fn options(&self, door: &str, grpc: &grpc::Config, server: &Server) -> listen::Options {
        let figures = self.doors.iter().find(|(name, _)| *name == door).map(|(_, figures)| Arc::clone(figures));
        listen::Options {
            max_concurrent_streams: grpc.max_concurrent_streams,
            drain_timeout: server.drain_timeout,
            connections: server.connections.clone(),
            tls: self.tls.iter().find(|tls| tls.door() == door).cloned(),
            figures: figures.unwrap_or_default(),
        }
    }

    /// Has certificates, keys and grants looked at now.
    pub(super) fn look_again(&self) {
        for tls in &self.tls {
            tls.look_again();
        }
        if let Some(callers) = &self.callers {
            callers.look_again();
        }
    }

    /// How often an answer on who may ask was remembered, and how often not.
    pub(super) fn remembered(&self) -> Option<(u64, u64)> {
        self.callers.as_deref().map(Callers::remembered)
    }

    /// How it fares.
    pub(super) fn figures(&self) -> EdgeFigures {
        let Self { doors, tls, workload, keeper, callers } = self;
        let certificate = |tls: &Arc<Tls>| {
            let certificates = tls.certificates();
            CertificateFigures {
                door: tls.door(),
                source: tls.source(),
                ends: certificates.ends,
                taken: certificates.taken,
                refused: certificates.refused,
                last_taken: certificates.last_taken,
            }
        };
        let load = keeper.load.figures();
        EdgeFigures {
            doors: doors
                .iter()
                .map(|(door, figures)| DoorFigures { door, open: figures.open(), refused: figures.refused() })
                .collect(),
            certificates: tls.iter().map(certificate).collect(),
            agent: workload.as_ref().map(|source| {
                let figures = source.figures();
                (figures.taken, figures.refused)
            }),
            load: LoadFigures {
                limit: load.limit,
                queued: load.queued,
                unfinished: load.unfinished,
                unsent: load.unsent,
                shed: load.shed,
            },
            failed: keeper.authenticator.failures.read(),
            denied: callers.as_ref().map(|callers| callers.denied()).unwrap_or_default(),
        }
    }
}
