//! What is wrong with a policy set: where, the line, a caret, and what to try.

use std::{borrow::Cow, fmt, sync::Arc};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan};

use crate::decision::SourcePosition;

/// How much something weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policies are refused.
    #[default]
    Fault,
    /// The policies are taken; the author should look.
    Warning,
}

/// One fault of a policy set.
#[derive(Clone, Debug)]
pub struct Fault {
    /// How much it weighs.
    pub severity: Severity,
    /// Stable code, e.g. `rego_parse_error`.
    pub code: &'static str,
    /// What is wrong.
    pub cause: String,
    /// What to try.
    pub help: Option<String>,
    /// Where; `None` where it concerns no single place.
    pub position: Option<SourcePosition>,
    source: Option<NamedSource<Arc<str>>>,
    span: SourceSpan,
}

/// Every fault that was found, in the order of files and lines. Shown with source lines, without colour.
#[derive(Clone, Debug)]
pub struct Faults(pub Vec<Fault>);

impl Fault {
    /// A fault of the policy set as a whole.
    pub fn new(code: &'static str, cause: impl Into<String>) -> Self {
        let span = SourceSpan::from(0);
        let cause = printable(&cause.into()).into_owned();
        Self { severity: Severity::Fault, code, cause, help: None, position: None, source: None, span }
    }

    /// Says what to try.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()).into_owned());
        self
    }

    /// Says how much it weighs.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// How many characters are marked on its line.
    #[must_use]
    pub fn length(&self) -> usize {
        let text = self.source.as_ref().map(|source| &**source.inner()).unwrap_or_default();
        text.get(self.span.offset()..self.span.offset() + self.span.len()).map_or(0, |marked| marked.chars().count())
    }

    /// Places it at `line` and `column` (from 1, in characters) of a file with that text; marks `length` characters.
    #[must_use]
    pub fn at(self, file: &str, text: &str, line: u32, column: u32, length: usize) -> Self {
        self.at_shared(file, &Arc::from(&*printable(text)), line, column, length)
    }

    /// As [`Fault::at`], of a text that is printable already and that many faults share.
    #[must_use]
    pub(super) fn at_shared(mut self, file: &str, shared: &Arc<str>, line: u32, column: u32, length: usize) -> Self {
        let (file, text) = (&*printable(file), &**shared);
        let before = usize::try_from(line.saturating_sub(1)).unwrap_or(0);
        let start: usize = text.split_inclusive('\n').take(before).map(str::len).sum();
        let row = text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        // A column past the end means the end.
        let column = column.min(u32::try_from(row.chars().count()).unwrap_or(u32::MAX).saturating_add(1));
        self.position = Some(SourcePosition { file: file.into(), line, column });
        let skip = usize::try_from(column.saturating_sub(1)).unwrap_or(0);
        let bytes = |characters: usize| row.char_indices().nth(characters).map_or(row.len(), |(at, _)| at);
        let (from, to) = (bytes(skip), bytes(skip.saturating_add(length)));
        self.span = SourceSpan::from((start + from, to - from));
        self.source = Some(NamedSource::new(file, Arc::clone(shared)));
        self
    }

    /// The fault for people: cause, place, source line with a caret, what to try.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::none() };
        let mut out = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_context_lines(1);
        if handler.render_report(&mut out, self).is_err() {
            out = self.to_string();
        }
        out.trim_matches('\n').to_owned()
    }
}

/// `text` for a terminal: what would control it, or reorder what it shows, is replaced by a picture of it, a character
/// for a character. Line ends and tabs stay.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let picture = |character: char| match character {
        '\n' | '\t' => None,
        '\u{7f}' => Some('\u{2421}'),
        // Of `\r\n`, the terminal needs only the second.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(character)),
        '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some(char::REPLACEMENT_CHARACTER)
        }
        _ => None,
    };
    if text.chars().any(|character| picture(character).is_some()) {
        text.replace("\r\n", "\n").chars().map(|character| picture(character).unwrap_or(character)).collect()
    } else {
        Cow::Borrowed(text)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.position {
            Some(position) => write!(out, "{position}: {}", self.cause),
            None => out.write_str(&self.cause),
        }
    }
}

impl std::error::Error for Fault {}

impl Diagnostic for Fault {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Fault => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display + 'a>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(None, self.span))))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rendered: Vec<String> = self.0.iter().map(|fault| fault.render(false)).collect();
        out.write_str(&rendered.join("\n\n"))
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_place_the_line_a_caret_and_what_to_try() {
        let text = "package a\n\nallow if { e == x }\n";
        let fault = Fault::new("rego_unsafe_var", "`x` is unsafe").at("a/b.rego", text, 3, 17, 1).help("bind `x`");
        let shown = fault.render(false);
        for part in ["`x` is unsafe", "a/b.rego:3:17", "allow if { e == x }", "^", "bind `x`"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert_eq!(fault.to_string(), "a/b.rego:3:17: `x` is unsafe");
    }

    #[test]
    fn nothing_that_a_policy_says_controls_the_terminal() {
        let text = "package a\r\nx := \"\u{1b}[31m\u{202e}\" + \n";
        let fault = Fault::new("c", "un\u{7}expected").at("a\u{1b}.rego", text, 2, 14, 1).help("\u{9b}2J");
        let shown = fault.render(false);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\r']), "{shown}");
        assert!(shown.contains("x := \"␛[31m"), "{shown}");
        assert!(shown.contains(":2:14"), "{shown}");
    }

    #[test]
    fn a_place_past_the_end_is_no_panic() {
        let fault = Fault::new("c", "x").at("f", "a", 9, 9, 4);
        assert!(!fault.render(false).is_empty());
    }
}
