//! Where policies come from: files of a folder or of the binary, or bundles as archives, from disk or over a network.
//!
//! Owns finding them and seeing that they changed. Must not know what is in them: a source gives the same set of
//! files to everyone, and whether they compile is somebody else's question.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    time::Duration,
};

mod directory;
mod embedded;
mod fault;
mod file;
mod http;
mod object;
mod oci;
mod retry;
mod spec;
mod status;

pub use directory::{Folder, read_folder};
pub use embedded::Embedded;
pub use fault::Fault;
pub use spec::{
    BackOff, Basic, Fault as SpecFault, Headers, Kind, Limits, Location, OAuth2, Object, Polling, Size, Span, Spec,
    Tls, quantity,
};
use status::Observed;
pub use status::{Report, Status};

/// Settings of the policy folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder; `None` for the policies embedded in the binary.
    pub path: Option<PathBuf>,
    /// How long the folder must be quiet before it is read, so that a save of several files is read whole.
    pub settle: Duration,
    /// How often it is looked at even if the system reports no change.
    pub poll_interval: Duration,
}

/// One file of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is, relative to the source, with `/` between the parts.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What a source has, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Every file, sorted by path.
    Files(Vec<File>),
    /// A bundle as an archive; it may be a delta.
    Archive(Vec<u8>),
}

/// What [`Source::next`] promises.
pub type Next<'a> = Pin<Box<dyn Future<Output = Result<Content, Error>> + Send + 'a>>;

/// Something that has policies, and may get others.
pub trait Source: Send {
    /// What it is, for the status and the log: `folder /etc/verdict/policies`.
    fn name(&self) -> String;

    /// Waits until the content differs from what was last given, and gives it whole; the first call gives at once.
    ///
    /// Dropping the future loses nothing. A failure is given once, and again only after something else was given;
    /// content that comes back after a failure is given even if it is what was there before.
    fn next(&mut self) -> Next<'_>;

    /// What was last given was a change to something else than what there is: from now on only the whole counts, and
    /// it is given even if it was given before. A server that sends deltas sends a snapshot then.
    fn forget(&mut self) {}

    /// Looks now, instead of when it would: somebody says that there is something new.
    fn look_again(&mut self) {}

    /// How it fares, for others to read at any time; `None` for a source that cannot fail.
    fn status(&self) -> Option<Status> {
        None
    }
}

/// Why a source has nothing to give.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such folder, or it is a link to nothing.
    #[error("the policy folder `{}` does not exist; create it, or name another", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// It is there, but is a file.
    #[error("`{}` is not a folder; name the folder that holds the policies", path.display())]
    NotFolder {
        /// What was to be a folder.
        path: PathBuf,
    },
    /// The system refused to list or read it.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
    /// A link to nothing: it may have been a file or a folder of policies.
    #[error("`{}` is a link to something that does not exist; mend the link or remove it", path.display())]
    BrokenLink {
        /// The link.
        path: PathBuf,
    },
    /// Named like a policy, but a pipe, a socket or a device.
    #[error("`{}` is not a regular file; remove or rename it", path.display())]
    NotFile {
        /// What was to be a file.
        path: PathBuf,
    },
    /// A path that is not UTF-8 cannot be named in an answer.
    #[error("the name `{path}` is not valid UTF-8; rename it")]
    Name {
        /// The path, with what is not UTF-8 replaced.
        path: String,
    },
    /// More files, or more folders, than a source may have.
    #[error("`{}` has more than {limit} files or folders; name a folder that holds only policies", path.display())]
    TooMany {
        /// The source's folder.
        path: PathBuf,
        /// How many files, and how many folders, it may have.
        limit: usize,
    },
    /// More bytes than a source may have.
    #[error("the policies and data in `{}` exceed {limit} bytes", path.display())]
    TooLarge {
        /// The source's folder.
        path: PathBuf,
        /// How many bytes it may have in all.
        limit: u64,
    },
    /// Folders nested deeper than a source may have them.
    #[error("`{}` is nested deeper than {limit} folders", path.display())]
    TooDeep {
        /// The folder that is too deep.
        path: PathBuf,
        /// How deep it may be.
        limit: usize,
    },
    /// There is no such archive.
    #[error("the bundle `{}` does not exist; put it there, or name another", path.display())]
    NoArchive {
        /// The archive.
        path: PathBuf,
    },
    /// An archive of more bytes than it may have.
    #[error("the bundle `{}` has more than {limit} bytes; raise `limits.size` if it should", path.display())]
    LargeArchive {
        /// The archive.
        path: PathBuf,
        /// How many bytes it may have.
        limit: u64,
    },
    /// What the configuration says of it cannot be.
    #[error("`{field}` {problem}")]
    Settings {
        /// The setting, as `tls.ca_file`.
        field: String,
        /// What is wrong with it, and what is expected.
        problem: String,
    },
    /// A source that is reached over a network gave nothing.
    #[error("`{place}` {fault}")]
    Remote {
        /// Its URL, without what may be secret.
        place: String,
        /// What happened.
        fault: Fault,
    },
    /// It was never the same before and after reading.
    #[error("`{}` keeps changing while it is read; it is read again when it is quiet", path.display())]
    Restless {
        /// The source's folder.
        path: PathBuf,
    },
    /// A defect in the reader itself, or the process is ending.
    #[error("reading `{}` was broken off", path.display())]
    BrokenOff {
        /// The source's folder.
        path: PathBuf,
        /// How the reader ended.
        #[source]
        cause: tokio::task::JoinError,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self { path: None, settle: Duration::from_millis(50), poll_interval: Duration::from_secs(5) }
    }
}

impl Config {
    /// The source that these settings name.
    pub fn open(&self) -> Box<dyn Source> {
        match &self.path {
            Some(path) => {
                let folder = Folder::new(path.clone(), self.settle, self.poll_interval);
                Box::new(Observed::new(folder, Kind::Folder))
            }
            None => Box::new(Observed::new(Embedded::default(), Kind::Embedded)),
        }
    }
}

/// Whether a file of this name holds policies or data.
fn is_policy(name: &str) -> bool {
    let rego = Path::new(name).extension().is_some_and(|extension| extension == "rego");
    rego || matches!(name, "data.json" | "data.yaml" | "data.yml")
}

/// Whether a file or folder of this name is passed over, with all that is in it.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}
