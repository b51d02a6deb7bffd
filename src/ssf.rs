//! A receiver of Shared Signals (OpenID Shared Signals Framework 1.0): Security Event Tokens (RFC 8417) of transmitters that
//! are configured, pushed to us (RFC 8935) or polled from them (RFC 8936).
//!
//! Owns what such a token must be like, whom it is about (RFC 9493), and what each event of CAEP, RISC and OAuth does: a
//! revocation, or a signal that policies read. Knows no door; the registry keeps what comes of it. A token is acknowledged
//! only once what it does is durable.

mod config;
mod event;
mod fault;
mod keys;
mod poll;
mod receiver;
mod subject;
#[cfg(test)]
mod tests;
mod token;

pub use config::{Config, KeysAt, Poll, Transmitter};
pub use fault::{Error, Fault};
pub use keys::Refresh;
pub use receiver::{Figures, OpenError, Outcome, Receiver};
