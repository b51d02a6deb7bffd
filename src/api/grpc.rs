//! The gRPC door.

use std::time::Duration;

use super::Address;

/// Settings of the gRPC door.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub address: Address,
    /// The largest message that is read, in bytes.
    pub max_message_bytes: usize,
    /// The most items in a batch.
    pub max_batch_items: usize,
    /// The most undecided questions of one stream; past it, the server stops reading the stream.
    pub max_stream_in_flight: usize,
    /// The most calls at once on one connection.
    pub max_concurrent_streams: u32,
    /// The longest that a call may take, whatever the client's own deadline.
    pub request_timeout: Duration,
    /// Whether the reflection service is offered.
    pub reflection: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: Address::Tcp(([127, 0, 0, 1], 9191).into()),
            max_message_bytes: 1 << 20,
            max_batch_items: 1_000,
            max_stream_in_flight: 64,
            max_concurrent_streams: 1_024,
            request_timeout: Duration::from_secs(1),
            reflection: true,
        }
    }
}
