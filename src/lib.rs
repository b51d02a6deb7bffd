//! Verdict, a policy decision point: may this identity take this action on this resource, in this context?
//!
//! `ARCHITECTURE.md` has the map of these modules, and who may import whom (held by `tests/architecture.rs`).
//!
//! # Invariants
//! - [`decision::Decider`] is total: whatever goes wrong is a deny that names its cause.
//! - One question, or one batch, is decided on one immutable snapshot, and the answer names it.
//! - A policy set that does not compile never replaces one that does.

pub mod api;
pub mod app;
pub mod audit;
pub mod bundle;
pub mod call;
pub mod client;
pub mod clock;
pub mod config;
pub mod decision;
pub mod identity;
pub mod issuance;
pub mod issuers;
pub mod otlp;
pub mod policy;
pub mod reload;
pub mod revocation;
pub mod source;
pub mod ssf;
pub mod telemetry;
pub mod workload;
