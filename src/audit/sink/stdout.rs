//! Standard output, a line each.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
    sync::atomic::Ordering::Relaxed,
};

use super::{Context, Failure, Sink};
use crate::audit::spool::Numbered;

pub(super) struct Stdout;

impl Sink for Stdout {
    fn deliver(&mut self, records: &mut VecDeque<Numbered>, context: &Context<'_>) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        for record in records.iter() {
            bytes.extend_from_slice(&record.line);
            bytes.push(b'\n');
        }
        let mut out = io::stdout().lock();
        let written = out.write_all(&bytes).and_then(|()| out.flush());
        // How much of it came through is not known: what was in the middle may come twice.
        written.map_err(|error| Failure::new(format!("standard output takes nothing: {error}")))?;
        context.counts.delivered.fetch_add(records.len() as u64, Relaxed);
        records.clear();
        Ok(())
    }
}
