//! `verdict test --watch`: the tests again, whenever a file changes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::Duration,
};

use anyhow::Context as _;
use futures::future::select_all;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use verdict::{
    policy::printable,
    source::{Config, Error, File, Folder},
};

use super::{Args, Nothing, changes::Ended, covered, finish, once};
use crate::cli::{colour, complain, say};

/// How often a single file is looked at.
const POLL: Duration = Duration::from_millis(250);

/// What a path held, by the path of each file.
type Content = BTreeMap<String, Vec<u8>>;

/// One path of the command line.
struct Watched {
    path: PathBuf,
    /// `None` for a single file, which is looked at.
    folder: Option<Folder>,
    content: Content,
}

/// Runs until a signal ends the process: also in the middle of a test, which may not end by itself.
pub(super) fn run(args: &Args, report: Option<&covered::Report>) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("can't listen for signals")?;
    let ends = move || {
        if signals.forever().next().is_some() {
            std::process::exit(0);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(ends).context("can't listen for signals")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start threads")?;
    let mut watched: Vec<Watched> = args.paths.iter().map(|path| Watched::new(path)).collect();
    // What is there before the first run, so that a change during it is one.
    for one in &mut watched {
        let _ = runtime.block_on(one.change());
    }
    let mut before: Option<Ended> = None;
    loop {
        before = show(args, report, before);
        say("\nwatching; Ctrl-C ends");
        let changed = loop {
            match runtime.block_on(any(&mut watched)) {
                Ok(changed) if changed.is_empty() => {}
                Ok(changed) => break changed,
                Err(error) => complain(&error),
            }
        };
        say(&format!("\n{}", printable(&changed.join("\n"))));
    }
}

/// Runs once, and says what ended otherwise than `before`. What can't run leaves that as it was.
fn show(args: &Args, report: Option<&covered::Report>, before: Option<Ended>) -> Option<Ended> {
    let results = match once(args, report) {
        Ok(results) => results,
        Err(nothing) => {
            if let Err(error) = Nothing::tell(nothing) {
                complain(&format!("{error:#}"));
            }
            return before;
        }
    };
    if let Err(error) = finish(args, report, &results) {
        complain(&format!("{error:#}"));
    }
    let ended = Ended::of(&results.runs);
    if let Some(before) = before {
        let changes = ended.since(&before, colour());
        say(&match changes.as_slice() {
            [] => "no result changed".to_owned(),
            changes => format!("changed:\n  {}", changes.join("\n  ")),
        });
    }
    Some(ended)
}

/// Waits for a change in any of them: a line for each file. Dropping the others' waits loses nothing.
async fn any(watched: &mut [Watched]) -> Result<Vec<String>, String> {
    let waits = watched.iter_mut().map(|one| Box::pin(one.change()));
    select_all(waits).await.0
}

impl Watched {
    fn new(path: &Path) -> Self {
        let Config { settle, poll_interval, .. } = Config::default();
        let folder = (!path.is_file()).then(|| Folder::new(path.to_owned(), settle, poll_interval));
        Self { path: path.to_owned(), folder, content: Content::new() }
    }

    async fn change(&mut self) -> Result<Vec<String>, String> {
        let files: Result<Vec<File>, Error> = match &mut self.folder {
            Some(folder) => folder.files().await,
            None => Ok(self.file().await),
        };
        let files = files.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        })?;
        let now: Content = files.into_iter().map(|File { path, bytes }| (path, bytes)).collect();
        let before = std::mem::replace(&mut self.content, now);
        Ok(self.since(&before))
    }

    /// The file, once it is another; empty while it is gone.
    async fn file(&self) -> Vec<File> {
        loop {
            let read = tokio::fs::read(&self.path).await;
            let now: Vec<File> = read.into_iter().map(|bytes| File { path: String::new(), bytes }).collect();
            if now.iter().map(|file| &file.bytes).ne(self.content.values()) {
                return now;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn since(&self, before: &Content) -> Vec<String> {
        let named = |name: &str| if name.is_empty() { self.path.clone() } else { self.path.join(name) };
        let line = |name: &str, what: &str| format!("{} {what}", named(name).display());
        let mut lines = Vec::new();
        for (name, bytes) in &self.content {
            match before.get(name) {
                None => lines.push(line(name, "is new")),
                Some(old) if old != bytes => lines.push(line(name, "changed")),
                Some(_) => {}
            }
        }
        lines.extend(before.keys().filter(|name| !self.content.contains_key(*name)).map(|name| line(name, "is gone")));
        lines
    }
}
