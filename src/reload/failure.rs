//! Why a reload failed.

use std::fmt;

use super::selftest::TestResult;
use crate::{
    bundle::{InvalidBundle, InvalidSet},
    policy::Faults,
    source,
};

/// Why a reload failed.
#[derive(Debug)]
pub enum Failure {
    /// The source could not be read.
    Source(source::Error),
    /// The files are no bundle.
    Bundle(InvalidBundle),
    /// There is no policy in it.
    Empty(String),
    /// A bundle's archive is none, or a delta does not fit: its name, and why.
    Unpack(String, String),
    /// A bundle is not signed as it must be: its name, and why.
    Signature(String, String),
    /// A bundle's sequence would fall: its name, and how.
    Downgrade(String, String),
    /// Bundles do not go with each other, or one does not keep to its roots.
    Set(InvalidSet),
    /// Bundles have no content yet: their names.
    Missing(Vec<String>),
    /// The policies have faults.
    Policies(Faults),
    /// Their own tests fail, and must pass: those that failed.
    Tests(Vec<TestResult>),
    /// The compiler's thread ended without a result.
    Internal(String),
}

impl Failure {
    /// Which step failed.
    #[must_use]
    pub fn step(&self) -> &'static str {
        match self {
            Self::Source(_) | Self::Missing(_) => "fetch",
            Self::Signature(..) => "verify",
            Self::Bundle(_) | Self::Unpack(..) => "unpack",
            Self::Downgrade(..) | Self::Set(_) => "assemble",
            Self::Tests(_) => "test",
            Self::Policies(_) | Self::Empty(_) | Self::Internal(_) => "compile",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => match std::error::Error::source(error) {
                Some(cause) => write!(out, "{error}: {cause}"),
                None => error.fmt(out),
            },
            Self::Bundle(error) => error.fmt(out),
            Self::Empty(source) => write!(out, "no policies in the {source}; put at least one `.rego` file there"),
            Self::Unpack(bundle, cause) => write!(out, "bundle `{bundle}` can't be read: {cause}"),
            Self::Signature(bundle, cause) => write!(out, "bundle `{bundle}` is not signed as it must be: {cause}"),
            Self::Downgrade(bundle, cause) => write!(out, "bundle `{bundle}` would be a downgrade: {cause}"),
            Self::Set(error) => error.fmt(out),
            Self::Missing(bundles) => write!(out, "no content yet of the bundles `{}`", bundles.join("`, `")),
            Self::Policies(faults) => faults.fmt(out),
            Self::Tests(tests) => {
                out.write_str("the policies' own tests fail:")?;
                for test in tests {
                    write!(out, "\n{}: {}.{}", test.position, test.package, test.name)?;
                }
                Ok(())
            }
            Self::Internal(cause) => out.write_str(cause),
        }
    }
}
