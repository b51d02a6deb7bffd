//! That the file is ours, and as we left it: what failed in the middle is cut off before anything else is written, and a
//! durable file that others moved, removed or changed is opened anew.

use std::{io, time::Instant};

use super::{File, open};
use crate::audit::sink::{Failure, files::is_there};

impl File {
    /// Cuts off what is beyond the last write that went well, now or, should that fail, before the next one.
    pub(super) fn mend(&mut self) -> Result<(), Failure> {
        if self.torn {
            let cut = self.open.set_len(self.at.length);
            cut.map_err(|error| self.failure("can't be cut to its last whole line", &error))?;
            self.torn = false;
        }
        Ok(())
    }

    /// Takes back what the disk may not have.
    pub(super) fn take_back(&mut self) {
        self.torn |= self.at.length != self.kept.length;
        (self.at, self.written) = (self.kept, 0);
        // What can't be cut now is before the next write.
        let _ = self.mend();
    }

    /// Has the disk know a file by its name that was begun.
    pub(super) fn sync_name(&mut self) -> io::Result<()> {
        if self.unnamed {
            open::sync_name(&self.path)?;
            self.unnamed = false;
        }
        Ok(())
    }

    /// Sees to it that what is written next goes to the end of the file of this name.
    pub(super) fn hold(&mut self) -> Result<(), Failure> {
        self.mend()?;
        if !self.sync {
            return Ok(());
        }
        let seen = is_there(&self.open, &self.path).and_then(|there| Ok((there, self.open.metadata()?.len())));
        let (there, length) = seen.map_err(|error| self.failure("can't be looked at", &error))?;
        if there && length == self.at.length {
            return Ok(());
        }
        let (path, known) = (self.path.display().to_string(), self.at.length);
        let found = if there {
            // Our lock stays on it.
            let same = self.open.try_clone();
            same.map_err(|error| self.failure("can't be opened", &error))
                .and_then(|same| open::cut(same, &self.path).map_err(Failure::new))?
        } else {
            open::open(&self.path, true).map_err(Failure::new)?
        };
        found.file.sync_all().map_err(|error| self.failure("can't be written", &error))?;
        // The chain goes on from what we wrote, so that it shows what is missing.
        (self.open, self.at.length, self.since) = (found.file, found.length, Instant::now());
        (self.kept, self.written, self.unnamed) = (self.at, 0, true);
        if there {
            // Who delivers next is told, whoever finds it.
            let cause =
                format!("`{path}` was changed by others: it has {length} bytes, not {known}; only one may write to it");
            self.changed = Some(cause.clone());
            return Err(Failure::new(cause));
        }
        if self.chain.is_some() {
            // A checkpoint is to be in it soon: without a line of the chain, the next start would miss them all.
            self.at.state.unsealed = self.at.state.unsealed.max(1);
            self.kept = self.at;
        }
        tracing::warn!(file = path, "the decision log's file was moved or removed, and is begun anew");
        Ok(())
    }
}
