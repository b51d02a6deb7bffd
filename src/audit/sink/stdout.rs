//! Standard output, a line each.

use std::{
    io::{self, Write as _},
    sync::atomic::Ordering::Relaxed,
};

use super::{Context, Failure, Sink};
use crate::audit::lines::Lines;

pub(super) struct Stdout;

impl Sink for Stdout {
    fn deliver(&mut self, records: &mut Lines, context: &Context<'_>) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let written = out.write_all(records.text(0, records.len())).and_then(|()| out.flush());
        // How much of it came through is not known: what was in the middle may come twice.
        written.map_err(|error| Failure::new(format!("standard output takes nothing: {error}")))?;
        context.counts.delivered.fetch_add(records.len() as u64, Relaxed);
        records.clear();
        Ok(())
    }
}
