//! Something found in a policy set, and its way to a [`Fault`].

use std::sync::Arc;

use super::names::Source;
use crate::policy::{
    fault::{Fault, Severity, printable},
    rego::ast::Span,
    text::line_and_column,
};

/// The most findings that are told: each carries its file's text.
pub(super) const MAX_TOLD: usize = 500;

/// Something found.
pub(super) struct Finding<'a> {
    severity: Severity,
    code: &'static str,
    file: &'a str,
    text: &'a str,
    span: Span,
    cause: String,
    help: String,
}

impl<'a> Finding<'a> {
    /// What refuses the policies.
    pub(super) fn fault(
        code: &'static str,
        source: &Source<'a>,
        span: Span,
        cause: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (cause, help) = (cause.into(), help.into());
        Self { severity: Severity::Fault, code, file: source.file, text: source.text, span, cause, help }
    }

    /// What only deserves a look.
    pub(super) fn warning(
        code: &'static str,
        source: &Source<'a>,
        span: Span,
        cause: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::fault(code, source, span, cause, help) }
    }

    pub(super) fn severity(&self) -> Severity {
        self.severity
    }

    /// `printable` is its file's text.
    fn told(self, printable: &Arc<str>) -> Fault {
        let (line, column) = line_and_column(self.text, self.span.start as usize);
        let marked = self.text.get(self.span.range()).unwrap_or_default();
        let length = marked.chars().take_while(|character| *character != '\n').count().max(1);
        let fault = Fault::new(self.code, self.cause).help(self.help).severity(self.severity);
        fault.at_shared(self.file, printable, line, column, length)
    }
}

/// In the order of files and lines, as many as can be told; one more says how many could not.
pub(super) fn told(mut findings: Vec<Finding<'_>>) -> Vec<Fault> {
    findings.sort_by(|one, other| (one.file, one.span, one.code).cmp(&(other.file, other.span, other.code)));
    let more = findings.split_off(findings.len().min(MAX_TOLD));
    let mut last: Option<(&str, Arc<str>)> = None;
    let mut told: Vec<Fault> = Vec::new();
    for finding in findings {
        let (_, text) = match last.take().filter(|(file, _)| *file == finding.file) {
            Some(same) => last.insert(same),
            None => last.insert((finding.file, Arc::from(&*printable(finding.text)))),
        };
        told.push(finding.told(text));
    }
    let is_fault = |finding: &Finding<'_>| finding.severity == Severity::Fault;
    if let Some(first) = more.iter().find(|finding| is_fault(finding)).or(more.first()) {
        let cause = format!("{} more were found", more.len());
        told.push(Fault::new(first.code, cause).help("mend those above first").severity(first.severity));
    }
    told
}
