//! The decision log: what was asked and answered, masked, and delivered to the sinks that are configured.
//!
//! A door's thread writes down what it decided, and no more ([`Log::record`]): the record itself where nothing of it is to
//! be hidden, a copy otherwise. Each sink has a queue and threads of its own, where records are made of copies, masked,
//! kept and delivered. Knows questions and verdicts; knows no door, no policy language and no clock: the time comes with
//! the decision, and what policies say of records comes through the port [`Rules`].

pub mod chain;
mod config;
mod copy;
mod encode;
mod event;
mod figures;
mod group;
mod head;
mod lines;
mod log;
mod mask;
mod plain;
mod pointer;
mod queue;
pub mod read;
mod record;
mod redact;
pub mod replay;
mod rules;
mod sink;
mod spool;
mod traces;
pub mod verify;
mod work;

pub use self::{
    config::{
        Chain, Compression, Config, FieldMask, Filter, Format, InvalidPointer, Mask, Mode, Place, QueueLimits,
        Rotation, SinkConfig, SpoolConfig, WhenFull,
    },
    event::{Decision, Event},
    figures::{Cause, SinkFigures},
    log::{Identity, Log, OpenError, Recorded, Waiting, Worker},
    pointer::Pointer,
    rules::{Rule, Rules, Ruling},
    traces::{Delivery, Traces},
};

/// What is drained at the end of the process may take that long.
pub const DRAIN: std::time::Duration = std::time::Duration::from_secs(5);
