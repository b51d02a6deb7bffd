//! The figures at one moment: what Prometheus is told when it asks, and a collector of OpenTelemetry now and then.

use std::{
    fmt::{self, Display, Write},
    time::Duration,
};

/// What is measured by one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name as Prometheus writes it.
    pub name: &'static str,
    /// How it goes.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
    /// Its values, by their labels.
    pub samples: Vec<Sample>,
}

/// How a figure goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts what was measured, by buckets.
    Histogram,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it is of.
    pub labels: Vec<(&'static str, String)>,
    /// How much.
    pub value: Value,
}

/// A figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A count.
    Integer(u64),
    /// A measure.
    Float(f64),
    /// Times.
    Histogram {
        /// The buckets' upper bounds in nanoseconds, inclusive.
        bounds: &'static [u64],
        /// What each bucket has by itself; the last has the rest.
        counts: Vec<u64>,
        /// All times together.
        sum: Duration,
    },
}

/// The figures so far. Samples belong to the family begun last.
#[derive(Default)]
pub(super) struct Families(pub(super) Vec<Family>);

/// A label's value, between its quotes.
struct Quoted<'a>(&'a str);

impl Families {
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) {
        self.0.push(Family { name, kind, help, samples: Vec::new() });
    }

    /// A sample of the family begun last.
    pub(super) fn sample(&mut self, labels: &[(&'static str, &str)], value: impl Into<Value>) {
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if let Some(family) = self.0.last_mut() {
            family.samples.push(Sample { labels, value: value.into() });
        }
    }

    /// A family of one gauge.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str, value: impl Into<Value>) {
        self.family(name, Kind::Gauge, help);
        self.sample(&[], value);
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(number)
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Integer(number as u64)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Integer(truth.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

/// The figures in Prometheus's text format, version 0.0.4
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).
pub(super) fn prometheus(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        // A String takes everything.
        let _ = family.write(&mut out);
    }
    out
}

impl Family {
    fn write(&self, out: &mut String) -> fmt::Result {
        let Self { name, kind, help, samples } = self;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
        for Sample { labels, value } in samples {
            match value {
                Value::Integer(number) => line(out, name, "", labels, None, number)?,
                Value::Float(number) => line(out, name, "", labels, None, number)?,
                Value::Histogram { bounds, counts, sum } => {
                    let mut count = 0;
                    for (bucket, held) in counts.iter().enumerate() {
                        count += held;
                        let bound = bounds
                            .get(bucket)
                            .map_or("+Inf".to_owned(), |bound| Duration::from_nanos(*bound).as_secs_f64().to_string());
                        line(out, name, "_bucket", labels, Some(&bound), count)?;
                    }
                    line(out, name, "_sum", labels, None, sum.as_secs_f64())?;
                    line(out, name, "_count", labels, None, count)?;
                }
            }
        }
        Ok(())
    }
}

fn line(
    out: &mut String,
    name: &str,
    suffix: &str,
    labels: &[(&str, String)],
    bound: Option<&str>,
    value: impl Display,
) -> fmt::Result {
    write!(out, "{name}{suffix}")?;
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str())).chain(bound.map(|bound| ("le", bound)));
    let mut after = "";
    for (name, value) in labels {
        let before = if after.is_empty() { '{' } else { ',' };
        write!(out, "{before}{name}=\"{}\"", Quoted(value))?;
        after = "}";
    }
    writeln!(out, "{after} {value}")
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
        let mut families = Families::default();
        families.family("a", Kind::Gauge, "An a.");
        families.sample(&[("b", "\"\\\n,}é"), ("c", "")], 0.5);
        let text = prometheus(&families.0);
        assert_eq!(text, "# HELP a An a.\n# TYPE a gauge\na{b=\"\\\"\\\\\\n,}é\",c=\"\"} 0.5\n");
    }

    #[test]
    fn buckets_add_up() {
        let mut families = Families::default();
        families.family("t_seconds", Kind::Histogram, "Times.");
        let value = Value::Histogram { bounds: &[1_000, 2_000], counts: vec![1, 2, 4], sum: Duration::from_micros(9) };
        families.sample(&[("x", "y")], value);
        let expected = "# HELP t_seconds Times.\n# TYPE t_seconds histogram\n\
            t_seconds_bucket{x=\"y\",le=\"0.000001\"} 1\nt_seconds_bucket{x=\"y\",le=\"0.000002\"} 3\n\
            t_seconds_bucket{x=\"y\",le=\"+Inf\"} 7\nt_seconds_sum{x=\"y\"} 0.000009\nt_seconds_count{x=\"y\"} 7\n";
        assert_eq!(prometheus(&families.0), expected);
    }
}
