//! Why an archive is refused.

/// Why an archive, or a set of files, is no bundle. Each message says what, where, and what to try.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArchive {
    /// None of the formats.
    #[error("not a bundle: {found}; a bundle is a `.tar.gz`, `.tar.zst` or `.tar`, as `verdict bundle build` makes it")]
    Format {
        /// What it looks like.
        found: &'static str,
    },
    /// No file in it.
    #[error("the archive has no files; a bundle without any policy needs a `.manifest` at least")]
    Empty,
    /// The archive itself has too many bytes.
    #[error("the archive has {bytes} bytes, and {limit} are the most; raise the limit if it is meant to be so large")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It unpacks to too many bytes.
    #[error("the archive unpacks to more than {limit} bytes; raise the limit if it is meant to be so large")]
    Unpacked {
        /// How many it may.
        limit: usize,
    },
    /// It unpacks to too many times its bytes.
    #[error("the archive unpacks to more than {ratio} times its size, as only an attack does; raise the limit if not")]
    Ratio {
        /// How many times it may.
        ratio: usize,
    },
    /// Too many entries.
    #[error("the archive has more than {limit} entries; put many small data files into one")]
    TooMany {
        /// How many it may have.
        limit: usize,
    },
    /// Names that are too long in all.
    #[error("the names in the archive have more than {limit} bytes; shorten them")]
    Names {
        /// How many they may have.
        limit: usize,
    },
    /// The compressed stream, or the tar in it, is broken.
    #[error("the archive is corrupt{}: {cause}; fetch or build it again", behind(.after))]
    Corrupt {
        /// The last entry that was whole; empty for none.
        after: String,
        /// What is wrong.
        cause: String,
    },
    /// It ends too early.
    #[error("the archive is cut off{}; fetch it again", behind(.after))]
    Truncated {
        /// The last entry that was whole; empty for none.
        after: String,
    },
    /// Something follows the archive.
    #[error("data follows the end of the archive; join bundles with `opa build`, not by joining archives")]
    Trailing,
    /// A name that no file of a bundle has.
    #[error("`{path}`: {cause}; name it plainly, below the bundle's root")]
    Name {
        /// The name, with what is not printable escaped.
        path: String,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// Two entries of one name, or a file where another has its folder.
    #[error("`{path}` is in the archive twice, or as a file and as a folder; keep one")]
    Duplicate {
        /// The name.
        path: String,
    },
    /// Neither a file nor a folder.
    #[error("`{path}` is {kind}; a bundle has files and folders only: put a copy in its place")]
    Kind {
        /// Its name.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A header that changes the meaning of another.
    #[error("the extended header{} {cause}; build the archive with a plain tar", behind(.after))]
    Extension {
        /// The last entry that was whole; empty for none.
        after: String,
        /// What is wrong with it.
        cause: String,
    },
    /// `.manifest` is not what OPA's documentation on bundles says.
    #[error("`.manifest`: {cause}")]
    Manifest {
        /// What is wrong, and what to try.
        cause: String,
    },
    /// Policies that only exist compiled.
    #[error("the bundle's policies are {found}, which is not supported; build it with `opa build -t rego`")]
    Compiled {
        /// WebAssembly or a plan.
        found: &'static str,
    },
}

fn behind(entry: &str) -> String {
    if entry.is_empty() { String::new() } else { format!(" after `{entry}`") }
}
