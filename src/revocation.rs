//! What was revoked, and what was said of subjects since their tokens were made.
//!
//! Owns the registry that every verification of a token asks, its file, and the signals that policies read. A revocation
//! is in force before it is durable, and acknowledged once it is both. Knows no door, no wire and no policy; who may
//! revoke is for whoever calls.

mod config;
mod entry;
mod force;
mod key;
mod port;
mod registry;
mod signal;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use config::Config;
pub use entry::{Id, InvalidId, Kind, Reach, Revocation, Target};
pub use registry::{Figures, Registry, Revoke};
pub use signal::{Attribute, Signal};
pub use store::{Filter, Found, OpenError, Page};
pub use writer::{Change, Done, Lift, Refused, Seen, Writer};
