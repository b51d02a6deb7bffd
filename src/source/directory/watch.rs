//! The system's change events, reduced to one question: may the policies have changed?

use std::{path::Path, sync::Arc};

use notify::{
    ErrorKind, Event, EventKind, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::sync::Notify;

use super::scan::Watches;
use crate::source::{is_hidden, is_policy};

/// Sets up watches that tell the [`Notify`] of every change that may matter.
pub(in crate::source) type Arm = fn(&Watches, Arc<Notify>) -> Armed;

#[derive(Default)]
pub(in crate::source) struct Armed {
    #[expect(dead_code, reason = "watches for as long as it is held")]
    watcher: Option<notify::RecommendedWatcher>,
    /// Why not everything is watched.
    pub(in crate::source) failure: Option<String>,
}

/// Each folder is watched by itself: notify's recursive mode follows no links in the way policies are found, and drops
/// a fresh watch when a late event speaks of its predecessor at the same path.
pub(in crate::source) fn arm(places: &Watches, changed: Arc<Notify>) -> Armed {
    let filter = places.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.map_or(true, |event| concerns(&filter, &event)) {
            changed.notify_one();
        }
    });
    let mut watcher = match watcher {
        Ok(watcher) => watcher,
        Err(error) => return Armed::failed(error.to_string()),
    };
    let mut failure = None;
    for folder in places.keys() {
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {}
            // The second list differs from the first, then, and arms again.
            Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => {}
            Err(error) => failure = Some(error.to_string()),
        }
    }
    Armed { watcher: Some(watcher), failure }
}

impl Armed {
    pub(super) fn failed(failure: String) -> Self {
        Self { watcher: None, failure: Some(failure) }
    }
}

fn concerns(watches: &Watches, event: &Event) -> bool {
    let written = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Modify(ModifyKind::Data(_)) => true,
        EventKind::Access(_) => return false, // our own reading, too
        _ => false,
    };
    event.need_rescan() || event.paths.iter().any(|path| watches.contains_key(path) || at(watches, path, written))
}

fn at(watches: &Watches, path: &Path, written: bool) -> bool {
    let Some((name, interest)) = path.file_name().zip(path.parent().and_then(|parent| watches.get(parent))) else {
        return false;
    };
    // What is written must be named like a policy; what comes and goes may be a folder or a link, of any name.
    let lossy = name.to_string_lossy();
    interest.names.contains(name) || interest.content && !is_hidden(&lossy) && (!written || is_policy(&lossy))
}
