//! Deliveries in the traces of what they deliver.

use serde::Deserialize;

use super::lines::{Lines, Numbered};
use crate::call::SpanName;

/// The most records whose traces a delivery names.
const MOST: usize = 32;

/// What a recorded trace's records have in them, as `encode` writes it.
const RECORDED: &[u8] = b"\"trace_sampled\":true";

/// Who follows deliveries.
pub trait Traces: Send + Sync {
    /// A delivery of records to `sink` begins; `spans` are those of their decisions, of traces that are recorded.
    fn delivery(&self, sink: &str, spans: &[SpanName]) -> Option<Box<dyn Delivery>>;
}

/// A delivery that is followed.
pub trait Delivery: Send {
    /// What its request says of where it belongs.
    fn headers(&self) -> &[(String, String)];

    /// It ended; whether the sink took it.
    fn end(self: Box<Self>, taken: bool);
}

#[derive(Deserialize)]
struct Marks<'r> {
    trace_id: &'r str,
    span_id: &'r str,
}

/// The spans of the first records, of those whose traces are recorded.
pub(super) fn spans(records: &Lines, count: usize) -> Vec<SpanName> {
    let recorded = |record: &Numbered<'_>| record.line.windows(RECORDED.len()).any(|part| part == RECORDED);
    let spans = records.iter().take(count).filter(recorded).filter_map(|record| {
        let Marks { trace_id, span_id } = serde_json::from_slice(record.line).ok()?;
        SpanName::read(trace_id, span_id, true)
    });
    spans.take(MOST).collect()
}
