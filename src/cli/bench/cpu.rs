//! How much processor time a server has used, where the system says it (Linux).

use std::{fs, time::Duration};

/// Whose time is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    /// The threads of this process that are called so, at most 15 bytes.
    Threads(&'static str),
    /// All threads of another process.
    Process(u32),
}

impl Of {
    /// The time that they have been on a processor; `None` where it is not known.
    pub(super) fn used(self) -> Option<Duration> {
        let tasks = match self {
            Self::Threads(_) => fs::read_dir("/proc/self/task"),
            Self::Process(id) => fs::read_dir(format!("/proc/{id}/task")),
        };
        let (mut used, mut is_known) = (Duration::ZERO, false);
        for task in tasks.ok()?.flatten() {
            // A thread may end while this looks.
            let Ok(called) = fs::read_to_string(task.path().join("comm")) else { continue };
            let Ok(stat) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            if matches!(self, Self::Process(_)) || matches!(self, Self::Threads(name) if called.trim_end() == name) {
                used += Duration::from_nanos(stat.split(' ').next()?.parse().ok()?);
                is_known = true;
            }
        }
        is_known.then_some(used)
    }
}
