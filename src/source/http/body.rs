//! Takes what a server sends, as much as is allowed, with its digest.

use std::time::Duration;

use reqwest::Response;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::source::{Fault, fault::chain, retry::Digest};

/// What came so far.
pub(in crate::source) struct Body {
    bytes: Vec<u8>,
    hash: Sha256,
    limit: u64,
}

impl Body {
    /// An empty one that takes `limit` bytes; refused at once if more are announced.
    pub(in crate::source) fn new(limit: u64, announced: Option<u64>) -> Result<Self, Fault> {
        let announced = announced.unwrap_or_default();
        if announced > limit {
            return Err(Fault::TooLarge(limit));
        }
        let mut bytes = Vec::new();
        let capacity = usize::try_from(announced).unwrap_or(usize::MAX);
        bytes.try_reserve_exact(capacity).map_err(|_| Fault::TooLarge(limit))?;
        Ok(Self { bytes, hash: Sha256::new(), limit })
    }

    /// Takes some more.
    pub(in crate::source) fn push(&mut self, chunk: &[u8]) -> Result<(), Fault> {
        if (self.bytes.len() as u64).saturating_add(chunk.len() as u64) > self.limit {
            return Err(Fault::TooLarge(self.limit));
        }
        self.hash.update(chunk);
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// All of it; nothing at all is no archive.
    pub(in crate::source) fn finish(self) -> Result<(Vec<u8>, Digest), Fault> {
        if self.bytes.is_empty() {
            return Err(Fault::Empty);
        }
        Ok((self.bytes, self.hash.finalize().into()))
    }
}

/// Reads a response to its end: at most `limit` bytes, and never `idle` without any.
pub(in crate::source) async fn collect(
    mut response: Response,
    limit: u64,
    idle: Duration,
) -> Result<(Vec<u8>, Digest), Fault> {
    let mut body = Body::new(limit, response.content_length())?;
    loop {
        match timeout(idle, response.chunk()).await {
            Err(_) => return Err(Fault::Idle(idle)),
            Ok(Err(error)) => return Err(Fault::Unreachable(chain(&error.without_url()))),
            Ok(Ok(None)) => return body.finish(),
            Ok(Ok(Some(chunk))) => body.push(&chunk)?,
        }
    }
}
