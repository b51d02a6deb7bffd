//! Where the coverage goes, and as what.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use verdict::policy::testing::Coverage;

use super::{html, json, lcov};
use crate::cli::say;

/// Formats for programs and browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One page with the source, its lines coloured
    Html,
    /// OPA's shape, with the rules
    Json,
    /// What `genhtml`, editors and coverage services read
    Lcov,
}

/// A coverage report that is not for people.
pub(super) struct Report {
    format: Format,
    out: Option<PathBuf>,
}

impl Report {
    /// What the flags ask for; `None` where they ask for none, or what is wrong with them.
    pub(super) fn of(format: Option<Format>, out: Option<&Path>) -> Result<Option<Self>, &'static str> {
        let format = match (format, out) {
            (Some(format), _) => format,
            (None, None) => return Ok(None),
            (None, Some(out)) => match out.extension().and_then(|extension| extension.to_str()) {
                Some("html" | "htm") => Format::Html,
                Some("json") => Format::Json,
                Some("info" | "lcov") => Format::Lcov,
                _ => {
                    return Err("--coverage-out ends in none of `.html`, `.json`, `.info`; add --coverage-format");
                }
            },
        };
        Ok(Some(Self { format, out: out.map(Path::to_owned) }))
    }

    /// Whether standard output is its own.
    pub(super) fn is_on_output(&self) -> bool {
        self.out.is_none()
    }

    pub(super) fn write(&self, coverage: &Coverage) -> anyhow::Result<()> {
        let text = match self.format {
            Format::Html => html::page(coverage),
            Format::Json => format!("{:#}", json::covered(coverage)),
            Format::Lcov => lcov::trace(coverage),
        };
        let text = text.trim_end();
        if let Some(path) = &self.out {
            return std::fs::write(path, format!("{text}\n"))
                .with_context(|| format!("cannot write `{}`", path.display()));
        }
        say(text);
        Ok(())
    }
}
