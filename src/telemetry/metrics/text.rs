//! Prometheus's text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::fmt::{self, Display, Write};

/// The text so far. Samples belong to the family begun last.
#[derive(Default)]
pub(super) struct Text {
    out: String,
    family: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A label's value, between its quotes.
struct Quoted<'a>(&'a str);

impl Text {
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = name;
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// A sample of the family's name and `suffix`.
    pub(super) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.out.push_str(self.family);
        self.out.push_str(suffix);
        for (number, (name, value)) in labels.iter().enumerate() {
            let before = if number == 0 { '{' } else { ',' };
            self.write(format_args!("{before}{name}=\"{}\"", Quoted(value)));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        self.write(format_args!("{after} {value}\n"));
    }

    /// A family of one gauge.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: impl Display) {
        self.family(name, Kind::Gauge, help);
        self.sample("", &[], value);
    }

    pub(super) fn into_string(self) -> String {
        self.out
    }

    fn write(&mut self, what: fmt::Arguments<'_>) {
        // A String takes everything.
        let _ = self.out.write_fmt(what);
    }
}

impl Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\\' => out.write_str("\\\\"),
            '"' => out.write_str("\\\""),
            '\n' => out.write_str("\\n"),
            other => out.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_would_end_a_label() {
        let mut text = Text::default();
        text.family("a", Kind::Counter, "An a.");
        text.sample("_x", &[("b", "\"\\\n,}é"), ("c", "")], 0.5);
        assert_eq!(text.into_string(), "# HELP a An a.\n# TYPE a counter\na_x{b=\"\\\"\\\\\\n,}é\",c=\"\"} 0.5\n");
    }
}
