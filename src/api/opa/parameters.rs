//! The parameters of a request's query, by OPA's rules.

use axum::http::Uri;

use super::{fault::Fault, path::decoded};

/// How much of an explanation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explain {
    Notes,
    Fails,
    Full,
    Debug,
}

/// What the parameters say.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in a URL")]
pub(super) struct Parameters {
    pub(super) pretty: bool,
    pub(super) provenance: bool,
    pub(super) metrics: bool,
    pub(super) instrument: bool,
    pub(super) strict: bool,
    pub(super) explain: Option<Explain>,
    /// The input of a `GET`.
    pub(super) input: Option<String>,
    /// The query of `GET /v1/query`.
    pub(super) query: Option<String>,
    /// What `/health` looks at.
    pub(super) bundles: bool,
    pub(super) plugins: bool,
}

impl Parameters {
    /// Reads them. Those that nobody knows are ignored.
    pub(super) fn of(uri: &Uri) -> Result<Self, Fault> {
        let mut read = Self::default();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name, true), decoded(value, true)) else {
                return Err(Fault::invalid("a parameter has an escape that is none, or that is not UTF-8"));
            };
            let switch = value.is_empty() || value.eq_ignore_ascii_case("true");
            match name.as_str() {
                "pretty" => read.pretty |= switch,
                "provenance" => read.provenance |= switch,
                "metrics" => read.metrics |= switch,
                "instrument" => read.instrument |= switch,
                "strict-builtin-errors" => read.strict |= switch,
                "bundles" | "bundle" => read.bundles |= switch,
                "plugins" => read.plugins |= switch,
                "explain" => read.explain = read.explain.or(explain(&value)),
                "input" => once(&mut read.input, "input", value)?,
                "q" => once(&mut read.query, "q", value)?,
                _ => {}
            }
        }
        Ok(read)
    }
}

/// Two readers of one name twice may each take another value.
fn once(read: &mut Option<String>, name: &str, value: String) -> Result<(), Fault> {
    match read.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::invalid(format!("the parameter `{name}` stands twice"))),
    }
}

/// As in OPA, another word asks for nothing.
fn explain(word: &str) -> Option<Explain> {
    match word {
        "notes" => Some(Explain::Notes),
        "fails" => Some(Explain::Fails),
        "full" => Some(Explain::Full),
        "debug" => Some(Explain::Debug),
        _ => None,
    }
}
